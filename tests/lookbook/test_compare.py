"""The stage `compare` on a small study: rows equal to the scores, the two choices of the headline, empty axes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from captioning.scores.bleu import bleu_from_statistics
from lookbook import compare
from lookbook.comparison.captions import BLEU, STATISTICS
from lookbook.comparison.rows import TABLES, read_comparison
from pipeline.core.errors import UserError
from recsys.scoring import arms
from recsys.scoring.score_tables import write_empty_tables
from tests.lookbook.conftest import TEXTS

Row = dict[str, Any]


@pytest.fixture
def compared(compared_study: Path, study: Path) -> Row:
    """Return the rows of the compared study; its copy is the working directory."""
    shutil.copytree(compared_study / "metrics", study / "metrics", dirs_exist_ok=True)
    return read_comparison(compare.COMPARISON)


def only_row(rows: list[Row], **values: Any) -> Row:
    """Return the row that has these values; there must be exactly one."""
    matches = [row for row in rows if all(row[key] == value for key, value in values.items())]
    assert len(matches) == 1
    return matches[0]


def captions_of(captioner: str, variant: str) -> pd.DataFrame:
    scores = pd.read_parquet("data/scores/captions.parquet")
    own = scores[(scores["captioner"] == captioner) & (scores["variant"] == variant)]
    return own.pivot(index="item_id", columns="metric", values="value")


def test_a_caption_row_holds_the_means_of_its_scores(compared: Row) -> None:
    ft, pt = captions_of("tiny-llava", "ft"), captions_of("tiny-llava", "pt")
    row = only_row(compared["captions"], captioner="tiny-llava", metric="cider")
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((ft["cider"].mean(), pt["cider"].mean()))
    assert row["difference"] == pytest.approx(row["mean_a"] - row["mean_b"])
    assert row["low"] < row["difference"] < row["high"]
    assert 0 < row["detectable"] < row["difference"]  # larger than what 20 items can show
    assert (row["n"], row["wins"]) == (20, int((ft["cider"] > pt["cider"]).sum()))
    items = pd.read_parquet("data/prepared/items.parquet")
    assert row["groups"] == items.loc[items["split"] == "test", "group"].nunique()


def test_an_item_without_a_score_is_left_out(compared: Row) -> None:
    assert only_row(compared["captions"], captioner="tiny-llava", metric="attribute_precision")["n"] == 19


def test_bleu_is_that_of_the_corpus_and_not_a_mean(compared: Row) -> None:
    ft = captions_of("tiny-llava", "ft")
    row = only_row(compared["captions"], captioner="tiny-llava", metric="bleu_4")
    corpus = bleu_from_statistics(ft[BLEU].sum().to_numpy()[None])[0, 3]
    assert row["mean_a"] == pytest.approx(corpus)
    assert row["mean_a"] != pytest.approx(ft["bleu_4"].mean(), abs=1e-3)


def test_the_length_ratio_is_that_of_the_corpus(study: Path) -> None:
    scores = pd.read_parquet("data/scores/captions.parquet")
    own = scores[scores["metric"] == "bleu_length"].assign(metric="length_ratio", value=1.0)
    pd.concat([scores, own]).to_parquet("data/scores/captions.parquet", index=False)
    compare.main()
    row = only_row(read_comparison(compare.COMPARISON)["captions"], captioner="tiny-llava", metric="length_ratio")
    ft = captions_of("tiny-llava", "ft")
    assert row["mean_a"] == pytest.approx(ft["bleu_length"].sum() / ft["bleu_reference_length"].sum())


def test_statistics_are_not_compared_as_scores(compared: Row) -> None:
    assert not {row["metric"] for row in compared["captions"]} & STATISTICS


def test_only_confirmatory_metrics_are_tested_and_corrected(compared: Row) -> None:
    for table in ("captions", "arrivals"):
        for row in compared[table]:
            assert (row["p_holm"] is not None) == row["confirmatory"]
            assert not row["confirmatory"] or row["p"] <= row["p_holm"] <= 1
    assert {row["metric"] for row in compared["captions"] if row["confirmatory"]} == {"cider", "core_precision"}


def test_attribute_precision_confirms_where_the_truth_is_unknown(study: Path) -> None:
    scores = pd.read_parquet("data/scores/captions.parquet")
    scores[scores["metric"] != "core_precision"].to_parquet("data/scores/captions.parquet", index=False)
    compare.main()
    rows = read_comparison(compare.COMPARISON)["captions"]
    assert {row["metric"] for row in rows if row["confirmatory"]} == {"cider", "attribute_precision"}


def test_recommenders_without_text_are_the_same_by_construction(compared: Row) -> None:
    row = only_row(compared["catalogues"], recommender="itemknn", a="augmented", b="unfilled")
    assert row["same_by_construction"]
    assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)
    assert not only_row(compared["catalogues"], recommender="vbpr-sbert", a="augmented", b="unfilled")[
        "same_by_construction"
    ]


def test_a_catalogue_row_holds_the_means_over_users_and_runs(compared: Row) -> None:
    users = pd.read_parquet("data/scores/recommendations.parquet")
    own = users[users["recommender"] == "vbpr-clip"].groupby("arm", observed=True)["ndcg_12_common"].mean()
    row = only_row(compared["catalogues"], recommender="vbpr-clip", a="augmented", b="original")
    assert (row["mean_a"], row["mean_b"], row["n"], row["runs"]) == (
        pytest.approx(own["augmented"]),
        pytest.approx(own["original"]),
        40,
        3,
    )


def test_masked_rows_are_about_the_users_who_meet_masked_items(compared: Row) -> None:
    assert {row["n"] for row in compared["masked"]} == {25}
    row = only_row(compared["masked"], recommender="vbpr-sbert", metric="ndcg_masked_12", a="ft", b="none")
    assert 0 < row["low"] < row["difference"] == pytest.approx(0.2, abs=0.02)
    assert (row["products"], row["hit_items"]) == (15, 26)
    assert (row["wins"], row["losses"]) == (25, 0)


@pytest.mark.slow
def test_a_second_recommender_with_features_is_compared_as_the_first(
    study: Path, read_json: Any, write_params: Callable[..., None]
) -> None:
    for name in ("recommendations", "recommendation_slices", "recommendation_hits", "recommendation_slice_hits"):
        path = f"data/scores/{name}.parquet"
        scores = pd.read_parquet(path).astype({"arm": str, "recommender": str})
        copied = scores[scores["recommender"].str.startswith("vbpr-")]
        copied = copied.assign(recommender=copied["recommender"].str.replace("vbpr-", "second-"))
        pd.concat([scores, copied]).to_parquet(path, index=False)
    metrics = read_json("metrics/recommendations.json")
    for values in metrics.values():
        values |= {name.replace("vbpr-", "second-"): figures for name, figures in values.items() if "vbpr-" in name}
    Path("metrics/recommendations.json").write_text(json.dumps(metrics))
    write_params(Path(), content_recommenders=["vbpr", "second"], warm_content_recommenders=["vbpr", "second"])
    for features in ("sbert", "clip", "resnet50"):
        shutil.copytree(f"data/arrivals/ranked/vbpr-{features}", f"data/arrivals/ranked/second-{features}")
        shutil.copy(f"metrics/arrivals/vbpr-{features}.json", f"metrics/arrivals/second-{features}.json")
    compare.main()
    comparison = read_comparison(compare.COMPARISON)
    not_shared = {"p_holm", "p", "detectable", "family", "claimed", "confirmatory", "draws", "draw_users"}
    not_shared |= {"recommender_b", "validation_ndcg", "equivalent", "b"}
    for table in ("catalogues", "masked", "slices", "arrivals", "prediction"):
        rows: dict[str, list[Row]] = {"vbpr": [], "second": [], "": []}
        for row in comparison[table]:
            recommender, features = arms.split_name(row.pop("recommender"))
            own = {key: value for key, value in row.items() if table != "arrivals" or key not in not_shared}
            rows[recommender if features else ""].append(own | {"features": features})
        assert rows["second"]
        if table == "arrivals":  # fewer pairs are shown of what is not the primary comparison's recommender
            rows["vbpr"] = [row for row in rows["vbpr"] if row in rows["second"]]
        assert sorted(rows["second"], key=str) == sorted(rows["vbpr"], key=str)  # tested rows come first


def test_slices_are_compared_without_being_tests(compared: Row) -> None:
    row = only_row(compared["slices"], slice="cold_users", recommender="vbpr-sbert", a="ft", b="pt")
    scores = pd.read_parquet("data/scores/recommendation_slices.parquet")
    own = scores[(scores["slice"] == "cold_users") & (scores["recommender"] == "vbpr-sbert")]
    means = own.groupby("arm", observed=True)["ndcg_12"].mean()
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((means["masked-ft"], means["masked-pt"]))
    assert row["difference"] == pytest.approx(row["mean_a"] - row["mean_b"])
    assert row["low"] < row["difference"] < row["high"]
    assert (row["n"], row["runs"]) == (20, 3)
    assert {other["p_holm"] for other in compared["slices"]} == {None}
    assert {other["slice"] for other in compared["slices"]} == {"cold_users", "warm_users", "written"}


def test_a_slice_is_compared_where_both_arms_have_it(compared: Row) -> None:
    written = [row for row in compared["slices"] if row["slice"] == "written"]
    assert {(row["a"], row["b"]) for row in written} == {("augmented", "unfilled")}
    assert {row["recommender"] for row in written} == {"vbpr-sbert", "vbpr-clip"}


def test_catalogues_scored_each_alone_are_never_tested_pairwise(study: Path, read_json: Any) -> None:
    users = pd.read_parquet("data/scores/recommendations.parquet")
    own = [name for name in users if not name.endswith("_common")]
    users[own].to_parquet("data/scores/recommendations.parquet", index=False)
    metrics = read_json("metrics/recommendations.json")
    alone = {
        arm: {
            name: {key: value for key, value in figures.items() if not key.endswith("_common")}
            for name, figures in values.items()
        }
        for arm, values in metrics.items()
    }
    Path("metrics/recommendations.json").write_text(json.dumps(alone))
    compare.main()
    comparison, figures = read_comparison(compare.COMPARISON), read_figures()
    assert comparison["evaluation"] == "published"
    assert comparison["catalogues"] == []
    assert {row["b"] for row in comparison["slices"]} == {"pt", "none"}
    assert {row["b"] for row in comparison["masked"]} == {"pt", "none", "reference"}
    assert figures["warm"] == metrics["augmented"]["vbpr-sbert"]["ndcg_12"]


@pytest.mark.slow
def test_users_of_only_one_arm_are_left_out(study: Path) -> None:
    users = pd.read_parquet("data/scores/recommendations.parquet")
    users[~((users["arm"] == "all") & (users["user"] < 10))].to_parquet(
        "data/scores/recommendations.parquet", index=False
    )
    compare.main()
    row = only_row(read_comparison(compare.COMPARISON)["catalogues"], recommender="bpr", a="augmented", b="original")
    assert row["n"] == 30


@pytest.mark.slow
def test_the_order_of_rows_in_the_scores_does_not_matter(study: Path, compared: Row) -> None:
    for name in ("captions", "recommendations"):
        scores = pd.read_parquet(f"data/scores/{name}.parquet")
        scores.sample(frac=1, random_state=3).to_parquet(f"data/scores/{name}.parquet", index=False)
    compare.main()
    again = read_comparison(compare.COMPARISON)
    for table in TABLES:
        for row, other in zip(compared[table], again[table], strict=True):
            numbers = [key for key, value in row.items() if isinstance(value, float)]
            assert np.allclose([row[key] for key in numbers], [other[key] for key in numbers], atol=1e-12)


@pytest.mark.slow
def test_twice_gives_the_same_bytes(compared: Row) -> None:
    first = Path("metrics/comparison.json").read_bytes()
    compare.main()
    assert Path("metrics/comparison.json").read_bytes() == first


def read_figures() -> dict[str, float]:
    """Read the headline and the other figures of the chosen captions."""
    headline, chosen = (json.loads(Path(f"metrics/{name}.json").read_text()) for name in ("headline", "chosen"))
    assert not headline.keys() & chosen.keys()
    return headline | chosen


CAPTION_FIGURES = {"bleu_4", "cider", "spice", "precision", "recall", "core"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ({"captions": "pt"}, {"chosen", "masked", "warm"} | CAPTION_FIGURES),
        ({"catalogue": "original"}, {"warm"}),
    ],
)
def test_a_switch_changes_all_that_reads_its_texts_and_nothing_else(
    study: Path, write_params: Any, change: Row, keys: set[str]
) -> None:
    compare.main()
    before, rows = read_figures(), read_comparison(compare.COMPARISON)
    write_params(study, **change)
    compare.main()
    after = read_figures()
    assert list(before) == list(after)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == keys
    assert read_comparison(compare.COMPARISON) == rows


def test_the_headline_is_that_of_the_writer(compared: Row, read_json: Any) -> None:
    figures = read_figures()
    metrics = read_json("metrics/captions.json")["tiny-blip2-opt"]["ft"]
    recommendations = read_json("metrics/recommendations.json")
    assert figures["cider"] == metrics["cider"]
    assert figures["precision"] == metrics["attribute_precision"]
    arrivals = read_json("metrics/arrivals/vbpr-sbert.json")["sources"]
    assert figures["chosen"] == arrivals["tiny-blip2-opt-ft"]["ndcg_12"]
    assert figures["reference"] == arrivals["reference"]["ndcg_12"]
    assert figures["warm"] == recommendations["augmented"]["vbpr-sbert"]["ndcg_12_common"]
    users = pd.read_parquet("data/scores/recommendations.parquet")
    masked = users[(users["arm"] == "masked-ft") & (users["recommender"] == "vbpr-sbert")]["ndcg_masked_12"]
    assert figures["masked"] == pytest.approx(masked.mean())


def test_a_study_without_purchases_has_only_captions(study: Path, write_params: Any, read_json: Any) -> None:
    write_params(study, catalogues=[], texts=[], arrival_features=[])
    Path("data/scores/recommendations.parquet").unlink()
    Path("metrics/recommendations.json").unlink()
    compare.main()
    comparison = read_comparison(compare.COMPARISON)
    assert comparison["captions"]
    assert comparison["catalogues"] == comparison["masked"] == comparison["slices"] == []
    assert read_json("metrics/headline.json").keys() == {"cider"}
    assert read_figures().keys() == CAPTION_FIGURES


def test_a_study_of_arrivals_alone_has_no_warm_tables(study: Path, write_params: Any, read_json: Any) -> None:
    write_empty_tables(compare.USER_SCORES, compare.SLICE_SCORES, compare.HITS, compare.SLICE_HITS, compare.RELEVANT)
    Path("metrics/recommendations.json").write_text("{}")
    for texts in (TEXTS, []):
        write_params(study, catalogues=[], texts=texts, recommenders=[], warm_content_recommenders=[])
        compare.main()
        comparison = read_comparison(compare.COMPARISON)
        assert comparison["arrivals"]
        assert comparison["catalogues"] == comparison["masked"] == comparison["slices"] == []
        assert read_json(compare.HEADLINE)["ft_pt"] > 0


def test_the_arrivals_have_lists_of_a_length_of_their_own(compared: Row, read_json: Any) -> None:
    headline = read_json(compare.HEADLINE)
    for path in (compare.USER_SCORES, compare.SLICE_SCORES, compare.HITS, compare.SLICE_HITS, compare.RELEVANT):
        table = pd.read_parquet(path).rename(columns=lambda name: name.replace("_12", "_10"))
        names = table.columns.intersection(["metric", "part"])
        table[names] = table[names].astype(str).replace("_12", "_10", regex=True)
        table.to_parquet(path, index=False)
    compare.REC_METRICS.write_text(compare.REC_METRICS.read_text().replace("_12", "_10"))
    compare.main()
    assert read_json(compare.HEADLINE) == headline
    assert read_comparison(compare.COMPARISON)["cutoff"] == 10


def test_what_keeps_its_purchases_has_intervals_and_no_test(compared: Row) -> None:
    for table in ("catalogues", "masked", "slices"):
        assert compared[table]
        for row in compared[table]:
            assert (row["p"], row["p_holm"], row["confirmatory"]) == (None, None, False)
            assert row["low"] <= row["difference"] <= row["high"]


def test_hits_that_do_not_add_up_to_the_scores_are_refused(study: Path) -> None:
    hits = pd.read_parquet("data/scores/recommendation_hits.parquet")
    hits[hits["arm"] != "masked-ft"].to_parquet("data/scores/recommendation_hits.parquet", index=False)
    with pytest.raises(UserError, match=r"hits of vbpr-sbert on masked-ft and masked-pt do not add up"):
        compare.main()


def test_a_missing_file_is_one_clear_message(study: Path) -> None:
    Path("data/scores/captions.parquet").unlink()
    with pytest.raises(UserError, match=r"data/scores/captions\.parquet: no such file; run `dvc repro`"):
        compare.main()
    assert not Path("metrics/comparison.json").exists()


def test_an_arm_without_scores_is_named(study: Path) -> None:
    users = pd.read_parquet("data/scores/recommendations.parquet")
    users[users["arm"] != "unfilled"].to_parquet("data/scores/recommendations.parquet", index=False)
    with pytest.raises(UserError, match="no rows for vbpr-sbert on unfilled"):
        compare.main()


def test_a_writer_that_is_no_captioner_is_refused(study: Path, write_params: Any) -> None:
    write_params(study, writer="tiny-lava")
    with pytest.raises(UserError, match="did you mean tiny-llava"):
        compare.main()
