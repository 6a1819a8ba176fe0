"""Items are ordered by number where all ids are numbers."""

import pyarrow as pa
import pytest

from recsys.interchange.recommend import order_ids


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["10", "9", "100"], ["9", "10", "100"]),
        (["0351332008", "0351332007"], ["0351332007", "0351332008"]),
        (["10", "9", "x"], ["10", "9", "x"]),
        (["7", "007", "07"], ["007", "07", "7"]),
        (["-1", "-10", "2"], ["-10", "-1", "2"]),
    ],
)
def test_ids_are_ordered_by_number_where_all_are_numbers(names: list[str], ordered: list[str]) -> None:
    assert [names[index] for index in order_ids(pa.array(names))] == ordered
