"""Files of purchases and lists are read with their ids unchanged, and unclear columns are refused."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from recsys.interchange import tables
from recsys.interchange.reading import read_lists, read_purchases

IDS = st.text(alphabet="ab0179_é ", min_size=1, max_size=4).filter(lambda text: text.strip() == text)
ROWS = st.lists(st.tuples(IDS, IDS), min_size=1, max_size=30)


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, form=st.sampled_from(["tsv", "csv", "parquet"]))
def test_ids_are_what_was_written_in_the_order_of_first_appearance(
    rows: list[tuple[str, str]], form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Words above numbers alone are a header: tests/recsys/interchange/test_tables.py
    assume(form != "tsv" or not tables._is_header(rows))
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


@pytest.mark.parametrize("column", ["user", "item"])
@pytest.mark.parametrize("kind", [pa.binary(), pa.string()])
def test_ids_that_are_not_utf8_are_refused_by_file_and_column(tmp_path: Path, column: str, kind: pa.DataType) -> None:
    ids = pa.array([b"a", b"M\xfcller"], pa.binary())
    columns = {name: pa.array(["a", "b"]) for name in ("user", "item")} | {column: ids.view(kind)}
    pq.write_table(pa.table(columns), tmp_path / "lists.parquet")
    for read in (read_purchases, read_lists):
        with pytest.raises(UserError, match=rf"lists\.parquet: {column}: ids cannot be read as text in UTF-8"):
            read(tmp_path / "lists.parquet")


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


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("column", ["prediction", "rating", "Score"])
def test_lists_whose_score_has_another_name_are_refused(tmp_path: Path, form: str, column: str) -> None:
    path = tmp_path / f"lists.{form}"
    rows = pd.DataFrame({"user": ["u", "u"], "item": ["a", "b"], column: [0.1, 0.9], "timestamp": [1, 2]})

    def write(table: pd.DataFrame) -> None:
        table.to_csv(path, index=False) if form == "csv" else table.to_parquet(path)

    write(rows)
    with pytest.raises(UserError) as refusal:
        read_lists(path)
    assert str(refusal.value) == (
        f"{path}: has no column score or rank; found user, item, {column}, timestamp. Rename the column to rank by to "
        "`score`, or leave only user and item where rows are best first already"
    )
    for columns in (["user", "item"], ["user", "item", "timestamp"]):
        write(rows[columns])
        assert read_lists(path).values == {}
    for ours in ("score", "rank"):
        write(rows.assign(**{ours: [1.0, 2.0]}))
        assert read_lists(path).values[ours].tolist() == [1, 2]
    write(rows)
    assert len(read_purchases(path).user.codes) == 2  # purchases may have any other column


@pytest.mark.parametrize("form", ["csv", "parquet", "tsv"])
def test_the_rating_of_a_list_that_warprec_wrote_is_its_score(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"lists.{form}"
    rows = pd.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"], "rating": [0.1, 0.9]})
    if form == "parquet":
        rows.to_parquet(path)
    else:
        rows.to_csv(path, index=False, sep="\t" if form == "tsv" else ",")
    assert read_lists(path).values["score"].tolist() == [0.1, 0.9]


def test_chosen_rows_have_only_their_own_ids(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("a\tx\t1\nb\ty\t2\na\tz\t3\n")
    part = read_purchases(tmp_path / "rows.tsv").where(np.array([False, True, True]))
    assert part.user.names.to_pylist() == ["b", "a"]
    assert part.user.codes.tolist() == [0, 1]
    assert part.values["rating"].tolist() == [2, 3]


@pytest.mark.parametrize("name", ["user", "item"])
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (pa.array([["a"], ["b"]]), "ids are of type list<element: string>; write them as text or whole numbers"),
        (pa.array([{"a": 1}, {"a": 2}]), "ids are of type struct<a: int64>; write them as text or whole numbers"),
        (pa.DictionaryArray.from_arrays([0, 1], pa.array([1.5, 2.5])), "ids are floating-point numbers"),
    ],
    ids=["lists", "structs", "a dictionary of floats"],
)
def test_ids_of_other_types_are_refused(tmp_path: Path, name: str, ids: pa.Array, message: str) -> None:
    table = pa.table({"user": ["a", "b"], "item": ["x", "y"]} | {name: ids})
    pq.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(UserError, match=re.escape(f"p.parquet: {name}: {message}")):
        read_purchases(tmp_path / "p.parquet")


@pytest.mark.parametrize("name", ["rating", "timestamp"])
def test_lists_of_numbers_are_refused(tmp_path: Path, name: str) -> None:
    table = pa.table({"user": ["a"], "item": ["x"], "rating": [1.0], "timestamp": [1_500_000_000]} | {name: [[1.0]]})
    pq.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(UserError, match=f"p.parquet: {name}: "):
        read_purchases(tmp_path / "p.parquet", with_time=True)
