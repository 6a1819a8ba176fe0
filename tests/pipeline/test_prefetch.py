"""Work prepared ahead: in order, no further ahead than it says, errors where they belong."""

import threading

import pytest

from pipeline.core.errors import UserError
from pipeline.prefetch import DEPTH, READERS, VARIABLE, ahead, readers


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_everything_comes_in_order(threads: int) -> None:
    assert list(ahead(lambda number: number**2, range(50), threads)) == [number**2 for number in range(50)]


def test_nothing_is_prepared_too_far_ahead() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def make(number: int) -> int:
        with lock:
            begun.append(number)
        return number

    rest = ahead(make, range(1000), 2)
    assert next(rest) == 0
    assert max(begun) <= 2 * DEPTH + 1
    rest.close()
    assert len(begun) <= 2 * DEPTH + 1


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_comes_in_its_turn(threads: int) -> None:
    rest = ahead(lambda number: 1 // (3 - number), range(6), threads)
    assert [next(rest) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(rest)


def test_only_a_model_elsewhere_gets_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert readers("cpu") == 0
    assert 1 <= readers("cuda") <= READERS


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_environment_sets_the_readers(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    for number in (0, 3, 12):
        monkeypatch.setenv(VARIABLE, str(number))
        assert readers(device) == number


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_a_wrong_number_of_readers_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(UserError, match=f"LOOKBOOK_READERS={value}: a whole number from 0 is allowed; unset it"):
        readers("cpu")
