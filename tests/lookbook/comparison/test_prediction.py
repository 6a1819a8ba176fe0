"""Caption scores against NDCG: planted relations, a slow version, equal draws, and what has no row."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import linregress, spearmanr

from captioning.scores.bleu import bleu_from_statistics
from lookbook.comparison import prediction
from lookbook.comparison.captions import BLEU
from lookbook.comparison.prediction import Captions, correlate_ranks, fit_slopes, predict_ndcg, read_captions
from tests.helpers.arrivals import write_arrivals

Row = dict[str, Any]
SOURCES = ["a-pt", "a-ft", "b-pt", "b-ft", "second"]
QUALITY = dict(zip(SOURCES, (0.1, 0.6, 0.2, 0.5, 0.9), strict=True))
N, PRODUCTS = 120, 40
POINTS = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=8)


def captions_of(noise: float, seed: int = 0, **metrics: Any) -> Captions:
    """Return captions whose score `true` is what brings NDCG, and whose score `chance` has nothing to do with it."""
    rng = np.random.default_rng(seed)
    scores, contributions = {}, {}
    for source, quality in QUALITY.items():
        score = np.clip(quality + rng.normal(0, 0.2, N), 0, 1)
        contributions[source] = (score + rng.normal(0, noise, N)) / N
        table = {"true": score, "chance": rng.random(N), **{name: make(rng, source) for name, make in metrics.items()}}
        scores[source] = pd.DataFrame(table)
    return Captions(np.arange(N) % PRODUCTS, scores, contributions)


def rows_of(captions: Captions, **values: Any) -> list[Row]:
    rows = predict_ndcg(captions, ["a", "b"], draws=400, seed=1)
    return [row for row in rows if all(row[key] == value for key, value in values.items())]


def test_a_score_that_brings_ndcg_is_told_from_one_that_does_not() -> None:
    captions = captions_of(noise=0.05)
    [line] = rows_of(captions, metric="true", scope="sources", statistic="slope")
    ndcg = [captions.contributions[source].sum() for source in SOURCES]
    mean = [captions.scores[source]["true"].mean() for source in SOURCES]
    assert line["value"] == pytest.approx(linregress(mean, ndcg).slope * np.std(mean))
    assert 0 < line["low"] < line["value"] < line["high"]
    assert (line["n"], line["groups"]) == (5, PRODUCTS)
    [ranks] = rows_of(captions, metric="true", scope="sources", statistic="spearman")
    assert ranks["value"] == 1
    [within] = rows_of(captions, metric="true", scope="garments")
    assert within["low"] > 0.5
    assert within["n"] == 2 * N
    [nothing] = rows_of(captions, metric="chance", scope="garments")
    assert nothing["low"] < 0 < nothing["high"]


def test_garments_are_related_captioner_by_captioner() -> None:
    captions = captions_of(noise=0.3)
    [row] = rows_of(captions, metric="true", scope="garments")
    expected = []
    for captioner in ("a", "b"):
        score = captions.scores[f"{captioner}-ft"]["true"] - captions.scores[f"{captioner}-pt"]["true"]
        gain = captions.contributions[f"{captioner}-ft"] - captions.contributions[f"{captioner}-pt"]
        expected.append(spearmanr(score, gain).statistic)
    assert row["value"] == pytest.approx(np.mean(expected))


def test_the_draws_are_those_of_whole_products() -> None:
    """Against a slow version that draws products one at a time."""
    captions, rng, draws = captions_of(noise=0.3), np.random.default_rng(1), 400
    products = [np.flatnonzero(captions.products == number) for number in range(PRODUCTS)]
    slopes = []
    for chosen in rng.integers(0, PRODUCTS, (draws, PRODUCTS)):
        garments = np.concatenate([products[number] for number in chosen])
        ndcg = [captions.contributions[source][garments].sum() for source in SOURCES]
        mean = [captions.scores[source]["true"].to_numpy()[garments].mean() for source in SOURCES]
        slopes.append(linregress(mean, ndcg).slope)
    [row] = rows_of(captions, metric="true", scope="sources", statistic="slope")
    spread = np.std([captions.scores[source]["true"].mean() for source in SOURCES])
    slow = prediction.estimate(row["value"], np.array(slopes) * spread, PRODUCTS)
    assert (row["low"], row["high"]) == pytest.approx((slow.low, slow.high))


def test_bleu_is_that_of_the_corpus_over_sources() -> None:
    def statistic(name: str) -> Any:
        def draw(rng: np.random.Generator, source: str) -> np.ndarray:
            if "length" in name:
                return np.full(N, 12.0)
            most = 12 - int(name[-1]) + 1
            return np.full(N, float(most)) if "guess" in name else rng.binomial(most, QUALITY[source], N).astype(float)

        return draw

    columns = {name: statistic(name) for name in BLEU} | {"bleu_4": lambda rng, source: rng.random(N)}
    captions = captions_of(0.05, **columns)
    corpus = [bleu_from_statistics(captions.scores[source][BLEU].sum().to_numpy()[None])[0, 3] for source in SOURCES]
    ndcg = [captions.contributions[source].sum() for source in SOURCES]
    [row] = rows_of(captions, metric="bleu_4", scope="sources", statistic="slope")
    assert row["value"] == pytest.approx(linregress(corpus, ndcg).slope * np.std(corpus))
    assert not [row for row in rows_of(captions) if row["metric"] in BLEU]


def test_a_garment_without_a_score_is_left_out_of_that_score_alone() -> None:
    captions = captions_of(noise=0.3)
    captions.scores["a-ft"].loc[:29, "true"] = np.nan
    [row] = rows_of(captions, metric="true", scope="garments")
    assert row["n"] == 2 * N - 30
    assert rows_of(captions, metric="chance", scope="garments")[0]["n"] == 2 * N


def test_a_score_without_spread_or_with_two_sources_has_no_row() -> None:
    captions = captions_of(0.1, constant=lambda rng, source: np.full(N, 0.3))
    for source in SOURCES[2:]:
        del captions.scores[source]["chance"]
    assert rows_of(captions, metric="constant") == []
    assert rows_of(captions, metric="chance", scope="sources") == []
    assert [row["n"] for row in rows_of(captions, metric="chance", scope="garments")] == [N]  # a alone has both


def test_the_points_are_those_of_the_line() -> None:
    captions = captions_of(0.05, cider=lambda rng, source: rng.random(N) + QUALITY[source])
    points = rows_of(captions, scope="points")
    assert [row["a"] for row in points] == SOURCES
    assert {row["metric"] for row in points} == {"cider"}
    assert [row["score"] for row in points] == pytest.approx([captions.scores[s]["cider"].mean() for s in SOURCES])
    assert [row["value"] for row in points] == pytest.approx([captions.contributions[s].sum() for s in SOURCES])
    assert all(row["low"] < row["value"] < row["high"] for row in points)


def test_an_interval_of_unrelated_scores_seldom_leaves_out_zero() -> None:
    """Products shift scores and contributions of their garments, each for itself; few garments are hit."""
    fires, trials, products = 0, 200, np.repeat(np.arange(PRODUCTS), 3)
    for seed in range(trials):
        rng = np.random.default_rng(seed)

        def draw(rng: np.random.Generator = rng) -> np.ndarray:
            return rng.normal(size=PRODUCTS)[products] + rng.normal(0, 0.5, N)

        scores = {source: pd.DataFrame({"chance": draw()}) for source in ("a-ft", "a-pt")}
        hits = {source: np.exp(draw()) * (rng.random(N) < 0.3) / N for source in scores}
        [row] = predict_ndcg(Captions(products, scores, hits), ["a"], draws=400, seed=seed)
        fires += row["low"] > 0 or row["high"] < 0
    assert fires <= 0.09 * trials  # 5 % and what few products add


def test_captions_are_read_with_what_the_recommender_made_of_them(tmp_path: Path) -> None:
    ids = [f"{number:010}" for number in range(20)]
    (tmp_path / "data/prepared").mkdir(parents=True)
    items = pd.DataFrame({"item_id": ids, "original": True, "split": "test", "group": [n // 2 for n in range(20)]})
    items.to_parquet(tmp_path / "data/prepared/items.parquet", index=False)
    write_arrivals(tmp_path, ["vbpr-sbert"], ["a", "b"], [])
    sets = [("a", "ft"), ("a", "pt"), ("ceiling", "ceiling"), ("c", "ft")]
    scores = [(item, *names, "cider", number + len(names[0])) for names in sets for number, item in enumerate(ids[:15])]
    columns = ["item_id", "captioner", "variant", "metric", "value"]
    pd.DataFrame(scores, columns=columns).to_parquet(tmp_path / "scores.parquet")
    captions = read_captions(tmp_path / "scores.parquet", tmp_path / "data/arrivals/ranked/vbpr-sbert", ["a", "b", "c"])
    assert captions.scores.keys() == captions.contributions.keys() == {"a-pt", "a-ft", "second"}  # ranked and scored
    metrics = json.loads((tmp_path / "metrics/arrivals/vbpr-sbert.json").read_text())["sources"]
    for source, contribution in captions.contributions.items():
        assert contribution.sum() == pytest.approx(metrics[source]["ndcg_12"])
        assert captions.scores[source]["similarity"].mean() == pytest.approx(metrics[source]["similarity"])
    assert captions.scores["a-ft"]["cider"].tolist()[:15] == [number + 1 for number in range(15)]
    assert captions.scores["a-ft"]["cider"].isna().sum() == 5
    assert captions.products.tolist() == [number // 2 for number in range(20)]


def test_without_captions_there_are_no_rows() -> None:
    assert predict_ndcg(Captions(np.arange(4), {}, {}), ["a"], draws=100, seed=1) == []


@settings(deadline=None)
@given(POINTS)
def test_slopes_and_ranks_are_those_of_scipy(points: list[tuple[int, int]]) -> None:
    x, y = np.array(points, dtype=float).T / 7
    if np.ptp(x):
        assert fit_slopes(x[None], y[None])[0] == pytest.approx(linregress(x, y).slope, abs=1e-9)
    else:
        assert np.isnan(fit_slopes(x[None], y[None])[0])
    if np.ptp(x) and np.ptp(y):
        assert correlate_ranks(x[None], y[None])[0] == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)
    else:
        assert np.isnan(correlate_ranks(x[None], y[None])[0])
