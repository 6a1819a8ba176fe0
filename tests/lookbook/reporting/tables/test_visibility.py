"""Attributes that a picture shows, apart from those that it does not: sums of counts, or no table."""

import pandas as pd
import pytest

from lookbook.reporting.tables.visibility import visibility_table

ROWS = [  # attribute, reference, right, missed, invented
    ("red", 10, 8, 2, 2),
    ("striped", 10, 4, 6, 0),
    ("cotton", 5, 1, 4, 3),
    ("leather", 5, 0, 5, 0),
]


def attributes(*words: str) -> pd.DataFrame:
    columns = ["attribute", "reference", "right", "missed", "invented"]
    table = pd.DataFrame(ROWS, columns=columns)
    return table[table["attribute"].isin(words)].assign(captioner="tiny-llava", variant="ft")


def test_precision_and_recall_are_of_the_sums_of_each_kind() -> None:
    table = visibility_table(attributes("red", "striped", "cotton", "leather"), ["tiny-llava"], True)
    assert table is not None
    assert table.rows == [
        ["tiny-llava", "fine-tuned", "can be seen", "20", "12", "8", "2", "85.7", "60.0"],
        ["tiny-llava", "fine-tuned", "cannot be seen", "10", "1", "9", "3", "25.0", "10.0"],
    ]


@pytest.mark.parametrize(("words", "has_truth"), [(("red", "striped"), True), (("red", "cotton"), False)])
def test_there_is_no_table_without_both_kinds_or_without_the_truth(words: tuple[str, ...], has_truth: bool) -> None:
    assert visibility_table(attributes(*words), ["tiny-llava"], has_truth) is None


def test_nothing_named_has_no_precision() -> None:
    table = visibility_table(attributes("red", "leather"), ["tiny-llava"], True)
    assert table is not None
    assert table.rows[1][-2:] == ["n/a", "0.0"]
