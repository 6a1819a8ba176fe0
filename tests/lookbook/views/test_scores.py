"""The scores that a page offers."""

from lookbook.views.scores import list_metrics
from lookbook.views.study import Study


def test_sufficient_statistics_are_no_scores(viewed: Study) -> None:
    assert list_metrics(viewed) == ["attribute_recall", "cider", "core_precision"]
