"""The files of a cell's rankings: contributions of hits, users, arrivals, and the factors to rank again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.core.outputs import write_json, write_parquet, write_tables
from recsys.arrivals.array_files import Blocks, write_arrays
from recsys.arrivals.models import Model, open_model, run_file
from recsys.arrivals.rankings import BLOCK_USERS, RunRanking
from recsys.arrivals.ranks import compute_contributions
from recsys.purchases.arrivals import Arrivals

CONTRIBUTIONS, USERS, ARRIVALS = "contributions.parquet", "users.parquet", "arrivals.parquet"
SIMILARITIES = "similarities.parquet"
FACTORS, NAMES = "factors.safetensors", "factors.json"


def write_rankings(
    folder: Path, models: Path, rankings: Sequence[RunRanking], arrivals: Arrivals, products: np.ndarray, k: int
) -> None:
    """Write what comparisons read.

    - `contributions.parquet`: source, run, user, item (indices of data/interactions), contribution: what a hit brings
      to its user's NDCG@k among the arrivals; hits alone, so that a user's NDCG is the sum of the rows.
    - `users.parquet`: user, and the number of relevant arrivals; also users without a hit.
    - `arrivals.parquet`: item, item_id, product.
    - `factors.safetensors`: `users-<run>` (n_users, width), `items-<source>-<run>` (n_arrivals, width) and
      `bias-<source>-<run>` (n_arrivals,), in the order of the tables: score = users · items + bias, ties by order.
      `factors.json` names the sources and runs.

    Args:
        folder: where to; it exists.
        models: the files of the models.
        rankings: of every run.
        arrivals: the arrivals, and what the models were fitted on.
        products: the product of each arrival.
        k: the length of a list.
    """
    sources = list(rankings[0].ranks)
    users = arrivals.data.users[arrivals.users]
    counts = np.diff(arrivals.relevant.indptr)[arrivals.users].astype(np.int32)
    write_tables(folder / CONTRIBUTIONS, _list_hits(rankings, sources, arrivals, k))
    write_parquet(folder / USERS, pd.DataFrame({"user": users, "relevant": counts}))
    write_parquet(
        folder / ARRIVALS,
        pd.DataFrame({"item": arrivals.items, "item_id": arrivals.item_ids, "product": products}),
    )
    _write_factors(folder / FACTORS, models, rankings, arrivals)
    write_json(folder / NAMES, {"sources": sources, "runs": [ranking.number for ranking in rankings], "k": k})


def write_similarities(folder: Path, similarities: Mapping[str, np.ndarray], arrivals: Arrivals) -> None:
    """Write `similarities.parquet`: source, item, similarity of its vector to that of the shop's own description.

    Args:
        folder: where to; it exists.
        similarities: source → (n_arrivals,); empty where there is no reference.
        arrivals: the arrivals.
    """
    names = list(similarities)
    source = pd.Categorical(np.repeat(np.array(names, dtype=object), len(arrivals.items)), categories=names)
    values = np.concatenate([np.zeros(0), *similarities.values()])
    table = pd.DataFrame({"source": source, "item": np.tile(arrivals.items, len(names)), "similarity": values})
    write_parquet(folder / SIMILARITIES, table)


def _list_hits(
    rankings: Sequence[RunRanking], sources: Sequence[str], arrivals: Arrivals, k: int
) -> Iterator[pa.Table]:
    """Yield the hits of each source and run, by user and item."""
    relevant = arrivals.relevant
    owner = np.repeat(arrivals.data.users, np.diff(relevant.indptr))
    for number, source in enumerate(sources):
        for ranking in rankings:
            ranks = ranking.ranks[source]
            hits = np.flatnonzero(ranks < k)
            code = np.full(len(hits), number, dtype=np.int16)
            yield pa.table(
                {
                    "source": pa.DictionaryArray.from_arrays(code, sources),
                    "run": np.full(len(hits), ranking.number, dtype=np.int32),
                    "user": owner[hits].astype(np.int32),
                    "item": arrivals.items[relevant.indices[hits]],
                    "contribution": compute_contributions(ranks, relevant, k)[hits],
                }
            )


def _write_factors(path: Path, models: Path, rankings: Sequence[RunRanking], arrivals: Arrivals) -> None:
    """Write the factors of users, a block at a time, and of the arrivals of every source."""
    arrays: dict[str, np.ndarray | Blocks] = {}
    with ExitStack() as stack:
        for ranking in rankings:
            model = stack.enter_context(open_model(run_file(models, ranking.number), arrivals.data))
            columns = ranking.projection.columns
            shape = (len(arrivals.users), len(columns))
            arrays[f"users-{ranking.number}"] = Blocks(shape, _read_users(model, arrivals.users, columns))
            for source, items in ranking.projection.items.items():
                arrays[f"items-{source}-{ranking.number}"] = items.vectors
                arrays[f"bias-{source}-{ranking.number}"] = items.bias
        write_arrays(path, arrays)


def _read_users(model: Model, users: np.ndarray, columns: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(users), BLOCK_USERS):
        yield model.read_users(users[start : start + BLOCK_USERS])[:, columns]
