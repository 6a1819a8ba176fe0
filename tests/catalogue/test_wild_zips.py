"""Zips of other layouts, and zips with damage: the same pictures, or a message that names the zip and the member."""

import io
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from catalogue import prepare
from catalogue.readers import hm
from catalogue.readers.files import Zip
from pipeline.core.errors import UserError
from tests.helpers.raw_data import KAGGLE
from tests.helpers.wild_shop import write_shop

CASES = Path(__file__).parents[1] / "cases"
SHOP = Path("data/raw/wild")


def write_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)


def unzip(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


RENAMES: dict[str, Callable[[str], str]] = {
    "as published": str,
    "backslashes": lambda name: name.replace("/", "\\"),
    "a folder above": lambda name: f"export/2023/{name}",
    "no images folder": lambda name: name.removeprefix("images/"),
    "no folders": lambda name: name.rpartition("/")[2],
    "another ending": lambda name: name.replace(".jpg", ".jpeg"),
    "upper case": lambda name: name.replace(".jpg", ".JPG"),
    "a dot before": lambda name: f"./{name}",
}


@pytest.mark.parametrize("layout", RENAMES)
def test_pictures_are_found_in_any_layout(shop: Path, layout: str) -> None:
    before = hm.open_raw(shop)
    expected = {item: before.read_image(item) for item in before.image_names}
    members = {RENAMES[layout](name): data for name, data in unzip(shop / "images.zip").items()}
    members |= {"__MACOSX/images/._0108775015.jpg": b"x", "images/.DS_Store": b"x"}
    write_zip(shop / "images.zip", members)
    raw = hm.open_raw(shop)
    assert {item: raw.read_image(item) for item in raw.image_names} == expected
    assert not raw.unmatched
    assert all(name.removeprefix(f"{shop}/images.zip: ") in members for name in raw.image_names.values())


@pytest.mark.parametrize("name", ["images_backslash.zip", "images_no-images-folder.zip"])
def test_the_zips_of_the_cases_are_read(name: str) -> None:
    archive = Zip(CASES / "19-zip-layout" / name)
    names = hm.list_pictures(archive)
    assert names
    assert all(archive.read(picture).startswith(b"\xff\xd8") for picture in names)
    assert all(archive.locate(picture).removeprefix(f"{archive.path}: ") in unzip(archive.path) for picture in names)


def test_kaggles_zip_below_another_folder_is_read(shop: Path, study: Callable[..., None]) -> None:
    members = {path.name: path.read_bytes() for path in shop.glob("*.csv")} | unzip(shop / "images.zip")
    expected = hm.open_raw(shop)
    shutil.rmtree(shop)
    shop.mkdir()
    write_zip(shop / KAGGLE, {f"h-and-m/{name}": data for name, data in members.items()})
    raw = hm.open_raw(shop)
    assert list(raw.image_names) == list(expected.image_names)
    prepare.main()


def test_pictures_of_other_articles_are_named(shop: Path) -> None:
    write_zip(shop / "images.zip", {f"images/x{number}.jpg": b"x" for number in range(3)})
    with pytest.raises(UserError, match=r"none of the 3 pictures is named after an item: .*images/x0\.jpg, items such"):
        hm.open_raw(shop)


def spoil(path: Path, name: str, how: str) -> None:
    """Damage a member of a zip as the case says: flip 24 bytes at a share of its data, or change its method."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(name)
    offset = member.header_offset
    start = offset + 30 + sum(struct.unpack("<HH", data[offset + 26 : offset + 30]))
    kind, _, value = how.partition(":")
    if kind == "flip":
        place = start + int(member.compress_size * float(value))
        data[place : place + 24] = bytes(byte ^ 0x5A for byte in data[place : place + 24])
    elif kind == "method":
        data[offset + 8 : offset + 10] = struct.pack("<H", int(value))
        for entry in re.finditer(rb"PK\x01\x02", bytes(data)):
            at = entry.start()
            length = struct.unpack("<H", data[at + 28 : at + 30])[0]
            if bytes(data[at + 46 : at + 46 + length]).decode() == name:
                data[at + 10 : at + 12] = struct.pack("<H", int(value))
    else:
        data[offset : offset + 4] = b"XXXX"
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["articles.csv", "transactions_train.csv", "picture"])
@pytest.mark.parametrize(
    "how", ["flip:0.02", "flip:0.5", "flip:0.97", "method:9", "method:12", "method:14", "method:93", "header"]
)
def test_a_damaged_member_is_named(shop: Path, name: str, how: str) -> None:
    members = {path.name: path.read_bytes() for path in shop.glob("*.csv")} | unzip(shop / "images.zip")
    for path in shop.iterdir():
        path.unlink()
    write_zip(shop / KAGGLE, members)
    victim = next(member for member in members if member.endswith(".jpg")) if name == "picture" else name
    spoil(shop / KAGGLE, victim, how)
    with pytest.raises(UserError) as refusal:
        prepare.main()
    assert f"{shop / KAGGLE}: {victim}" in str(refusal.value)
    assert not list(Path("data").glob("prepared*"))
    assert not Path("metrics/catalogue.json").exists()


def test_a_shops_pictures_may_be_in_a_zip_of_any_layout(study: Callable[..., None]) -> None:
    study(dataset="wild")
    write_shop(SHOP)
    prepare.main()
    before = Path("data/prepared/images/00000.parquet").read_bytes()
    members = {path.name: path.read_bytes() for path in (SHOP / "images").iterdir()}
    shutil.rmtree(SHOP / "images")
    write_zip(SHOP / "images.zip", {f"My photos\\{name}": data for name, data in members.items()})
    prepare.main()
    assert Path("data/prepared/images/00000.parquet").read_bytes() == before


def test_a_member_without_a_name_is_left_out(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"images/1.jpg": b"x", "/": b""})
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"/PK\x05\x06", b"\0PK\x05\x06"))  # the last name in the directory
    assert Zip(tmp_path / "a.zip").read("images/1.jpg") == b"x"


def test_what_is_no_zip_is_named(tmp_path: Path) -> None:
    for data in (b"", b"PK", b"PK\x05\x06" + bytes(10), io.BytesIO(b"x" * 100).getvalue()):
        (tmp_path / "a.zip").write_bytes(data)
        with pytest.raises(UserError, match=r"a\.zip: not a readable zip"):
            Zip(tmp_path / "a.zip").stamps  # noqa: B018
