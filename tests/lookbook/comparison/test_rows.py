"""The rows of comparison.json: uniform keys in the file, the tables' own keys when it is read."""

from pathlib import Path

from lookbook.comparison.rows import flatten_tables, group_rows, read_comparison
from pipeline.core.outputs import write_json

TABLES = {
    "captions": [{"table": "captions", "captioner": "one", "p_holm": 0.1}],
    "catalogues": [{"table": "catalogues", "recommender": "bpr", "runs": 3, "p_holm": None}],
    "masked": [],
    "slices": [{"table": "slices", "recommender": "bpr", "slice": "cold_users", "runs": 1, "p_holm": None}],
    "arrivals": [{"table": "arrivals", "recommender": "vbpr-sbert", "claimed": False, "p_holm": 0.2}],
    "prediction": [
        {"table": "prediction", "recommender": "vbpr-sbert", "scope": "sources", "value": 1.0, "p_holm": None}
    ],
}


def test_all_rows_have_the_same_keys_whatever_the_study_has() -> None:
    assert flatten_tables({"captions": TABLES["captions"]})[0]["score"] is None
    rows = flatten_tables(TABLES)
    assert len(rows) == 5
    assert len({frozenset(row) for row in rows}) == 1


def test_the_tables_come_back_as_they_were_with_keys_in_order(tmp_path: Path) -> None:
    tables = group_rows(flatten_tables(TABLES))
    assert tables == TABLES
    assert [list(row) for rows in tables.values() for row in rows] == [
        list(row) for rows in TABLES.values() for row in rows
    ]
    write_json(tmp_path / "comparison.json", {"draws": 100, "rows": flatten_tables(TABLES)})
    assert read_comparison(tmp_path / "comparison.json") == {"draws": 100} | TABLES
