"""Check that the schedules start the functions, and that the functions are as deployed."""

from collections.abc import Iterator, Mapping
from typing import Any

from ops.clients import unless_missing
from ops.deployment import Connection
from ops.doctor.findings import FILES, Examine, Found, Problem, count, each
from ops.doctor.templates import Declared, Examined
from ops.fixes import aws, ecr_login

_COMPARED = ("Handler", "Role", "Runtime", "Timeout", "MemorySize", "Architectures", "LoggingConfig")
"""The properties of a function that have the same name in the template and in the answer of Lambda."""


def check_schedules(examined: Examined) -> Found:
    """Check that each schedule is enabled and starts its function, with its role and interval."""
    schedules = examined.declared("AWS::Scheduler::Schedule")

    def look_at(schedule: Declared) -> Iterator[Problem]:
        name = schedule.physical_id
        request = {"Name": name, "GroupName": schedule.properties.get("GroupName", "default"), **schedule.properties}
        file = f"{schedule.logical_id}.json"
        arguments = f"--cli-input-json file://{FILES}/{file}"
        found = unless_missing(
            examined.clients.scheduler.get_schedule,
            "ResourceNotFoundException",
            Name=name,
            GroupName=request["GroupName"],
        )
        if not found:
            text = f"The schedule {name} does not exist, so no refresh starts."
            yield Problem(
                text, aws(examined.environment, f"scheduler create-schedule {arguments}"), files={file: request}
            )
            return
        differences = list(_differences(schedule.properties, found))
        if differences:
            text = f"The schedule {name} {' and '.join(differences)}."
            yield Problem(
                text, aws(examined.environment, f"scheduler update-schedule {arguments}"), files={file: request}
            )

    return Found(f"{count(len(schedules), 'schedule')} enabled, as deployed", each(look_at, schedules))


def _differences(declared: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    if found["State"] != declared.get("State", "ENABLED"):
        yield f"is {found['State'].lower()}, so no refresh starts"
    target, wanted = found["Target"], declared["Target"]
    if target["Arn"] != wanted["Arn"]:
        yield f"starts {target['Arn']} instead of the function {wanted['Arn']}"
    if target.get("RoleArn") != wanted.get("RoleArn"):
        yield f"has the role {target.get('RoleArn')} instead of {wanted.get('RoleArn')}"
    if found["ScheduleExpression"] != declared["ScheduleExpression"]:
        yield f"runs at {found['ScheduleExpression']} instead of {declared['ScheduleExpression']}"
    if not _includes(target.get("DeadLetterConfig"), wanted.get("DeadLetterConfig")):
        yield "sends failures to another queue"
    if not _includes(target.get("RetryPolicy"), wanted.get("RetryPolicy")):
        yield "has another retry policy"


def check_running(examined: Examined) -> Found:
    """Find functions that are missing, or that a person stopped with a reserved concurrency of 0."""

    def look_at(connection: Connection) -> Iterator[Problem]:
        name = connection.function_name
        found = unless_missing(
            examined.clients.lambda_.get_function_configuration, "ResourceNotFoundException", FunctionName=name
        )
        if not found:
            yield Problem(
                f"The function {name} does not exist, so no refresh runs.",
                'See "Make a connection again" in docs/runbook.md',
            )
            return
        limit = reserved_concurrency(examined, name)
        if limit is not None:
            text = (
                "is stopped: its reserved concurrency is 0" if limit == 0 else f"has a reserved concurrency of {limit}"
            )
            remove = aws(examined.environment, f"lambda delete-function-concurrency --function-name {name}")
            resume = ecr_login(f"resume {examined.environment.name} {connection.id}")
            fix = f"If nobody needs this any more: {resume if limit == 0 else remove}"
            yield Problem(f"The function {name} {text}.", fix)
        for key, expected in (("State", "Active"), ("LastUpdateStatus", "Successful")):
            if found.get(key, expected) != expected and found[key] not in ("Inactive", "Pending", "InProgress"):
                yield Problem(
                    f"The function {name} has the status {found[key]}: {found.get(f'{key}Reason', 'no reason given')}.",
                    aws(examined.environment, f"lambda get-function-configuration --function-name {name}"),
                )

    connections = examined.deployment.connections.values()
    return Found(f"{count(len(connections), 'function')} not stopped", each(look_at, connections))


def check_configurations(examined: Examined) -> Found:
    """Compare the settings of the functions with the template, and their code with the published version."""
    versions = {
        version.properties["FunctionName"]: version.physical_id
        for version in examined.declared("AWS::Lambda::Version")
        if version.physical_id
    }

    def look_at(function: Declared) -> Iterator[Problem]:
        name = function.physical_id
        get = examined.clients.lambda_.get_function_configuration
        found = unless_missing(get, "ResourceNotFoundException", FunctionName=name)
        if not found:  # check_running reports a missing function
            return
        wanted = {key: function.properties[key] for key in _COMPARED if key in function.properties}
        different = [key for key, value in wanted.items() if not _includes(found.get(key), value)]
        if different:
            # Architectures are changed with the code, and not with the configuration.
            request = {"FunctionName": name, **{key: wanted[key] for key in different if key != "Architectures"}}
            yield _restore(examined, function, f"differs from the template: {', '.join(different)}", request)
        variables = function.properties.get("Environment", {}).get("Variables", {})
        actual = found.get("Environment", {}).get("Variables", {})
        changed = sorted(key for key in {*variables, *actual} if variables.get(key) != actual.get(key))
        if changed:
            request = {"FunctionName": name, "Environment": {"Variables": variables}}
            yield _restore(examined, function, f"has other environment variables: {', '.join(changed)}", request)
        if found.get("Layers"):
            request = {"FunctionName": name, "Layers": []}
            yield _restore(examined, function, "has a layer, which is not in the template", request)
        if name in versions:
            qualifier = versions[name].rpartition(":")[2]
            published = unless_missing(get, "ResourceNotFoundException", FunctionName=name, Qualifier=qualifier)
            code = function.properties["Code"]
            place = f"--s3-bucket {code.get('S3Bucket')} --s3-key {code.get('S3Key')}"
            fix = aws(examined.environment, f"lambda update-function-code --function-name {name} {place}")
            if not published:
                yield Problem(f"The version {qualifier} of the function {name} does not exist.", _PUBLISH_AGAIN)
            elif published["CodeSha256"] != found["CodeSha256"]:
                yield Problem(f"The code of the function {name} is not the code of version {qualifier}.", fix)

    functions = examined.refresh_functions
    return Found(f"{count(len(functions), 'function')} as published", each(look_at, functions.values()))


_PUBLISH_AGAIN = 'Change the description of the function: see "Make a connection again" in docs/runbook.md'


def _restore(examined: Examined, function: Declared, what: str, request: Mapping[str, Any]) -> Problem:
    file = f"{function.logical_id}-{'-'.join(key for key in request if key != 'FunctionName')}.json"
    return Problem(
        f"The function {function.physical_id} {what}.",
        aws(examined.environment, f"lambda update-function-configuration --cli-input-json file://{FILES}/{file}"),
        files={file: request},
    )


def check_retries(examined: Examined) -> Found:
    """Compare the retries and the failure destination of the functions with the template."""
    configs = examined.declared("AWS::Lambda::EventInvokeConfig")

    def look_at(config: Declared) -> Iterator[Problem]:
        wanted = dict(config.properties)
        name = wanted["FunctionName"]
        found = unless_missing(
            examined.clients.lambda_.get_function_event_invoke_config,
            "ResourceNotFoundException",
            FunctionName=name,
            Qualifier=wanted.get("Qualifier", "$LATEST"),
        )
        keys = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
        different = [key for key in keys if key in wanted and not _includes((found or {}).get(key), wanted[key])]
        if different:
            file = f"{config.logical_id}.json"
            yield Problem(
                f"The retries of the function {name} "
                + (f"differ from the template: {', '.join(different)}." if found else "are not configured."),
                aws(
                    examined.environment,
                    f"lambda put-function-event-invoke-config --cli-input-json file://{FILES}/{file}",
                ),
                files={file: wanted},
            )

    problems = each(look_at, configs)
    return Found(f"the retries of {count(len(configs), 'function')} as deployed", problems)


def reserved_concurrency(examined: Examined, function_name: str) -> int | None:
    """Return the reserved concurrency of a function. 0 means that a person stopped the function."""
    found = examined.clients.lambda_.get_function_concurrency(FunctionName=function_name)
    limit: int | None = found.get("ReservedConcurrentExecutions")
    return limit


def _includes(found: Any, wanted: Any) -> bool:
    """Return whether a value of AWS has everything that the template declares. AWS adds defaults."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_includes(found.get(key), value) for key, value in wanted.items())
    return str(found) == str(wanted)


CHECKS: dict[str, Examine] = {
    "schedules": check_schedules,
    "functions_run": check_running,
    "function_settings": check_configurations,
    "function_retries": check_retries,
}
