"""Rows of the arrivals on a small study: equal to its files, which are tested, what is claimed, and refusals."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from lookbook.comparison.arrivals import Paths, compare_arrivals
from lookbook.comparison.correction import holm
from lookbook.comparison.power import find_margin
from lookbook.comparison.rows import Row
from lookbook.comparison.settings import Compare, Study
from pipeline.core.errors import UserError
from pipeline.core.params import load

FT, PT = "tiny-blip2-opt-ft", "tiny-blip2-opt-pt"
PATHS = Paths(Path("data/arrivals/ranked"), Path("metrics/arrivals"), Path("data/interactions"))
SBERT = PATHS.ranked / "vbpr-sbert"


def compare(**changes: Any) -> list[Row]:
    """Compare the arrivals of the study in the working directory."""
    params = load(Path("params.yaml"))
    primary = params["primary"] | changes.pop("primary", {})
    settings = Compare(
        **(params["compare"] | {key: changes.pop(key) for key in list(changes) if key in params["compare"]})
    )
    study = Study(**({key: params[key] for key in Study.model_fields} | {"primary": primary} | changes))
    return compare_arrivals(study, settings, PATHS)


def find_row(rows: list[Row], a: str, b: str, recommender: str = "vbpr-sbert") -> Row:
    [row] = [row for row in rows if (row["recommender"], row["a"], row["b"]) == (recommender, a, b)]
    return row


def read_ndcg(folder: Path, source: str) -> pd.DataFrame:
    """Read the NDCG of a source: a row per user, a column per run."""
    users = pd.read_parquet(folder / "users.parquet")["user"]
    hits = pd.read_parquet(folder / "contributions.parquet")
    ndcg = hits[hits["source"] == source].pivot_table("contribution", "user", "run", "sum")
    return ndcg.reindex(users).fillna(0.0)


def test_a_row_holds_what_the_files_say(study: Path) -> None:
    row = find_row(compare(), FT, "ridge-resnet50", "vbpr-clip")
    a, b = (read_ndcg(PATHS.ranked / "vbpr-clip", source) for source in (FT, "ridge-resnet50"))
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((a.to_numpy().mean(), b.to_numpy().mean()))
    assert row["difference"] == pytest.approx(row["mean_a"] - row["mean_b"])
    hits = pd.read_parquet(PATHS.ranked / "vbpr-clip/contributions.parquet")
    hits = hits[hits["source"].isin([FT, "ridge-resnet50"])]
    items = pd.read_parquet("data/prepared/items.parquet")
    products = items.loc[items["split"] == "test", "group"].nunique()
    assert (row["n"], row["runs"], row["metric"]) == (40, 3, "ndcg_12")
    assert (row["products"], row["hit_items"]) == (products, hits["item"].nunique())
    signed = hits["contribution"].where(hits["source"] == FT, -hits["contribution"])
    sizes = signed.groupby(hits["item"]).sum().abs().sort_values(ascending=False)
    assert row["top10_share"] == pytest.approx(sizes[:10].sum() / sizes.sum())


def test_only_the_primary_and_the_secondary_are_tested(study: Path) -> None:
    rows = compare()
    assert [row["family"] for row in rows[:4]] == ["primary", "secondary", "secondary", "secondary"]
    primary, no_words, best, own_words = rows[:4]
    assert (primary["a"], primary["b"], primary["recommender"]) == (FT, PT, "vbpr-sbert")
    assert (no_words["a"], no_words["b"]) == (FT, "none")
    assert (own_words["a"], own_words["b"]) == ("reference", FT)
    assert primary["p"] == primary["p_holm"]
    assert [row["p_holm"] for row in rows[1:4]] == holm([row["p"] for row in rows[1:4]])
    for row in rows:
        assert row["confirmatory"] == (row["family"] is not None) == (row["p"] is not None)
        assert row["claimed"] == bool(row["family"] and row["p_holm"] < 0.05 and row["low"] * row["high"] > 0)
    for row in (primary, no_words, own_words):
        assert (row["draws"], row["draw_users"]) == (400, 40)
        assert round(row["p"] * 401) == pytest.approx(row["p"] * 401)  # a share of the draws
    assert best["recommender_b"] == "vbpr-resnet50" or best["draws"] == 400


def test_the_best_arm_is_chosen_on_validation_arrivals_alone(study: Path) -> None:
    """The values among the arrivals say mean, but nobody looks at them."""
    for name, figures in {"vbpr-sbert": {"ridge-resnet50": 0.3, "table": 0.2, FT: 0.9}, "vbpr-resnet50": {}}.items():
        path = PATHS.metrics / f"{name}.json"
        metrics = json.loads(path.read_text())
        metrics["validation"] = {source: {"ndcg_12": value} for source, value in figures.items()}
        path.write_text(json.dumps(metrics))
    best = compare()[2]
    assert (best["b"], best["validation_ndcg"], best["recommender_b"]) == ("ridge-resnet50", 0.3, None)
    metrics["validation"] = {"pictures": {"ndcg_12": 0.31}}
    path.write_text(json.dumps(metrics))
    best = compare()[2]
    assert (best["b"], best["validation_ndcg"], best["recommender_b"]) == ("pictures-resnet50", 0.31, "vbpr-resnet50")
    assert (best["draws"], best["draw_users"]) == (None, None)  # another model: the t statistic of the interval
    a, b = read_ndcg(SBERT, FT), read_ndcg(PATHS.ranked / "vbpr-resnet50", "pictures")
    assert best["difference"] == pytest.approx((a - b).to_numpy().mean())
    if not best["claimed"]:
        assert best["p_holm"] >= 0.05 or best["low"] <= 0 <= best["high"]


def test_pictures_are_compared_with_the_words_of_the_primary_features(study: Path) -> None:
    row = find_row(compare(), "pictures", PT, "vbpr-resnet50")
    assert (row["recommender_b"], row["p"]) == ("vbpr-sbert", None)
    a, b = read_ndcg(PATHS.ranked / "vbpr-resnet50", "pictures"), read_ndcg(SBERT, PT)
    assert row["difference"] == pytest.approx((a - b).to_numpy().mean())


def test_every_recommender_on_the_primary_features_shows_the_pairs_that_the_primary_shows(study: Path) -> None:
    """Controls, doses and imputations too, with intervals and no p; what is tested stays as it is."""
    for path in PATHS.ranked.glob("vbpr-*"):
        name = path.name.replace("vbpr", "contentknn")
        shutil.copytree(path, PATHS.ranked / name)
        shutil.copy(PATHS.metrics / f"{path.name}.json", PATHS.metrics / f"{name}.json")
    alone, rows = compare(), compare(content_recommenders=["vbpr", "contentknn"])
    assert [row for row in rows if row["recommender"].startswith("vbpr")] == alone
    pairs, others = (
        {
            frozenset((row["a"], row["b"])): row
            for row in rows
            if row["recommender"] == name and not row["recommender_b"]
        }
        for name in ("vbpr-sbert", "contentknn-sbert")
    )
    assert pairs.keys() <= others.keys()
    assert {frozenset(pair) for pair in ((FT, "shuffled"), ("replaced-50", PT), ("ridge-resnet50", "none"))} <= set(
        others
    )
    assert all(row["p"] is None and row["family"] is None and row["low"] <= row["high"] for row in others.values())
    assert all("replaced-50" not in (row["a"], row["b"]) for row in rows if row["recommender"] == "contentknn-clip")


def test_no_pair_is_compared_twice(study: Path) -> None:
    pairs = [
        frozenset([(row["recommender"], row["a"]), (row["recommender_b"] or row["recommender"], row["b"])])
        for row in compare()
    ]
    assert len(pairs) == len(set(pairs))


def test_a_difference_beyond_doubt_is_claimed(study: Path) -> None:
    """`none` ranks by item, the reference by the truth."""
    row = compare(primary={"a": "reference", "b": "none"})[0]
    assert row["claimed"]
    assert row["p"] < 0.05
    assert 0 < row["low"] < row["difference"]
    assert row["detectable"] < row["difference"]


def test_arms_are_equivalent_within_the_margin(study: Path) -> None:
    narrow, wide = compare(equivalence=0.001), compare(equivalence=0.999)
    assert not any(row["equivalent"] for row in narrow)
    reference = read_ndcg(SBERT, "reference").to_numpy().mean()
    for row in wide:
        if row["recommender"] == "vbpr-sbert":
            assert row["equivalent"] == (max(-row["low"], row["high"]) < 0.999 * reference)
    assert any(row["equivalent"] for row in wide)


def test_a_test_of_a_family_needs_a_larger_difference(study: Path) -> None:
    primary, secondary = compare(primary={"b": "none"})[0], compare()[1]
    assert (primary["a"], primary["b"]) == (secondary["a"], secondary["b"])
    assert primary["difference"] == secondary["difference"]
    assert primary["detectable"] <= secondary["detectable"]
    assert find_margin(1, 9) < primary["detectable"] / ((primary["high"] - primary["low"]) / 2 / find_margin(1, 9))


def test_what_is_secondary_is_not_tested_again_as_primary(study: Path) -> None:
    rows = compare(primary={"b": "none"})
    assert [(row["family"], row["b"]) for row in rows if row["family"]][:2] != [
        ("primary", "none"),
        ("secondary", "none"),
    ]
    assert sum(row["family"] == "secondary" for row in rows) == 2


def test_many_users_are_a_sample(study: Path) -> None:
    row = compare(swap_users=25)[0]
    assert (row["n"], row["draw_users"]) == (40, 25)
    assert compare(swap_users=25)[0]["p"] == row["p"]


def test_a_study_without_captioners_has_no_test_of_captions(study: Path) -> None:
    rows = compare(captioners={})
    assert rows
    assert not any(row["family"] for row in rows)


def test_a_study_without_arrivals_has_no_rows(study: Path) -> None:
    assert compare(arrival_features=[]) == []


@pytest.mark.parametrize(
    ("primary", "message"),
    [
        ({"a": "fd"}, r"params\.yaml: primary\.a: .*fd.*"),
        ({"b": "replaced-55"}, r"params\.yaml: primary\.b: .*did you mean replaced-50"),
        ({"features": "sberd"}, r"primary\.recommender and primary\.features: .*did you mean vbpr-sbert"),
        ({"recommender": "contentknn"}, r"contentknn-sbert.*`content_recommenders` and `arrival_features`"),
    ],
)
def test_a_primary_test_of_what_is_not_there_is_one_message(study: Path, primary: Row, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        compare(primary=primary)
    assert "\n" not in str(error.value)


def change_hits(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_parquet(SBERT / "contributions.parquet")).to_parquet(SBERT / "contributions.parquet", index=False)


def test_hits_of_another_ranking_are_refused(study: Path) -> None:
    change_hits(lambda hits: hits.assign(contribution=hits["contribution"] * 0.9))
    with pytest.raises(UserError, match=r"vbpr-sbert/contributions\.parquet: the hits of .* add up to .* rec_rank"):
        compare()


def test_hits_of_unknown_users_are_refused(study: Path) -> None:
    change_hits(lambda hits: hits.assign(user=hits["user"] + 1))
    with pytest.raises(UserError, match=r"hits of users that users\.parquet does not have"):
        compare()


def test_factors_of_another_ranking_are_refused(study: Path) -> None:
    factors = load_file(SBERT / "factors.safetensors")
    factors |= {name: -values for name, values in factors.items() if name.startswith(f"items-{FT}")}
    save_file(factors, SBERT / "factors.safetensors")
    with pytest.raises(UserError, match=r"factors\.safetensors: ranks .* apart, but contributions\.parquet"):
        compare()


def test_other_purchases_than_those_ranked_for_are_refused(study: Path) -> None:
    path = "data/interactions/test.parquet"
    pd.read_parquet(path)[5:].to_parquet(path, index=False)
    with pytest.raises(UserError, match=r"users\.parquet: other purchases than in data/interactions"):
        compare()


def test_rankings_of_other_arrivals_are_refused(study: Path) -> None:
    path = PATHS.ranked / "vbpr-clip/arrivals.parquet"
    pd.read_parquet(path)[:-1].to_parquet(path, index=False)
    with pytest.raises(UserError, match=r"vbpr-clip: other users or arrivals than in data/arrivals/ranked/vbpr-sbert"):
        compare()


def test_the_order_of_the_files_does_not_matter(study: Path) -> None:
    before = compare()
    rng = np.random.default_rng(1)
    orders = {name: rng.permutation(len(pd.read_parquet(SBERT / f"{name}.parquet"))) for name in ("users", "arrivals")}
    for name in (*orders, "contributions"):
        table = pd.read_parquet(SBERT / f"{name}.parquet")
        order = orders.get(name, rng.permutation(len(table)))
        table.iloc[order].to_parquet(SBERT / f"{name}.parquet", index=False)
    factors = load_file(SBERT / "factors.safetensors")
    for name, values in factors.items():
        factors[name] = np.ascontiguousarray(values[orders["users" if name.startswith("users") else "arrivals"]])
    save_file(factors, SBERT / "factors.safetensors")
    for row, other in zip(before, compare(), strict=True):
        assert row == pytest.approx(other)
