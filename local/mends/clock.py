"""Time that can be moved on, for schedules and for the registry's tokens.

AWS fires a schedule when it falls due and lets an ECR token expire after 12 h; a test cannot wait for either. MiniStack
goes by the wall clock, and looks for due schedules every 10 s.

Signatures and STS sessions stay on the wall clock. Two paths on the gateway:
- POST /_local/advance?minutes=30 lets 30 minutes pass: every schedule that falls due in them fires once.
- GET /_local/status answers the server's process id and the minutes it was advanced.
"""

import asyncio
import json
import os
import threading
import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import ministack.app
from ministack.services import scheduler

_app = ministack.app.app
_fire_due_schedules = scheduler._tick_schedules
_firing = threading.Lock()
_minutes_advanced = 0


def now() -> float:
    """Seconds since the epoch, by the clock that can be moved on."""
    return time.time() + 60 * _minutes_advanced


def advance(minutes: int) -> None:
    global _minutes_advanced
    fire_due_schedules()  # a cron schedule counts from the first look at it
    _minutes_advanced += minutes
    fire_due_schedules()


def fire_due_schedules() -> None:
    with _firing:  # the ticker's thread looks too, and a schedule shall fire once
        _forget_deleted_schedules()
        _fire_due_schedules()


def _forget_deleted_schedules() -> None:
    """Else a schedule that is created anew under its old name counts from its namesake's last run."""
    for key in list(scheduler._schedule_last_fired):
        if key not in scheduler._schedules._data:
            del scheduler._schedule_last_fired[key]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http" or not scope["path"].startswith("/_local/"):
        await _app(scope, receive, send)
        return
    status, answer = await _control(scope)
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _control(scope: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    request = (scope["method"], scope["path"])
    if request == ("POST", "/_local/advance"):
        minutes = parse_qs(scope["query_string"].decode()).get("minutes", [""])[0]
        if not minutes.isdecimal():
            return 400, {"message": "minutes: a whole number, not negative"}
        await asyncio.to_thread(advance, int(minutes))
    elif request != ("GET", "/_local/status"):
        return 404, {"message": "no such path"}
    return 200, {"pid": os.getpid(), "minutes_advanced": _minutes_advanced}


def apply() -> None:
    ministack.app.app = app
    scheduler.time = SimpleNamespace(time=now, sleep=time.sleep)
    scheduler._tick_schedules = fire_due_schedules
    scheduler._SCHEDULE_TICK_INTERVAL = 1
