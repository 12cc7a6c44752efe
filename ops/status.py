"""`ecr-login status`: whether the docker logins are fresh, and the images. docs/operate.md defines the words."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.text import Text

from ops import login_status
from ops.clients import NoAnswer
from ops.declared import drift_in_words
from ops.deployment import read_deployment
from ops.freshness import Freshness, expiry
from ops.login_status import Login
from ops.overview import read_overview
from ops.repository_status import Repository, findings_in_words
from ops.results import COLOURS, SIGNS, Check, State, console, end, print_checks, worst
from ops.target import Target, for_environment
from ops.times import ago, iso, length
from settings.environment import Environment

STATES = {
    Freshness.FRESH: State.OK,
    Freshness.UNREAD: State.OK,  # the check read_<id> judges whether this is a problem
    Freshness.STALE: State.DEGRADED,
    Freshness.EXPIRED: State.BROKEN,
    Freshness.UNKNOWN: State.UNKNOWN,
}


@click.command(name="status")
@for_environment
def command(target: Target, as_json: bool) -> None:
    """Show whether the docker logins of ENVIRONMENT are fresh, and the images.

    \b
    fresh    valid, refreshed in time, and read in the last 7 days
    unread   valid, but nobody read it in the last 7 days
    stale    valid, but older than two intervals and 30 minutes
    expired  12 hours old or older: Airflow cannot pull images
    unknown  AWS refused or did not answer the question
    """
    clients, environment = target.clients(), target.environment
    deployment = read_deployment(clients, environment)
    found = read_overview(clients, deployment)
    if not as_json:
        _print_title(environment)
        for login, checks in found.login_checks:
            _print_login(login, checks)
        _print_repositories("repository", found.repositories, datetime.now(UTC))
        for login in found.logins:
            if isinstance(login.elsewhere, list) and login.elsewhere:
                title = f"{login.connection.id} in {environment.registry_of(login.connection.id).region}"
                _print_repositories(title, login.elsewhere, datetime.now(UTC))
        print()
        calm = [check for check in found.other_checks if check.name.startswith("alarm_") and check.state is State.OK]
        print_checks([check for check in found.other_checks if check not in calm])
        if calm:
            print_checks([Check("alarms", State.OK, f"{len(calm)} not firing")])
        console().print(f"  drift: {drift_in_words(found.drift)}")
        print()
    data = {
        "environment": environment.name,
        "connections": {login.connection.id: _login_data(login, environment) for login in found.logins},
        "repositories": {repository.name: _repository_data(repository) for repository in found.repositories},
        "drift": {name: _drift_data(each) for name, each in found.drift.items()},
        "dead_letters": None if isinstance(found.messages, NoAnswer) else found.messages,
    }
    end(found.checks, as_json=as_json, data=data, verdict=found.verdict)


def _drift_data(drift: Mapping[str, Any]) -> dict[str, Any]:
    resources = None if isinstance(drift["resources"], NoAnswer) else drift["resources"]
    return {**drift, "checked_at": iso(drift["checked_at"]), "resources": resources}


def _login_data(login: Login, environment: Environment) -> dict[str, Any]:
    success, failure = login.last_success, login.last_failure
    secret = None if isinstance(login.secret, NoAnswer) else login.secret
    return {
        "freshness": login.freshness,
        "secret_name": login.connection.secret_name,
        "registry": environment.registry_of(login.connection.id).host,
        "repositories": _elsewhere_data(login),
        "version_id": login.version.id if isinstance(login.version, login_status.Version) else None,
        "written_at": iso(login.written_at),
        "age_minutes": int((login.now - login.written_at).total_seconds() // 60) if login.written_at else None,
        "expires_at": iso(expiry(login.written_at)) if login.written_at else None,
        "refresh_every_minutes": login.refresh_every_minutes,
        "last_success_at": iso(success.at) if success else None,
        "last_failure_at": iso(failure.at) if failure else None,
        "last_failure_reason": failure.reason if failure else None,
        "next_run_at": iso(login.next_run_at),
        "last_read_on": f"{secret.read_at:%Y-%m-%d}" if secret and secret.read_at else None,
    }


def _elsewhere_data(login: Login) -> dict[str, Any] | None:
    """Return the repositories in another Region of the account, or None if `status` did not read a registry there."""
    if not isinstance(login.elsewhere, list):
        return None
    return {repository.name: _repository_data(repository) for repository in login.elsewhere}


def _repository_data(repository: Repository) -> dict[str, Any]:
    images = repository.images
    return {
        "exists": repository.exists if not isinstance(images, NoAnswer) else None,
        "images": None if isinstance(images, NoAnswer) or images is None else len(images),
        "newest_push_at": iso(repository.pushed_at),
        "last_pull_at": iso(repository.pulled_at),
        "findings": None if isinstance(repository.findings, NoAnswer) else repository.findings,
        "lifecycle": repository.lifecycle,
    }


def _print_title(environment: Environment) -> None:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    where = f"\nat {endpoint} (AWS_ENDPOINT_URL)" if endpoint else ""
    console().print(f"{environment.name}: account {environment.account}, Region {environment.region}{where}\n")


def _print_login(login: Login, checks: Sequence[Check]) -> None:
    out, state = console(), worst(checks)
    colour = COLOURS[STATES[login.freshness]]
    title = Text(f"{SIGNS[state]} ", style=COLOURS[state]).append(login.connection.id, style="bold default")
    out.print(title.append(" is ", style="default").append(login.freshness, style=colour))
    for check in checks:
        kind = check.name.removesuffix(f"_{login.connection.id}")
        sign = " " if check.state in (State.OK, State.NOT_TRIED) else SIGNS[check.state]
        line = Text(f"  {sign} ", style=COLOURS.get(check.state, ""))
        out.print(line.append(f"{kind:<10}{check.detail}", style="default"))
        if check.fix:
            out.print(Text(f"              {check.fix}", style="dim"))


def _print_repositories(title: str, repositories: Sequence[Repository], now: datetime) -> None:
    rows = [(title, "images", "pushed", "pulled", "findings", "lifecycle")]
    for each in repositories:
        if isinstance(each.images, NoAnswer) or each.images is None:
            rows.append((each.name, each.image_count, "", "", "", ""))
            continue
        pushed = ago(each.pushed_at, now) if each.pushed_at else "-"
        pulled = length(now - each.pulled_at) + " ago" if each.pulled_at else "-"
        findings = findings_in_words(each.findings) if each.images else "-"
        rows.append((each.name, each.image_count, pushed, pulled, findings, each.lifecycle))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[1] = row[1].rjust(widths[1])
        console().print(Text("  " + "  ".join(cells).rstrip(), style="dim" if number == 0 else ""))
