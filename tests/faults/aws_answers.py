"""Answers that AWS gives, as faults of the embedded one."""

from typing import Any


def error(code: str, message: str = "", status: int = 400) -> dict[str, Any]:
    """As AWS refuses a call."""
    return {"status": status, "body": {"__type": code, "message": message}}
