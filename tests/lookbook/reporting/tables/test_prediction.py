"""The table of predicting scores: a row per recommender and score, in the order of the caption tables."""

from typing import Any

from lookbook.reporting.tables.prediction import prediction_table


def row(metric: str, scope: str, statistic: str, value: float, recommender: str = "vbpr-sbert") -> dict[str, Any]:
    figures = {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 7 if scope == "sources" else 500}
    return {"recommender": recommender, "metric": metric, "scope": scope, "statistic": statistic} | figures


ROWS = [
    row("core_precision", "sources", "spearman", -0.5),
    row("cider", "sources", "slope", 0.02),
    row("cider", "sources", "spearman", 0.9),
    row("cider", "garments", "spearman", 0.31),
    row("cider", "sources", "slope", 0.01, "contentknn-sbert"),
]


def test_scores_stand_in_the_order_of_the_caption_tables() -> None:
    table = prediction_table(ROWS)
    assert table is not None
    assert table.rows == [
        ["VBPR sbert", "CIDEr", "+0.0200 [−0.0800, +0.1200]", "+0.90 [+0.80, +1.00]", "+0.31 [+0.21, +0.41]"],
        ["VBPR sbert", "Core", "", "−0.50 [−0.60, −0.40]", ""],
        ["content kNN sbert", "CIDEr", "+0.0100 [−0.0900, +0.1100]", "", ""],
    ]
    assert "7 sources" in table.notes[0]
    assert "500 pairs" in table.notes[1]
    assert len(table.frame) == len(ROWS)


def test_a_study_without_arrivals_has_no_such_table() -> None:
    assert prediction_table([]) is None
