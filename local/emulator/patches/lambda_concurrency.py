"""Lambda: the account's limit of concurrent executions.

AWS:
- "New AWS accounts have reduced concurrency" (Lambda developer guide, quotas). Users report a limit of 10.
- Above the limit, a synchronous invocation fails with TooManyRequestsException, HTTP status 429. Lambda keeps an
  asynchronous invocation that is throttled in a queue, and tries again for up to 6 hours (Lambda developer guide,
  asynchronous invocation). CloudFormation and EventBridge Scheduler invoke functions asynchronously.

MiniStack:
- Derives the limit from the memory of the machine.
- Drops an event of CloudFormation that is throttled, so the stack waits for an answer until its timeout. It counts a
  throttled run of a schedule as a failed attempt.

The patch:
- Lets local/emulator/control.py set the limit.
- Tries again while a run of a schedule or of a custom resource is throttled, until the maximum age of the event. For a
  function without an EventInvokeConfig, the maximum age is 15 minutes instead of 6 hours.
"""

import time
from typing import Any

from ministack.services import lambda_svc

_RETRY_SECONDS = 0.2
_DEFAULT_MAX_AGE_SECONDS = 15 * 60
# The key in a record of a function for an invocation that Lambda keeps in a queue. The value is the time of the
# monotonic clock at which Lambda gives up.
_DEADLINE = "LocalDeadline"

_default_limit = lambda_svc._ACCOUNT_CONCURRENCY_CAP
_execute_function = lambda_svc._execute_function


def limit() -> int:
    """Return the number of functions that may run at the same time."""
    return int(lambda_svc._ACCOUNT_CONCURRENCY_CAP)


def set_limit(executions: int | None) -> None:
    """Set the number of functions that may run at the same time. None restores the limit of MiniStack."""
    lambda_svc._ACCOUNT_CONCURRENCY_CAP = _default_limit if executions is None else executions


def queued(function: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a function for an asynchronous invocation that starts now."""
    configs = function.get("event_invoke_configs") or {}  # by qualifier
    config = configs.get("") or configs.get("$LATEST") or {}
    max_age = int(config.get("MaximumEventAgeInSeconds", _DEFAULT_MAX_AGE_SECONDS))
    return {**function, _DEADLINE: time.monotonic() + max_age}


def execute_function(function: dict[str, Any], event: Any) -> Any:
    """Run a function. An asynchronous run that is throttled is tried again until its deadline."""
    if isinstance(event, dict) and "ResponseURL" in event:  # an event of a custom resource
        function = queued(function)
    result = _execute_function(function, event)
    while result.get("throttle") and time.monotonic() < function.get(_DEADLINE, 0):
        time.sleep(_RETRY_SECONDS)
        result = _execute_function(function, event)
    return result


def apply() -> None:
    lambda_svc._execute_function = execute_function
