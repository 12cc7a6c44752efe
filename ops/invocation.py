"""Run a refresh now, and say what its answer means."""

import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ops.clients import Clients, NoAnswer, answers
from ops.deployment import Connection
from ops.fixes import aws, ecr_login
from ops.refresh_log import stops_reading
from ops.results import Check, State
from settings.environment import Environment

SECONDS = 150
"""The function runs for at most 2 minutes."""

_OWN_ERRORS = ("RefreshFailed", "UnusableLogin")
"""The errors of the function whose messages contain no answer of AWS. Other messages could contain a docker login."""


def run_refresh(
    clients: Clients, connection: Connection, environment: Environment, *, write: bool, start_seconds: int = 0
) -> Check:
    """Invoke the function of a connection and wait for the result.

    Args:
        clients: The clients of an administrator.
        connection: The connection.
        environment: The environment, for the commands in the result.
        write: Whether the run writes a login even if the current login is young. Then the version of the function runs
            that the last deployment published.
        start_seconds: How long the invocation is repeated while Lambda refuses it.
    """
    name = f"refresh_{connection.id}"
    request = {"FunctionName": connection.function_name}
    try:
        with answers():
            if write:
                request["Qualifier"] = _published_version(clients, connection)
            answer = _invoke(clients.patient("lambda", SECONDS), request, start_seconds)
    except NoAnswer as error:
        if "TooManyRequestsException" in str(error):
            return Check(
                name,
                State.DEGRADED,
                f"{connection.id}: the function did not run, because it is stopped or the account's concurrency is "
                "used up",
                "To let a stopped function run again: " + ecr_login(f"resume {environment.name} {connection.id}"),
            )
        return Check(name, State.UNKNOWN, f"{connection.id}: the function was not invoked: {error}")
    found = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        return _failed(name, connection, found)
    if "expires_at" not in (found or {}) and _is_being_deleted(clients, connection):
        detail = f"{connection.id}: the secret is scheduled for deletion, and Airflow cannot read it."
        fix = aws(environment, f"secretsmanager restore-secret --secret-id {connection.secret_name}")
        return Check(name, State.BROKEN, detail, fix)
    return Check(name, State.OK, f"{connection.id}: {_meaning(found)}")


def _is_being_deleted(clients: Clients, connection: Connection) -> bool:
    """Return whether the secret is scheduled for deletion. The answer is no if AWS does not say so."""
    try:
        with answers():
            return "DeletedDate" in clients.secretsmanager.describe_secret(SecretId=connection.secret_arn)
    except NoAnswer:
        return False


def _invoke(client: Any, request: Mapping[str, str], start_seconds: int) -> Any:
    give_up_at = time.monotonic() + start_seconds
    while True:
        try:
            return client.invoke(**request)
        except client.exceptions.TooManyRequestsException:
            if time.monotonic() >= give_up_at:
                raise
        time.sleep(2)


def _published_version(clients: Clients, connection: Connection) -> str:
    pages = clients.lambda_.get_paginator("list_versions_by_function").paginate(FunctionName=connection.function_name)
    versions = [version["Version"] for page in pages for version in page["Versions"] if version["Version"] != "$LATEST"]
    if not versions:
        raise NoAnswer("the function has no published version")
    return str(max(versions, key=int))


def failure_reason(answer: Mapping[str, Any] | None) -> str:
    """Return why a run failed.

    Args:
        answer: The function's answer to an invocation.
    """
    found = answer or {}
    kind = str(found.get("errorType", "unknown error"))
    return str(found["errorMessage"]) if kind in _OWN_ERRORS else kind


def _failed(name: str, connection: Connection, answer: dict[str, Any]) -> Check:
    reason = failure_reason(answer)
    stops = stops_reading(reason)
    effect = "Airflow cannot read the secret now." if stops else "The current login is unchanged."
    return Check(
        name,
        State.BROKEN if stops else State.DEGRADED,
        f"{connection.id}: {reason.rstrip('.')}. {effect}",
        'Look for the reason under "Refresh failed" in docs/runbook.md',
    )


def _meaning(answer: Mapping[str, str] | None) -> str:
    answer = answer or {}
    if "expires_at" in answer:
        return f"a new docker login was written. It expires at {_utc(answer['expires_at'])}."
    if "written_at" in answer:
        return f"the current docker login is kept, because it is young. It was written at {_utc(answer['written_at'])}."
    return "the docker login is kept: another run has written, or deployments have written 20 logins today."


def _utc(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M UTC}"
