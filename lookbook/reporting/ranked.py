"""The results of the arrivals, as tables and figures read them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lookbook.reporting.formatting import Values

PICTURES = "pictures"  # the source of an image feature set


@dataclass(frozen=True)
class Ranked:
    """The results of the arrivals of a study.

    Attributes:
        metrics: Recommender with features -> metrics/arrivals/<name>.json.
        rows: The table `arrivals` of metrics/comparison.json.
        recommenders: The content recommenders, that of the primary comparison first.
        image_features: The image feature sets that arrivals are ranked by.
        writer: The captioner of the primary comparison.
    """

    metrics: Values
    rows: Sequence[Values]
    recommenders: Sequence[str]
    image_features: Sequence[str]
    writer: str

    def find_row(self, recommender: str, a: str, b: str, recommender_b: str | None = None) -> Values | None:
        """Return the comparison of a with b, turned round where it is there as b with a.

        Args:
            recommender: Ranks a, with its features.
            a: The first source.
            b: The second.
            recommender_b: Ranks b; None: the same that ranks a.
        """
        first, second = (recommender, a), (recommender_b or recommender, b)
        for row in self.rows:
            arms = (row["recommender"], row["a"]), (row.get("recommender_b") or row["recommender"], row["b"])
            if arms == (first, second):
                return row
            if arms == (second, first):
                return row | {"difference": -row["difference"], "low": -row["high"], "high": -row["low"]}
        return None

    def list_tested(self) -> list[Values]:
        """List the comparisons that were tested, the primary one first."""
        rows = [row for row in self.rows if row.get("family") is not None]
        return sorted(rows, key=lambda row: row["family"] != "primary")

    def find_best(self) -> Values | None:
        """Return the comparison of fine-tuned captions with the best arm without captions (b)."""
        rows = (row for row in self.list_tested() if row["family"] == "secondary")
        return next((row for row in rows if row["a"] != "reference" and row["b"] != "none"), None)

    def read_source(self, recommender: str, source: str) -> Values:
        """Return the figures of a source; empty where it was not ranked."""
        return self.metrics.get(recommender, {}).get("sources", {}).get(source, {})


def find_metric(metrics: Values) -> str:
    """Return the name of NDCG among the arrivals: `ndcg_12`."""
    figures = next(iter(metrics["sources"].values()))
    return next(name for name in figures if name.startswith("ndcg_") and name.rpartition("_")[2].isdigit())
