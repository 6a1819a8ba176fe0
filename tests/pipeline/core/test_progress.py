"""Progress: the items come through, and a log file gets no bars."""

import io
import sys

import pytest

from pipeline.core.progress import track


def test_items_come_through_in_order() -> None:
    assert list(track(iter("abc"), "letters", total=3)) == ["a", "b", "c"]


def test_a_log_file_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    assert sum(track(range(100), "numbers")) == 4950
    assert log.getvalue() == ""


def test_a_terminal_sees_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    list(track(range(3), "BLIP-2 features", unit="batch"))
    assert "BLIP-2 features" in screen.getvalue()
