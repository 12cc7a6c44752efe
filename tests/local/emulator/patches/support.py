"""Requests and resources that several tests of the patches use."""

import base64
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3
from botocore import xform_name
from botocore.exceptions import ClientError

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
LATEST_EXCLUDED = [{"filterType": "WILDCARD", "filter": "latest"}]
LATEST_EXCLUDED_IN_A_TEMPLATE = [
    {"ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": "latest"}
]

Credentials = dict[str, str]
Statement = dict[str, Any]
Resource = dict[str, Any]


def eventually(look: Callable[[], Any], seconds: float = 10) -> Any:
    """Call `look` until the result is true, and return the result."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"the condition was not met within {seconds} s"
        time.sleep(0.02)
    return found


def refused(call: Callable[..., Any], **request: Any) -> str:
    """Make a call that AWS must refuse, and return the code and message of the error."""
    with pytest.raises(ClientError) as refusal:
        call(**request)
    error = refusal.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def request_operation(client: Any, operation: str, **request: Any) -> Any:
    """Request an operation of Secrets Manager, also one that the pinned version of botocore does not know.

    The parameters of an unknown operation must be parameters of DescribeSecret.
    """
    if operation in client.meta.method_to_api_mapping.values():
        return getattr(client, xform_name(operation))(**request)

    def rename(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["X-Amz-Target"] = f"secretsmanager.{operation}"

    client.meta.events.register("before-call.secrets-manager.DescribeSecret", rename)
    try:
        return client.describe_secret(**request)
    finally:
        client.meta.events.unregister("before-call.secrets-manager.DescribeSecret", rename)


# Stacks


def resource(kind: str, properties: dict[str, Any], **attributes: Any) -> Resource:
    return {"Type": f"AWS::{kind}", "Properties": properties, **attributes}


def a_schedule(expression: str, target: str, event: dict[str, Any]) -> Resource:
    properties = {
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        "Target": {
            "Arn": {"Fn::GetAtt": [target, "Arn"]},
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/scheduler",
            "Input": json.dumps(event),
        },
    }
    return resource("Scheduler::Schedule", properties)


@dataclass(frozen=True)
class Deployed:
    status: str
    refs: dict[str, str]
    failures: str


def deploy(aws: EmbeddedAws, stack: str, **resources: Resource) -> Deployed:
    return _deploy(aws, stack, resources)


def deploy_with_role(aws: EmbeddedAws, stack: str, role_arn: str, resources: dict[str, Resource]) -> Deployed:
    """Deploy with a role that CloudFormation assumes."""
    return _deploy(aws, stack, resources, RoleARN=role_arn)


def deploy_adopting(aws: EmbeddedAws, stack: str, **resources: Resource) -> Deployed:
    """Deploy with the CDK CLI's --import-existing-resources."""
    return _deploy(aws, stack, resources, ImportExistingResources=True)


def _deploy(aws: EmbeddedAws, stack: str, resources: dict[str, Resource], **options: Any) -> Deployed:
    """Deploy with a change set, as the CDK CLI does."""
    cloudformation = aws.client("cloudformation")
    existing = [found["StackName"] for found in cloudformation.describe_stacks()["Stacks"]]
    outputs = {logical_id: {"Value": {"Ref": logical_id}} for logical_id in resources}
    change_set = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{time.time_ns()}",
        ChangeSetType="UPDATE" if stack in existing else "CREATE",
        TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs}),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        **options,
    )["Id"]
    described = cloudformation.describe_change_set(ChangeSetName=change_set)
    if described["Status"] == "FAILED":
        return Deployed("NO_CHANGE_SET", {}, described["StatusReason"])
    cloudformation.execute_change_set(ChangeSetName=change_set)
    final = _final_state(cloudformation, stack)
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failures = [e.get("ResourceStatusReason", "") for e in events if e["ResourceStatus"].endswith("_FAILED")]
    refs = {output["OutputKey"]: output["OutputValue"] for output in final.get("Outputs", [])}
    return Deployed(final["StackStatus"], refs, "\n".join(failures))


def destroy(aws: EmbeddedAws, stack: str, ends: str = "DELETE_COMPLETE", retain: Sequence[str] = ()) -> None:
    cloudformation = aws.client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack, RetainResources=retain)
    assert _final_state(cloudformation, stack_id)["StackStatus"] == ends


def _final_state(cloudformation: Any, stack: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else found

    ending: dict[str, Any] = eventually(ended, 30)
    return ending


# Permissions


def trust(**principal: str) -> dict[str, Any]:
    return {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}}


def allow(*actions: str, on: str = "*", **elements: Any) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **elements}


def grant(aws: EmbeddedAws, role: str, *statements: Statement) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    aws.client("iam").put_role_policy(RoleName=role, PolicyName="permissions", PolicyDocument=document)


def session_of_a_role(aws: EmbeddedAws, role: str, *statements: Statement, **settings: str) -> Credentials:
    trust_the_account = json.dumps(trust(AWS=f"arn:aws:iam::{ACCOUNT}:root"))
    created = aws.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=trust_the_account, **settings)
    grant(aws, role, *statements)
    assumed = aws.client("sts").assume_role(RoleArn=created["Role"]["Arn"], RoleSessionName="session")
    credentials: Credentials = assumed["Credentials"]
    return credentials


# Queues and repositories


def received(aws: EmbeddedAws, queue_url: str) -> list[Any]:
    """Receive and delete all messages of a queue, and return their bodies."""
    sqs = aws.client("sqs")
    messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def arn_of(repository: str) -> str:
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}"


class Docker:
    """A client of the Registry API that logs in with the token of one principal."""

    def __init__(self, aws: EmbeddedAws, credentials: Credentials | None = None, region: str = REGION) -> None:
        self.endpoint_url = aws.endpoint_url
        self.pool = urllib3.PoolManager(ca_certs=str(aws.ca_bundle), retries=False)
        self.token = aws.client("ecr", credentials, region).get_authorization_token()["authorizationData"][0]
        self.password = base64.b64decode(self.token["authorizationToken"]).decode().removeprefix("AWS:")
        self.host = REGISTRY.replace(REGION, region)
        self.authorization: str | None = f"Basic {self.token['authorizationToken']}"

    def send(self, method: str, path: str, body: bytes = b"") -> urllib3.BaseHTTPResponse:
        login = {"Authorization": self.authorization} if self.authorization else {}
        return self.pool.request(
            method, f"{self.endpoint_url}/v2/{path}", body=body, headers={"Host": self.host, **login}
        )

    def status(self, method: str, path: str, body: bytes = b"") -> int:
        return self.send(method, path, body).status

    def error(self, method: str, path: str, body: bytes = b"") -> tuple[int, str, str]:
        response = self.send(method, path, body)
        error = json.loads(response.data)["errors"][0]
        return response.status, error["code"], error["message"]

    def push(self, repository: str, tag: str, content: str) -> int:
        return self.status("PUT", f"{repository}/manifests/{tag}", content.encode())
