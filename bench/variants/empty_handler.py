"""A function that does nothing. It shows the cost of the interpreter and of Lambda's runtime client."""

from typing import Any


def handle(_event: object, _context: Any) -> None:
    pass
