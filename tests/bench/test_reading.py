"""A reader counts failed reads and measures gaps."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from bench.readers.reading import is_usable, read_repeatedly

USABLE = {"conn_type": "docker", "host": "1.dkr.ecr.us-east-1.amazonaws.com", "login": "AWS", "password": "p" * 2500}


def reading(answers: Iterable[Any]) -> Callable[[], dict[str, Any]]:
    left = iter(answers)

    def read() -> dict[str, Any]:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    return read


def test_failed_reads_are_counted_by_their_exception() -> None:
    answers = [USABLE, LookupError(), LookupError(), {}, USABLE, USABLE | {"password": "q" * 2500}]

    result = read_repeatedly(reading(answers), reads=6, pause_seconds=0)

    assert (result.reads, result.failed, result.failures) == (6, 3, {"LookupError": 2, "unusable": 1})
    assert result.logins == 2


def test_a_gap_lasts_until_the_next_successful_read(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    gone = LookupError()

    result = read_repeatedly(reading([gone, USABLE, gone, gone, gone, USABLE, gone]), reads=7, pause_seconds=1)

    assert result.longest_gap_seconds == 3


def test_a_gap_that_lasts_until_the_last_read_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticks)))

    result = read_repeatedly(reading([USABLE, LookupError(), LookupError()]), reads=3, pause_seconds=0)

    assert result.longest_gap_seconds >= 2


@pytest.mark.parametrize(
    "change",
    [{"password": ""}, {"password": None}, {"host": None}, {"login": "aws"}, {"conn_type": "http"}],
)
def test_a_connection_with_a_wrong_field_is_not_usable(change: dict[str, Any]) -> None:
    assert is_usable(USABLE)
    assert not is_usable(USABLE | change)
