"""The split in ranges of users, made here: the files of all users at once; test_cluster.py has real nodes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.checkpoints import load_part, part_path
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_parquet
from pipeline.core.params import REFERENCE, load
from pipeline.machine import HERE
from recsys.purchases import ranges
from recsys.purchases.division import write_interactions
from recsys.purchases.ranges import can_share, find_bounds, open_rows, write_in_ranges
from recsys.purchases.reading import read_items, read_purchases
from recsys.purchases.row_groups import ROWS, open_tables
from recsys.purchases.settings import RecInteractions

N_ROWS, N_ITEMS = 3_000, 40
ITEMS, PURCHASES = Path("items.parquet"), Path("purchases.parquet")
LETTERS = ["a", "B", "é", "ß", "日", "😀", "\n"]  # ids are ordered by their bytes


def params(**chosen: Any) -> RecInteractions:
    return RecInteractions(**(load(REFERENCE)["rec_interactions"] | chosen))


@pytest.fixture(params=[1, 2, 3], ids=lambda seed: f"shop {seed}")
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write purchases by day in small row groups, a tenth of them of articles without an image."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ranges, "RANGE_ROWS", 400)
    monkeypatch.setattr(ranges, "GROUPS", 2)
    random = np.random.default_rng(request.param)
    number = np.minimum(random.zipf(1.3, N_ROWS), 300)
    rows = pd.DataFrame(
        {
            "user_id": [f"{LETTERS[user % 7]}{user % 11}{user}" for user in number],
            "item_id": [f"{item:010}" for item in random.integers(0, N_ITEMS + 4, N_ROWS)],
            "day": np.sort(random.integers(0, 60, N_ROWS)).astype(np.int32),
        }
    )
    pq.write_table(pa.Table.from_pandas(rows), PURCHASES, row_group_size=250)
    items = [f"{item:010}" for item in range(N_ITEMS)]
    pd.DataFrame({"item_id": items, "original": np.arange(N_ITEMS) % 3 > 0}).to_parquet(ITEMS)
    return tmp_path


def read_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write_at_once(settings: RecInteractions) -> dict[str, Any]:
    purchases, user_ids, _ = read_purchases(read_items(ITEMS), PURCHASES)
    return write_interactions(Path("whole"), read_items(ITEMS), user_ids, purchases, settings)


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"evaluation": "published"},
        {"repeats": "drop", "few_purchases": "drop", "min_purchases": 3},
        {"evaluation": "published", "few_purchases": "study", "min_purchases": 2, "validation_purchases": 3},
    ],
)
def test_ranges_write_the_bytes_of_all_users_at_once(shop: Path, chosen: dict[str, Any]) -> None:
    settings = params(**chosen)
    assert len(find_bounds(PURCHASES)) >= 4
    counts, left_out = write_in_ranges(Path("ranges"), ITEMS, PURCHASES, settings, shop / "work", HERE)
    assert counts == write_at_once(settings)
    assert left_out == pq.read_metadata(PURCHASES).num_rows - len(read_purchases(read_items(ITEMS), PURCHASES)[0])
    expected = read_bytes(Path("whole"))
    assert len(expected) == (6 if settings.evaluation == "common" else 12)
    assert read_bytes(Path("ranges")) == expected


def test_one_range_is_enough_for_few_purchases(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "RANGE_ROWS", 1_000_000)
    assert find_bounds(PURCHASES) == []
    write_in_ranges(Path("ranges"), ITEMS, PURCHASES, params(), shop / "work", HERE)
    write_at_once(params())
    assert read_bytes(Path("ranges")) == read_bytes(Path("whole"))


def test_files_that_are_there_are_not_made_again(shop: Path) -> None:
    write_in_ranges(Path("ranges"), ITEMS, PURCHASES, params(), shop / "work", HERE)
    made = sorted(path for path in (shop / "work").rglob("*") if path.is_file())
    before = [path.stat().st_mtime_ns for path in made]
    made[0].write_bytes(b"damaged")
    write_in_ranges(Path("again"), ITEMS, PURCHASES, params(), shop / "work", HERE)
    after = [path.stat().st_mtime_ns for path in made]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False] + [True] * (len(made) - 1)
    assert read_bytes(Path("again")) == read_bytes(Path("ranges"))


def test_a_range_reads_its_own_part_of_a_file_and_checks_it(shop: Path) -> None:
    bounds = find_bounds(PURCHASES)
    file = part_path(shop, "rows")
    open_rows(ITEMS, PURCHASES, bounds)({file: (0, 4)})
    n_ranges = len(bounds) + 1
    expected = [ranges._read_slices(file, number) for number in range(n_ranges)]
    arrays, _ = load_part(file)
    rows, users = np.diff(arrays["ends"]), np.diff(arrays["user_ends"])
    assert [len(part["day"]) for part, _ in expected] == rows.tolist()
    assert [len(ranges._unpack_names(part)) for part, _ in expected] == users.tolist()
    whole = file.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little") + find_offset(whole, "day")
    for number in range(n_ranges):
        at = start + 4 * int(arrays["ends"][number])
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])  # the first day of this range alone
        for other in range(n_ranges):
            if other == number:
                with pytest.raises(UserError, match="removed or damaged"):
                    ranges._read_slices(file, other)
            else:
                part, first = ranges._read_slices(file, other)
                assert first == expected[other][1]
                assert all(np.array_equal(part[name], values) for name, values in expected[other][0].items())
    file.unlink()
    with pytest.raises(UserError, match="removed or damaged"):
        ranges._read_slices(file, 0)


def find_offset(content: bytes, name: str) -> int:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return int(header[name]["data_offsets"][0])


def test_what_all_users_at_once_refuse_is_refused(shop: Path) -> None:
    work = shop / "work"
    few = params(min_purchases=1_000_000)
    for settings in (few, params(min_purchases=1_000_000, few_purchases="study")):
        with pytest.raises(UserError) as expected:
            write_at_once(settings)
        with pytest.raises(UserError) as ours:
            write_in_ranges(Path("ranges"), ITEMS, PURCHASES, settings, work / settings.few_purchases, HERE)
        assert str(ours.value) == str(expected.value)
    pd.DataFrame({"item_id": ["0000099999"], "original": [True]}).to_parquet(ITEMS)
    with pytest.raises(UserError, match=r"none of 3,000 purchases is of an article"):
        write_in_ranges(Path("ranges"), ITEMS, PURCHASES, params(), work / "unknown", HERE)
    assert not Path("ranges").exists()


@pytest.mark.parametrize(("chosen", "shared"), [({}, True), ({"split": "date"}, False), ({"sampling": "2M"}, False)])
def test_what_depends_on_other_users_is_not_shared(shop: Path, chosen: dict[str, Any], shared: bool) -> None:
    assert can_share(params(**chosen), PURCHASES) is shared
    pq.write_table(pq.read_table(PURCHASES).slice(0, 0), "none.parquet")
    assert not can_share(params(**chosen), Path("none.parquet"))


@pytest.mark.parametrize("n_rows", [0, 5, ROWS, 2 * ROWS + 77])
def test_rows_that_come_in_pieces_have_the_bytes_of_all_at_once(tmp_path: Path, n_rows: int) -> None:
    random = np.random.default_rng(0)
    table = pa.table({"user": np.sort(random.integers(0, 1 << 17, n_rows).astype(np.int32)), "day": np.arange(n_rows)})
    write_parquet(tmp_path / "whole.parquet", table)
    with open_tables(tmp_path) as add:
        for start in range(0, n_rows + 1, 300_001):
            add("pieces", table.slice(start, 300_001))
    assert (tmp_path / "pieces.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
