"""How Lambda functions run, and how failed runs are retried."""

import importlib.util
import json
import re
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.local.emulator.patches.support import (
    Resource,
    a_schedule,
    deploy,
    destroy,
    eventually,
    received,
    resource,
    trust,
)

FUNCTION = """
import logging
import os

import boto3

log = logging.getLogger()
log.setLevel("INFO")


def handle(event, context):
    log.info("run %s", event["run"])
    if event.get("fail"):
        raise RuntimeError("the event says so")
    return {"environment": dict(os.environ), "arn": boto3.client("sts").get_caller_identity()["Arn"]}
"""


def a_function(name: str, **properties: Any) -> dict[str, Resource]:
    role = {"RoleName": f"{name}-role", "AssumeRolePolicyDocument": trust(Service="lambda.amazonaws.com")}
    function = {
        "FunctionName": name,
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Runtime": "python3.13",
        "Handler": "index.handle",
        "Timeout": 20,
        "Code": {"ZipFile": FUNCTION},
        **properties,
    }
    return {
        "Role": resource("IAM::Role", role),
        "Function": resource("Lambda::Function", function),
    }


def lines_of(aws: EmbeddedAws, log_group: str) -> list[str]:
    events = aws.client("logs").filter_log_events(logGroupName=log_group)["events"]
    return [event["message"] for event in events]


under_awslambdaric = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None,
    reason="awslambdaric is not installed: MiniStack's own worker runs functions",
)


@under_awslambdaric
def test_a_function_sees_its_own_environment_variables_and_those_of_aws(aws: EmbeddedAws) -> None:
    own = {"Variables": {"GREETING": "hello", "AUTH": "mine"}}
    assert deploy(aws, "runs", **a_function("runs", Environment=own)).status == "CREATE_COMPLETE"
    answer = aws.client("lambda").invoke(FunctionName="runs", Payload=b'{"run": 1}')
    result = json.loads(answer["Payload"].read())

    assert result["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/runs-role/runs", (
        "boto3 in the function does not reach the emulator"
    )
    environment = result["environment"]
    assert (environment["GREETING"], environment["AUTH"]) == ("hello", "mine")
    assert environment["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    of_aws = re.compile(r"AWS_\w+|_HANDLER|_X_AMZN_TRACE_ID|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR|TZ|PWD|SHLVL|_")
    others = {name for name in environment if not of_aws.fullmatch(name)}
    assert others == {"PATH", "HOME", "LANG", "GREETING", "AUTH"}
    assert any(line.startswith("[INFO]") and line.endswith("run 1") for line in lines_of(aws, "/aws/lambda/runs"))


@under_awslambdaric
def test_a_function_logs_json_to_the_log_group_in_its_settings(aws: EmbeddedAws) -> None:
    group = resource("Logs::LogGroup", {"LogGroupName": "/refresh/login"})
    logging_config = {"LogGroup": {"Ref": "LogGroup"}, "LogFormat": "JSON"}
    deploy(aws, "logs", LogGroup=group, **a_function("logs", LoggingConfig=logging_config))
    aws.client("lambda").invoke(FunctionName="logs", Payload=b'{"run": 2}')

    lines = [json.loads(line) for line in lines_of(aws, "/refresh/login") if line.startswith("{")]
    (line,) = [line for line in lines if line["message"] == "run 2"]
    assert line["level"] == "INFO"
    assert line["requestId"]


def a_version(**attributes: Any) -> Resource:
    return resource("Lambda::Version", {"FunctionName": {"Ref": "Function"}}, **attributes)


def published(aws: EmbeddedAws, name: str) -> set[str]:
    versions = aws.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]
    return {version["Version"] for version in versions} - {"$LATEST"}


def test_publishing_an_unchanged_function_returns_its_newest_version(aws: EmbeddedAws) -> None:
    deploy(aws, "publishes", **a_function("publishes"))
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName="publishes", ReservedConcurrentExecutions=1)
    numbers = [client.publish_version(FunctionName="publishes")["Version"] for _ in range(2)]
    client.update_function_configuration(FunctionName="publishes", Timeout=21)
    numbers.append(client.publish_version(FunctionName="publishes")["Version"])
    assert numbers == ["1", "1", "2"]


@pytest.mark.parametrize("change", [{}, {"Tags": [{"Key": "team", "Value": "analytics"}]}])
def test_a_template_cannot_publish_a_second_version_of_an_unchanged_function(
    aws: EmbeddedAws, change: dict[str, Any]
) -> None:
    name = f"unchanged-{len(change)}"
    deploy(aws, name, **a_function(name), First=a_version())
    failed = deploy(aws, name, **a_function(name, **change), First=a_version(), Second=a_version())
    assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
    assert (
        "A version for this Lambda function exists ( 1 ). Modify the function to create a new version."
        in failed.failures
    )
    assert published(aws, name) == {"1"}


def test_a_version_keeps_the_role_of_the_function_when_it_was_published(aws: EmbeddedAws) -> None:
    resources = a_function("keeps-role")
    other = {"RoleName": "another-role", "AssumeRolePolicyDocument": trust(Service="lambda.amazonaws.com")}
    resources["Other"] = resource("IAM::Role", other)
    deploy(aws, "keeps-role", **resources, First=a_version())
    resources["Function"]["Properties"]["Role"] = {"Fn::GetAtt": ["Other", "Arn"]}
    updated = deploy(aws, "keeps-role", **resources, First=a_version(), Second=a_version())
    assert updated.status == "UPDATE_COMPLETE", updated.failures

    def role(qualifier: str) -> str:
        answer = aws.client("lambda").invoke(FunctionName="keeps-role", Qualifier=qualifier, Payload=b'{"run": 1}')
        return str(json.loads(answer["Payload"].read())["arn"]).split("/")[1]

    assert [role(qualifier) for qualifier in ("1", "2", "$LATEST")] == ["keeps-role-role", *["another-role"] * 2]


def test_a_scheduled_run_that_fails_is_retried_and_then_sent_to_the_failure_queue(aws_in_time: EmbeddedAws) -> None:
    aws = aws_in_time
    on_failure = {
        "FunctionName": {"Ref": "Function"},
        "Qualifier": "$LATEST",
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Queue", "Arn"]}}},
    }
    deployed = deploy(
        aws,
        "fails",
        Queue=resource("SQS::Queue", {}),
        OnFailure=resource("Lambda::EventInvokeConfig", on_failure),
        Schedule=a_schedule("rate(30 minutes)", "Function", {"run": 3, "fail": True}),
        **a_function("fails"),
    )
    assert deployed.status == "CREATE_COMPLETE", deployed.failures

    (failure,) = eventually(lambda: received(aws, deployed.refs["Queue"]))
    assert failure["requestContext"]["condition"] == "RetriesExhausted"
    assert failure["requestPayload"] == {"run": 3, "fail": True}
    assert failure["responsePayload"]["errorMessage"] == "the event says so"
    lines = lines_of(aws, "/aws/lambda/fails")
    assert len([line for line in lines if line.startswith("START")]) == 2
    destroy(aws, "fails")
    assert aws.client("scheduler").list_schedules()["Schedules"] == []
