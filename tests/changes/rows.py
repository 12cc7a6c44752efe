"""The rows of docs/changes.md that a test plays with two deployments."""

from collections.abc import Callable
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., object])

PLAYED: set[str] = set()
"""The first cells of these rows. test_page.py compares them with the page."""


def plays(*rows: str) -> Callable[[Test], Test]:
    """Note that a test plays these rows."""

    def note(test: Test) -> Test:
        PLAYED.update(rows)
        return test

    return note
