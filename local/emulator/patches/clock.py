"""Time that can be moved on, for schedules and for the registry's tokens.

AWS fires a schedule when it falls due and lets an ECR token expire after 12 h; a test cannot wait for either. MiniStack
goes by the wall clock, and looks for due schedules every 10 s.

Signatures and STS sessions stay on the wall clock. local/control.py says how to move this one.
"""

import threading
import time
from types import SimpleNamespace

from ministack.services import scheduler

_fire_due_schedules = scheduler._tick_schedules
_firing = threading.Lock()
_minutes_advanced = 0


def now() -> float:
    """Seconds since the epoch, by the clock that can be moved on."""
    return time.time() + 60 * _minutes_advanced


def minutes_advanced() -> int:
    return _minutes_advanced


def advance(minutes: int) -> None:
    """Let this time pass: every schedule that falls due in it fires once."""
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


def apply() -> None:
    scheduler.time = SimpleNamespace(time=now, sleep=time.sleep)
    scheduler._tick_schedules = fire_due_schedules
    scheduler._SCHEDULE_TICK_INTERVAL = 1
