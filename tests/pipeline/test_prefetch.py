"""Items prepared on threads: in order, not too many in advance, errors at their item."""

import threading

import pytest

from pipeline.core.errors import UserError
from pipeline.prefetch import ITEMS_PER_THREAD, MOST_READER_THREADS, VARIABLE, prefetch, reader_threads


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_everything_comes_in_order(threads: int) -> None:
    assert list(prefetch(lambda number: number**2, range(50), threads)) == [number**2 for number in range(50)]


def test_two_items_a_thread_are_prepared_in_advance() -> None:
    started: list[int] = []
    lock = threading.Lock()

    def prepare(number: int) -> int:
        with lock:
            started.append(number)
        return number

    rest = prefetch(prepare, range(1000), 2)
    assert next(rest) == 0
    assert max(started) <= 2 * ITEMS_PER_THREAD + 1
    rest.close()
    assert len(started) <= 2 * ITEMS_PER_THREAD + 1


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_is_raised_at_its_item(threads: int) -> None:
    rest = prefetch(lambda number: 1 // (3 - number), range(6), threads)
    assert [next(rest) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(rest)


def test_a_model_on_the_cpu_gets_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert reader_threads("cpu") == 0
    assert 1 <= reader_threads("cuda") <= MOST_READER_THREADS


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_environment_sets_the_number_of_threads(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    for number in (0, 3, 12):
        monkeypatch.setenv(VARIABLE, str(number))
        assert reader_threads(device) == number


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_a_wrong_number_of_threads_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(UserError, match=f"LOOKBOOK_READERS={value}: a whole number from 0 is allowed; unset it"):
        reader_threads("cpu")
