"""Run a refresh now, and say what its answer means."""

import json
from datetime import datetime
from typing import Any

from ops.clients import Clients, NoAnswer, answers
from ops.deployment import Connection
from ops.results import Check, State

SECONDS = 150
"""The function runs for at most 2 minutes."""

NOT_READABLE = ("InvalidRequestException", "ResourceNotFoundException", "EncryptionFailure", "DecryptionFailure")
"""The reasons of a failed refresh for which Airflow cannot read the secret either (docs/runbook.md)."""


def run_refresh(clients: Clients, connection: Connection, environment: str, *, write: bool) -> Check:
    """Invoke the function of a connection and wait for the result.

    Args:
        clients: The clients of an administrator.
        connection: The connection.
        environment: The name of the environment, for the commands in the result.
        write: Whether the run writes a login even if the current login is young. Then the version of the function runs
            that the last deployment published.
    """
    name = f"refresh_{connection.id}"
    try:
        with answers():
            qualifier = {"Qualifier": _published_version(clients, connection)} if write else {}
            answer = clients.patient("lambda", SECONDS).invoke(FunctionName=connection.function_name, **qualifier)
    except NoAnswer as error:
        if "TooManyRequestsException" in str(error):
            return Check(
                name,
                State.DEGRADED,
                f"{connection.id}: the function did not run, because it is stopped or the account's concurrency is "
                "used up",
                f"To let a stopped function run again: ecr-login resume {environment} {connection.id}",
            )
        return Check(name, State.UNKNOWN, f"{connection.id}: the function was not invoked: {error}")
    found = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        return _failed(name, connection, found)
    return Check(name, State.OK, f"{connection.id}: {_meaning(found)}")


def _published_version(clients: Clients, connection: Connection) -> str:
    pages = clients.lambda_.get_paginator("list_versions_by_function").paginate(FunctionName=connection.function_name)
    versions = [version["Version"] for page in pages for version in page["Versions"] if version["Version"] != "$LATEST"]
    if not versions:
        raise NoAnswer("the function has no published version")
    return str(max(versions, key=int))


def _failed(name: str, connection: Connection, answer: dict[str, Any]) -> Check:
    reason = str(answer.get("errorMessage", "unknown"))
    readable = not any(code in reason for code in NOT_READABLE)
    effect = "The current login is unchanged." if readable else "Airflow cannot read the secret now."
    return Check(
        name,
        State.DEGRADED if readable else State.BROKEN,
        f"{connection.id}: {reason.rstrip('.')}. {effect}",
        'Look for the reason under "Refresh failed" in docs/runbook.md',
    )


def _meaning(answer: dict[str, str]) -> str:
    if "expires_at" in answer:
        return f"a new docker login was written. It expires at {_utc(answer['expires_at'])}."
    if "written_at" in answer:
        return f"the current docker login is kept, because it is young. It was written at {_utc(answer['written_at'])}."
    return "the docker login is kept: another run has written, or deployments have written 20 logins today."


def _utc(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M UTC}"
