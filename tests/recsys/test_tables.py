from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from recsys.tables import read_lists, read_purchases, write_lists

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


@pytest.mark.parametrize("form", ["tsv", "csv", "parquet"])
def test_ids_with_quotes_are_read_back_as_they_are(tmp_path: Path, form: str) -> None:
    users, items = ['"a"', 'b "c', "d'e"], ['6" nail', '"', "é,;"]
    write_lists(tmp_path / f"l.{form}", pa.array(users), items, np.array([[0], [1], [2]]), np.ones((3, 1)))
    rows = read_lists(tmp_path / f"l.{form}")
    assert (rows.user.names.to_pylist(), rows.item.names.to_pylist()) == (users, items)
    if form == "tsv":
        written = (tmp_path / "l.tsv").read_text(encoding="utf-8")
        assert written == '"a"\t6" nail\t1\nb "c\t"\t1\nd\'e\té,;\t1\n'


def test_a_tsv_has_the_bytes_that_arrow_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.csv as csv

    monkeypatch.setattr("recsys.tables.ROWS", 100)  # several blocks
    random = np.random.default_rng(0)
    scores = (random.normal(size=(200, 3)) * 10.0 ** random.integers(-20, 20, (200, 3))).astype(np.float32)
    scores[:2] = [[np.inf, 0, -0.0], [1e7, -np.inf, 0.1]]
    listed = random.integers(-1, 9, (200, 3))
    listed[40:80] = -1
    users, items = [f"0{number}" for number in range(200)], [f"item {number}" for number in range(9)]
    write_lists(tmp_path / "ours.tsv", pa.array(users), items, listed, scores)
    user, place = np.nonzero(listed >= 0)
    names = [pa.array(users).take(pa.array(user)), pa.array(items).take(pa.array(listed[user, place]))]
    table = pa.table([*names, pa.array(scores[user, place])], names=["user", "item", "score"])
    options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    csv.write_csv(table, tmp_path / "arrow.tsv", options)
    assert (tmp_path / "ours.tsv").read_bytes() == (tmp_path / "arrow.tsv").read_bytes()


@pytest.mark.parametrize("broken", ["a\tb", "a\nb", "a\rb"])
def test_ids_that_no_tsv_can_hold_are_refused(tmp_path: Path, broken: str) -> None:
    with pytest.raises(UserError, match="1 user ids have a tab or a line break, which no TSV can hold, first 'a"):
        write_lists(tmp_path / "l.tsv", pa.array([broken, "v"]), ["x"], np.zeros((2, 1), int), np.ones((2, 1)))
    with pytest.raises(UserError, match="1 item ids have a tab or a line break"):
        write_lists(tmp_path / "l.tsv", pa.array(["u"]), [broken], np.zeros((1, 1), int), np.ones((1, 1)))
    assert list(tmp_path.iterdir()) == []
    write_lists(tmp_path / "l.parquet", pa.array([broken]), ["x"], np.zeros((1, 1), int), np.ones((1, 1)))
    assert read_lists(tmp_path / "l.parquet").user.names.to_pylist() == [broken]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("named", ["prediction", "rating", "Score"])
def test_lists_whose_score_has_another_name_are_refused(tmp_path: Path, form: str, named: str) -> None:
    path = tmp_path / f"lists.{form}"
    rows = pd.DataFrame({"user": ["u", "u"], "item": ["a", "b"], named: [0.1, 0.9], "timestamp": [1, 2]})

    def write(table: pd.DataFrame) -> None:
        table.to_csv(path, index=False) if form == "csv" else table.to_parquet(path)

    write(rows)
    with pytest.raises(UserError) as said:
        read_lists(path)
    assert str(said.value) == (
        f"{path}: has no column score or rank; found user, item, {named}, timestamp. Rename the one to rank by to "
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


def test_some_rows_know_their_own_ids_alone(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("a\tx\t1\nb\ty\t2\na\tz\t3\n")
    part = read_purchases(tmp_path / "rows.tsv").where(np.array([False, True, True]))
    assert part.user.names.to_pylist() == ["b", "a"]
    assert part.user.codes.tolist() == [0, 1]
    assert part.values["rating"].tolist() == [2, 3]
