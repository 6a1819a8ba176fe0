"""Packing and reading images: one by one and from several threads, and what is refused."""

import hashlib
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.prepared import images
from catalogue.prepared.images import ImageStore, pack_images
from pipeline.core.errors import UserError
from tests.helpers.encoded import encoded

ROOT = Path(__file__).parents[3]


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, bytes]]:
    monkeypatch.setattr(images, "SHARD_ITEMS", 100)
    data = {f"{number:010d}": encoded(8 + number % 40, 8) for number in range(230)}
    pack_images(tmp_path, {item: f"{item}.jpg" for item in data}, data.__getitem__, 64)
    return tmp_path, data


def test_every_item_gets_its_own_image_back(packed: tuple[Path, dict[str, bytes]]) -> None:
    folder, data = packed
    store = ImageStore(folder)
    assert [path.name for path in sorted(folder.iterdir())] == ["00000.parquet", "00001.parquet", "00002.parquet"]
    assert (store.ids, len(store)) == (list(data), 230)
    for item in np.random.default_rng(1).permutation(store.ids):
        assert store.read_jpeg(item) == data[item]
    assert store["0000000003"].size == (11, 8)
    assert store["0000000003"].mode == "RGB"
    assert "0000000999" not in store


READ_ON_THREADS = """
import random, sys
from concurrent.futures import ThreadPoolExecutor
from catalogue.prepared.images import ImageStore
store = ImageStore(sys.argv[1])
ids = random.Random(0).choices(store.ids, k=20_000)
with ThreadPoolExecutor(8) as pool:
    read = list(pool.map(store.read_jpeg, ids))
alone = {item: store.read_jpeg(item) for item in store.ids}
print(read == [alone[item] for item in ids])
"""


@pytest.mark.slow
def test_eight_threads_read_what_one_reads(packed: tuple[Path, dict[str, bytes]]) -> None:
    """It runs in its own process, because threads that share a reader crash or hang within a few thousand reads."""
    command = [sys.executable, "-c", READ_ON_THREADS, str(packed[0])]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr


def test_no_shard_stays_open(packed: tuple[Path, dict[str, bytes]]) -> None:
    """A process may have 1,024 files open, and 8 threads with H&M's 106 shards open would come near that."""
    store = ImageStore(packed[0])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.read_jpeg, store.ids))
        assert not [file.path for file in psutil.Process().open_files() if file.path.endswith(".parquet")]


def test_for_one_image_a_few_are_read(packed: tuple[Path, dict[str, bytes]]) -> None:
    """That holds for a shard of any size, and the shard is not copied."""
    shard = pq.ParquetFile(packed[0] / "00000.parquet")
    sizes = [shard.metadata.row_group(group).num_rows for group in range(shard.num_row_groups)]
    assert (max(sizes), sum(sizes)) == (images.ROW_GROUP_ITEMS, 100)
    assert shard.metadata.row_group(0).column(1).compression == "UNCOMPRESSED"


def test_the_source_of_every_image_is_hashed(packed: tuple[Path, dict[str, bytes]]) -> None:
    folder, data = packed
    rows = pq.read_table(folder / "00001.parquet", columns=["item_id", "source_sha256"]).to_pylist()
    assert len(rows) == 100
    assert all(row["source_sha256"] == hashlib.sha256(data[row["item_id"]]).hexdigest() for row in rows)


def test_packing_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SHARD_ITEMS", 10)
    data = {f"{number:010d}": encoded(8 + number, 8) for number in range(35)}
    names = {item: f"{item}.jpg" for item in data}
    read: list[str] = []

    def image(item: str, last: str) -> bytes:
        read.append(item)
        if item > last:
            raise KeyboardInterrupt
        return data[item]

    work, folder, whole = tmp_path / "work", tmp_path / "images", tmp_path / "whole"
    for path in (work, folder, whole):
        path.mkdir()
    with pytest.raises(KeyboardInterrupt):
        pack_images(folder, names, lambda item: image(item, "0000000023"), 64, work)
    assert sorted(path.name for path in work.iterdir()) == ["00000.parquet", "00001.parquet"]
    assert list(folder.iterdir()) == []
    read.clear()
    pack_images(folder, names, lambda item: image(item, "9"), 64, work)
    assert min(read) == "0000000020"
    pack_images(whole, names, data.__getitem__, 64)
    for path in whole.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_a_store_can_be_sent_to_a_worker(packed: tuple[Path, dict[str, bytes]]) -> None:
    folder, data = packed
    store = ImageStore(folder)
    assert store.read_jpeg("0000000229") == data["0000000229"]
    copy = pickle.loads(pickle.dumps(store))
    assert {item: copy.read_jpeg(item) for item in copy.ids} == data


IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@settings(max_examples=50)
@given(ids=st.lists(IDS, unique=True, min_size=1, max_size=30), size=st.integers(1, 9), group=st.integers(1, 4))
def test_items_in_any_order_and_script_are_found(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], size: int, group: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    for number, start in enumerate(range(0, len(ids), size)):
        part = ids[start : start + size]
        table = pa.table({"item_id": part, "jpeg": [item.encode() * 2 for item in part]})
        pq.write_table(table, folder / f"{number:05d}.parquet", row_group_size=group)
    store = ImageStore(folder)
    assert (store.ids, len(store)) == (ids, len(ids))
    assert [store.read_jpeg(item) for item in ids] == [item.encode() * 2 for item in ids]
    for other in ("absent", "", ids[0] + "x", ids[0][:-1], 7):
        assert (other in store) == (other in ids)
    with pytest.raises(KeyError, match="absent"):
        store.read_jpeg("absent")


def test_an_item_takes_few_bytes(tmp_path: Path) -> None:
    ids = [f"{number:010d}" for number in range(20_000)]
    for number, start in enumerate(range(0, len(ids), 1_000)):
        part = ids[start : start + 1_000]
        table = pa.table({"item_id": part, "jpeg": [b""] * len(part)})
        pq.write_table(table, tmp_path / f"{number:05d}.parquet", row_group_size=images.ROW_GROUP_ITEMS)
    assert len(pickle.dumps(ImageStore(tmp_path))) < 12 * len(ids)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no packed images"):
        ImageStore(tmp_path)


def test_all_bad_pictures_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SHARD_ITEMS", 10)
    bad = {3, 12, 17, 25, 26, 27, 28}
    data = {f"{number:03d}": b"" if number in bad else encoded(8, 8) for number in range(40)}
    (tmp_path / "work").mkdir()
    with pytest.raises(UserError) as refusal:
        pack_images(tmp_path, {item: f"{item}.jpg" for item in data}, data.__getitem__, 64, tmp_path / "work")
    lines = str(refusal.value).splitlines()
    assert lines[0] == "7 pictures cannot be read"
    assert [line.split(":")[0] for line in lines[1:]] == [
        "  003.jpg",
        "  012.jpg",
        "  017.jpg",
        "  025.jpg",
        "  026.jpg",
        "  …",
    ]
    assert [path.name for path in tmp_path.glob("work/*")] == ["00003.parquet"]  # is not packed again
    assert not list(tmp_path.glob("*.parquet"))
