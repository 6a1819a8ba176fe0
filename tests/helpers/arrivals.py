"""Rows of the table `arrivals` of metrics/comparison.json, as the stage `compare` writes them."""

from typing import Any

Row = dict[str, Any]


def arrivals_row(a: str, b: str, difference: float = 0.0, margin: float = 0.02, **changes: Any) -> Row:
    """Return a row: its interval reaches `margin` to both sides of the difference; `changes` replace values."""
    low, high = difference - margin, difference + margin
    return {
        "table": "arrivals",
        "recommender": "vbpr-sbert",
        "metric": "ndcg_12",
        "a": a,
        "b": b,
        "mean_a": 0.1 + difference,
        "mean_b": 0.1,
        "difference": difference,
        "low": low,
        "high": high,
        "p": None,
        "p_holm": None,
        "detectable": None,
        "n": 1087,
        "products": 100,
        "hit_items": 54,
        "top10_share": 0.56,
        "runs": 3,
        "draws": 10_000,
        "family": None,
        "claimed": False,
        "equivalent": False,
        "confirmatory": False,
    } | changes


FINDINGS: dict[str, Row] = {  # what a tested comparison can find
    "better": {"difference": 0.039, "margin": 0.028, "p": 0.009, "p_holm": 0.027, "claimed": True},
    "worse": {"difference": -0.039, "margin": 0.028, "p": 0.009, "p_holm": 0.027, "claimed": True},
    "not shown": {"difference": 0.01, "margin": 0.03, "p": 0.3, "p_holm": 0.6},
    "equal": {"difference": 0.001, "margin": 0.003, "p": 0.5, "p_holm": 1.0, "equivalent": True},
}


def row_with_finding(a: str, b: str, finding: str, family: str = "secondary", **changes: Any) -> Row:
    """Return a row of a comparison that was tested and found this."""
    values = FINDINGS[finding] | {"family": family, "confirmatory": True, "detectable": 0.035}
    return arrivals_row(a, b, **(values | changes))
