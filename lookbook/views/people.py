"""Customers: what they bought, what lists they got, what hit, and what moved between two lists.

Two experiments have lists. `warm`: data/recommendations, an arm (a catalogue or a text) and a recommender. `arrivals`:
the new garments, ranked for each customer by the factors in data/arrivals/ranked, once for each source of their words.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from catalogue.descriptions.variants import CATALOGUE_OF
from lookbook.comparison import user_scores
from lookbook.views.arrivals import list_runs as list_arrival_runs
from lookbook.views.arrivals import list_sources, rank_arrivals, read_arrivals, read_cutoff
from lookbook.views.study import (
    INTERACTIONS,
    RANKED,
    RECOMMENDATIONS,
    SOURCES,
    TEXTS,
    USER_SCORES,
    Study,
    require_stage,
)
from pipeline.core.errors import UserError

Experiment = Literal["arrivals", "warm"]
HISTORY_ITEMS = 24


class Ranking(NamedTuple):
    """What made a list: the experiment, its recommender with features, and its arm or source of words."""

    experiment: Experiment
    recommender: str
    arm: str


@dataclass(frozen=True)
class Place:
    """A garment on a list.

    Attributes:
        item_id: The garment.
        rank: From 1.
        hit: Whether the customer bought it.
        moved: How many places higher than on the other list; None where that list does not have it.
        text: The words that this arm gave the recommender; None where it reads no words.
        source: Where these words come from.
    """

    item_id: str
    rank: int
    hit: bool
    moved: int | None
    text: str | None
    source: str = ""


@lru_cache(maxsize=4)
def _read_ids(path: Path, column: str, version: int) -> pl.Series:
    return pl.read_parquet(path, columns=[column])[column].cast(pl.String)


def read_users(study: Study) -> pl.Series:
    """Read the id of every customer, in the order of their numbers.

    Raises:
        UserError: There are no customers.
    """
    path = study.root / INTERACTIONS / "users.parquet"
    if not path.is_file():
        raise UserError(f"{INTERACTIONS.as_posix()}/users.parquet: no such file; run `dvc repro rec_interactions`")
    column = "user_id" if "user_id" in pl.read_parquet_schema(path) else "user"
    return _read_ids(path, column, path.stat().st_mtime_ns)


def read_item_ids(study: Study) -> pl.Series:
    """Read the id of every garment that purchases name by number."""
    path = study.root / INTERACTIONS / "items.parquet"
    return _read_ids(path, "item_id", path.stat().st_mtime_ns)


def read_history(study: Study, ranking: Ranking, user: int) -> list[str]:
    """Read the purchases that a list was made of, newest first, each garment once, at most `HISTORY_ITEMS`.

    They are of training, in the catalogue of the list; where arrivals are ranked, no arrival is among them.
    """
    table = _read_purchases(_find_part(study, ranking, "train"), user).sort("day", descending=True)
    if _find_catalogue(ranking) == "original":
        items = pl.read_parquet(study.root / INTERACTIONS / "items.parquet", columns=["item", "original"])
        table = table.filter(pl.col("item").is_in(items.filter("original")["item"].to_list()))
    bought = _name(study, table["item"].unique(maintain_order=True).to_list())
    if ranking.experiment == "arrivals":
        arrivals = set(read_arrivals(study.root / RANKED / ranking.recommender))
        bought = [item for item in bought if item not in arrivals]
    return bought[:HISTORY_ITEMS]


def read_bought(study: Study, ranking: Ranking, user: int) -> list[str]:
    """Read what a list should hold: test purchases; among arrivals, every purchase of one."""
    parts = ["test"] if ranking.experiment == "warm" else ["train", "test"]
    bought = pl.concat([_read_purchases(_find_part(study, ranking, part), user) for part in parts])
    items = _name(study, bought["item"].unique(maintain_order=True).to_list())
    if ranking.experiment == "warm":
        return items
    arrivals = set(read_arrivals(study.root / RANKED / ranking.recommender))
    return [item for item in items if item in arrivals]


def find_unreachable(study: Study, ranking: Ranking, user: int, items: Sequence[str]) -> set[str]:
    """Find the garments that no list of this customer can hold: a warm list has what somebody else bought in training.

    Nor has it what the customer bought in training, or what is not among its candidates. Arrivals are all ranked.
    """
    if ranking.experiment == "arrivals":
        return set()
    path = _find_part(study, ranking, "train")
    trained = _read_trained(path, path.stat().st_mtime_ns)
    own = set(_read_purchases(path, user)["item"].to_list())
    candidates = _find_candidates(study, ranking, user)
    table = pl.scan_parquet(study.root / INTERACTIONS / "items.parquet").select("item", "item_id", "original")
    rows = table.filter(pl.col("item_id").cast(pl.String).is_in(list(items))).collect().iter_rows()
    known = {
        item_id: item not in own and item in trained and (original or candidates != "original")
        for item, item_id, original in rows
    }
    return {item for item in items if not known.get(item)}


@lru_cache(maxsize=2)
def _read_trained(path: Path, version: int) -> frozenset[int]:  # a new version is a new key
    """Read the items that somebody bought in training."""
    return frozenset(pl.scan_parquet(path).select(pl.col("item").unique()).collect()["item"].to_list())


def _find_catalogue(ranking: Ranking) -> str:
    """Return the catalogue whose purchases a ranking was made of."""
    return "original" if ranking.experiment == "arrivals" else CATALOGUE_OF.get(ranking.arm, ranking.arm)


def _find_candidates(study: Study, ranking: Ranking, user: int) -> str:
    """Return the catalogue whose garments were ranked for the warm lists of a customer that are shown.

    It is `original`, which all catalogues have in common, wherever the customer has a list of it.
    """
    table = pl.scan_parquet(find_list_file(study, ranking)).filter(pl.col("user") == user)
    names = table.select(pl.col("candidates").cast(pl.String).unique()).collect()["candidates"].to_list()
    return names[0] if names and "original" not in names else "original"


def _find_part(study: Study, ranking: Ranking, part: str) -> Path:
    """Return the file of purchases of a part: where each catalogue was split alone, that of the ranking's catalogue."""
    folder = study.root / INTERACTIONS
    own = folder / "published" / _find_catalogue(ranking)
    return (own if own.is_dir() else folder) / f"{part}.parquet"


def _read_purchases(path: Path, user: int) -> pl.DataFrame:
    return pl.scan_parquet(path).filter(pl.col("user") == user).select("item", "day").collect()


def _name(study: Study, items: Sequence[int]) -> list[str]:
    ids = read_item_ids(study)
    return [ids[item] for item in items]


def list_rankings(study: Study, experiment: Experiment) -> dict[str, list[str]]:
    """List recommender → arms or sources whose lists are there."""
    found: dict[str, list[str]] = {}
    if experiment == "warm":
        for path in sorted((study.root / RECOMMENDATIONS).glob("*/*.parquet")):
            found.setdefault(path.stem, []).append(path.parent.name)
        return found
    for path in sorted((study.root / RANKED).glob("*/factors.json")):
        found[path.parent.name] = list_sources(path.parent)
    return found


def list_runs(study: Study, ranking: Ranking) -> list[int]:
    """List the runs of a recommender."""
    if ranking.experiment == "arrivals":
        return list_arrival_runs(study.root / RANKED / ranking.recommender)
    return (
        pl.scan_parquet(find_list_file(study, ranking)).select(pl.col("run").unique()).collect()["run"].sort().to_list()
    )


def list_common_runs(study: Study, rankings: Sequence[Ranking]) -> list[int]:
    """List the runs that all of some rankings have; of the first alone where they have none in common."""
    runs = [list_runs(study, ranking) for ranking in rankings]
    return [run for run in runs[0] if all(run in own for own in runs)] or runs[0]


def name_rankings(rankings: Sequence[Ranking]) -> list[str]:
    """Name rankings by their arms, and by their recommenders where these differ.

    >>> name_rankings([Ranking("warm", "bpr", "all"), Ranking("warm", "userknn", "all")])
    ['bpr, all', 'userknn, all']
    """
    differ = len({ranking.recommender for ranking in rankings}) > 1
    return [f"{ranking.recommender}, {ranking.arm}" if differ else ranking.arm for ranking in rankings]


def find_list_file(study: Study, ranking: Ranking) -> Path:
    """Return the file with the lists of an arm and recommender of the warm items."""
    return study.root / RECOMMENDATIONS / ranking.arm / f"{ranking.recommender}.parquet"


def read_list(study: Study, ranking: Ranking, run: int, user: int) -> list[str]:
    """Read a customer's list, best first; empty where the customer has none."""
    if ranking.experiment == "arrivals":
        return rank_arrivals(study.root / RANKED / ranking.recommender, ranking.arm, run, user)
    own = pl.col("candidates").cast(pl.String) == _find_candidates(study, ranking, user)
    table = pl.scan_parquet(find_list_file(study, ranking)).filter(pl.col("user") == user, pl.col("run") == run, own)
    return _name(study, table.collect().sort("rank")["item"].to_list())


def read_texts(study: Study, ranking: Ranking, items: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Read the words that an arm gave the recommender, and their source, by item; empty where it gave none."""
    folder, own = (SOURCES, pl.lit(ranking.arm)) if ranking.experiment == "arrivals" else (TEXTS, pl.col("source"))
    path = study.root / folder / f"{ranking.arm}.parquet"
    if not path.is_file() or "-" not in ranking.recommender:
        return {}
    table = pl.scan_parquet(path).filter(pl.col("item_id").is_in(list(items)))
    rows = table.select("item_id", "text", own.cast(pl.String).alias("source")).collect().iter_rows()
    return {item: (text, source) for item, text, source in rows}


def compare_lists(
    study: Study, rankings: tuple[Ranking, Ranking], run: int, user: int
) -> tuple[list[Place], list[Place]]:
    """Return a customer's two lists, with hits, moves and the words that each arm gave the recommender."""
    lists = [read_list(study, ranking, run, user) for ranking in rankings]
    bought = [set(read_bought(study, ranking, user)) for ranking in rankings]
    texts = [read_texts(study, ranking, items) for ranking, items in zip(rankings, lists, strict=True)]
    first, second = (
        place_items(items, other, own, words)
        for items, other, own, words in zip(lists, reversed(lists), bought, texts, strict=True)
    )
    return first, second


def place_items(
    items: Sequence[str], other: Sequence[str], bought: set[str], texts: dict[str, tuple[str, str]]
) -> list[Place]:
    """Place the garments of a list beside another list.

    >>> [(place.rank, place.moved) for place in place_items(["a", "b"], ["b", "c"], set(), {})]
    [(1, None), (2, -1)]
    """
    ranks = {item: rank for rank, item in enumerate(other, 1)}
    return [
        Place(item, rank, item in bought, ranks[item] - rank if item in ranks else None, *texts.get(item, (None, "")))
        for rank, item in enumerate(items, 1)
    ]


def make_table(lists: Sequence[Sequence[Place]]) -> pl.DataFrame:
    """Make a table of a customer's lists, a row for each place: list (A, B), then what `Place` has."""
    rows = [{"list": name, **asdict(place)} for name, places in zip("AB", lists, strict=True) for place in places]
    return pl.DataFrame(rows, infer_schema_length=None)


def find_cutoff(study: Study, ranking: Ranking) -> int:
    """Return how many places of a list count in the NDCG of customers.

    Raises:
        UserError: The scores are not there.
    """
    if ranking.experiment == "arrivals":
        return read_cutoff(study.root / RANKED / ranking.recommender)
    cutoff = user_scores.find_cutoff(require_stage(study, USER_SCORES))
    if cutoff is None:
        raise UserError(f"{USER_SCORES.as_posix()}: no scores of these lists; run `dvc repro rec_score`")
    return cutoff


def read_effects(study: Study, a: Ranking, b: Ranking) -> pl.DataFrame:
    """Return user, a, b and difference (a − b): NDCG, the mean of a customer's runs, largest gain first.

    It is that of the lists that are shown: customers without purchases among what these rank are left out.

    Raises:
        UserError: The scores are not there.
    """
    left, right = (_read_user_scores(study, ranking) for ranking in (a, b))
    both = left.rename({"value": "a"}).join(right.rename({"value": "b"}), on="user", how="full", coalesce=True)
    filled = both.with_columns(pl.col("a", "b").fill_null(0.0)).with_columns(difference=pl.col("a") - pl.col("b"))
    return filled.sort("difference", "user", descending=[True, False])


def _read_user_scores(study: Study, ranking: Ranking) -> pl.DataFrame:
    """Return user and value: the mean NDCG of the runs at the largest cutoff, on what catalogues have in common."""
    if ranking.experiment == "arrivals":
        folder = study.root / RANKED / ranking.recommender
        runs = len(list_arrival_runs(folder))
        hits = pl.scan_parquet(folder / "contributions.parquet").filter(pl.col("source").cast(pl.String) == ranking.arm)
        return hits.group_by("user").agg(value=pl.col("contribution").sum() / runs).collect()
    path, metric = study.root / USER_SCORES, f"ndcg_{find_cutoff(study, ranking)}"
    if user_scores.find_evaluation(path) == "common":
        metric += "_common"
    table = pl.scan_parquet(path).filter(
        pl.col("arm").cast(pl.String) == ranking.arm, pl.col("recommender").cast(pl.String) == ranking.recommender
    )
    return table.group_by("user").agg(value=pl.col(metric).mean()).drop_nulls().collect()
