"""What is declared: the settings and the state of the stacks, compared with what is deployed."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

from ops.clients import Clients, NoAnswer, answers
from ops.deployment import Deployment
from ops.fixes import ecr_login
from ops.images import deployed_repositories, managed_repositories, same_rules
from ops.login_status import Login
from ops.repository_status import Repository
from ops.results import Check, State
from settings.names import pascal_case

_NOTHING_DEPLOYED = re.compile(r"(CREATE|ROLLBACK|DELETE)_.*")
_WORKS = re.compile(r"(CREATE|UPDATE|IMPORT)_COMPLETE|.*_IN_PROGRESS")


def check_stacks(deployment: Deployment) -> Check:
    """Return whether the last deployment of each stack succeeded.

    | Status | State |
    |---|---|
    | CloudFormation created or updated every stack | ok |
    | a deployment runs now, so other checks may compare with a template that is not deployed yet | degraded |
    | the last deployment of a stack failed, and its resources exist | degraded |
    | the resources of the docker logins were not created, or are deleted in part | broken |
    """
    environment, stacks = deployment.environment, deployment.stacks.values()
    bad = {stack.name: stack.status for stack in stacks if not _WORKS.fullmatch(stack.status)}
    busy = {stack.name: stack.status for stack in stacks if stack.status.endswith("_IN_PROGRESS")}
    if bad:
        login = deployment.stacks["DockerLogin"]
        state = State.BROKEN if login.name in bad and _NOTHING_DEPLOYED.fullmatch(login.status) else State.DEGRADED
        if any("FAILED" in status for status in bad.values()):
            fix = "See the procedure for this status in docs/locked-out.md"
        else:
            fix = f"Fix the error of the last deployment, then: make deploy ENV={environment.name}"
        return Check("stacks", state, _listed(bad), fix)
    if busy:
        detail = f"a deployment is running: {_listed(busy)}"
        return Check("stacks", State.DEGRADED, detail, "Run the command again after the deployment")
    return Check("stacks", State.OK, f"{len(stacks)} stacks are deployed")


def check_settings(deployment: Deployment, logins: Sequence[Login], repositories: Sequence[Repository]) -> Check:
    """Return whether the deployment has the connections, repositories and values of the settings."""
    name = deployment.environment.name
    schedules, rules = list(_intervals(logins)), list(_rules(deployment, repositories))
    differences = [*_connections(deployment), *schedules, *_stacks(deployment), *_repositories(deployment), *rules]
    if differences:
        fix = f"make diff ENV={name}, then make deploy ENV={name}"
        # After a change by hand, the template has not changed, so a deployment changes nothing.
        commands = [ecr_login(f"doctor {name}")] if schedules else []
        commands += [ecr_login(f"lifecycle {name}")] if rules else []
        if commands:
            fix += f". If make diff shows no difference, print the command that repairs AWS: {' and '.join(commands)}"
        return Check("settings", State.DEGRADED, "; ".join(differences), fix)
    for repository in repositories:
        if isinstance(repository.lifecycle_policy, NoAnswer):
            return Check("settings", State.UNKNOWN, f"{repository.name}: {repository.lifecycle_policy}")
    for login in logins:
        if isinstance(login.schedule, NoAnswer):
            return Check("settings", State.UNKNOWN, f"{login.connection.id}: {login.schedule}")
    return Check("settings", State.OK, "the settings are deployed")


def _connections(deployment: Deployment) -> Iterator[str]:
    environment, outputs = deployment.environment, deployment.stacks["DockerLogin"].outputs
    names = {pascal_case(each): each for each in environment.connections}
    deployed = {key.removeprefix("SecretName"): value for key, value in outputs.items() if key.startswith("SecretName")}
    for name, connection_id in names.items():
        if name not in deployed:
            yield f"the connection {connection_id} is not deployed"
        elif deployed[name] != environment.secret_name(connection_id):
            yield f"the secret {environment.secret_name(connection_id)} is not deployed, {deployed[name]} still is"
    for name, secret_name in deployed.items():
        if name not in names:
            yield f"the connection of the secret {secret_name} is deployed, but not in the settings"


def _intervals(logins: Iterable[Login]) -> Iterator[str]:
    for login in logins:
        if isinstance(login.schedule, NoAnswer) or not login.schedule.expression:
            continue
        found = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", login.schedule.expression)
        minutes = int(found[1]) * (60 if found[2] == "hour" else 1) if found else None
        if minutes != login.refresh_every_minutes:
            wanted = f"rate({login.refresh_every_minutes} minutes)"
            yield f"the schedule of {login.connection.id} is {login.schedule.expression}, not {wanted}"


def _stacks(deployment: Deployment) -> Iterator[str]:
    environment = deployment.environment
    wanted = {
        "WorkerUpkeep": environment.workers.clean_up is not None,
        "EcsTasks": environment.ecs is not None,
        "Registry": True,
        "Access": True,
    }
    for name, is_wanted in wanted.items():
        if is_wanted and name not in deployment.stacks:
            yield f"the stack {environment.name}-{name} is not deployed"
        elif not is_wanted and name in deployment.stacks:
            yield f"the stack {environment.name}-{name} is deployed, but not in the settings"


def _repositories(deployment: Deployment) -> Iterator[str]:
    wanted, deployed = managed_repositories(deployment.environment), deployed_repositories(deployment)
    for name in sorted(wanted.keys() - deployed):
        yield f"the repository {name} is not deployed"
    for name in sorted(deployed - wanted.keys()):
        yield f"the repository {name} is deployed, but not in the settings"


def _rules(deployment: Deployment, repositories: Iterable[Repository]) -> Iterator[str]:
    wanted, deployed = managed_repositories(deployment.environment), deployed_repositories(deployment)
    for repository in repositories:
        text = repository.lifecycle_policy
        if isinstance(text, NoAnswer) or not repository.exists or repository.name not in wanted.keys() & deployed:
            continue
        if not same_rules(text, wanted[repository.name]):
            yield f"the lifecycle rules of {repository.name} are not those of the settings"


def read_drift(clients: Clients, deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Return the result of the last drift detection of each stack. It starts no detection.

    The keys are the names of the stacks. `resources` has the logical ids of the resources that drifted, or is
    NoAnswer if AWS refused to list them.
    """
    return {
        stack.name: {
            "status": stack.drift,
            "checked_at": stack.drift_checked_at,
            "resources": _drifted(clients, stack.name) if stack.drift == "DRIFTED" else [],
        }
        for stack in deployment.stacks.values()
    }


def drift_in_words(drift: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the results of drift detections in a line."""
    drifted = {name: each["resources"] for name, each in drift.items() if each["status"] == "DRIFTED"}
    checked = [each["checked_at"] for each in drift.values() if each["checked_at"]]
    if not checked:
        return "never checked"
    when = f"last checked {min(checked).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    missing = len(drift) - len(checked)
    when += f", {missing} of {len(drift)} stacks never" if missing else ""
    if not drifted:
        return f"none found, {when}"
    resources = {
        name: f"drifted ({found})" if isinstance(found, NoAnswer) else ", ".join(found) or "drifted"
        for name, found in drifted.items()
    }
    return "; ".join(f"{name}: {found}" for name, found in resources.items()) + f"; {when}"


def _drifted(clients: Clients, stack_name: str) -> list[str] | NoAnswer:
    found: list[str] = []
    request: dict[str, Any] = {
        "StackName": stack_name,
        "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"],
    }
    try:
        with answers():
            while True:  # botocore has no paginator for this operation.
                page = clients.cloudformation.describe_stack_resource_drifts(**request)
                found += [each["LogicalResourceId"] for each in page["StackResourceDrifts"]]
                if "NextToken" not in page:
                    return found
                request["NextToken"] = page["NextToken"]
    except NoAnswer as refused:
        return refused


def _listed(statuses: Mapping[str, str]) -> str:
    return ", ".join(f"{name} is in the state {status}" for name, status in statuses.items())
