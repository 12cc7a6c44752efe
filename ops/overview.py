"""What AWS knows about an environment: docker logins, repositories, alarms, queue and stacks. Also the checks of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

from ops import login_status
from ops.clients import Clients, NoAnswer, answers
from ops.declared import check_settings, check_stacks, read_drift
from ops.deployment import Deployment
from ops.fixes import ecr_login
from ops.freshness import Freshness
from ops.images import created_on_push, deployed_repositories, managed_repositories, pulled_repositories
from ops.login_status import Login
from ops.repository_status import Repository, findings_in_words, read_repository
from ops.results import Check, State, worst
from ops.together import ask_all
from settings.environment import Environment


@dataclass(frozen=True)
class Overview:
    """The answers about an environment. An answer is NoAnswer if AWS refused the request.

    Attributes:
        alarms: The state of each alarm of the deployment, by its name in CloudWatch.
        messages: The number of messages in the failure queue.
        drift: The result of the last drift detection of each stack.
    """

    deployment: Deployment
    logins: list[Login]
    repositories: list[Repository]
    alarms: dict[str, str] | NoAnswer
    messages: int | NoAnswer
    drift: dict[str, Any]

    @cached_property
    def login_checks(self) -> list[tuple[Login, list[Check]]]:
        """The checks of each docker login."""
        environment = self.deployment.environment
        return [(login, list(login_status.checks(login, environment))) for login in self.logins]

    @cached_property
    def other_checks(self) -> list[Check]:
        """The checks of everything else."""
        return [
            *_alarm_checks(self.deployment.environment, self.deployment, self.alarms),
            _dead_letters(self.messages),
            *_repository_checks(self.deployment, self.repositories),
            check_stacks(self.deployment),
            check_settings(self.deployment, self.logins, self.repositories),
        ]

    @property
    def checks(self) -> list[Check]:
        """All checks."""
        return [*(check for _, found in self.login_checks for check in found), *self.other_checks]

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        return _verdict(self.deployment.environment.name, self.logins, self.checks)


def read_overview(clients: Clients, deployment: Deployment) -> Overview:
    """Return all answers. The requests run in parallel."""
    environment = deployment.environment
    names = {*managed_repositories(environment), *deployed_repositories(deployment)}
    names.update(environment.existing_repositories(environment.teams))
    in_region = {
        name: (clients.in_region(images.registry.region), images)
        for name in deployment.connections
        if environment.connections[name].registry
        and (images := environment.pulled_images(name)).registry.account == environment.account
    }
    requests: dict[tuple[str, ...], Any] = {
        ("alarms",): lambda: _alarm_states(clients, deployment),
        ("messages",): lambda: _count_messages(clients, deployment.outputs.get("FailureQueueUrl")),
        ("drift",): lambda: read_drift(clients, deployment),
        ("new",): lambda: created_on_push(clients, environment),
    }
    for connection in deployment.connections.values():
        for attribute, request in login_status.requests(clients, connection).items():
            requests["login", connection.id, attribute] = request
    for name in names:
        requests["repository", name] = partial(read_repository, clients, name)
    for connection_id, (other, images) in in_region.items():
        requests["names", connection_id] = partial(pulled_repositories, other, images)
    found = ask_all(requests)
    new = found["new",]
    later = set() if isinstance(new, NoAnswer) else new.keys() - names
    more: dict[tuple[str, ...], Any] = {("repository", name): partial(read_repository, clients, name) for name in later}
    for connection_id, (other, _) in in_region.items():
        pulled = found["names", connection_id]
        for name in [] if isinstance(pulled, NoAnswer) else pulled:
            more["elsewhere", connection_id, name] = partial(read_repository, other, name)
    found |= ask_all(more)

    def answers_of(*prefix: str) -> dict[str, Any]:
        return {key[2]: answer for key, answer in found.items() if key[:-1] == prefix}

    def elsewhere(connection_id: str) -> list[Repository] | NoAnswer | None:
        names = found.get(("names", connection_id))
        return [*answers_of("elsewhere", connection_id).values()] if isinstance(names, list) else names

    now = datetime.now(UTC)
    logins = [
        Login(
            connection,
            environment.connections[name].refresh_every_minutes,
            now,
            **answers_of("login", name),
            elsewhere=elsewhere(name),
        )
        for name, connection in deployment.connections.items()
    ]
    repositories = [found["repository", name] for name in sorted(names | later)]
    if isinstance(new, NoAnswer):
        teams = [name for name, team in environment.teams.items() if team.create_on_push]
        repositories += [Repository(f"{name}/*", new, new, new) for name in teams]
    return Overview(deployment, logins, repositories, found["alarms",], found["messages",], found["drift",])


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
            # A deployment does not create an alarm again that a person deleted.
            fix = ecr_login(f"doctor {environment.name}")
            checks.append(Check(check_name, State.DEGRADED, "the alarm does not exist", f"See the commands of {fix}"))
        else:
            checks.append(Check(check_name, State.OK, "not firing" if state == "OK" else "no data yet"))
    return checks


def _count_messages(clients: Clients, queue_url: str | None) -> int:
    if queue_url is None:
        raise NoAnswer("the stack has no failure queue")
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
    unanswered = [each for each in repositories if isinstance(each.findings, NoAnswer)]
    listed = []
    for each in repositories:
        found = {} if isinstance(each.findings, NoAnswer) or each.findings is None else each.findings
        if counts := {severity: count for severity, count in found.items() if severity in reported and count}:
            listed.append(f"{each.name}: {findings_in_words(counts)}")
    if listed:
        fix = f"See {environment.alerts.runbook}#a-scan-found-a-vulnerability"
        yield Check("scan_findings", State.DEGRADED, "; ".join(listed), fix)
    elif unanswered:
        yield Check("scan_findings", State.UNKNOWN, f"{unanswered[0].name}: {unanswered[0].findings}")
    else:
        severities = " or ".join(severity.lower() for severity in reported)
        skipped = sum(each.findings is None and bool(each.images) for each in repositories)
        detail = f"no {severities} finding in newest images" + (f", {skipped} not scanned" if skipped else "")
        yield Check("scan_findings", State.OK, detail)


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
