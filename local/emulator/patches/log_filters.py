"""CloudWatch Logs: the filter patterns of FilterLogEvents.

AWS:
- A JSON pattern such as `{ $.level = "ERROR" }` matches the events with this property (CloudWatch Logs user guide,
  filter pattern syntax). Patterns are case sensitive. `?one ?other` matches events with at least one of the terms.
- An invalid pattern is refused with InvalidParameterException (API reference, FilterLogEvents).

MiniStack:
- A JSON pattern matches every event. Terms are not case sensitive, and a question mark is part of the term.
- Accepts every pattern.

The patch:
- Evaluates patterns with local/emulator/filter_patterns.py. It refuses patterns in square brackets, which AWS accepts.
"""

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import cloudwatch_logs

from local.emulator import filter_patterns

_filter_log_events = cloudwatch_logs._filter_log_events


def compile_filter_pattern(pattern: str) -> Callable[[str], bool]:
    return filter_patterns.compiled(pattern or "")


def filter_log_events(request: dict[str, Any]) -> Any:
    try:
        compile_filter_pattern(request.get("filterPattern", ""))
    except ValueError as error:
        return error_response_json("InvalidParameterException", str(error), 400)
    return _filter_log_events(request)


def apply() -> None:
    cloudwatch_logs._compile_filter_pattern = compile_filter_pattern
    cloudwatch_logs._filter_log_events = filter_log_events
