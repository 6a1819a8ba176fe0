"""The run record never breaks a run: seconds always, energy where it can be measured."""

import os
import socket
import sys
import time
import types
from typing import Any

import pytest

from pipeline.record import Meter


def no_network(*_: Any, **__: Any) -> None:
    raise OSError("the network was asked")


@pytest.mark.timeout(120)
def test_energy_is_measured_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with Meter("DEU") as meter:
        time.sleep(0.2)
    record = meter.record()
    assert 0.2 <= record["seconds"] < 60
    assert set(record) == {"seconds", "kwh", "kg_co2"}
    assert record["kwh"] >= 0
    machine = meter.where_it_ran()
    assert machine["country"] == "DEU"
    assert machine["hardware"].startswith(f"{os.cpu_count()} x ")


class BrokenAtStart:
    def __init__(self, **_: Any) -> None:
        raise RuntimeError("no such processor")


class BrokenAtStop:
    def __init__(self, **_: Any) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None:
        raise RuntimeError("no counter")


@pytest.mark.parametrize("tracker", [BrokenAtStart, BrokenAtStop, None])
def test_a_broken_codecarbon_leaves_the_seconds(monkeypatch: pytest.MonkeyPatch, tracker: type | None) -> None:
    broken = types.ModuleType("codecarbon")
    if tracker:
        broken.OfflineEmissionsTracker = tracker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "codecarbon", broken)
    with Meter("DEU") as meter:
        time.sleep(0.05)
    assert set(meter.record()) == {"seconds"}
    assert 0.05 <= meter.record()["seconds"] < 5
    assert meter.where_it_ran()["hardware"].startswith(f"{os.cpu_count()} x ")


def test_an_error_in_the_block_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", types.ModuleType("codecarbon"))
    with pytest.raises(ZeroDivisionError), Meter("DEU"):
        _ = 1 / 0
