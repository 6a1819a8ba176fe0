"""Which caption score predicts recommendations? Relate scores of captions to what the captions do for new arrivals.

Three scopes, each with 95 % intervals by products:

- `sources`: a point for each source of captions that has scores. `spearman` is the rank correlation of score and
  NDCG, `slope` the NDCG that goes with one standard deviation of the score, by least squares. The sources are few and
  stay the same in every draw, so an interval says what other garments would change, not what other captioners would.
- `points`: these points for a few scores: NDCG of a source (`a`) at its `score`.
- `garments`: a point for each arrival of a captioner. `spearman` relates the gain in score from the pre-trained to the
  fine-tuned caption to the gain in the garment's contribution to NDCG; it is the mean over the captioners. In a draw
  garments keep their ranks.

Garments of a product are drawn together. A score of the corpus (BLEU, METEOR, length) is computed again in every draw
of `sources`; for single garments its value for the garment counts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from lookbook.comparison.captions import STATISTICS, list_corpus_metrics
from lookbook.comparison.rows import Row
from lookbook.comparison.significance import TINY, estimate, group_sums, resampled_sums
from pipeline.core.outputs import read_json, read_parquet

LEFT_OUT = {"attributes_selected", "finished_share", "bleu_1", "bleu_2", "bleu_3"}  # counts, and parts of BLEU-4
POINTS = {"cider", "bleu_4", "attribute_precision", "attribute_recall", "core_precision", "similarity"}
FEWEST = 3  # points that a line can miss
NDCG = "ndcg"
SECOND = "second"  # the source whose captions are the ceiling of the caption scores

Relation = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (draws, points) twice -> (draws,)


@dataclass(frozen=True)
class Captions:
    """Scores and contributions of the arrivals, for every source of captions.

    Attributes:
        products: The product of every arrival, (n,).
        scores: Source -> a row per arrival, in the order of `products`, and a column per metric or statistic; NaN
            where an arrival has no score.
        contributions: Source -> the part of the mean NDCG that each arrival brings, (n,); they add up to the NDCG.
    """

    products: np.ndarray
    scores: Mapping[str, pd.DataFrame]
    contributions: Mapping[str, np.ndarray]


def predict_recommendations(
    scores: Path, ranked: Path, recommenders: Iterable[str], captioners: Sequence[str], draws: int, seed: int
) -> list[Row]:
    """Relate every caption score to the NDCG of new arrivals, for each of these recommenders.

    Args:
        scores: A Parquet file of one row per item, captioner, variant and metric.
        ranked: The rankings of the arrivals, a folder per recommender with features.
        recommenders: The names of these folders.
        captioners: The captioners of the study.
        draws: The number of bootstrap draws.
        seed: The seed of the draws.
    """
    rows: list[Row] = []
    for name in recommenders:
        found = predict_ndcg(read_captions(scores, ranked / name, captioners), captioners, draws, seed)
        rows += [{"table": "prediction", "recommender": name} | row for row in found]
    return rows


def read_captions(scores: Path, ranked: Path, captioners: Iterable[str]) -> Captions:
    """Read the scores of all captions of the arrivals, and what a recommender made of them.

    Args:
        scores: A Parquet file of one row per item, captioner, variant and metric.
        ranked: The folder of a recommender's ranking of the arrivals.
        captioners: The captioners of the study; a second description counts as captions too where it was ranked.

    Returns:
        Scores with `similarity` among them: the cosine of the caption's vector to that of the shop's own description.
    """
    arrivals, users = (read_parquet(ranked / f"{name}.parquet") for name in ("arrivals", "users"))
    about = read_json(ranked / "factors.json")
    hits = read_parquet(ranked / "contributions.parquet").astype({"source": str})
    shares = hits.groupby(["source", "item"])["contribution"].sum() / (len(users) * len(about["runs"]))
    similarities = read_parquet(ranked / "similarities.parquet").astype({"source": str})
    similarity_of = similarities.set_index(["source", "item"])["similarity"]
    every = {f"{captioner}-{variant}": (captioner, variant) for captioner in captioners for variant in ("pt", "ft")}
    every[SECOND] = ("ceiling", "ceiling")
    table = read_parquet(scores)
    tables, contributions = {}, {}
    for source, (captioner, variant) in every.items():
        own = table[(table["captioner"] == captioner) & (table["variant"] == variant)]
        if source in about["sources"] and len(own):
            wide = own.pivot(index="item_id", columns="metric", values="value")
            items = pd.MultiIndex.from_product([[source], arrivals["item"]])
            similar = similarity_of.reindex(items).to_numpy()
            tables[source] = wide.reindex(arrivals["item_id"]).reset_index(drop=True).assign(similarity=similar)
            contributions[source] = shares.reindex(items, fill_value=0.0).to_numpy()
    return Captions(arrivals["product"].to_numpy(), tables, contributions)


def predict_ndcg(captions: Captions, captioners: Sequence[str], draws: int, seed: int) -> list[Row]:
    """Relate every caption score to NDCG, over sources and within garments.

    Args:
        captions: Scores and contributions.
        captioners: Those whose sources `<captioner>-ft` and `<captioner>-pt` are related garment by garment.
        draws: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        A row per scope, statistic and metric: value, low, high, n (sources or garments), groups (products); points have
        a (the source) and score too. A metric with fewer than three points, or without spread, has no row.
    """
    return [*_relate_sources(captions, draws, seed), *_relate_garments(captions, captioners, draws, seed)]


def _relate_sources(captions: Captions, draws: int, seed: int) -> Iterator[Row]:
    drawn = {source: _draw_source(captions, source, draws, seed) for source in captions.scores}
    groups = len(np.unique(captions.products))
    for metric in _list_metrics(captions.scores.values()):
        points = [values for values in drawn.values() if metric in values]
        if len(points) < FEWEST:
            continue
        scores, ndcg = (np.column_stack([values[key] for values in points]) for key in (metric, NDCG))
        relations: dict[str, Relation] = {"slope": fit_slopes, "spearman": correlate_ranks}
        for statistic, relate in relations.items():
            values = relate(scores, ndcg) * (scores[0].std() if statistic == "slope" else 1)
            yield from _build_rows("sources", statistic, metric, values, len(points), groups)
        for source, values in drawn.items():
            if metric in POINTS and metric in values:
                names = {"a": source, "score": float(values[metric][0])}
                yield from (names | row for row in _build_rows("points", NDCG, metric, values[NDCG], 1, groups))


def _draw_source(captions: Captions, source: str, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Return NDCG and every metric of a source: on the data itself, then in every draw of products, (1 + draws,)."""
    scores = captions.scores[source]
    metrics = _list_metrics([scores])
    statistics = [name for name in scores if name in STATISTICS]
    values = scores[metrics].to_numpy(dtype=float)
    known = np.isfinite(values)
    parts = [captions.contributions[source][:, None], np.where(known, values, 0.0), known, scores[statistics]]
    sums = group_sums(np.hstack(parts), captions.products)
    every = np.vstack([sums.sum(axis=0), resampled_sums(sums, draws, seed)])
    ndcg, totals, counts, counted = np.split(every, np.cumsum([part.shape[1] for part in parts])[:-1], axis=1)
    with np.errstate(invalid="ignore"):  # a draw may miss every item that has a score
        drawn = dict(zip(metrics, (totals / counts).T, strict=True))
    for metric, (columns, formula) in list_corpus_metrics(statistics).items():
        if metric in metrics:
            drawn[metric] = formula(counted[:, columns])
    return drawn | {NDCG: ndcg[:, 0]}


def _list_metrics(tables: Iterable[pd.DataFrame]) -> list[str]:
    """List the metrics that any of the tables has a score of; statistics and counts are none."""
    known = dict.fromkeys(str(name) for table in tables for name in table if table[name].notna().any())
    return [name for name in known if name not in STATISTICS | LEFT_OUT]


def fit_slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fit y on x by least squares in every row, and return the slopes: (draws, points) twice -> (draws,).

    A row without spread in x has NaN.

    >>> fit_slopes(np.array([[0.0, 1, 2]]), np.array([[1.0, 3, 5]])).tolist()
    [2.0]
    """
    products, squares = _sum_products(x, y), _sum_products(x, x)
    return _divide(products, squares)


def correlate_ranks(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of every row, ties by their mean rank: (draws, points) twice -> (draws,).

    A row without spread in x or y has NaN.

    >>> correlate_ranks(np.array([[1.0, 2, 9]]), np.array([[0.1, 0.2, 0.3]])).tolist()
    [1.0]
    """
    x, y = (rankdata(values, axis=1) for values in (x, y))
    return _divide(_sum_products(x, y), np.sqrt(_sum_products(x, x) * _sum_products(y, y)))


def _sum_products(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sum the products of deviations from the means of every row; what is rounding alone becomes 0."""
    sums = ((x - x.mean(axis=1, keepdims=True)) * (y - y.mean(axis=1, keepdims=True))).sum(axis=1)
    return _clear_rounding(sums, np.abs(x).max(axis=1) * np.abs(y).max(axis=1))


def _clear_rounding(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Set to 0 what is small beside the sizes of the terms that it is made of."""
    return np.where(np.abs(values) <= TINY * sizes, 0.0, values)


def _relate_garments(captions: Captions, captioners: Sequence[str], draws: int, seed: int) -> Iterator[Row]:
    gains = [_gain(captions, captioner) for captioner in captioners if _has_both(captions, captioner)]
    groups = len(np.unique(captions.products))
    for metric in _list_metrics(scores for scores, _ in gains):
        parts, n = [], 0
        for scores, contribution in gains:
            values = scores[metric].to_numpy() if metric in scores else np.full(len(scores), np.nan)
            n += int(np.isfinite(values).sum())
            parts.append(_draw_rank_correlation(values, contribution, captions.products, draws, seed))
        correlations = np.array([part for part in parts if np.isfinite(part[0])])
        if len(correlations):
            yield from _build_rows("garments", "spearman", metric, correlations.mean(axis=0), n, groups)


def _has_both(captions: Captions, captioner: str) -> bool:
    return {f"{captioner}-ft", f"{captioner}-pt"} <= captions.scores.keys()


def _gain(captions: Captions, captioner: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return what the fine-tuned captions of a captioner gain on its pre-trained ones: scores, and contributions."""
    ft, pt = f"{captioner}-ft", f"{captioner}-pt"
    both = [name for name in captions.scores[ft] if name in captions.scores[pt]]
    scores = captions.scores[ft][both] - captions.scores[pt][both]
    return scores, captions.contributions[ft] - captions.contributions[pt]


def _draw_rank_correlation(
    scores: np.ndarray, contributions: np.ndarray, products: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """Correlate the ranks of garments that have a score: on the data itself, then in every draw of products."""
    known = np.isfinite(scores)
    x, y = np.zeros(len(scores)), np.zeros(len(scores))
    for ranks, values in ((x, scores[known]), (y, contributions[known])):
        ranks[known] = rankdata(values) - (known.sum() + 1) / 2
    sums = group_sums(np.column_stack([known, x, y, x * x, y * y, x * y]), products)
    every = np.vstack([sums.sum(axis=0), resampled_sums(sums, draws, seed)])
    n, x, y, xx, yy, xy = every.T
    squares = [_clear_rounding(n * square - total**2, n * square) for total, square in ((x, xx), (y, yy))]
    return _divide(n * xy - x * y, np.sqrt(squares[0] * squares[1]))


def _divide(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Divide, with NaN where the divider is 0."""
    return np.divide(values, by, out=np.full(len(values), np.nan), where=by > 0)


def _build_rows(scope: str, statistic: str, metric: str, values: np.ndarray, n: int, groups: int) -> Iterator[Row]:
    """Yield a row of a statistic on the data itself (the first value) and in the draws; none where it has no value."""
    whole, samples = float(values[0]), values[1:][np.isfinite(values[1:])]
    if np.isfinite(whole) and len(samples):
        interval = estimate(whole, samples, groups)
        row = {"scope": scope, "statistic": statistic, "metric": metric, "value": whole, "confirmatory": False}
        yield row | {"low": interval.low, "high": interval.high, "n": n, "groups": groups}
