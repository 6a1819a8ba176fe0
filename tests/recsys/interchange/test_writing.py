"""Lists are read back as they were written, in every form."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.errors import UserError
from recsys.interchange.reading import read_lists
from recsys.interchange.writing import write_lists


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

    monkeypatch.setattr("recsys.interchange.writing.ROWS", 100)  # several blocks
    random = np.random.default_rng(0)
    scores = (random.normal(size=(200, 3)) * 10.0 ** random.integers(-20, 20, (200, 3))).astype(np.float32)
    scores[:2] = [[np.inf, 0, -0.0], [1e7, -np.inf, 0.1]]
    listed = random.integers(-1, 9, (200, 3))
    listed[40:80] = -1
    users, items = [f"0{number}" for number in range(200)], [f"item {number}" for number in range(9)]
    write_lists(tmp_path / "ours.tsv", pa.array(users), items, listed, scores)
    user, rank = np.nonzero(listed >= 0)
    names = [pa.array(users).take(pa.array(user)), pa.array(items).take(pa.array(listed[user, rank]))]
    table = pa.table([*names, pa.array(scores[user, rank])], names=["user", "item", "score"])
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
