"""python -m recsys.score: metrics of every recommendation list of the study's axes, per user and mean.

Reads `data/recommendations/` of the members of the axes only, whatever else lies there. Writes

`data/scores/recommendations.parquet`, a row per arm (catalogue or text), recommender, run and user:
- `ndcg_5`, `map_elliot_12`, … (`recsys.metrics`): within the arm's own catalogue. Null for a user without a test item there;
- the same with `_common` at the end: candidates and relevant items restricted to those every catalogue has (`original`),
  users likewise, so that arms of different catalogues can be compared pairwise. In the catalogue `original`: the same values;
- `ndcg_masked_12` (largest cutoff): of the lists in common candidates, with only masked items relevant (the captioning
  test items, `masked` in the data/texts/masked-*.parquet of the axis). In every arm; null for users without such a test item.

Only users with a value in one of them have a row. Relevant are a user's distinct test items; those that the user has
in train (seen items are never recommended) and those that no one has in train (no candidates) can never be hit, and
count as relevant all the same, as in Elliot. `metrics/recommendations.json` counts them.

`metrics/recommendations.json`: `{arm: {recommender: {…}}}`; means over users, then over runs. Beside them `coverage_12`
(of the candidates, in any list), `users` averaged, `users_common`, `users_masked`, `users_without_test` left out, `runs`, and
the arm's `test_items` (distinct per user), `test_items_repeated`, `test_items_cold`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pydantic import AfterValidator, Field

from catalogue.texts import CATALOGUE_OF, Text
from pipeline.errors import UserError
from pipeline.names import allowed_names, unknown_name
from pipeline.outputs import write_json, write_parquet
from pipeline.params import Section, read
from pipeline.progress import track
from pipeline.stage import done, run
from recsys.dataset import CATALOGUES, COMMON, Catalogue, Split, read_split, restrict
from recsys.metrics import coverage, per_user

LISTS = Path("data/recommendations")
TEXTS = Path("data/texts")
PER_USER = Path("data/scores/recommendations.parquet")
METRICS = Path("metrics/recommendations.json")


class RecScore(Section):
    cutoffs: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1)]


def known_recommender(name: str) -> str:
    problem = unknown_name("recommender", name, allowed_names("recsys/recommenders"))
    if problem:
        raise ValueError(problem)
    return name


class Params(Section):
    catalogues: list[Catalogue]
    texts: list[Text]
    recommenders: list[Annotated[str, AfterValidator(known_recommender)]]
    image_features: list[str]
    text_features: list[str]
    rec_score: RecScore


@dataclass(frozen=True)
class Relevance:
    """What is relevant within a catalogue; matrices are (n_all_users, n_all_items), by the indices of data/interactions."""

    catalogue: Catalogue
    users: np.ndarray  # (n_all_users,) bool: has a train purchase in the catalogue
    n_candidates: int
    test: sp.csr_matrix
    masked: sp.csr_matrix
    counts: dict[str, int]

    def averaged(self) -> np.ndarray:
        """(n_all_users,) bool: the users that means are over."""
        return self.users & (np.diff(self.test.indptr) > 0)


def arms(params: Params) -> Iterator[tuple[str, Catalogue, str]]:
    """Every member of the axes: arm, its catalogue, recommender."""
    for catalogue in params.catalogues:
        names = [*params.recommenders, *(f"vbpr-{features}" for features in params.image_features)]
        yield from ((catalogue, catalogue, name) for name in names)
    for text in params.texts:
        catalogue = cast(Catalogue, CATALOGUE_OF[text])
        yield from ((text, catalogue, f"vbpr-{features}") for features in params.text_features)


def relevance(split: Split, catalogue: Catalogue, masked: np.ndarray) -> Relevance:
    """Args: masked: (n_all_items,) bool."""
    members = split.members(catalogue)
    data = restrict(split, catalogue)
    users = np.zeros(split.n_users, dtype=bool)
    users[data.users] = True
    test = split.matrix(split.test, members)
    train = split.matrix(split.train, members)
    known = sp.diags_array(users.astype(np.float32)) @ test  # of users who can be recommended something
    cold = np.isin(known.indices, data.items, invert=True)
    counts = {
        "test_items": int(known.count_nonzero()),
        "test_items_repeated": int(known.multiply(train).count_nonzero()),
        "test_items_cold": int((known.data[cold] > 0).sum()),
    }
    return Relevance(catalogue, users, len(data.items), test, split.matrix(split.test, members & masked), counts)


def masked_items(split: Split, texts: Sequence[str], folder: Path = TEXTS) -> np.ndarray:
    """Which items have another description in the masked-* texts of the axis: (n_all_items,) bool."""
    ids: set[str] = set()
    for text in texts:
        if text.startswith("masked-"):
            table = pd.read_parquet(folder / f"{text}.parquet", columns=["item_id", "masked"])
            ids.update(table.loc[table["masked"], "item_id"])
    return np.isin(split.item_ids.astype(str), sorted(ids)) if ids else np.zeros(len(split.item_ids), dtype=bool)


def read_lists(path: Path, n_users: int, cutoffs: list[int]) -> dict[tuple[str, int], np.ndarray]:
    """(candidates, run) → (n_users, depth) items, −1 for none.

    Raises:
        UserError: the file is missing, or its lists are shorter than the largest cutoff.
    """
    if not path.exists():
        raise UserError(
            f"{path}: no such lists, though params.yaml names them in its axes; run `dvc repro` to make them"
        )
    table = pd.read_parquet(path, columns=["candidates", "run", "user", "item", "rank"])
    depth = int(table["rank"].max())
    if depth < max(cutoffs):
        raise UserError(
            f"rec_score.cutoffs: {max(cutoffs)} is more than the {depth} items of the lists in {path}; "
            f"set rec_fit.top_k to {max(cutoffs)} or more, or lower the cutoff"
        )
    lists: dict[tuple[str, int], np.ndarray] = defaultdict(lambda: np.full((n_users, depth), -1, dtype=np.int32))
    for candidates in table["candidates"].unique():
        for number in table["run"].unique():
            rows = table[(table["candidates"] == candidates) & (table["run"] == number)]
            lists[str(candidates), int(number)][rows["user"], rows["rank"] - 1] = rows["item"]
    return dict(lists)


def score(
    lists: dict[tuple[str, int], np.ndarray], own: Relevance, common: Relevance, cutoffs: list[int]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows per run and user, and the means, of one recommender in one arm."""
    runs = sorted({number for _, number in lists})
    tables = [
        run_table(lists[own.catalogue, r], lists[common.catalogue, r], own, common, cutoffs).assign(run=r) for r in runs
    ]
    rows = pd.concat(tables)
    means = rows.drop(columns="user").groupby("run").mean().mean().dropna()
    deep = max(cutoffs)
    covered = {
        f"coverage_{k}": float(np.mean([coverage(lists[own.catalogue, r], own.n_candidates, k) for r in runs]))
        for k in cutoffs
    }
    counts = {
        "runs": len(runs),
        "users": int(tables[0][f"ndcg_{deep}"].count()),
        "users_common": int(tables[0][f"ndcg_{deep}_common"].count()),
        "users_masked": int(tables[0][f"ndcg_masked_{deep}"].count()),
        "users_without_test": int((own.users & ~own.averaged()).sum()),
    }
    return rows, {str(name): float(mean) for name, mean in means.items()} | covered | counts | own.counts


def run_table(
    own_lists: np.ndarray, common_lists: np.ndarray, own: Relevance, common: Relevance, cutoffs: list[int]
) -> pd.DataFrame:
    """A row per user with a test item in the arm's catalogue: `user` and every metric."""
    deep = max(cutoffs)
    columns = per_user(own_lists, own.test, cutoffs)
    shared = per_user(common_lists, common.test, cutoffs)
    columns |= {f"{name}_common": np.where(common.users, values, np.nan) for name, values in shared.items()}
    masked = per_user(common_lists, common.masked, [deep])[f"ndcg_{deep}"]
    columns[f"ndcg_masked_{deep}"] = np.where(common.users, masked, np.nan)
    chosen = np.flatnonzero(own.averaged())
    return pd.DataFrame({"user": chosen.astype(np.int32)} | {name: values[chosen] for name, values in columns.items()})


def write(tables: list[pd.DataFrame], metrics: dict[str, dict[str, Any]]) -> None:
    """Both outputs; without a cell in the axes they are empty."""
    first = ["arm", "recommender", "run", "user"]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=first)
    table = table.astype({"arm": "category", "recommender": "category", "run": np.int32, "user": np.int32})
    write_parquet(PER_USER, table[first + [name for name in table.columns if name not in first]])
    write_json(METRICS, metrics)


def summary(metrics: dict[str, dict[str, Any]], deep: int) -> str:
    """The best list on the items in common."""
    ranked = [
        (values[f"ndcg_{deep}_common"], values["users_common"], name, arm)
        for arm in metrics
        for name, values in metrics[arm].items()
    ]
    value, users, name, arm = max(ranked)
    return f"best NDCG@{deep} on the items and {users:,} users in common: {value:.4f} ({name}, {arm})"


def main() -> None:
    params = read(Params)
    cutoffs = params.rec_score.cutoffs
    cells = list(arms(params))
    tables: list[pd.DataFrame] = []
    metrics: dict[str, dict[str, Any]] = {}
    if not cells:
        write(tables, metrics)
        done(f"wrote {METRICS}: nothing to score, `catalogues` and `texts` are empty")
        return
    split = read_split()
    masked = masked_items(split, params.texts)
    relevant = {name: relevance(split, name, masked) for name in CATALOGUES}
    for arm, catalogue, recommender in track(cells, "score", unit="lists"):
        lists = read_lists(LISTS / arm / f"{recommender}.parquet", split.n_users, cutoffs)
        rows, metrics.setdefault(arm, {})[recommender] = score(lists, relevant[catalogue], relevant[COMMON], cutoffs)
        tables.append(rows.assign(arm=arm, recommender=recommender))
    write(tables, metrics)
    done(
        f"wrote {METRICS} and {PER_USER}: {len(cells)} recommenders in {len(metrics)} arms; {summary(metrics, max(cutoffs))}"
    )


if __name__ == "__main__":
    run(main)
