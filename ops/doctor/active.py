"""The checks that change something for a moment. Only `--active` runs them."""

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from ops.deployment import Connection
from ops.doctor.alerts import alarms, topic_arn
from ops.doctor.findings import Examine, Found, NotTried, Problem, each
from ops.doctor.refreshes import reserved_concurrency
from ops.doctor.templates import Examined
from ops.fixes import aws, ecr_login
from ops.invocation import failure_reason
from ops.refresh_log import stops_reading
from ops.results import State

_RUN_SECONDS = 125
"""Longer than the timeout of the function, which is 2 minutes."""
_HISTORY_SECONDS = 20
"""How long the command waits until the history of an alarm shows the action."""


def check_answers(examined: Examined) -> Found:
    """Invoke each function as its schedule does. A function that a person stopped is not invoked.

    A run keeps a login that is younger than the shortest interval of the connection. In this case, the run shows only
    that the function runs and may list the versions of the secret.
    """
    client = examined.clients.patient("lambda", _RUN_SECONDS)
    connections = list(examined.deployment.connections.values())
    stopped = [each for each in connections if reserved_concurrency(examined, each.function_name) == 0]
    running = [each for each in connections if each not in stopped]
    if not running:
        raise NotTried("every function is stopped, and this command does not start a stopped function")
    kept: list[str] = []

    def look_at(connection: Connection) -> Iterator[Problem]:
        answer = client.invoke(FunctionName=connection.function_name)
        payload = json.loads(answer["Payload"].read() or "null")
        if answer.get("FunctionError"):
            reason = failure_reason(payload)
            stops = stops_reading(reason)
            yield Problem(
                f"The function of {connection.id} failed: {reason.rstrip('.')}."
                + (" Airflow cannot read the secret either." if stops else ""),
                ecr_login(f"logs {examined.environment.name} {connection.id}"),
                State.BROKEN if stops else State.DEGRADED,
            )
        elif "expires_at" not in (payload or {}):
            kept.append(connection.id)

    problems = each(look_at, running)
    summary = f"{', '.join(connection.id for connection in running)} answered"
    if kept:
        summary += f"; the login of {', '.join(sorted(kept))} is young, so the run did not write"
    if stopped:
        summary += f"; not invoked, because stopped: {', '.join(connection.id for connection in stopped)}"
    return Found(summary, problems)


def check_arrival(examined: Examined) -> Found:
    """Let one alarm fire and end, and read in its history whether CloudWatch published to the topic.

    Raises:
        NotTried: There are no alarms, or all alarms fire now.
    """
    topic_arn(examined)
    cloudwatch = examined.clients.cloudwatch
    # The other alarms count successes. CloudWatch evaluates every alarm again within minutes.
    ready = [name for name, (_, found) in alarms(examined).items() if found and found["StateValue"] == "OK"]
    if not ready:
        raise NotTried("no alarm has the state OK, so a test would not be a change")
    name = next((each for each in ready if "RefreshFailed" in each), ready[0])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="Test by ecr-login doctor")
    try:
        # The local clock can differ from the clock of CloudWatch.
        [changed] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        actions = _actions(cloudwatch, name, changed["StateUpdatedTimestamp"] - timedelta(seconds=1))
    finally:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="End of the test by ecr-login doctor")
    failed = [action for action in actions if "uccessfully executed" not in action]
    if failed:
        fix = "See alarm_topic and topic_policies above"
        return Found("", [Problem(f"CloudWatch could not publish for the alarm {name}: {failed[0]}.", fix)])
    if not actions:
        words = f"cloudwatch describe-alarm-history --alarm-name {name} --history-item-type Action"
        fix = aws(examined.environment, words)
        text = f"The history of the alarm {name} shows no action within {_HISTORY_SECONDS} seconds."
        return Found("", [Problem(text, fix)])
    where = ", ".join(examined.environment.alerts.emails) or "the subscribers of the topic"
    return Found(f"CloudWatch published. Look for two messages about {name} at {where}: ALARM, then OK", [])


def _actions(cloudwatch: Any, name: str, since: datetime) -> list[str]:
    deadline = time.monotonic() + _HISTORY_SECONDS
    while True:
        items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action", StartDate=since)
        found = [item["HistorySummary"] for item in items["AlarmHistoryItems"]]
        if found or time.monotonic() >= deadline:
            return found
        time.sleep(0.5)


CHECKS: dict[str, Examine] = {"function_answers": check_answers, "alarm_arrives": check_arrival}
