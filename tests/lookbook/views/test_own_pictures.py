"""Pictures that are kept: once each, by a name of our own, with the newest captions."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lookbook.views.own_pictures import CAPTIONS, FOLDER, keep_picture, list_kept
from pipeline.core.errors import UserError


def test_a_picture_is_kept_once_with_its_newest_captions(tmp_path: Path) -> None:
    first = keep_picture(tmp_path, b"one", "../../red dress.PNG", "tiny", [("pre-trained", "a"), ("fine-tuned", "b")])
    again = keep_picture(tmp_path, b"one", "dress.png", "tiny", [("pre-trained", '=1+1, "c"\n')])
    other = keep_picture(tmp_path, b"two", "dress.png", "tiny", [("pre-trained", "d")])
    assert first == again != other
    assert first.parent == tmp_path / FOLDER
    assert first.read_bytes() == b"one"
    kept = {(row[0], row[3]): (row[1], row[4]) for row in list_kept(tmp_path)}
    assert kept == {
        (first.name, "pre-trained"): ("dress.png", '=1+1, "c"\n'),
        (first.name, "fine-tuned"): ("../../red dress.PNG", "b"),
        (other.name, "pre-trained"): ("dress.png", "d"),
    }
    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {first.name, other.name, CAPTIONS}


def test_windows_that_keep_at_once_lose_nothing(tmp_path: Path) -> None:
    def keep(number: int) -> None:
        keep_picture(tmp_path, b"%d" % number, "dress.png", "tiny", [("pre-trained", str(number))])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(keep, range(80)))
    assert sorted(int(row[4]) for row in list_kept(tmp_path)) == list(range(80))


def test_a_file_that_is_no_picture_and_a_table_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ends as no picture"):
        keep_picture(tmp_path, b"one", "dress.exe", "tiny", [])
    assert list_kept(tmp_path) == []
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / CAPTIONS).write_text("a,b\n")
    with pytest.raises(UserError, match="the columns must be"):
        keep_picture(tmp_path, b"one", "dress.png", "tiny", [])
