"""Raw files in a folder and in a zip: the same names, the same bytes, the same refusals."""

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalogue.readers.files import Folder, Zip, list_images
from pipeline.core.errors import UserError

CONTENT = {f"images/{number % 3}/{number:03d}.jpg": bytes([number]) * (5_000 + number) for number in range(40)}
CONTENT |= {"table.csv": b"a,b\n1,2\n", "images/readme.txt": b"no picture"}


@pytest.fixture
def both(tmp_path: Path) -> tuple[Folder, Zip]:
    for name, data in CONTENT.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in reversed(CONTENT.items()):
            archive.writestr(name, data)
    return Folder(tmp_path / "folder"), Zip(tmp_path / "all.zip")


def test_a_zip_reads_like_a_folder(both: tuple[Folder, Zip]) -> None:
    folder, archive = both
    assert list(folder.stamps) == list(archive.stamps) == sorted(CONTENT)
    for files in both:
        assert {name: files.read(name) for name in CONTENT} == CONTENT
        assert list(list_images(files, "images/")) == [name for name in sorted(CONTENT) if name.endswith(".jpg")]
        assert "table.csv" in files
        assert "images" not in files
        with files.open("table.csv") as file:
            assert file.readline() == b"a,b\n"


def test_threads_read_a_zip_at_once(both: tuple[Folder, Zip]) -> None:
    names = list(CONTENT) * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(both[1].read, names)) == [CONTENT[name] for name in names]


def test_the_stamp_changes_with_the_bytes(both: tuple[Folder, Zip], tmp_path: Path) -> None:
    before = both[1].stamps["table.csv"]
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("table.csv", b"a,b\n1,3\n")
    assert Zip(tmp_path / "other.zip").stamps["table.csv"] != before
    seen = both[0].stamps["table.csv"]
    (tmp_path / "folder/table.csv").write_bytes(b"longer than before")
    assert Folder(tmp_path / "folder").stamps["table.csv"] != seen


def test_a_link_to_a_folder_is_refused_below_and_followed_at_the_top(both: tuple[Folder, Zip], tmp_path: Path) -> None:
    (tmp_path / "top").symlink_to(tmp_path / "folder")
    assert list(Folder(tmp_path / "top").stamps) == sorted(CONTENT)
    (tmp_path / "folder/more").symlink_to(tmp_path)
    with pytest.raises(UserError, match=r"more: a link to a folder, into which DVC does not look"):
        Folder(tmp_path / "folder").stamps  # noqa: B018


@pytest.mark.parametrize("name", ["../out.jpg", "/etc/passwd", "a/../../out.jpg", "..\\out.jpg"])
def test_a_member_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(UserError, match=r"bad\.zip: the member .* leads out of the zip"):
        Zip(tmp_path / "bad.zip").stamps  # noqa: B018
