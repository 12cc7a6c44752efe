"""What AWS knows about the docker login of one connection: its age, its runs, its schedule and its readers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ops.clients import Clients, Denied, NoAnswer, answers
from ops.deployment import Connection
from ops.fixes import aws, ecr_login
from ops.freshness import UNREAD_DAYS, Freshness, expiry, freshness, is_unread
from ops.refresh_log import Run, read_runs, stops_reading
from ops.repository_status import Repository
from ops.results import Check, State
from ops.times import ago, clock_time, length
from settings.environment import Environment
from settings.names import repository_name

LOOK_BACK = timedelta(hours=24)
"""How far `status` looks back in the log of a function."""


@dataclass(frozen=True)
class Version:
    """The version AWSCURRENT of a secret."""

    id: str
    written_at: datetime


@dataclass(frozen=True)
class Secret:
    """The dates of a secret, as DescribeSecret answers, in UTC."""

    created_at: datetime
    read_at: datetime | None
    deleted_at: datetime | None


@dataclass(frozen=True)
class Schedule:
    """The schedule of a connection. The expression is empty if the schedule does not exist."""

    is_enabled: bool
    expression: str


@dataclass(frozen=True)
class Login:
    """The answers about a connection. An answer is NoAnswer if AWS refused the request.

    Attributes:
        now: The time of the requests.
        version: The current version, or None if the secret has none.
        is_stopped: Whether the function has the reserved concurrency 0, as after `ecr-login rollback`.
        elsewhere: The repositories that the login can pull from, if they are in another Region of this account.
            Otherwise None.
    """

    connection: Connection
    refresh_every_minutes: int
    now: datetime
    version: Version | NoAnswer | None
    secret: Secret | NoAnswer
    runs: list[Run] | NoAnswer
    schedule: Schedule | NoAnswer
    is_stopped: bool | NoAnswer
    elsewhere: list[Repository] | NoAnswer | None = None

    @property
    def freshness(self) -> Freshness:
        if isinstance(self.version, NoAnswer):
            return Freshness.UNKNOWN
        written_at = self.version.written_at if self.version else None
        # If nobody may tell whether the login is read, its age still counts.
        read_at = self.now if isinstance(self.secret, NoAnswer) else self.secret.read_at
        return freshness(written_at, read_at, self.now, self.refresh_every_minutes)

    @property
    def written_at(self) -> datetime | None:
        return self.version.written_at if isinstance(self.version, Version) else None

    @property
    def last_success(self) -> Run | None:
        return self._last(lambda run: run.succeeded)

    @property
    def last_failure(self) -> Run | None:
        return self._last(lambda run: not run.succeeded)

    @property
    def next_run_at(self) -> datetime | None:
        """When the schedule invokes the function next, up to some minutes. None if nobody can tell."""
        is_off = isinstance(self.schedule, NoAnswer) or not self.schedule.is_enabled
        last = self._last(lambda run: True)
        started_at = last.at if last else self.written_at
        if is_off or self.is_stopped is True or started_at is None:
            return None
        return max(started_at + timedelta(minutes=self.refresh_every_minutes), self.now)

    def _last(self, is_wanted: Callable[[Run], bool]) -> Run | None:
        runs = [] if isinstance(self.runs, NoAnswer) else self.runs
        return next((run for run in reversed(runs) if is_wanted(run)), None)


def requests(clients: Clients, connection: Connection) -> dict[str, Callable[[], Any]]:
    """Return the requests that `Login` needs, by the name of its attribute. They can run in parallel."""
    return {
        "version": lambda: _version(clients, connection),
        "secret": lambda: _secret(clients, connection),
        "runs": lambda: read_runs(clients, connection, LOOK_BACK),
        "schedule": lambda: _schedule(clients, connection),
        "is_stopped": lambda: _is_stopped(clients, connection),
    }


def checks(login: Login, environment: Environment) -> Iterator[Check]:
    """Return the results for a connection."""
    name, again = login.connection.id, ecr_login(f"refresh {environment.name} {login.connection.id}")
    yield Check(f"login_{name}", *_age(login, environment, again))
    if isinstance(login.runs, NoAnswer):
        yield Check(f"refresh_{name}", State.UNKNOWN, str(login.runs))
    else:
        yield Check(f"refresh_{name}", *_runs(login))
    yield Check(f"schedule_{name}", *_starts(login, environment.name))
    if environment.connections[name].registry:
        yield Check(f"images_{name}", *_images(login, environment))
    if isinstance(login.secret, NoAnswer):
        yield Check(f"read_{name}", State.UNKNOWN, str(login.secret))
    else:
        yield Check(f"read_{name}", *_readers(login.secret, login.now, environment.name))


def _images(login: Login, environment: Environment) -> tuple[State, str, str]:
    pulled = environment.pulled_images(login.connection.id)
    if login.elsewhere is None:  # The registry belongs to another account, so no request was sent.
        fix = ecr_login(f"handoff {environment.name} --for airflow")
        return State.NOT_TRIED, f"in {pulled.registry.host}, not checked here", f"To test a pull from a worker: {fix}"
    repositories = [] if isinstance(login.elsewhere, NoAnswer) else login.elsewhere
    everything = [login.elsewhere, *(each.images for each in repositories)]
    if refused := next((each for each in everything if isinstance(each, NoAnswer)), None):
        state = State.NOT_TRIED if isinstance(refused, Denied) else State.UNKNOWN
        return state, f"in {pulled.registry.host}: {refused}", ""
    where = f"in ECR in {pulled.registry.region}"
    fix = f"Create the repositories there, or correct connections.{login.connection.id}"
    if missing := [each.name for each in repositories if not each.exists]:
        return State.BROKEN, f"{', '.join(missing)}: missing {where}, and Airflow cannot pull the images", fix
    prefixes = [repository_name(team, "") for team in pulled.teams]
    if empty := [each for each in prefixes if not any(one.name.startswith(each) for one in repositories)]:
        return State.DEGRADED, f"no repository {', '.join(f'{each}*' for each in empty)} {where}", fix
    count = sum(int(each.image_count) for each in repositories)
    what = f"{len(repositories)} repositor{'y' if len(repositories) == 1 else 'ies'}"
    return State.OK, f"{count} image{'s' * (count != 1)} in {what} {where}", ""


def _age(login: Login, environment: Environment, again: str) -> tuple[State, str, str]:
    if isinstance(login.version, NoAnswer):
        return State.UNKNOWN, str(login.version), ""
    if not isinstance(login.secret, NoAnswer) and login.secret.deleted_at:
        fix = aws(environment, f"secretsmanager restore-secret --secret-id {login.connection.secret_name}")
        return State.BROKEN, "the secret is scheduled for deletion, and Airflow cannot read it", fix
    if login.version is None:
        return State.BROKEN, "the secret has no login", again
    expires_at = expiry(login.version.written_at)
    written = f"written {ago(login.version.written_at, login.now)}"
    if login.freshness is Freshness.EXPIRED:
        return State.BROKEN, f"expired {ago(expires_at, login.now)}, {written}", again
    detail = f"{written}, expires {clock_time(expires_at)} (in {length(expires_at - login.now)})"
    if login.freshness is Freshness.STALE:
        return State.DEGRADED, detail, again
    return State.OK, detail, ""


def _runs(login: Login) -> tuple[State, str, str]:
    success, failure = login.last_success, login.last_failure
    if failure and (success is None or failure.at > success.at):
        state = State.BROKEN if stops_reading(failure.reason) else State.DEGRADED
        return state, f"failed {ago(failure.at, login.now)}: {failure.reason}", "See docs/runbook.md"
    if success is None:
        return State.DEGRADED, "no run in the last 24 hours", "See docs/runbook.md#not-refreshed"
    detail = f"succeeded {ago(success.at, login.now)}"
    if failure:
        detail += f"; failed {ago(failure.at, login.now)}: {failure.reason}"
    return State.OK, detail, ""


def _starts(login: Login, environment: str) -> tuple[State, str, str]:
    if isinstance(login.schedule, NoAnswer):
        return State.UNKNOWN, str(login.schedule), ""
    if not login.schedule.expression:
        return State.DEGRADED, "the schedule does not exist", "See docs/runbook.md#not-refreshed"
    if not login.schedule.is_enabled:
        fix = f"Enable {login.connection.schedule_name} in the EventBridge Scheduler console"
        return State.DEGRADED, "the schedule is disabled", fix
    if login.is_stopped is True:
        fix = ecr_login(f"resume {environment} {login.connection.id}")
        return State.DEGRADED, "the function is stopped with the reserved concurrency 0", fix
    if isinstance(login.is_stopped, NoAnswer):
        return State.UNKNOWN, str(login.is_stopped), ""
    detail = f"every {login.refresh_every_minutes} min"
    if login.next_run_at:
        detail += f", next about {clock_time(login.next_run_at)}"
    return State.OK, detail, ""


def _readers(secret: Secret, now: datetime, environment: str) -> tuple[State, str, str]:
    if not is_unread(secret.read_at, now):
        days = (now.date() - secret.read_at.date()).days if secret.read_at else 0
        return State.OK, "read today" if days <= 0 else f"read {days} day{'s' * (days > 1)} ago", ""
    when = f"not read since {secret.read_at:%Y-%m-%d}" if secret.read_at else "never read"
    if (now - secret.created_at).days >= UNREAD_DAYS:
        return State.DEGRADED, when, ecr_login(f"handoff {environment} --for airflow")
    return State.OK, f"{when}, created {ago(secret.created_at, now)}", ""


def _version(clients: Clients, connection: Connection) -> Version | None:
    # LastChangedDate of DescribeSecret also changes with tags and policies, so it is not the age of the login.
    request: dict[str, Any] = {"SecretId": connection.secret_arn, "MaxResults": 100}
    with answers():
        try:
            while True:  # botocore has no paginator for this operation.
                page = clients.secretsmanager.list_secret_version_ids(**request)
                for version in page["Versions"]:
                    if "AWSCURRENT" in version.get("VersionStages", []):
                        return Version(version["VersionId"], version["CreatedDate"].astimezone(UTC))
                if not page.get("NextToken"):
                    return None
                request["NextToken"] = page["NextToken"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
    return None


def _secret(clients: Clients, connection: Connection) -> Secret:
    with answers():
        found = clients.secretsmanager.describe_secret(SecretId=connection.secret_arn)
    read_at, deleted_at = found.get("LastAccessedDate"), found.get("DeletedDate")
    # botocore returns dates in the time zone of the computer. Secrets Manager knows only the day of the last read, and
    # answers midnight in UTC. West of UTC, this is the evening before.
    return Secret(
        created_at=found["CreatedDate"].astimezone(UTC),
        read_at=read_at.astimezone(UTC) if read_at else None,
        deleted_at=deleted_at.astimezone(UTC) if deleted_at else None,
    )


def _schedule(clients: Clients, connection: Connection) -> Schedule:
    with answers():
        try:
            found = clients.scheduler.get_schedule(Name=connection.schedule_name) if connection.schedule_name else {}
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            found = {}
    return Schedule(found.get("State") == "ENABLED", found.get("ScheduleExpression", ""))


def _is_stopped(clients: Clients, connection: Connection) -> bool:
    with answers():
        found = clients.lambda_.get_function_concurrency(FunctionName=connection.function_name)
    return bool(found.get("ReservedConcurrentExecutions") == 0)
