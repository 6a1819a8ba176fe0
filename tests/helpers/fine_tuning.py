"""Run the stage caption_train in a `tiny_project`."""

import sys

import pytest

from captioning import train


def run_stage(monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "--captioner", "tiny", "--family", family])
    train.main()


class Unmetered:
    """Replaces the meter, whose start takes seconds."""

    def __init__(self, country: str) -> None: ...

    def __enter__(self) -> "Unmetered":
        return self

    def __exit__(self, *args: object) -> None: ...

    def record(self) -> dict[str, float]:
        return {"seconds": 1.0, "kwh": 0.5}

    def where_it_ran(self) -> dict[str, str]:
        return {}
