"""The runs of a refresh function, from its log group."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.clients import Clients, answers
from ops.deployment import Connection

PATTERN = '{ ($.connection = "*") || (($.type = "platform.report") && ($.record.status != "success")) }'
"""The log lines of the function itself, and Lambda's reports about runs that did not succeed.

A run that Lambda ended writes no line of its own.
"""


_NOT_READABLE = ("InvalidRequestException", "ResourceNotFoundException", "EncryptionFailure", "DecryptionFailure")


def stops_reading(reason: str) -> bool:
    """Return whether Airflow cannot read the secret either, if a refresh fails for this reason (docs/runbook.md)."""
    return any(code in reason for code in _NOT_READABLE)


@dataclass(frozen=True)
class Run:
    """A run of the function.

    Attributes:
        at: The time of the log line.
        reason: The reason of the failure, or an empty string if the run succeeded.
        is_write: Whether the run wrote a login. Other runs keep a young login.
    """

    at: datetime
    reason: str
    is_write: bool

    @property
    def succeeded(self) -> bool:
        return not self.reason


def read_runs(clients: Clients, connection: Connection, since: timedelta) -> list[Run]:
    """Return the runs of a connection's function, oldest first. The log lines never contain a docker login.

    Args:
        clients: The clients.
        connection: The connection.
        since: How far to look back.

    Raises:
        NoAnswer: AWS refused the request.
    """
    start = int((datetime.now(UTC) - since).timestamp() * 1000)
    with answers():
        pages = clients.logs.get_paginator("filter_log_events").paginate(
            logGroupName=connection.log_group_name, startTime=start, filterPattern=PATTERN
        )
        return parse(event for page in pages for event in page["events"])


def parse(events: Iterable[dict[str, Any]]) -> list[Run]:
    """Return the runs in log events.

    Args:
        events: The events of FilterLogEvents.
    """
    runs = []
    explained = set()  # the requests whose failure the function itself has logged; Lambda's report follows
    for event in sorted(events, key=lambda event: event["timestamp"]):
        try:
            line = json.loads(event["message"])
            is_own = "connection" in line
        except (ValueError, TypeError):  # a line of another program
            continue
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        if is_own and "reason" in line:
            explained.add(line.get("requestId"))
            runs.append(Run(at, str(line["reason"]), False))
        elif is_own and "version_id" in line:
            runs.append(Run(at, "", "expires_at" in line))
        elif not is_own and line.get("type") == "platform.report":
            record = line.get("record", {})
            if record.get("requestId") in explained:
                explained.remove(record["requestId"])
            elif record.get("status") not in ("success", None):
                runs.append(Run(at, f"Lambda ended the run: {record['status']}", False))
    return runs
