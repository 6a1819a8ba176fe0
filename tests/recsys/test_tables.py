from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.tables import by_number_or_text, read_lists, read_purchases, write_lists

IDS = st.text(alphabet="ab0179_é ", min_size=1, max_size=4).filter(lambda text: text.strip() == text)
ROWS = st.lists(st.tuples(IDS, IDS), min_size=1, max_size=30)


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, form=st.sampled_from(["tsv", "csv", "parquet"]))
def test_ids_are_what_was_written_in_the_order_of_first_appearance(
    rows: list[tuple[str, str]], form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("t") / f"rows.{form}"
    table = pd.DataFrame(rows, columns=["user", "item"])
    if form == "parquet":
        table.astype({"user": "category"}).to_parquet(path)  # a dictionary in another order
    else:
        table.to_csv(path, sep="\t" if form == "tsv" else ",", index=False, header=form == "csv")
    read = read_purchases(path)
    names = read.user.names.to_pylist()
    assert names == list(dict.fromkeys(user for user, _ in rows))
    assert [names[code] for code in read.user.codes] == [user for user, _ in rows]
    assert [read.item.names[int(code)].as_py() for code in read.item.codes] == [item for _, item in rows]


def test_blocks_of_a_large_file_share_their_ids(tmp_path: Path) -> None:
    """Larger than a block of the reader, so that dictionaries must be joined."""
    n = 2_000_000
    users = np.random.default_rng(0).integers(0, 5000, n)
    table = pa.table({"user": users, "item": np.arange(n) % 77, "rating": np.ones(n)})
    import pyarrow.csv as csv

    csv.write_csv(table, tmp_path / "rows.csv")
    rows = read_purchases(tmp_path / "rows.csv")
    assert len(rows.user.names) == len(set(rows.user.names.to_pylist())) == 5000
    np.testing.assert_array_equal(np.array(rows.user.names.to_pylist(), dtype=int)[rows.user.codes], users)


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
    assert [names[place] for place in by_number_or_text(pa.array(names))] == ordered


@pytest.mark.parametrize("form", ["tsv", "csv", "parquet"])
def test_lists_read_back_are_the_lists_written(tmp_path: Path, form: str) -> None:
    listed = np.array([[2, 0, -1], [-1, -1, -1], [1, 2, 0]])
    scores = np.array([[0.1, -2.5, -np.inf], [-np.inf] * 3, [3, 1e-8, 0]], dtype=np.float32)
    written = write_lists(tmp_path / f"l.{form}", pa.array(["u", "nobody", "v"]), ["a", "b", "c"], listed, scores)
    rows = read_lists(tmp_path / f"l.{form}")
    assert written == 5
    users, items = rows.user.names.to_pylist(), rows.item.names.to_pylist()
    assert [users[code] for code in rows.user.codes] == ["u", "u", "v", "v", "v"]
    assert [items[code] for code in rows.item.codes] == ["c", "a", "b", "c", "a"]
    np.testing.assert_array_equal(rows.values["score"].astype(np.float32), scores[listed >= 0])


def test_some_rows_know_their_own_ids_alone(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("a\tx\t1\nb\ty\t2\na\tz\t3\n")
    part = read_purchases(tmp_path / "rows.tsv").where(np.array([False, True, True]))
    assert part.user.names.to_pylist() == ["b", "a"]
    assert part.user.codes.tolist() == [0, 1]
    assert part.values["rating"].tolist() == [2, 3]
