"""`ecr-login status`: whether the docker logins are fresh, and the images. docs/operate.md defines the words."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.text import Text

from ops import login_status, repository_status
from ops.clients import Clients, NoAnswer, answers
from ops.declared import check_settings, check_stacks, drift_in_words, read_drift
from ops.deployment import Deployment, read_deployment
from ops.freshness import Freshness, expiry
from ops.images import created_on_push, deployed_repositories, managed_repositories
from ops.login_status import Login
from ops.repository_status import Repository, findings_in_words
from ops.results import COLOURS, SIGNS, Check, State, console, end, print_checks, worst
from ops.target import Target, for_environment
from ops.times import ago, iso, length
from ops.together import ask_all
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
    logins, repositories, alarms, messages, drift = _read(clients, deployment)
    by_login = [(login, list(login_status.checks(login, environment.name))) for login in logins]
    others = [
        *_alarm_checks(environment, deployment, alarms),
        _dead_letters(messages),
        *_repository_checks(deployment, repositories),
        check_stacks(deployment),
        check_settings(deployment, logins, repositories),
    ]
    checks = [*(check for _, found in by_login for check in found), *others]
    if not as_json:
        _print_title(environment)
        for login, found in by_login:
            _print_login(login, found)
        _print_repositories(repositories, datetime.now(UTC))
        print()
        print_checks([check for check in others if not (check.name.startswith("alarm_") and check.state is State.OK)])
        if calm := [check for check in others if check.name.startswith("alarm_") and check.state is State.OK]:
            print_checks([Check("alarms", State.OK, f"{len(calm)} not firing")])
        console().print(f"  drift: {drift_in_words(drift)}")
        print()
    data = {
        "environment": environment.name,
        "connections": {login.connection.id: _login_data(login) for login in logins},
        "repositories": {repository.name: _repository_data(repository) for repository in repositories},
        "drift": {name: {**each, "checked_at": iso(each["checked_at"])} for name, each in drift.items()},
        "dead_letters": None if isinstance(messages, NoAnswer) else messages,
    }
    end(checks, as_json=as_json, data=data, verdict=_verdict(environment.name, logins, checks))


def _read(
    clients: Clients, deployment: Deployment
) -> tuple[list[Login], list[Repository], dict[str, str] | NoAnswer, int | NoAnswer, dict[str, Any]]:
    """Return all answers. The requests run in parallel."""
    environment = deployment.environment
    names = {*managed_repositories(environment), *deployed_repositories(deployment)}
    names.update(environment.existing_repositories(environment.teams))
    requests: dict[tuple[str, ...], Any] = {
        ("alarms",): lambda: _alarm_states(clients, deployment),
        ("messages",): lambda: _count_messages(clients, deployment.outputs["FailureQueueUrl"]),
        ("drift",): lambda: read_drift(clients, deployment),
        ("new",): lambda: created_on_push(clients, environment),
    }
    for connection in deployment.connections.values():
        for attribute, request in login_status.requests(clients, connection).items():
            requests["login", connection.id, attribute] = request
    for name in names:
        for attribute, request in repository_status.requests(clients, name).items():
            requests["repository", name, attribute] = request
    found = ask_all(requests)
    new = found["new",]
    later = set() if isinstance(new, NoAnswer) else new.keys() - names
    found |= ask_all(
        {
            ("repository", name, attribute): request
            for name in later
            for attribute, request in repository_status.requests(clients, name).items()
        }
    )

    def answers_of(*prefix: str) -> dict[str, Any]:
        return {key[2]: answer for key, answer in found.items() if key[:2] == prefix}

    now = datetime.now(UTC)
    logins = [
        Login(connection, environment.connections[name].refresh_every_minutes, now, **answers_of("login", name))
        for name, connection in deployment.connections.items()
    ]
    repositories = [Repository(name, **answers_of("repository", name)) for name in sorted(names | later)]
    return logins, repositories, found["alarms",], found["messages",], found["drift",]


def _alarm_states(clients: Clients, deployment: Deployment) -> dict[str, str]:
    """Return the state of each alarm of the deployment, by its name in CloudWatch."""
    names = deployment.stacks["DockerLogin"].physical_ids("AWS::CloudWatch::Alarm")
    found = {}
    with answers():
        for start in range(0, len(names), 100):  # DescribeAlarms accepts 100 names.
            request = {"AlarmNames": names[start : start + 100], "AlarmTypes": ["MetricAlarm"], "MaxRecords": 100}
            for alarm in clients.cloudwatch.describe_alarms(**request)["MetricAlarms"]:
                found[alarm["AlarmName"]] = alarm["StateValue"]
    return found


def _alarm_checks(
    environment: Environment, deployment: Deployment, states: Mapping[str, str] | NoAnswer
) -> list[Check]:
    stack = deployment.stacks["DockerLogin"]
    kinds = {"alarm_refresh_failed": ("AlarmsRefreshFailed", "refresh-failed")}
    for name, pascal in deployment.pascal_cases.items():
        kinds[f"alarm_not_refreshed_{name}"] = (f"Alarms{pascal}NotRefreshed", "not-refreshed")
        kinds[f"alarm_login_expires_{name}"] = (f"Alarms{pascal}LoginExpires", "login-expires")
    if not stack.physical_ids("AWS::CloudWatch::Alarm"):
        return [Check("alarms", State.NOT_TRIED, "the deployment has no alarms")]
    if isinstance(states, NoAnswer):
        return [Check("alarms", State.UNKNOWN, str(states))]
    checks = []
    for check_name, (logical_id, heading) in kinds.items():
        state = states.get(stack.physical_id(logical_id, "AWS::CloudWatch::Alarm"))
        fix = f"{environment.alerts.runbook}#{heading}"
        if state == "ALARM":
            checks.append(Check(check_name, State.DEGRADED, "the alarm fires", f"See {fix}"))
        elif state is None:
            fix = f"make deploy ENV={environment.name}"
            checks.append(Check(check_name, State.DEGRADED, "the alarm does not exist", fix))
        else:
            checks.append(Check(check_name, State.OK, "not firing" if state == "OK" else "no data yet"))
    return checks


def _count_messages(clients: Clients, queue_url: str) -> int:
    # Only the number: ReceiveMessage would hide the messages from the people who look for them.
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    with answers():
        found = clients.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(found.get(name, 0)) for name in names)


def _dead_letters(messages: int | NoAnswer) -> Check:
    if isinstance(messages, NoAnswer):
        return Check("dead_letters", State.UNKNOWN, str(messages))
    if messages:
        detail = f"about {messages} message{'s' * (messages > 1)} in the failure queue"
        return Check("dead_letters", State.DEGRADED, detail, "See docs/runbook.md#refresh-failed")
    return Check("dead_letters", State.OK, "the failure queue is empty")


def _repository_checks(deployment: Deployment, repositories: Sequence[Repository]) -> Iterator[Check]:
    environment, deployed = deployment.environment, deployed_repositories(deployment)
    refused = [each for each in repositories if isinstance(each.images, NoAnswer)]
    there = deployed | set(environment.existing_repositories(environment.teams))
    missing = [each.name for each in repositories if not each.exists and each.name in there]
    if missing:
        detail = f"{', '.join(missing)}: missing in ECR, and Airflow cannot pull the images"
        yield Check("repositories", State.BROKEN, detail, "Create the repository again, and push the images")
    elif refused:
        yield Check("repositories", State.UNKNOWN, f"{refused[0].name}: {refused[0].images}")
    else:
        count = sum(each.exists for each in repositories)
        yield Check("repositories", State.OK, f"{count} exist{'s' * (count == 1)}")
    reported = environment.reported_severities
    if not reported:
        yield Check("scan_findings", State.NOT_TRIED, "the settings turn the messages about findings off")
        return
    listed = []
    for each in repositories:
        counts = {severity: count for severity, count in (each.findings or {}).items() if severity in reported}
        if counts:
            listed.append(f"{each.name}: {findings_in_words(counts)}")
    if listed:
        fix = f"See {environment.alerts.runbook}#a-scan-found-a-vulnerability"
        yield Check("scan_findings", State.DEGRADED, "; ".join(listed), fix)
    else:
        severities = " or ".join(severity.lower() for severity in reported)
        yield Check("scan_findings", State.OK, f"no {severities} finding in the newest images")


def _login_data(login: Login) -> dict[str, Any]:
    success, failure = login.last_success, login.last_failure
    secret = None if isinstance(login.secret, NoAnswer) else login.secret
    return {
        "freshness": login.freshness,
        "secret_name": login.connection.secret_name,
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


def _repository_data(repository: Repository) -> dict[str, Any]:
    images = repository.images
    return {
        "exists": repository.exists if not isinstance(images, NoAnswer) else None,
        "images": None if isinstance(images, NoAnswer) or images is None else len(images),
        "newest_push_at": iso(repository.pushed_at),
        "last_pull_at": iso(repository.pulled_at),
        "findings": repository.findings,
        "lifecycle": repository.lifecycle,
    }


def _print_title(environment: Environment) -> None:
    console().print(f"{environment.name}: account {environment.account}, Region {environment.region}\n")


def _print_login(login: Login, checks: Sequence[Check]) -> None:
    out, state = console(), worst(checks)
    colour = COLOURS[STATES[login.freshness]]
    title = Text(f"{SIGNS[state]} ", style=COLOURS[state]).append(login.connection.id, style="bold default")
    out.print(title.append(" is ", style="default").append(login.freshness, style=colour))
    for check in checks:
        kind = check.name.removesuffix(f"_{login.connection.id}")
        sign = " " if check.state is State.OK else SIGNS[check.state]
        line = Text(f"  {sign} ", style=COLOURS.get(check.state, ""))
        out.print(line.append(f"{kind:<9}{check.detail}", style="default"))
        if check.fix:
            out.print(Text(f"             {check.fix}", style="dim"))


def _print_repositories(repositories: Sequence[Repository], now: datetime) -> None:
    rows = [("repository", "images", "pushed", "pulled", "findings", "lifecycle")]
    for each in repositories:
        if isinstance(each.images, NoAnswer) or each.images is None:
            rows.append((each.name, "unknown" if each.exists else "missing", "", "", "", ""))
            continue
        pushed = ago(each.pushed_at, now) if each.pushed_at else "-"
        pulled = length(now - each.pulled_at) + " ago" if each.pulled_at else "-"
        findings = findings_in_words(each.findings) if each.images else "-"
        rows.append((each.name, str(len(each.images)), pushed, pulled, findings, each.lifecycle))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[1] = row[1].rjust(widths[1])
        console().print(Text("  " + "  ".join(cells).rstrip(), style="dim" if number == 0 else ""))


def _verdict(environment: str, logins: Sequence[Login], checks: Sequence[Check]) -> str:
    words = [f"{sum(each.freshness is word for each in logins)} {word}" for word in Freshness]
    counts = ", ".join(each for each in words if not each.startswith("0 ")) or "no docker login"
    problems = [check.name for check in checks if check.state not in (State.OK, State.NOT_TRIED)]
    verdict = {
        State.OK: "works",
        State.DEGRADED: "works, but needs attention",
        State.BROKEN: "is broken for Airflow",
        State.UNKNOWN: "is unknown",
    }[worst(checks)]
    return f"{environment} {verdict}: {counts}" + (f". See {', '.join(problems)}" if problems else "")
