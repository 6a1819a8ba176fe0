"""The warm case with its floors: what reads no caption stands above what does."""

from typing import Any

from lookbook.reporting.tables.warm import warm_table

AXES: dict[str, Any] = {
    "recommenders": ["itemknn", "bpr"],
    "warm_content_recommenders": ["vbpr"],
    "warm_image_features": ["resnet50"],
    "warm_text_features": ["sbert"],
}


def figures(masked: float) -> dict[str, float]:
    return {"ndcg_masked_12": masked, "ndcg_12": 2 * masked}


METRICS: dict[str, Any] = {
    "original": {"bpr": figures(0.0461), "vbpr-resnet50": figures(0.0459), "vbpr-sbert": figures(0.09)},
    "masked-ft": {"vbpr-sbert": figures(0.0457)},
    "masked-none": {"vbpr-sbert": figures(0.0027)},
}


def test_floors_come_first_and_texts_from_nothing_to_captions() -> None:
    table = warm_table(METRICS, AXES, 12)
    assert table is not None
    assert table.rows == [
        ["floor: no content", "BPR-MF", "0.0461", "0.0922"],
        ["floor: pictures only", "VBPR resnet50", "0.0459", "0.0918"],
        ["no words", "VBPR sbert", "0.0027", "0.0054"],
        ["FT caption", "VBPR sbert", "0.0457", "0.0914"],
    ]
    assert table.frame["ndcg_masked_12"].tolist() == [0.0461, 0.0459, 0.0027, 0.0457]


def test_a_study_without_masked_texts_has_no_such_table() -> None:
    assert warm_table({"original": METRICS["original"]}, AXES, 12) is None
    assert warm_table({"masked-ft": {"vbpr-sbert": {"ndcg_12": 0.1}}}, AXES, 12) is None
