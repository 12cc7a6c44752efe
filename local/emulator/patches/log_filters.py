"""CloudWatch Logs: the filter patterns of FilterLogEvents, and the age of log events.

AWS:
- A JSON pattern such as `{ $.level = "ERROR" }` matches the events with this property (CloudWatch Logs user guide,
  filter pattern syntax). Patterns are case sensitive. `?one ?other` matches events with at least one of the terms.
- An invalid pattern is refused with InvalidParameterException (API reference, FilterLogEvents).

MiniStack:
- A JSON pattern matches every event. Terms are not case sensitive, and a question mark is part of the term.
- Accepts every pattern.

The patch:
- Evaluates patterns with local/emulator/filter_patterns.py. It refuses patterns in square brackets, which AWS accepts.
- Makes log events older when the clock is moved, because clients compare their times with the computer's clock. The
  text of an event keeps its time.
"""

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import cloudwatch_logs

from local.emulator import filter_patterns
from local.emulator.patches import clock

_filter_log_events = cloudwatch_logs._filter_log_events


def compile_filter_pattern(pattern: str) -> Callable[[str], bool]:
    return filter_patterns.compiled(pattern or "")


def filter_log_events(request: dict[str, Any]) -> Any:
    try:
        compile_filter_pattern(request.get("filterPattern", ""))
    except ValueError as error:
        return error_response_json("InvalidParameterException", str(error), 400)
    return _filter_log_events(request)


def make_older(minutes: int) -> None:
    """Move the times of all log events back, because the clock was moved forward."""
    milliseconds = 60_000 * minutes
    groups = list(cloudwatch_logs._log_groups._data.values())
    with cloudwatch_logs._log_events_lock:
        for stream in [stream for group in groups for stream in group["streams"].values()]:
            for times, names in ((stream, _TIMES_OF_A_STREAM), *((event, _TIMES) for event in stream["events"])):
                times |= {name: times[name] - milliseconds for name in names if times.get(name)}


_TIMES = ("timestamp", "ingestionTime")
_TIMES_OF_A_STREAM = ("firstEventTimestamp", "lastEventTimestamp", "lastIngestionTime")


def apply() -> None:
    clock.when_moved(make_older)
    cloudwatch_logs._compile_filter_pattern = compile_filter_pattern
    cloudwatch_logs._filter_log_events = filter_log_events
