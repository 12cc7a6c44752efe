"""The floor: what the interpreter and Lambda's runtime client take by themselves."""

from typing import Any


def handle(_event: object, _context: Any) -> None:
    pass
