"""Bad raw data in H&M's layout: what the message says, and that nothing is left on disk.

For FACAD's own kinds see readers/test_facad.py.
"""

import io
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from catalogue import prepare
from pipeline.core.errors import UserError
from tests.helpers.repository import digest

ROOT = Path(__file__).parent.parent.parent
Spoil = Callable[[Path], None]


def nothing_written() -> bool:
    return not list(Path("data").glob("prepared*")) and not Path("metrics/catalogue.json").exists()


def table(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Spoil:
    """Change the cells of a CSV."""

    def spoil(shop: Path) -> None:
        rows = pd.read_csv(shop / name, dtype=str, keep_default_na=False)
        change(rows).to_csv(shop / name, index=False)

    return spoil


def content(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    """Change the bytes of a file."""
    return lambda shop: (shop / name).write_bytes(change((shop / name).read_bytes())) and None


def cell(name: str, column: str, value: str, row: int = 2) -> Spoil:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        rows.loc[row, column] = value
        return rows

    return table(name, change)


def picture(make: Callable[[bytes], bytes]) -> Spoil:
    """Unpack the images and damage one of them."""

    def spoil(shop: Path) -> None:
        with zipfile.ZipFile(shop / "images.zip") as archive:
            archive.extractall(shop)
        (shop / "images.zip").unlink()
        victim = sorted((shop / "images").rglob("*.jpg"))[20]
        victim.write_bytes(make(victim.read_bytes()))

    return spoil


def zip_member(name: str) -> Spoil:
    def spoil(shop: Path) -> None:
        with zipfile.ZipFile(shop / "images.zip", "a") as archive:
            archive.writestr(name, b"x")

    return spoil


def encrypted(shop: Path) -> None:
    """Set the flag of encryption in every entry of the directory at the zip's end."""
    data = bytearray((shop / "images.zip").read_bytes())
    for entry in re.finditer(rb"PK\x01\x02", bytes(data)):
        data[entry.start() + 8] |= 1
    (shop / "images.zip").write_bytes(data)


def huge_png(width: int, height: int) -> bytes:
    """Encode a valid PNG in one colour, a few kilobytes for any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compressobj(9)
    body = b"".join(rows.compress(bytes(1 + width // 8)) for _ in range(height)) + rows.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


HTML = b"<!doctype html><html><body>404</body></html>"
REFUSED: dict[str, tuple[Spoil, str]] = {
    "missing file": (lambda shop: (shop / "articles.csv").unlink(), r"articles\.csv: no such file"),
    "missing column": (
        table("articles.csv", lambda rows: rows.drop(columns="detail_desc")),
        "no column detail_desc; found article_id",
    ),
    "renamed column": (
        table("articles.csv", lambda rows: rows.rename(columns={"article_id": "Article ID"})),
        "no column article_id; found Article ID",
    ),
    "wrong delimiter": (
        content("articles.csv", lambda data: data.replace(b",", b";")),
        "separated by ';'; save the file with commas",
    ),
    "Latin-1": (cell("articles.csv", "detail_desc", "Genähtes Kleid"), ""),  # completed below
    "empty file": (content("articles.csv", lambda data: b""), r"articles\.csv: empty"),
    "header only": (table("articles.csv", lambda rows: rows.head(0)), "a header and no rows"),
    "duplicate ids": (
        table("articles.csv", lambda rows: pd.concat([rows, rows.head(2)])),
        r"occurs more than once \(2 such ids\)",
    ),
    "id as float": (cell("articles.csv", "article_id", "108775015.0"), r"article_id '108775015\.0' in row 3"),
    "id in scientific notation": (
        cell("articles.csv", "article_id", "1.08775E+08"),
        "a spreadsheet may have changed it",
    ),
    "negative price": (cell("transactions_train.csv", "price", "-0.5"), r"transactions_train\.csv: price -0\.5"),
    "price that is none": (cell("transactions_train.csv", "price", "cheap"), r"transactions_train\.csv: .*cheap"),
    "impossible date": (cell("transactions_train.csv", "t_dat", "2019-02-30"), "days are written as"),
    "no purchases file": (
        lambda shop: (shop / "transactions_train.csv").unlink(),
        r"transactions_train\.csv: no such file",
    ),
    "purchases without a column": (
        table("transactions_train.csv", lambda rows: rows.drop(columns="customer_id")),
        "no column customer_id",
    ),
    "no images": (lambda shop: (shop / "images.zip").unlink(), r"images\.zip: no such file"),
    "path escape": (
        zip_member("../../evil.jpg"),
        r"images\.zip: the member '\.\./\.\./evil\.jpg' leads out of the zip",
    ),
    "absolute path": (zip_member("/etc/evil.jpg"), "leads out of the zip"),
    "encrypted zip": (encrypted, r"images\.zip: .*\.jpg is encrypted"),
    "truncated zip": (content("images.zip", truncate), r"images\.zip: not a readable zip"),
    "image that is HTML": (picture(lambda data: HTML), r"\.jpg: not an image"),
    "zero-byte image": (picture(lambda data: b""), r"\.jpg: not an image \(0 bytes\)"),
    "truncated image": (picture(truncate), r"\.jpg: truncated or damaged"),
    "100 megapixels": (picture(lambda data: huge_png(10_000, 10_000)), "10000 × 10000 pixels, at most 50,000,000"),
    "decompression bomb": (picture(lambda data: huge_png(30_000, 20_000)), "pixels"),
}
REFUSED["Latin-1"] = (
    lambda shop: content("articles.csv", lambda data: data.decode().encode("latin-1"))(
        (cell("articles.csv", "detail_desc", "Genähtes Kleid")(shop), shop)[1]
    ),
    "is not UTF-8; save the file as UTF-8",
)


@pytest.mark.parametrize("kind", REFUSED)
def test_bad_data_is_named_and_leaves_nothing(shop: Path, kind: str) -> None:
    spoil, message = REFUSED[kind]
    spoil(shop)
    with pytest.raises(UserError, match=message) as refusal:
        prepare.main()
    assert "data/raw/sample" in str(refusal.value)
    assert nothing_written()


def test_a_byte_order_mark_changes_nothing(shop: Path) -> None:
    prepare.main()
    before = Path("data/prepared/items.parquet").read_bytes(), Path("data/prepared/purchases.parquet").read_bytes()
    for name in ("articles.csv", "transactions_train.csv"):
        content(name, lambda data: b"\xef\xbb\xbf" + data)(shop)
    prepare.main()
    assert (
        Path("data/prepared/items.parquet").read_bytes(),
        Path("data/prepared/purchases.parquet").read_bytes(),
    ) == before


def test_ids_without_their_leading_zero_are_the_same_ids(shop: Path) -> None:
    prepare.main()
    before = pd.read_parquet("data/prepared/items.parquet"), pd.read_parquet("data/prepared/purchases.parquet")
    for name in ("articles.csv", "transactions_train.csv"):
        table(name, lambda rows: rows.assign(article_id=rows["article_id"].str.lstrip("0")))(shop)
    prepare.main()
    pd.testing.assert_frame_equal(pd.read_parquet("data/prepared/items.parquet"), before[0])
    pd.testing.assert_frame_equal(pd.read_parquet("data/prepared/purchases.parquet"), before[1])


def test_kaggles_one_zip_is_read_as_it_is(shop: Path, study: Callable[..., None]) -> None:
    prepare.main()
    before = {path.name: path.read_bytes() for path in Path("data/prepared").glob("*.parquet")}
    with zipfile.ZipFile(shop / "images.zip") as archive:
        archive.extractall(shop)
    target = Path("data/raw/hm")
    target.mkdir()
    with zipfile.ZipFile(
        target / "h-and-m-personalized-fashion-recommendations.zip", "w", zipfile.ZIP_DEFLATED
    ) as archive:
        for path in sorted(shop.rglob("*")):
            if path.suffix in (".csv", ".jpg") and path.name != "truth.csv":
                archive.write(path, path.relative_to(shop))
    study(dataset="hm")
    prepare.main()
    for name in ("items.parquet", "purchases.parquet"):
        assert Path("data/prepared", name).read_bytes() == before[name]
    assert [path.name for path in target.iterdir()] == ["h-and-m-personalized-fashion-recommendations.zip"]


@pytest.mark.slow
def test_an_existing_result_survives_a_read_only_target(small_disk: Path, shop: Path) -> None:
    """A disk that is mounted read-only refuses root too."""
    prepare.main()
    before = digest(Path("data/prepared"))
    shutil.move("data/prepared", small_disk / "prepared")
    Path("data/raw").rename("raw")
    Path("data").rmdir()
    Path("data").symlink_to(small_disk)
    (small_disk / "raw").symlink_to(Path("raw").resolve())
    metrics = Path("metrics/catalogue.json").read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        _, problems = (process := start()).communicate(timeout=120)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert process.returncode == 1
    assert "Read-only file system" in problems
    assert "nothing was changed; make it writable" in problems
    assert "Traceback" not in problems
    assert digest(small_disk / "prepared") == before
    assert Path("metrics/catalogue.json").read_bytes() == metrics


def start() -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "catalogue.prepare"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def slow_images(shop: Path) -> None:
    """Write pictures that take seconds to pack, so that there is time to interfere."""
    with zipfile.ZipFile(shop / "images.zip") as archive:
        archive.extractall(shop)
    (shop / "images.zip").unlink()
    buffer = io.BytesIO()
    Image.effect_noise((2000, 1500), 90).convert("RGB").save(buffer, "PNG", compress_level=0)
    for path in (shop / "images").rglob("*.jpg"):
        path.write_bytes(buffer.getvalue())


def wait_for_work(process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while not any(lock.read_text() for lock in Path(".checkpoints").glob("catalogue_prepare-*/lock")):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_nothing_and_the_next_one_ends(shop: Path) -> None:
    slow_images(shop)
    process = start()
    wait_for_work(process)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not Path("data/prepared").exists()
    assert not Path("metrics/catalogue.json").exists()
    again = start()
    _, problems = again.communicate(timeout=300)
    assert again.returncode == 0, problems
    assert sorted(path.name for path in Path("data").iterdir()) == ["prepared", "raw"]
    assert not list(Path(".checkpoints").glob("catalogue_prepare-*"))


@pytest.mark.slow
def test_a_second_run_at_once_is_refused_and_the_first_is_named(shop: Path) -> None:
    slow_images(shop)
    first = start()
    wait_for_work(first)
    first.send_signal(signal.SIGSTOP)  # a busy machine starts the second slowly
    second = start()
    _, problems = second.communicate(timeout=120)
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 1
    assert re.search(rf"process {first.pid} is working here", problems), problems
    assert "Traceback" not in problems
    _, problems = first.communicate(timeout=300)
    assert first.returncode == 0, problems
    assert Path("data/prepared/items.parquet").is_file()


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_half_written(small_disk: Path, small_shop: Path) -> None:
    shutil.copy("params.yaml" if Path("params.yaml").exists() else ROOT / "params.yaml", small_disk / "params.yaml")
    (small_disk / "data/raw").mkdir(parents=True)
    (small_disk / "data/raw/sample").symlink_to(small_shop)
    (small_disk / "filler").write_bytes(bytes(900_000))
    command = [sys.executable, "-m", "catalogue.prepare"]
    result = subprocess.run(
        command, cwd=small_disk, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "disk full" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((small_disk / "data").glob("prepared*"))
