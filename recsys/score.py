"""python -m recsys.score: metrics of every recommendation list of the study's axes, per user and mean.

Reads `data/recommendations/` of the members of the axes only, whatever else lies there. Writes

`data/scores/recommendations.parquet`, a row per arm (catalogue or text), recommender, run and user:
- `ndcg_5`, `map_elliot_12`, … (`recsys.scoring.metrics`): within the arm's own catalogue. Null for a user without a test item there;
- the same with `_common` at the end: candidates and relevant items restricted to those every catalogue has (`original`),
  users likewise, so that arms of different catalogues can be compared pairwise. In the catalogue `original`: the same values;
- `ndcg_masked_12` (largest cutoff): of the lists in common candidates, with only masked items relevant (the captioning
  test items, `masked` in the data/texts/masked-*.parquet of the axis). In every arm; null for users without such a test item.

Only users with a value in one of them have a row. Relevant are a user's distinct test items; those that the user has
in train (seen items are never recommended) and those that no one has in train (no candidates) can never be hit, and
count as relevant all the same, as in Elliot. `metrics/recommendations.json` counts them.

`data/scores/recommendation_slices.parquet`, a row per arm, recommender, run, user and slice (`recsys.scoring.slices`): NDCG, recall and hit
rate at the largest cutoff.

`metrics/recommendations.json`: `{arm: {recommender: {…}}}`; means over users, then over runs. Beside them `coverage_12`
(of the candidates, in any list), at the largest cutoff `gini`, `novelty`, `popularity`, `long_tail` and `popularity_lift`
(`recsys.scoring.metrics`; of everyone's lists), `users` averaged, `users_common`, `users_masked`, `users_without_test` left out, `runs`, and
the arm's `test_items` (distinct per user), `test_items_repeated`, `test_items_cold`.

With `evaluation: published` (`recsys.interactions`) each catalogue has a split of its own: nothing is in common, so there are no
`_common` columns, `ndcg_masked_12` is null in the catalogue `all`, and the JSON says `"evaluation": "published"`: figures of
different catalogues must not be tested pairwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
from pydantic import AfterValidator

from catalogue.descriptions.variants import CATALOGUE_OF, Text
from catalogue.prepared.items import read_items
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_json
from pipeline.core.params import Section, read
from pipeline.core.progress import track
from pipeline.core.stage import print_summary, run
from pipeline.names import allowed_names, explain_unknown_name
from recsys.purchases.dataset import CATALOGUES, COMMON, FOLDER, Catalogue, read_split
from recsys.scoring.metrics import coverage, gini, long_tail, novelty, per_user, popularity, popularity_lift
from recsys.scoring.relevance import Relevance, masked_items, relevance, written_items
from recsys.scoring.settings import RecScore
from recsys.scoring.slices import Limits, Slice, items_of, slices
from recsys.scoring.study_lists import Lists, growing, read_lists

LISTS = Path("data/recommendations")
ITEMS = Path("data/prepared/items.parquet")
PER_USER = Path("data/scores/recommendations.parquet")
SLICES = Path("data/scores/recommendation_slices.parquet")
METRICS = Path("metrics/recommendations.json")
LABELS = ["arm", "recommender"]
OF_A_SLICE = ("ndcg", "recall", "hit_rate")

Columns = dict[str, np.ndarray]


def known_recommender(name: str) -> str:
    problem = explain_unknown_name("recommender", name, allowed_names("recsys/recommenders"))
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
class Study:
    """What lists are scored against; `slices` are those of each catalogue."""

    relevant: dict[Catalogue, Relevance]
    slices: dict[Catalogue, list[Slice]]
    published: bool

    def common(self, catalogue: Catalogue) -> Relevance | None:
        """What the catalogue is compared with others on; none where each is alone."""
        if self.published:
            return self.relevant[COMMON] if catalogue == COMMON else None
        return self.relevant[COMMON]


def arms(params: Params) -> Iterator[tuple[str, Catalogue, str]]:
    """Every member of the axes: arm, its catalogue, recommender."""
    for catalogue in params.catalogues:
        names = [*params.recommenders, *(f"vbpr-{features}" for features in params.image_features)]
        yield from ((catalogue, catalogue, name) for name in names)
    for text in params.texts:
        catalogue = cast(Catalogue, CATALOGUE_OF[text])
        yield from ((text, catalogue, f"vbpr-{features}") for features in params.text_features)


def read_study(params: Params, catalogues: set[Catalogue], folder: Path = FOLDER) -> Study:
    """The test side of these catalogues, and of the common one where catalogues are compared.

    Raises:
        UserError: one has no user to average over.
    """
    splits = {catalogue: read_split(folder, catalogue) for catalogue in CATALOGUES}
    published = any(split.published for split in splits.values())
    wanted = [name for name in CATALOGUES if name in catalogues or (name == COMMON and not published)]
    masked = masked_items(splits[COMMON], params.texts)
    relevant = {name: relevance(splits[name], name, masked) for name in wanted}
    for name, own in relevant.items():
        if not len(own.averaged):
            raise UserError(
                f"{folder}: no user has both a train and a test purchase of an article of the catalogue {name}, so there is nothing "
                "to score lists against; change rec_interactions in params.yaml (split, test_days, test_share)"
            )
    table = read_items(ITEMS, ["item_id", "product_code", "category", "split"])
    items = items_of(splits[COMMON].item_ids, table, masked, written_items(splits[COMMON], params.texts))
    section = params.rec_score
    limits = Limits(section.cold_purchases, section.cold_buyers, section.slice_categories)
    parts = {
        name: list(slices(own, own if published else relevant[COMMON], items, limits)) for name, own in relevant.items()
    }
    return Study(relevant, parts, published)


def run_columns(lists: Lists, study: Study, catalogue: Catalogue, number: int, cutoffs: list[int]) -> Columns:
    """Every metric of every user of one run: (n_averaged,) each, NaN where the user has none."""
    own, common, deep = study.relevant[catalogue], study.common(catalogue), max(cutoffs)
    chosen = own.averaged
    columns = per_user(lists[catalogue, number][chosen], own.test[chosen], cutoffs)
    names = list(columns)
    if common is None:
        return columns
    shared = lists[COMMON, number][chosen]
    values = columns if own is common else per_user(shared, common.test[chosen], cutoffs)
    if not study.published:
        known = common.users[chosen]
        columns |= {f"{name}_common": np.where(known, values[name], np.nan) for name in names}
    masked = per_user(shared, common.masked[chosen], [deep])[f"ndcg_{deep}"]
    return columns | {f"ndcg_masked_{deep}": np.where(common.users[chosen], masked, np.nan)}


def beyond_accuracy(listed: np.ndarray, own: Relevance, cutoffs: list[int]) -> dict[str, float]:
    """Coverage, novelty and popularity bias of the lists of one run; what is no number is left out."""
    deep = max(cutoffs)
    users = int(own.users.sum())
    figures = {f"coverage_{k}": coverage(listed, own.n_candidates, k) for k in cutoffs}
    figures[f"gini_{deep}"] = gini(listed, own.n_candidates, deep)
    mine = listed[own.users]
    of_users = {
        "novelty": novelty(mine, own.buyers, users, deep),
        "popularity": popularity(mine, own.buyers, deep),
        "long_tail": long_tail(mine, own.buyers, deep),
    }
    figures |= {f"{name}_{deep}": float(np.nanmean(values)) for name, values in of_users.items() if (mine >= 0).any()}
    figures[f"popularity_lift_{deep}"] = popularity_lift(mine, own.train[own.users], deep)
    return {name: float(value) for name, value in figures.items() if np.isfinite(value)}


def slice_columns(listed: np.ndarray, part: Slice, deep: int) -> Columns:
    values = per_user(listed[part.users], part.relevant, [deep])
    return {f"{name}_{deep}": values[f"{name}_{deep}"] for name in OF_A_SLICE}


def summarise(
    columns: list[Columns], others: list[dict[str, float]], own: Relevance, published: bool
) -> dict[str, Any]:
    """The figures of one recommender in one arm: means over users, then over runs."""
    there = {name: [one[name][~np.isnan(one[name])] for one in columns] for name in columns[0]}
    means = {name: float(np.mean([run.mean() for run in runs])) for name, runs in there.items() if len(runs[0])}
    means |= {name: float(np.mean([one[name] for one in others])) for name in others[0]}
    ndcg = [name for name in there if name.startswith("ndcg_")]
    counted = {"users": ndcg[0]} | {
        f"users_{kind}": name for name in ndcg for kind in ("common", "masked") if kind in name
    }
    counts = {"runs": len(columns)} | {key: len(there[name][0]) for key, name in counted.items()}
    counts["users_without_test"] = int(own.users.sum()) - len(own.averaged)
    return means | counts | own.counts | ({"evaluation": "published"} if published else {})


def metric_names(study: Study, cutoffs: list[int]) -> list[str]:
    """The columns of recommendations.parquet."""
    own = list(per_user(np.empty((0, 1), np.int32), next(iter(study.relevant.values())).test[:0], cutoffs))
    shared = [] if study.published else [f"{name}_common" for name in own]
    return [*own, *shared, *([f"ndcg_masked_{max(cutoffs)}"] if COMMON in study.relevant else [])]


def score(params: Params, cells: list[tuple[str, Catalogue, str]]) -> dict[str, dict[str, Any]]:
    """Writes both tables, cell by cell, and returns the means."""
    cutoffs, deep = params.rec_score.cutoffs, max(params.rec_score.cutoffs)
    study = read_study(params, {catalogue for _, catalogue, _ in cells})
    metrics: dict[str, dict[str, Any]] = {}
    of_slices = [f"{name}_{deep}" for name in OF_A_SLICE]
    with (
        growing(PER_USER, LABELS, metric_names(study, cutoffs)) as add_users,
        growing(SLICES, [*LABELS, "slice"], of_slices) as add_slices,
    ):
        for arm, catalogue, recommender in track(cells, "score", unit="lists"):
            own = study.relevant[catalogue]
            lists = read_lists(LISTS / arm / f"{recommender}.parquet", len(own.users), cutoffs)
            columns, others = [], []
            for number in sorted({number for _, number in lists}):
                columns.append(run_columns(lists, study, catalogue, number, cutoffs))
                others.append(beyond_accuracy(lists[catalogue, number], own, cutoffs))
                labels = {"arm": arm, "recommender": recommender}
                add_users(labels, number, own.averaged, columns[-1])
                for part in study.slices[catalogue]:
                    listed = lists[COMMON if part.common and not study.published else catalogue, number]
                    add_slices(labels | {"slice": part.name}, number, part.users, slice_columns(listed, part, deep))
            metrics.setdefault(arm, {})[recommender] = summarise(columns, others, own, study.published)
    return metrics


def summary(metrics: dict[str, dict[str, Any]], deep: int) -> str:
    """The best list, on the items in common where there are such."""
    key, users, where = f"ndcg_{deep}_common", "users_common", "on the items and {:,} users in common"
    if not any(key in values for arm in metrics.values() for values in arm.values()):
        key, users, where = f"ndcg_{deep}", "users", "of {:,} users, each catalogue alone"
    ranked = [
        (values[key], values[users], name, arm)
        for arm in metrics
        for name, values in metrics[arm].items()
        if key in values
    ]
    value, n, name, arm = max(ranked)
    return f"best NDCG@{deep} {where.format(n)}: {value:.4f} ({name}, {arm})"


def main() -> None:
    params = read(Params)
    cells = list(arms(params))
    if not cells:
        for path, labels in ((PER_USER, LABELS), (SLICES, [*LABELS, "slice"])):
            with growing(path, labels, []):
                pass
        write_json(METRICS, {})
        print_summary(f"wrote {METRICS}: nothing to score, `catalogues` and `texts` are empty")
        return
    metrics = score(params, cells)
    write_json(METRICS, metrics)
    best = summary(metrics, max(params.rec_score.cutoffs))
    print_summary(f"wrote {METRICS}, {PER_USER} and {SLICES}: {len(cells)} recommenders in {len(metrics)} arms; {best}")


if __name__ == "__main__":
    run(main)
