"""Check the stacks: their status, drift, and whether the settings are deployed."""

import time
from collections.abc import Iterator
from typing import Any

from ops.clients import NoAnswer
from ops.declared import check_stacks
from ops.deployment import Stack
from ops.doctor.findings import Examine, Found, Problem, count, each
from ops.doctor.templates import Examined
from ops.results import State
from settings.environment import Environment
from settings.names import pascal_case, repository_name

DRIFT_SECONDS = 90
"""How long the command waits for CloudFormation's drift detection."""
_SECONDS_BETWEEN_QUESTIONS = 1


def check_status(examined: Examined) -> Found:
    """Check that the last deployment of each stack succeeded. `ecr-login status` has the same check."""
    check = check_stacks(examined.deployment)
    problems = [] if check.state is State.OK else [Problem(f"{check.detail}.", check.fix, check.state)]
    return Found(check.detail, problems)


def check_drift(examined: Examined) -> Found:
    """Let CloudFormation compare its resources with the templates.

    CloudFormation reads a secret to compare it. The secret's policy denies this, so the secrets are not compared.

    Raises:
        NoAnswer: CloudFormation did not finish in time, or could not compare a resource that is not a secret.
    """
    cloudformation = examined.clients.cloudformation
    secrets = {each.logical_id for each in examined.declared("AWS::SecretsManager::Secret")}

    def look_at(stack: Stack) -> Iterator[Problem]:
        detection = cloudformation.detect_stack_drift(StackName=stack.name)["StackDriftDetectionId"]
        status = _wait(cloudformation, stack, detection)
        request: dict[str, Any] = {
            "StackName": stack.name,
            "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"],
        }
        drifted = []
        while True:
            page = cloudformation.describe_stack_resource_drifts(**request)
            drifted += page["StackResourceDrifts"]
            if not page.get("NextToken"):
                break
            request["NextToken"] = page["NextToken"]
        for drift in drifted:
            changes = ", ".join(change["PropertyPath"] for change in drift.get("PropertyDifferences", []))
            how = f"differs from the template: {changes}" if changes else "was deleted"
            name = drift.get("PhysicalResourceId") or drift["LogicalResourceId"]
            yield Problem(
                f"The resource {name} ({drift['LogicalResourceId']}) {how}.",
                f"Undo the change. Show both values: node_modules/.bin/cdk drift '{examined.environment.name}/*'",
            )
        reason = str(status.get("DetectionStatusReason", ""))
        if status["DetectionStatus"] == "DETECTION_FAILED" and not any(name in reason for name in secrets):
            raise NoAnswer(f"CloudFormation could not compare all resources of {stack.name}: {reason}")

    stacks = examined.deployment.stacks.values()
    return Found(f"{count(len(stacks), 'stack')} without drift", each(look_at, stacks))


def _wait(cloudformation: Any, stack: Stack, detection: str) -> dict[str, Any]:
    deadline = time.monotonic() + DRIFT_SECONDS
    while True:
        status: dict[str, Any] = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if status["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            return status
        if time.monotonic() >= deadline:
            raise NoAnswer(f"drift detection of {stack.name} did not end within {DRIFT_SECONDS} seconds")
        time.sleep(_SECONDS_BETWEEN_QUESTIONS)


def check_settings(examined: Examined) -> Found:
    """Compare the settings with the deployed stacks. A difference means that the settings are not deployed yet."""
    environment, deployment = examined.environment, examined.deployment
    pairs = list(_expected(environment, deployment.outputs))
    wanted = {repository_name(team, name) for team, own in environment.teams.items() for name in own.repositories}
    deployed = {each.physical_id for each in examined.declared("AWS::ECR::Repository")}
    differences = [f"{name} is {found or 'missing'}, not {value}" for name, value, found in pairs if found != value]
    differences += [f"the repository {name} is not deployed" for name in sorted(wanted - deployed)]
    differences += [f"the repository {name} is not in the settings" for name in sorted(deployed - wanted)]
    known = {f"SecretName{pascal_case(connection)}" for connection in environment.connections}
    known |= {f"PushRoleArn{pascal_case(team)}" for team in environment.teams}
    for name in sorted(deployment.outputs):
        if name.startswith(("SecretName", "PushRoleArn")) and name not in known:
            differences.append(f"the output {name} is not in the settings")
    differences += list(_schedules(examined))
    differences += list(_emails_and_workers(examined))
    differences += list(_images(examined))
    fix = f"make diff ENV={environment.name}, then make deploy ENV={environment.name}"
    return Found("the settings are deployed", [Problem(f"{text[0].upper()}{text[1:]}.", fix) for text in differences])


def _expected(environment: Environment, outputs: Any) -> Iterator[tuple[str, str, str | None]]:
    """Yield the name of each output, with the value that the settings give and the deployed value."""
    expected = {"RegistryHost": environment.registry_host}
    expected |= {f"PushRoleArn{pascal_case(team)}": environment.push_role_arn(team) for team in environment.teams}
    expected |= {f"SecretName{pascal_case(each)}": environment.secret_name(each) for each in environment.connections}
    for name, value in expected.items():
        yield f"the output {name}", value, outputs.get(name)


def _schedules(examined: Examined) -> Iterator[str]:
    schedules = {each.physical_id: each for each in examined.declared("AWS::Scheduler::Schedule")}
    for connection in examined.deployment.connections.values():
        minutes = examined.environment.connections[connection.id].refresh_every_minutes
        schedule = schedules.get(connection.schedule_name)
        if schedule and _minutes(schedule.properties["ScheduleExpression"]) != minutes:
            deployed = schedule.properties["ScheduleExpression"]
            yield f"the schedule of {connection.id} is deployed with {deployed}, not with {minutes} minutes"


def _images(examined: Examined) -> Iterator[str]:
    """Yield each login that is deployed for another registry, and each difference in the images of the pull roles."""
    hosts = {}
    for function in examined.declared("AWS::Lambda::Function"):
        variables = function.properties.get("Environment", {}).get("Variables", {})
        hosts[variables.get("CONNECTION_ID")] = variables.get("REGISTRY_HOST")
    policies = examined.declared("AWS::IAM::Policy")
    for connection in examined.deployment.connections.values():
        images = examined.environment.pulled_images(connection.id)
        host = images.registry.host
        if (deployed := hosts.get(connection.id, host)) != host:
            yield f"the docker login of {connection.id} is deployed for {deployed}, not for {host}"
        role = connection.pull_role_arn.rpartition("/")[2]
        statements = [
            statement
            for policy in policies
            if role in policy.properties.get("Roles", [])
            for statement in policy.properties["PolicyDocument"]["Statement"]
        ]
        found = {arn for each in statements for arn in _list(each.get("Resource")) if ":repository/" in arn}
        names = [*(repository_name(team, "*") for team in images.teams), *images.repositories]
        wanted = {images.registry.repository_arn(name) for name in names}
        for arn in sorted(wanted - found):
            yield f"the pull role of {connection.id} is deployed without {arn}"
        for arn in sorted(found - wanted):
            yield f"the pull role of {connection.id} is deployed with {arn}, which is not in the settings"


def _list(one_or_more: Any) -> list[Any]:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def _minutes(expression: str) -> int:
    number, unit = expression.removeprefix("rate(").removesuffix(")").split()
    return int(number) * {"minute": 1, "hour": 60, "day": 1440}[unit.removesuffix("s")]


def _emails_and_workers(examined: Examined) -> Iterator[str]:
    environment = examined.environment
    emails = {each.properties["Endpoint"] for each in examined.declared("AWS::SNS::Subscription")}
    for email in sorted(set(environment.alerts.emails) ^ emails):
        yield f"the address {email} is {'not in the settings' if email in emails else 'not deployed'}"
    policies = examined.declared("AWS::IAM::ManagedPolicy")
    deployed = {role for policy in policies for role in policy.properties.get("Roles", [])}
    deployed -= {role.physical_id for role in examined.declared("AWS::IAM::Role")}
    wanted = {arn.rpartition("/")[2] for arn in environment.workers.role_arns}
    for role in sorted(wanted ^ deployed):
        yield f"the worker role {role} is {'not deployed' if role in wanted else 'not in the settings'}"


CHECKS: dict[str, Examine] = {"stacks": check_status, "settings": check_settings, "drift": check_drift}
