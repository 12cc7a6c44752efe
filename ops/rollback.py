"""`ecr-login rollback`: make the previous docker login the current one.

The function is stopped first, because its next run would overwrite the login. Each step is safe to repeat.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from ops.clients import Clients, NoAnswer, answers
from ops.deployment import Connection, read_deployment
from ops.fixes import aws, ecr_login
from ops.freshness import expiry
from ops.results import CannotTell, Check, State, end, print_checks
from ops.target import Target, for_environment
from settings.environment import Environment


@dataclass(frozen=True)
class Version:
    """A version of a secret."""

    id: str
    written_at: datetime

    @property
    def expires_at(self) -> datetime:
        return expiry(self.written_at)

    def __str__(self) -> str:
        return f"{self.id}, written at {_utc(self.written_at)}, valid until {_utc(self.expires_at)}"


@click.command(name="rollback")
@for_environment
@click.argument("connection")
@click.option("--break-glass-profile", help="The profile of a break-glass role. By default, the same as --profile.")
@click.option("--yes", is_flag=True, help="Do not ask for a confirmation.")
def command(target: Target, connection: str, break_glass_profile: str | None, yes: bool, as_json: bool) -> None:
    """Stop the function of CONNECTION and make the previous docker login the current one.

    Needs two sets of credentials: an administrator (--profile), and a break-glass role (--break-glass-profile).
    """
    name = target.environment.name
    clients = target.clients()
    found = read_deployment(clients, target.environment).connection(connection)
    break_glass = target.clients(break_glass_profile)
    _refuse_deleted(clients, found, target.environment)
    current, previous = _labelled_versions(clients, found, "Nothing changed")
    is_done = current.written_at < previous.written_at
    if is_done:
        click.echo(f"The older login of {connection} is already the current one.", err=True)
    else:
        _refuse_expired(name, connection, previous)
        click.echo(f"Airflow reads now:  {current}\nAirflow will read:  {previous}", err=True)
        _confirm(connection, yes=yes)
    checks = [_stop(clients, name, found)]
    if not is_done:
        stopped = f"The function of {connection} is stopped"
        _refuse_another_login(name, found, current, _labelled_versions(clients, found, stopped)[0])
        _move_label(break_glass, name, found, current, previous)
        current = _labelled_versions(clients, found, f"{stopped}, and the previous docker login is the current one")[0]
        _refuse_another_login(name, found, previous, current)
    checks.append(_login(name, found, current))
    if not as_json:
        print_checks(checks)
    data = {"version_id": current.id, "expires_at": current.expires_at.isoformat()}
    end(checks, as_json=as_json, data=data)


def _refuse_deleted(clients: Clients, connection: Connection, environment: Environment) -> None:
    try:
        with answers():
            described = clients.secretsmanager.describe_secret(SecretId=connection.secret_arn)
    except NoAnswer as error:
        problem = f"{connection.secret_name} cannot be described: {error}"
        raise CannotTell(f"{problem}. Nothing changed. Choose an administrator with --profile") from None
    if "DeletedDate" in described:
        restore = aws(environment, f"secretsmanager restore-secret --secret-id {connection.secret_name}")
        raise CannotTell(
            f"{connection.secret_name} is scheduled for deletion, and Airflow cannot read it. Nothing changed. "
            f"With a break-glass role, run: {restore}"
        )


def _labelled_versions(clients: Clients, connection: Connection, changed: str) -> tuple[Version, Version]:
    """Return the current version, and the version that was current before.

    Args:
        clients: The clients of the administrator.
        connection: The connection.
        changed: What the command has changed so far, for the error message.
    """
    try:
        with answers():
            listed = clients.secretsmanager.list_secret_version_ids(SecretId=connection.secret_arn)["Versions"]
    except NoAnswer as error:
        problem = f"the versions of {connection.secret_name} cannot be listed: {error}"
        raise CannotTell(f"{problem}. {changed}. Choose an administrator with --profile") from None
    current, previous = (_labelled(listed, label) for label in ("AWSCURRENT", "AWSPREVIOUS"))
    if not current or not previous:
        raise CannotTell(f"{connection.secret_name} has no previous docker login to roll back to. {changed}")
    return current, previous


def _labelled(versions: Sequence[Any], label: str) -> Version | None:
    found = (version for version in versions if label in version.get("VersionStages", []))
    return next((Version(each["VersionId"], each["CreatedDate"].astimezone(UTC)) for each in found), None)


def _refuse_expired(name: str, connection: str, previous: Version) -> None:
    if previous.expires_at <= datetime.now(UTC):
        raise CannotTell(
            f"the previous docker login expired at {_utc(previous.expires_at)}. Nothing changed. "
            "To write a new one, run: " + ecr_login(f"refresh {name} {connection} --write")
        )


def _confirm(connection: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise CannotTell("a rollback needs a confirmation. Nothing changed. In a script, add --yes")
    typed = click.prompt(
        f"The function stops until `.venv/bin/ecr-login resume`. To continue, type {connection}", err=True
    )
    if typed != connection:
        raise CannotTell(f"{typed!r} is not {connection}. Nothing changed")


def _refuse_another_login(name: str, connection: Connection, expected: Version, current: Version) -> None:
    """Stop if a refresh has written a login since the versions were shown."""
    if current.id != expected.id:
        raise CannotTell(
            f"a refresh has written another docker login meanwhile: {current}. The function of {connection.id} is "
            f"stopped. If this login works, run: {ecr_login(f'resume {name} {connection.id}')}"
        )


def _login(name: str, connection: Connection, current: Version) -> Check:
    check, detail = f"login_{connection.id}", f"{connection.id}: Airflow reads {current}."
    if current.expires_at <= datetime.now(UTC):
        return Check(check, State.BROKEN, detail, ecr_login(f"resume {name} {connection.id}"))
    return Check(check, State.OK, detail)


def _stop(clients: Clients, name: str, connection: Connection) -> Check:
    try:
        with answers():
            clients.lambda_.put_function_concurrency(
                FunctionName=connection.function_name, ReservedConcurrentExecutions=0
            )
    except NoAnswer as error:
        raise CannotTell(
            f"the function of {connection.id} cannot be stopped: {error}. Nothing changed. "
            "Choose an administrator with --profile"
        ) from None
    return Check(
        f"function_{connection.id}",
        State.DEGRADED,
        f"{connection.id}: the function is stopped, so nothing refreshes the docker login.",
        "After you fixed the cause: " + ecr_login(f"resume {name} {connection.id}"),
    )


def _move_label(break_glass: Clients, name: str, connection: Connection, current: Version, previous: Version) -> None:
    try:
        with answers():
            break_glass.secretsmanager.update_secret_version_stage(
                SecretId=connection.secret_arn,
                VersionStage="AWSCURRENT",
                MoveToVersionId=previous.id,
                RemoveFromVersionId=current.id,
            )
    except NoAnswer as error:
        raise CannotTell(
            f"the docker login was not rolled back: {error}. The function of {connection.id} is stopped. "
            f"Run the command again with --break-glass-profile, or run: {ecr_login(f'resume {name} {connection.id}')}"
        ) from None


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M UTC}"
