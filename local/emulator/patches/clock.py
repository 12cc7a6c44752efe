"""A clock that can be moved forward, for schedules, tokens of the registry, role sessions, and alarms.

AWS:
- A schedule invokes its target at the scheduled time. A rate schedule without a StartDate invokes its target at once
  after the schedule's creation (EventBridge Scheduler user guide, schedule types).
- An ECR token is valid for 12 hours (API reference, GetAuthorizationToken).
- Requests with an expired role session fail with ExpiredToken or ExpiredTokenException. Lambda renews the sessions of
  functions.

MiniStack:
- Uses the computer's clock, so a test would have to wait for hours.
- Looks for due schedules every 10 s. A rate schedule first invokes its target after its first interval.
- Remembers the last run of a deleted schedule. The interval of a new schedule of the same name starts at
  that run.

The patch:
- Adds a clock that local/emulator/control.py can move forward. Signatures use the computer's clock.
- Makes the versions of secrets, and the last reads of secrets, older when the clock is moved. Functions use the
  computer's clock, so the dates of existing versions move back.
- Lets sessions expire when the clock is moved. MiniStack's sessions of functions never expire.
- Makes schedules older when the clock is moved, in the answers of GetSchedule and ListSchedules.
- Looks for due schedules every second, and whenever the clock is moved.
- Forgets the last runs of deleted schedules.
- Starts rate schedules at once.
"""

import json
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ministack.services import lambda_svc, scheduler, secretsmanager, sts

_get_schedule = scheduler._get_schedule
_list_schedules = scheduler._list_schedules
_fire_due_schedules = scheduler._tick_schedules
_firing = threading.Lock()
# A run that was started in a new thread is not yet counted for some milliseconds.
_QUIET_SECONDS = 0.2
_minutes_advanced = 0
_listeners: list[Callable[[int], None]] = []


def now() -> float:
    """Return the time of the movable clock, in seconds since the epoch."""
    return time.time() + 60 * _minutes_advanced


def minutes_advanced() -> int:
    """Return the minutes by which the clock was moved forward in total."""
    return _minutes_advanced


def advance(minutes: int, *, sessions_expire: bool = True) -> None:
    """Move the clock forward. A schedule with a scheduled time in these minutes invokes its target once.

    Args:
        minutes: by how many minutes.
        sessions_expire: whether role sessions that end in these minutes expire. On AWS, the credentials of an
            instance are renewed in time. Here, the session of a process that acts as an instance may not be renewed.
    """
    global _minutes_advanced
    fire_due_schedules()  # MiniStack ignores times of a cron schedule before its first look at the schedule.
    _minutes_advanced += minutes
    for session in list(sts._sessions.values()):
        if sessions_expire and "Expiration" in session:
            # MiniStack compares Expiration with the computer's clock, so subtract the minutes from Expiration.
            session["Expiration"] -= 60 * minutes
    for secret in list(secretsmanager._secrets._data.values()):
        for version in list(secret["Versions"].values()):
            version["CreatedDate"] -= 60 * minutes
        if secret.get("LastAccessedDate"):
            secret["LastAccessedDate"] -= 60 * minutes
    for make_older in _listeners:
        make_older(minutes)
    fire_due_schedules()


def when_moved(make_older: Callable[[int], None]) -> None:
    """Call a function with the number of minutes whenever the clock is moved forward."""
    _listeners.append(make_older)


def fire_due_schedules() -> None:
    """Invoke the targets of all schedules that are due. MiniStack's own thread calls this every second."""
    with _firing:  # Two threads call this function, and each schedule must invoke its target only once.
        _forget_deleted_schedules()
        _make_new_rate_schedules_due()
        _fire_due_schedules()


def finish_due_runs() -> None:
    """Invoke the targets of all schedules that are due, and wait until no function runs."""
    fire_due_schedules()
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < _QUIET_SECONDS:
        time.sleep(_QUIET_SECONDS / 10)
        if lambda_svc.executions_in_flight()[0]:
            quiet_since = time.monotonic()


def _forget_deleted_schedules() -> None:
    """Forget the last runs of schedules that no longer exist, or that were deleted and created again."""
    for key, fired in list(scheduler._schedule_last_fired.items()):
        schedule = scheduler._schedules._data.get(key)
        if schedule is None or fired < schedule["CreationDate"]:
            del scheduler._schedule_last_fired[key]


def _make_new_rate_schedules_due() -> None:
    for key, schedule in list(scheduler._schedules._data.items()):
        is_rate = schedule["ScheduleExpression"].startswith("rate(") and not schedule.get("StartDate")
        if is_rate and schedule.get("State") == "ENABLED":
            scheduler._schedule_last_fired.setdefault(key, 0)


def get_schedule(name: str, query: Any) -> Any:
    return _with_older_schedules(_get_schedule(name, query), lambda answer: [answer])


def list_schedules(query: Any) -> Any:
    return _with_older_schedules(_list_schedules(query), lambda answer: answer["Schedules"])


def _with_older_schedules(response: Any, schedules_of: Callable[[Any], list[dict[str, Any]]]) -> Any:
    """Return a response with dates by the computer's clock. The dates in MiniStack's store follow the movable clock."""
    if response[0] != 200:
        return response
    answer = json.loads(response[2])
    for schedule in schedules_of(answer):
        for name in ("CreationDate", "LastModificationDate"):
            schedule[name] -= 60 * _minutes_advanced
    return scheduler._json_resp(200, answer)


def apply() -> None:
    scheduler._get_schedule = get_schedule
    scheduler._list_schedules = list_schedules
    scheduler.time = SimpleNamespace(time=now, sleep=time.sleep)
    scheduler._tick_schedules = fire_due_schedules
    scheduler._SCHEDULE_TICK_INTERVAL = 1
