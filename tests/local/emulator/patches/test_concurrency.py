"""Functions that run at the same time: the account's limit, and custom resources of a new stack."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config

from local.embedded_aws import EmbeddedAws, EmbeddedAwsError
from tests.local.emulator.patches.support import (
    Resource,
    allow,
    deploy,
    eventually,
    refused,
    resource,
    trust,
)

ONE_ATTEMPT = Config(retries={"total_max_attempts": 1})
# The function reports its arrival to a queue, and waits until the expected number of runs have arrived. It also answers
# to CloudFormation if it runs for a custom resource.
MEETS_OTHERS = """
import json, os, ssl, time, urllib.request

import boto3

sqs = boto3.client("sqs")


def handle(event, context):
    url, expected = os.environ["QUEUE"], int(os.environ["EXPECTED"])
    sqs.send_message(QueueUrl=url, MessageBody="arrived")
    met, deadline = 0, time.monotonic() + float(os.environ["PATIENCE"])
    while met < expected and time.monotonic() < deadline:
        time.sleep(0.05)
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        met = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
    if "ResponseURL" in event:
        answer = {name: event[name] for name in ("LogicalResourceId", "StackId", "RequestId")}
        answer |= {"PhysicalResourceId": "met", "Status": "SUCCESS" if met >= expected else "FAILED"}
        answer["Reason"] = f"only {met} of {expected} runs arrived"
        request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
        urllib.request.urlopen(request, context=ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"]))
    return met
"""


def resources(name: str, *, expected: int, patience_seconds: int = 15) -> dict[str, Resource]:
    role = {"RoleName": f"{name}-role", "AssumeRolePolicyDocument": trust(Service="lambda.amazonaws.com")}
    variables = {"QUEUE": {"Ref": "Queue"}, "EXPECTED": str(expected), "PATIENCE": str(patience_seconds)}
    function = {
        "FunctionName": name,
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Runtime": "python3.13",
        "Handler": "index.handle",
        "Timeout": 30,
        "Code": {"ZipFile": MEETS_OTHERS},
        "Environment": {"Variables": variables},
    }
    permission = {"Version": "2012-10-17", "Statement": [allow("sqs:*")]}
    policy = {"PolicyName": "queue", "Roles": [{"Ref": "Role"}], "PolicyDocument": permission}
    return {
        "Queue": resource("SQS::Queue", {}),
        "Role": resource("IAM::Role", role),
        "Policy": resource("IAM::Policy", policy),
        "Function": resource("Lambda::Function", function),
    }


def a_custom_resource(*depends_on: str) -> Resource:
    token = {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "ServiceTimeout": 30}
    return {"Type": "Custom::Meeting", "Properties": token, "DependsOn": ["Policy", *depends_on]}


def test_custom_resources_that_do_not_depend_on_each_other_are_created_at_the_same_time(aws: EmbeddedAws) -> None:
    # The emulator would otherwise create resources in the order of their names, and Topic after Custom1.
    topic = {"Topic": resource("SNS::Topic", {})}
    customs = {"Custom1": a_custom_resource(), "Custom2": a_custom_resource(), "Custom3": a_custom_resource("Topic")}
    deployed = deploy(aws, "meets", **topic, **resources("meets", expected=3), **customs)
    assert deployed.status == "CREATE_COMPLETE", deployed.failures


def test_custom_resources_wait_for_the_resources_that_they_depend_on(aws: EmbeddedAws) -> None:
    customs = {"Second": a_custom_resource("First"), "First": a_custom_resource()}
    failed = deploy(aws, "waits", **resources("waits", expected=2, patience_seconds=1), **customs)
    assert failed.status == "ROLLBACK_COMPLETE"
    assert failed.failures == "only 1 of 2 runs arrived"


def test_a_throttled_run_of_a_custom_resource_waits_until_others_end(aws: EmbeddedAws) -> None:
    customs = {name: a_custom_resource() for name in ("One", "Other", "Third")}
    with aws.concurrency_limit(2):
        deployed = deploy(aws, "queued", **resources("queued", expected=2), **customs)
    assert deployed.status == "CREATE_COMPLETE", deployed.failures


def test_a_synchronous_invocation_above_the_limit_is_refused(aws: EmbeddedAws) -> None:
    queue = deploy(aws, "limited", **resources("limited", expected=2)).refs["Queue"]
    client, sqs = aws.client("lambda", config=ONE_ATTEMPT), aws.client("sqs")

    def arrived() -> bool:
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"]) > 0

    def invoke() -> dict[str, Any]:
        return dict(client.invoke(FunctionName="limited", Payload=b"{}"))

    with aws.concurrency_limit(1), ThreadPoolExecutor() as threads:
        running = threads.submit(invoke)
        eventually(arrived)
        refusal = refused(client.invoke, FunctionName="limited", Payload=b"{}")
        sqs.send_message(QueueUrl=queue, MessageBody="arrived")
        assert json.loads(running.result()["Payload"].read()) == 2
    assert refusal.startswith("TooManyRequestsException: Rate Exceeded")
    assert json.loads(invoke()["Payload"].read()) == 3


@pytest.mark.parametrize(
    ("configs", "seconds"), [({}, 900), ({"$LATEST": {"MaximumEventAgeInSeconds": 60}}, 60)], ids=["default", "set"]
)
@pytest.mark.parametrize("event", [{"ResponseURL": "https://localhost"}, {}], ids=["custom resource", "schedule"])
def test_a_run_that_stays_throttled_ends_at_the_maximum_age_of_its_event(
    configs: dict[str, Any], seconds: int, event: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))  # MiniStack reads it when it is imported.
    from local.emulator.patches import lambda_concurrency

    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: 1000 + sum(slept), sleep=slept.append)
    monkeypatch.setattr(lambda_concurrency, "time", clock)
    monkeypatch.setattr(lambda_concurrency, "_execute_function", lambda *_: {"throttle": True})
    function: dict[str, Any] = {"event_invoke_configs": configs}

    record = function if event else lambda_concurrency.queued(function)
    assert lambda_concurrency.execute_function(record, event) == {"throttle": True}
    assert sum(slept) == pytest.approx(seconds, abs=1)


@pytest.mark.parametrize("limit", ["", "0", "-1", "ten"])
def test_a_wrong_limit_is_refused_with_an_error_of_one_line(aws: EmbeddedAws, limit: str) -> None:
    with pytest.raises(EmbeddedAwsError, match=f"^limit={limit}: write a number of functions, such as limit=10$"):
        aws._control("POST", f"/_local/concurrency?limit={limit}")
