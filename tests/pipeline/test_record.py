"""The run record never breaks a run: seconds always, energy where it can be measured."""

import os
import socket
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from pipeline.record import Meter, check_country


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


@pytest.mark.timeout(120)
@pytest.mark.parametrize("place", ["here", "home", "environment"])
def test_codecarbons_own_configuration_changes_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    keys = {"pue": "1000", "force_cpu_power": "1e6", "output_dir": "/no/such", "country_iso_code": "POL"}
    if place == "environment":
        for key, value in keys.items():
            monkeypatch.setenv(f"CODECARBON_{key.upper()}", value)
    else:
        lines = ["[codecarbon]", *(f"{key} = {value}" for key, value in keys.items())]
        (tmp_path / ("home" if place == "home" else ".") / ".codecarbon.config").write_text("\n".join(lines))
    with Meter("DEU") as meter:
        time.sleep(0.1)
        assert (meter._tracker._pue, meter._tracker._force_cpu_power) == (1.0, None)
    record = meter.record()
    assert set(record) == {"seconds", "kwh", "kg_co2"}
    assert record["kwh"] < 0.001
    assert meter._emissions.country_iso_code == "DEU"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [".codecarbon.config"] * (
        place == "here"
    )


@pytest.mark.parametrize("code", ["DEU", "AUT", "USA"])
def test_a_country_is_known(code: str) -> None:
    assert check_country(code) == code


@pytest.mark.parametrize(("code", "similar"), [("XYZ", "AUT, DEU, USA"), ("DE", "DEU"), ("deu", "DEU"), ("GER", "GEO")])
def test_a_code_that_is_no_country_is_refused(code: str, similar: str) -> None:
    with pytest.raises(ValueError, match=f"'{code}' is no country with a known electricity mix; .*{similar}"):
        check_country(code)


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
