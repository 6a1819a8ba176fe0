"""Compare the sources of new arrivals' words: a row per pair of sources.

What is tested, and how:

- the primary comparison of params.yaml decides alone;
- the secondary ones, corrected by Holm as one family: the writer's fine-tuned captions with no words and with the best
  arm without captions, the shop's own descriptions with them; by the recommender of the primary comparison. Which arm
  is the best is decided on validation arrivals, and recorded.

Two sources in one fitted model are tested by swapping the texts of products (`lookbook.comparison.randomisation`); an
arm of another model, such as one that reads pictures, by the t statistic of the interval. Everything else has an
interval and no p. A difference is claimed where the corrected p is below 0.05 and the interval leaves out zero; arms
are equivalent where the interval lies within a share of the reference's NDCG on both sides of zero.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lookbook.comparison.clusters import Differences, estimate_difference
from lookbook.comparison.contributions import Hits, compare_hits, pair_runs
from lookbook.comparison.families import PICTURES, REFERENCE, Arm, Pair, find_tests, list_shown
from lookbook.comparison.family_tests import complete_family
from lookbook.comparison.ranked import REMEDY, Ranking, find_metric, find_relevant
from lookbook.comparison.rows import Row
from lookbook.comparison.settings import Compare, Study
from pipeline.core.errors import UserError
from pipeline.core.outputs import read_json
from recsys.scoring.arms import list_text_recommenders, split_name

ROUNDING = 1e-9  # of a mean of NDCG


class Paths(NamedTuple):
    """Where the results of the arrivals are: data/arrivals/ranked, metrics/arrivals, data/interactions."""

    ranked: Path
    metrics: Path
    interactions: Path


class Results(NamedTuple):
    """The results of the arrivals, by recommender with features.

    Attributes:
        rankings: What was ranked.
        metrics: metrics/arrivals.
        metric: NDCG among the arrivals as they name it, such as ndcg_12.
    """

    rankings: dict[str, Ranking]
    metrics: dict[str, Any]
    metric: str


def compare_arrivals(study: Study, settings: Compare, paths: Paths) -> list[Row]:
    """Compare the sources of the arrivals' words; no row in a study without arrivals.

    Raises:
        UserError: The primary comparison names something that the study does not rank, or files do not belong together.
    """
    names = list_text_recommenders(study.content_recommenders, study.arrival_features)
    if not names:
        return []
    results = read_results(names, paths)
    tests = find_tests(study, *results)
    rows: list[Row] = []
    if tests:
        relevant = find_relevant(tests[0].a.ranking, paths.interactions)
        for family in dict.fromkeys(pair.family for pair in tests):
            pairs = [pair for pair in tests if pair.family == family]
            compared = [build_row(pair, results) for pair in pairs]
            rows += complete_family(pairs, compared, relevant, settings)
    tested = {frozenset((pair.a, pair.b)) for pair in tests}
    for pair in list_shown(study, results.rankings):
        if frozenset((pair.a, pair.b)) not in tested:
            rows.append(build_row(pair, results)[0])
    for row in rows:
        row["equivalent"] = is_equivalent(row, results, settings.equivalence)
    return rows


def read_results(names: Sequence[str], paths: Paths) -> Results:
    """Read the results of these recommenders with features.

    Raises:
        UserError: A file is missing, or two rankings have other users or arrivals.
    """
    rankings = {name: Ranking(name, paths.ranked / name) for name in names}
    first = rankings[names[0]]
    for ranking in rankings.values():
        if not (ranking.users.equals(first.users) and ranking.arrivals.equals(first.arrivals)):
            raise UserError(f"{ranking.folder}: other users or arrivals than in {first.folder}; {REMEDY}")
    metrics = {name: read_json(paths.metrics / f"{name}.json") for name in names}
    return Results(rankings, metrics, find_metric(metrics[names[0]]))


def build_row(pair: Pair, results: Results) -> tuple[Row, Differences]:
    """Compare the arms of a pair: the row, without a test, and the differences by user and product.

    Raises:
        UserError: The hits of an arm do not add up to its metrics.
    """
    a, b = pair.a, pair.b
    runs = pair_runs(a.ranking.runs, b.ranking.runs)
    hits_a, hits_b = (arm.ranking.read_hits(arm.source) for arm in (a, b))
    n_users, product = len(a.ranking.users), a.ranking.products
    differences, facts = compare_hits(hits_a, hits_b, runs, product, n_users, int(product.max()) + 1)
    mean_a, mean_b = (
        find_mean(hits, [run[side] for run in runs], n_users) for side, hits in enumerate((hits_a, hits_b))
    )
    _check_mean(a, mean_a, results)
    _check_mean(b, mean_b, results)
    other = b.ranking.name if b.ranking.name != a.ranking.name else None
    row: Row = {"table": "arrivals", "recommender": a.ranking.name, "recommender_b": other, "metric": results.metric}
    row |= {"a": a.source, "b": name_other(b) if other else b.source, "mean_a": mean_a, "mean_b": mean_b}
    row |= estimate_difference(differences)._asdict() | {"p": None, "p_holm": None}
    row |= {"n": n_users} | facts | {"runs": len(runs), "draws": None, "draw_users": None, "family": None}
    row |= {"claimed": False, "equivalent": False, "validation_ndcg": pair.validation, "confirmatory": False}
    return row, differences


def find_mean(hits: Hits, runs: Sequence[int], n_users: int) -> float:
    """Return the mean NDCG over users and runs; a run may be named more than once."""
    sums = [hits.contribution[hits.run == run].sum() for run in runs]
    return float(np.mean(sums) / n_users)


def name_other(arm: Arm) -> str:
    """Return the source of an arm in the row of another recommender: `pictures-resnet50`."""
    return f"{PICTURES}-{split_name(arm.ranking.name)[1]}" if arm.source == PICTURES else arm.source


def _check_mean(arm: Arm, mean: float, results: Results) -> None:
    """Refuse hits that do not add up to the metrics of the same ranking."""
    recorded = results.metrics[arm.ranking.name]["sources"].get(arm.source, {}).get(results.metric)
    if recorded is None or abs(recorded - mean) > ROUNDING:
        raise UserError(
            f"{arm.ranking.folder}/contributions.parquet: the hits of {arm.source} add up to {results.metric} {mean}, "
            f"but metrics/arrivals/{arm.ranking.name}.json has {recorded}; {REMEDY}"
        )


def is_equivalent(row: Row, results: Results, share: float) -> bool:
    """Tell whether the interval lies within a share of the reference's NDCG on both sides of zero.

    False where no reference was ranked by either recommender of the row, or nothing is known of the difference.
    """
    for name in (row["recommender"], row["recommender_b"]):
        figures = results.metrics[name]["sources"].get(REFERENCE) if name else None
        if figures and row["detectable"] is not None:
            margin = share * figures[results.metric]
            return bool(-margin < row["low"] and row["high"] < margin)
    return False
