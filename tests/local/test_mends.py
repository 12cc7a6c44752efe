"""Each mend of the embedded AWS twice: MiniStack by itself still needs it, and with it AWS's behaviour is there.

The first kind runs on MiniStack's modules in this process, where no mend is ever applied; the second over https.
"""

import asyncio
import base64
import hashlib
import importlib
import importlib.util
import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
LATEST_EXCLUDED = [{"filterType": "WILDCARD", "filter": "latest"}]
LATEST_EXCLUDED_IN_A_TEMPLATE = [
    {"ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": "latest"}
]
TRUST_THE_ACCOUNT = {
    "Statement": {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    }
}
RETAINED = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}

Credentials = dict[str, str]
Statement = dict[str, Any]


# What the tests do at AWS


def eventually(look: Callable[[], Any], seconds: float = 10) -> Any:
    """What `look` returns, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
    return found


def resource(kind: str, properties: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties, **attributes}


@dataclass(frozen=True)
class Deployed:
    status: str
    refs: dict[str, str]
    failures: str


def deploy(aws: EmbeddedAws, stack: str, **resources: dict[str, Any]) -> Deployed:
    return _deploy(aws, stack, resources, adopt=False)


def deploy_adopting(aws: EmbeddedAws, stack: str, **resources: dict[str, Any]) -> Deployed:
    """Deploy with the CDK CLI's --import-existing-resources."""
    return _deploy(aws, stack, resources, adopt=True)


def _deploy(aws: EmbeddedAws, stack: str, resources: dict[str, dict[str, Any]], *, adopt: bool) -> Deployed:
    """By a change set, as the CDK CLI does."""
    cloudformation = aws.client("cloudformation")
    outputs = {logical_id: {"Value": {"Ref": logical_id}} for logical_id in resources}
    change_set = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{time.time_ns()}",
        ChangeSetType="UPDATE" if stack in _living_stacks(cloudformation) else "CREATE",
        TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs}),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        ImportExistingResources=adopt,
    )["Id"]
    described = cloudformation.describe_change_set(ChangeSetName=change_set)
    if described["Status"] == "FAILED":
        return Deployed("NO_CHANGE_SET", {}, described["StatusReason"])
    cloudformation.execute_change_set(ChangeSetName=change_set)
    final = _end_of(cloudformation, stack)
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failures = [e.get("ResourceStatusReason", "") for e in events if e["ResourceStatus"].endswith("_FAILED")]
    refs = {output["OutputKey"]: output["OutputValue"] for output in final.get("Outputs", [])}
    return Deployed(final["StackStatus"], refs, "\n".join(failures))


def destroy(aws: EmbeddedAws, stack: str) -> None:
    cloudformation = aws.client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack)
    assert _end_of(cloudformation, stack_id)["StackStatus"] == "DELETE_COMPLETE"


def _living_stacks(cloudformation: Any) -> set[str]:
    return {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]}


def _end_of(cloudformation: Any, stack: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else found

    ending: dict[str, Any] = eventually(ended, 30)
    return ending


def allow(*actions: str, on: str = "*", **elements: Any) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **elements}


def grant(aws: EmbeddedAws, role: str, *statements: Statement) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    aws.client("iam").put_role_policy(RoleName=role, PolicyName="rights", PolicyDocument=document)


def session_of_a_role(aws: EmbeddedAws, role: str, *statements: Statement, **settings: str) -> Credentials:
    created = aws.client("iam").create_role(
        RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST_THE_ACCOUNT), **settings
    )
    grant(aws, role, *statements)
    assumed = aws.client("sts").assume_role(RoleArn=created["Role"]["Arn"], RoleSessionName="session")
    credentials: Credentials = assumed["Credentials"]
    return credentials


def refused(call: Callable[..., Any], **request: Any) -> str:
    """The code and message of the error with which AWS refuses a call."""
    with pytest.raises(ClientError) as refusal:
        call(**request)
    error = refusal.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


class Docker:
    """What a client of the Registry API sends, logged in by one principal's token."""

    def __init__(self, aws: EmbeddedAws, credentials: Credentials | None = None) -> None:
        self.endpoint_url = aws.endpoint_url
        self.pool = urllib3.PoolManager(ca_certs=str(aws.ca_bundle), retries=False)
        self.token = aws.client("ecr", credentials).get_authorization_token()["authorizationData"][0]
        self.password = base64.b64decode(self.token["authorizationToken"]).decode().removeprefix("AWS:")
        self.authorization: str | None = f"Basic {self.token['authorizationToken']}"

    def send(self, method: str, path: str, body: bytes = b"") -> urllib3.BaseHTTPResponse:
        login = {"Authorization": self.authorization} if self.authorization else {}
        return self.pool.request(
            method, f"{self.endpoint_url}/v2/{path}", body=body, headers={"Host": REGISTRY, **login}
        )

    def status(self, method: str, path: str, body: bytes = b"") -> int:
        return self.send(method, path, body).status

    def error(self, method: str, path: str, body: bytes = b"") -> tuple[int, str, str]:
        response = self.send(method, path, body)
        error = json.loads(response.data)["errors"][0]
        return response.status, error["code"], error["message"]

    def push(self, repository: str, tag: str, content: str) -> int:
        return self.status("PUT", f"{repository}/manifests/{tag}", content.encode())


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def arn_of(repository: str) -> str:
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}"


@pytest.fixture(scope="module")
def aws_in_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """Another one, whose clock the tests move on."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws")) as running:
        yield running


# MiniStack by itself


def mended(mend: str) -> str:
    return f"MiniStack mended this: remove local/mends/{mend}.py"


@pytest.fixture
def stock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MiniStack's modules in this process; what a test leaves in them is forgotten."""
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    from ministack.services import ecr, scheduler, secretsmanager

    yield
    for service in (ecr, scheduler, secretsmanager):
        service.reset()


@pytest.mark.parametrize(
    ("mend", "module", "names"),
    [
        ("secrets_manager", "services.secretsmanager", ["_create_secret"]),
        (
            "cloudformation",
            "services.cloudformation.provisioners",
            [
                *("_sm_secret_create", "_sm_secret_update", "_sm_secret_delete"),
                *("_ecr_repo_create", "_ecr_repo_update", "_ecr_repo_delete"),
                "_RESOURCE_HANDLERS",
            ],
        ),
        ("cloudformation", "services.cloudformation.changesets", ["_IMPORT_LOOKUPS"]),
        ("iam", "core.iam_evaluator", ["_resolve_condition_key"]),
        (
            "registry",
            "services.ecr",
            [
                *("_get_authorization_token", "handle_registry_request", "_v2_put_manifest", "_put_image"),
                *("_create_repository", "_put_image_tag_mutability", "_repo_shape"),
            ],
        ),
        ("registry", "core.iam_evaluator", ["_verified_key", "_resource_policy", "combine_resource_policy"]),
        (
            "lambda_runtime",
            "services.lambda_svc",
            ["_provided_runtime_code_dir", "_provided_worker_env", "_execute_function_warm"],
        ),
        ("lambda_runtime", "core.lambda_runtime", ["_worker_class_for"]),
        ("lambda_runtime", "services.eventbridge", ["_dispatch_to_lambda"]),
        ("clock", "services.scheduler", ["_tick_schedules", "_SCHEDULE_TICK_INTERVAL", "time"]),
        ("clock", "app", ["app"]),
    ],
)
def test_upstream_still_has_what_a_mend_replaces(stock: None, mend: str, module: str, names: list[str]) -> None:
    found = vars(importlib.import_module(f"ministack.{module}"))
    assert set(names) <= set(found), f"MiniStack changed: look at local/mends/{mend}.py again"


def test_upstream_still_returns_the_name_as_ref_of_a_secret(stock: None) -> None:
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    ref, _ = _RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]["create"]("Secret", {"Name": "token"}, "stack")
    assert ref == "token", mended("cloudformation")


def test_upstream_still_gives_a_secret_of_a_template_an_empty_value(stock: None) -> None:
    from ministack.services import secretsmanager
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    _RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]["create"]("Secret", {"Name": "token"}, "stack")
    status, _, body = secretsmanager._get_secret_value({"SecretId": "token"})
    assert (status, json.loads(body)["SecretString"]) == (200, ""), mended("cloudformation")


def test_upstream_still_gives_a_secret_without_a_value_a_version(stock: None) -> None:
    from ministack.services import secretsmanager

    secretsmanager._create_secret({"Name": "token"})
    status, _, _ = secretsmanager._get_secret_value({"SecretId": "token"})
    assert status == 200, mended("secrets_manager")


def test_upstream_still_does_not_know_a_secrets_policy(stock: None) -> None:
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    assert "AWS::SecretsManager::ResourcePolicy" not in _RESOURCE_HANDLERS, mended("cloudformation")


@pytest.mark.parametrize(
    ("kind", "properties"),
    [("SecretsManager::Secret", {"Name": "taken"}), ("ECR::Repository", {"RepositoryName": "taken"})],
)
def test_upstream_still_creates_what_exists(stock: None, kind: str, properties: dict[str, str]) -> None:
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    create = _RESOURCE_HANDLERS[f"AWS::{kind}"]["create"]
    create("First", properties, "one-stack")
    try:
        create("Second", properties, "another-stack")
    except ValueError:
        pytest.fail(mended("cloudformation"))


def test_upstream_still_cannot_import_a_repository(stock: None) -> None:
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    assert "import" not in _RESOURCE_HANDLERS["AWS::ECR::Repository"], mended("cloudformation")


def test_upstream_still_drops_the_exclusion_filters_of_a_template(stock: None) -> None:
    from ministack.services import ecr
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    properties = {
        "RepositoryName": "images",
        "ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "ImageTagMutabilityExclusionFilters": LATEST_EXCLUDED_IN_A_TEMPLATE,
    }
    _RESOURCE_HANDLERS["AWS::ECR::Repository"]["create"]("Images", properties, "stack")
    assert "imageTagMutabilityExclusionFilters" not in ecr._repositories["images"], mended("cloudformation")


def test_upstream_still_drops_the_exclusion_filters_of_a_request(stock: None) -> None:
    from ministack.services import ecr

    _, _, body = ecr._create_repository(
        {"repositoryName": "images", "imageTagMutabilityExclusionFilters": LATEST_EXCLUDED}
    )
    assert "imageTagMutabilityExclusionFilters" not in json.loads(body)["repository"], mended("registry")


def test_upstream_still_moves_a_tag_that_is_immutable_with_exclusions(stock: None) -> None:
    from ministack.services import ecr

    ecr._create_repository({"repositoryName": "images", "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"})
    pushed = [ecr._v2_put_manifest("images", "v1", {}, content)[0] for content in (b"first", b"second")]
    assert pushed == [201, 201], mended("registry")


def test_upstream_still_returns_a_constant_password(stock: None) -> None:
    from ministack.services import ecr

    tokens = [json.loads(ecr._get_authorization_token({})[2])["authorizationData"][0] for _ in range(2)]
    assert tokens[0]["authorizationToken"] == tokens[1]["authorizationToken"], mended("registry")


def test_upstream_still_lets_anyone_push(stock: None) -> None:
    from ministack.services import ecr

    ecr._create_repository({"repositoryName": "images"})
    push = ecr.handle_registry_request("PUT", "/v2/images/manifests/v1", {}, b"manifest", {})
    assert asyncio.run(push)[0] == 201, mended("registry")


def test_upstream_still_takes_the_session_for_the_principal(stock: None) -> None:
    from ministack.core.iam_evaluator import EvalContext, _resolve_condition_key

    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/session"
    context = EvalContext(session, "AssumedRole", ACCOUNT, "ecr:PutImage", "*", REGION)
    assert _resolve_condition_key("aws:PrincipalArn", context) == session, mended("iam")


FUNCTION = """
import logging
import os

import boto3

log = logging.getLogger()
log.setLevel("INFO")


def handle(event, context):
    log.info("run %s", event["run"])
    if event.get("fail"):
        raise RuntimeError("as told")
    return {"environment": dict(os.environ), "arn": boto3.client("sts").get_caller_identity()["Arn"]}
"""


def test_upstream_still_loses_the_info_lines_of_a_function(stock: None) -> None:
    from ministack.core import lambda_runtime

    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("index.py", "import logging\ndef handle(event, _):\n  logging.getLogger().info('a line')\n")
    config = {
        "FunctionName": "logs",
        "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:logs",
        "Runtime": "python3.13",
        "Handler": "index.handle",
    }
    worker = lambda_runtime._worker_class_for(config)("logs", config, zipped.getvalue())
    try:
        assert "a line" not in worker.invoke({}, "request")["log"], mended("lambda_runtime")
    finally:
        worker.kill()


def test_upstream_still_hands_its_environment_to_a_function(stock: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import lambda_svc

    monkeypatch.setenv("OF_THE_SERVER", "secret")
    config = {"FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", "Runtime": "python3.13"}
    assert "OF_THE_SERVER" in lambda_svc._provided_worker_env(config, "/var/task", 1), mended("lambda_runtime")


def test_upstream_still_runs_a_scheduled_function_without_retries(stock: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import eventbridge, lambda_svc

    started: list[str] = []
    function: dict[str, Any] = {"config": {"FunctionName": "f"}}
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda _: (function, function["config"], "f"))
    monkeypatch.setattr(lambda_svc, "_execute_function_with_config_scope", lambda *_: started.append("once"))
    monkeypatch.setattr(lambda_svc, "invoke_async_with_retry", lambda *_: started.append("with retries"))
    eventbridge._dispatch_to_lambda(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", "{}")
    eventually(lambda: started)
    assert started == ["once"], mended("lambda_runtime")


def test_upstream_still_goes_by_the_wall_clock(stock: None) -> None:
    from ministack.services import scheduler

    assert (scheduler.time, scheduler._SCHEDULE_TICK_INTERVAL) == (time, 10), mended("clock")


def test_upstream_still_remembers_the_runs_of_a_deleted_schedule(stock: None) -> None:
    from ministack.services import scheduler

    target = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:none", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"}
    scheduler._create_schedule(
        "nightly",
        {"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target},
    )
    scheduler._tick_schedules()
    scheduler._delete_schedule("nightly", {})
    scheduler._tick_schedules()
    assert [key for _, _, key in scheduler._schedule_last_fired] == ["default/nightly"], mended("clock")
    scheduler._schedule_last_fired.clear()


# Mended: secrets


def test_ref_of_a_secret_is_its_arn(aws: EmbeddedAws) -> None:
    deployed = deploy(aws, "ref", Secret=resource("SecretsManager::Secret", {"Name": "ref/token"}))
    arn = deployed.refs["Secret"]
    assert re.fullmatch(rf"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ref/token-\w{{6}}", arn)
    assert aws.client("secretsmanager").describe_secret(SecretId="ref/token")["ARN"] == arn

    destroy(aws, "ref")
    assert "ResourceNotFound" in refused(aws.client("secretsmanager").describe_secret, SecretId=arn)


def test_a_secret_without_a_value_has_none(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    deploy(aws, "empty", Secret=resource("SecretsManager::Secret", {"Name": "empty/of-a-template"}))
    assert "VersionId" not in secrets.create_secret(Name="empty/of-a-call")
    for name in ("empty/of-a-template", "empty/of-a-call"):
        assert refused(secrets.get_secret_value, SecretId=name).startswith(
            "ResourceNotFoundException: Secrets Manager can't find the specified secret value "
            "for staging label: AWSCURRENT"
        )
        secrets.put_secret_value(SecretId=name, SecretString="first")
        assert secrets.get_secret_value(SecretId=name)["SecretString"] == "first"


def test_a_secret_with_a_value_has_it(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    deploy(aws, "full", Secret=resource("SecretsManager::Secret", {"Name": "full/a", "SecretString": "told"}))
    secrets.create_secret(Name="full/b", SecretString="told")
    for name in ("full/a", "full/b"):
        assert secrets.get_secret_value(SecretId=name)["SecretString"] == "told"


def test_an_update_keeps_a_secrets_arn_and_value(aws: EmbeddedAws) -> None:
    def update(description: str) -> Deployed:
        properties = {"Name": "kept/token", "Description": description}
        return deploy(aws, "kept", Secret=resource("SecretsManager::Secret", properties))

    arn = update("before").refs["Secret"]
    aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="minted")
    assert update("after").refs["Secret"] == arn
    assert aws.client("secretsmanager").describe_secret(SecretId=arn)["Description"] == "after"
    assert aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"] == "minted"


def test_a_renamed_secret_is_replaced_and_keeps_its_policy(aws: EmbeddedAws) -> None:
    def rename(name: str) -> Deployed:
        secret = resource("SecretsManager::Secret", {"Name": name})
        policy = {"SecretId": {"Ref": "Secret"}, "ResourcePolicy": {"Statement": []}}
        return deploy(aws, "renamed", Secret=secret, Policy=resource("SecretsManager::ResourcePolicy", policy))

    old = rename("renamed/old").refs["Secret"]
    renamed = rename("renamed/new")
    assert renamed.status == "UPDATE_COMPLETE"
    assert renamed.refs["Policy"] == renamed.refs["Secret"] != old
    secrets = aws.client("secretsmanager")
    assert "ResourceNotFound" in refused(secrets.describe_secret, SecretId=old)
    assert "ResourceNotFound" in refused(secrets.get_secret_value, SecretId="renamed/new")
    assert json.loads(secrets.get_resource_policy(SecretId="renamed/new")["ResourcePolicy"]) == {"Statement": []}


def policy_that_denies(action: str) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"}]}


def secret_with_a_policy(name: str, policy: Any, **more: dict[str, Any]) -> dict[str, dict[str, Any]]:
    attached = {"SecretId": {"Ref": "Secret"}, "ResourcePolicy": policy}
    return {
        "Secret": resource("SecretsManager::Secret", {"Name": name}),
        "Policy": resource("SecretsManager::ResourcePolicy", attached),
        **more,
    }


def test_a_secrets_policy_is_created_updated_and_deleted(aws: EmbeddedAws) -> None:
    def policy() -> Any:
        answer = aws.client("secretsmanager").get_resource_policy(SecretId="policed/token")
        return json.loads(answer["ResourcePolicy"]) if "ResourcePolicy" in answer else None

    first, second = policy_that_denies("secretsmanager:GetSecretValue"), policy_that_denies("secretsmanager:*")
    deployed = deploy(aws, "policed", **secret_with_a_policy("policed/token", first))
    assert deployed.refs["Policy"] == deployed.refs["Secret"]
    assert policy() == first

    assert (
        deploy(aws, "policed", **secret_with_a_policy("policed/token", json.dumps(second))).status == "UPDATE_COMPLETE"
    )
    assert policy() == second

    deploy(aws, "policed", Secret=resource("SecretsManager::Secret", {"Name": "policed/token"}))
    assert policy() is None
    destroy(aws, "policed")


def test_a_failed_update_leaves_the_policy_as_it_was(aws: EmbeddedAws) -> None:
    before, after = policy_that_denies("secretsmanager:GetSecretValue"), policy_that_denies("secretsmanager:*")
    aws.client("ecr").create_repository(repositoryName="in-the-way")
    deploy(aws, "rolled-back", **secret_with_a_policy("rolled-back/token", before))
    fails = resource("ECR::Repository", {"RepositoryName": "in-the-way"}, DependsOn="Policy")

    failed = deploy(aws, "rolled-back", **secret_with_a_policy("rolled-back/token", after, Fails=fails))
    assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
    answer = aws.client("secretsmanager").get_resource_policy(SecretId="rolled-back/token")
    assert json.loads(answer["ResourcePolicy"]) == before


# Mended: names that are taken, and repositories


def test_a_secrets_name_can_be_taken_once(aws: EmbeddedAws) -> None:
    secret = resource("SecretsManager::Secret", {"Name": "taken/token"})
    arn = deploy(aws, "owner-of-a-secret", Secret=secret).refs["Secret"]

    failed = deploy(aws, "second-owner-of-a-secret", Secret=secret)
    assert failed.status == "ROLLBACK_COMPLETE"
    assert "The operation failed because the secret taken/token already exists." in failed.failures
    assert aws.client("secretsmanager").describe_secret(SecretId="taken/token")["ARN"] == arn


@pytest.mark.parametrize(("how", "status"), [(deploy, "ROLLBACK_COMPLETE"), (deploy_adopting, "NO_CHANGE_SET")])
def test_a_repositorys_name_can_be_taken_once(aws: EmbeddedAws, how: Any, status: str) -> None:
    name = how.__name__.replace("_", "-")
    repository = resource("ECR::Repository", {"RepositoryName": name}, **RETAINED)
    deploy(aws, f"first-{name}", Repository=repository)
    Docker(aws).push(name, "v1", "image")

    failed = how(aws, f"second-{name}", Repository=repository)
    assert failed.status == status
    assert "already exists" in failed.failures
    assert len(aws.client("ecr").list_images(repositoryName=name)["imageIds"]) == 1


def test_a_retained_repository_is_in_the_way_until_it_is_adopted(aws: EmbeddedAws) -> None:
    def repository(team: str) -> dict[str, Any]:
        properties = {"RepositoryName": "adopted", "Tags": [{"Key": "team", "Value": team}]}
        return resource("ECR::Repository", properties, **RETAINED)

    deploy(aws, "adopted", Repository=repository("analytics"))
    Docker(aws).push("adopted", "v1", "image")
    destroy(aws, "adopted")

    refusal = deploy(aws, "adopted", Repository=repository("analytics"))
    assert refusal.status == "ROLLBACK_COMPLETE"
    assert "'adopted' already exists" in refusal.failures
    destroy(aws, "adopted")

    assert deploy_adopting(aws, "adopted", Repository=repository("analytics")).status == "CREATE_COMPLETE"
    assert len(aws.client("ecr").list_images(repositoryName="adopted")["imageIds"]) == 1
    assert deploy_adopting(aws, "adopted", Repository=repository("analytics")).status == "NO_CHANGE_SET"
    assert deploy_adopting(aws, "adopted", Repository=repository("risk")).status == "UPDATE_COMPLETE"
    tags = aws.client("ecr").list_tags_for_resource(resourceArn=arn_of("adopted"))["tags"]
    assert {"Key": "team", "Value": "risk"} in tags


def test_an_existing_repository_can_join_a_stack_that_exists(aws: EmbeddedAws) -> None:
    aws.client("ecr").create_repository(repositoryName="joins")
    secret = resource("SecretsManager::Secret", {"Name": "joined/token"})
    deploy(aws, "joined", Secret=secret)
    repository = resource("ECR::Repository", {"RepositoryName": "joins"}, **RETAINED)
    joined = deploy_adopting(aws, "joined", Secret=secret, Repository=repository)
    assert (joined.status, joined.refs["Repository"]) == ("UPDATE_COMPLETE", "joins")


def test_a_repository_is_updated_in_place(aws: EmbeddedAws) -> None:
    def update(**properties: Any) -> dict[str, Any]:
        deploy(aws, "updated", Repository=resource("ECR::Repository", {"RepositoryName": "updated", **properties}))
        found: dict[str, Any] = aws.client("ecr").describe_repositories(repositoryNames=["updated"])["repositories"][0]
        return found

    excluding = {
        "ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "ImageTagMutabilityExclusionFilters": LATEST_EXCLUDED_IN_A_TEMPLATE,
    }
    created = update(**excluding, Tags=[{"Key": "team", "Value": "analytics"}])
    assert created["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert created["imageTagMutabilityExclusionFilters"] == LATEST_EXCLUDED
    Docker(aws).push("updated", "v1", "image")
    changed = update(
        ImageTagMutability="IMMUTABLE",
        LifecyclePolicy={"LifecyclePolicyText": '{"rules":[]}'},
        Tags=[{"Key": "team", "Value": "risk"}],
    )
    assert changed["createdAt"] == created["createdAt"]
    assert changed["imageTagMutability"] == "IMMUTABLE"
    assert "imageTagMutabilityExclusionFilters" not in changed
    ecr = aws.client("ecr")
    assert len(ecr.list_images(repositoryName="updated")["imageIds"]) == 1
    assert ecr.get_lifecycle_policy(repositoryName="updated")["lifecyclePolicyText"] == '{"rules":[]}'
    assert {"Key": "team", "Value": "risk"} in ecr.list_tags_for_resource(resourceArn=arn_of("updated"))["tags"]

    assert update(**excluding)["imageTagMutabilityExclusionFilters"] == LATEST_EXCLUDED


# Mended: the principal of a session


def test_principal_arn_of_a_session_is_the_roles_with_its_path(aws: EmbeddedAws) -> None:
    only_the_worker = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/airflow/worker"}},
    }
    aws.client("secretsmanager").create_secret(Name="guarded", SecretString="login")
    aws.client("secretsmanager").put_resource_policy(
        SecretId="guarded", ResourcePolicy=json.dumps({"Statement": only_the_worker})
    )
    worker = session_of_a_role(aws, "worker", allow("secretsmanager:GetSecretValue"), Path="/airflow/")
    stranger = session_of_a_role(aws, "stranger", allow("secretsmanager:GetSecretValue"))
    read = {"SecretId": "guarded"}
    assert aws.client("secretsmanager", worker).get_secret_value(**read)["SecretString"] == "login"
    assert "AccessDenied" in refused(aws.client("secretsmanager", stranger).get_secret_value, **read)


# Mended: the registry


def test_each_token_is_new_and_looks_like_awss(aws: EmbeddedAws) -> None:
    one, other = Docker(aws), Docker(aws)
    assert one.password != other.password
    assert re.fullmatch(r"[A-Za-z0-9+/]{2000,}={1,2}", one.password)
    assert {"+", "/", "="} <= set(one.password)
    assert one.token["proxyEndpoint"] == f"https://{REGISTRY}"
    assert abs(one.token["expiresAt"] - datetime.now(UTC) - timedelta(hours=12)) < timedelta(minutes=1)
    assert one.status("GET", "") == other.status("GET", "") == 200


@pytest.mark.parametrize("authorization", [None, "Basic !", "Basic QVdTOnVua25vd24=", "Bearer x"])
def test_the_registry_asks_who_does_not_log_in(aws: EmbeddedAws, authorization: str | None) -> None:
    docker = Docker(aws)
    docker.authorization = authorization
    for path in ("", "any/manifests/v1"):
        response = docker.send("GET", path)
        assert response.status == 401
        challenge = f'Basic realm="https://{REGISTRY}/",service="ecr.amazonaws.com"'
        assert response.headers["WWW-Authenticate"] == challenge


def test_a_token_is_of_the_user_aws(aws: EmbeddedAws) -> None:
    docker = Docker(aws)
    docker.authorization = "Basic " + base64.b64encode(f"analyst:{docker.password}".encode()).decode()
    assert docker.status("GET", "") == 401


def test_a_token_of_another_region_is_unknown(aws: EmbeddedAws) -> None:
    docker = Docker(aws)
    response = docker.pool.request(
        "GET",
        f"{aws.endpoint_url}/v2/",
        headers={"Host": REGISTRY.replace(REGION, "eu-west-1"), "Authorization": docker.authorization or ""},
    )
    assert response.status == 401


def test_a_token_dies_after_twelve_hours(aws_in_time: EmbeddedAws) -> None:
    docker = Docker(aws_in_time)
    aws_in_time.advance_clock(12 * 60 - 1)
    assert docker.status("GET", "") == 200
    aws_in_time.advance_clock(1)
    assert docker.error("GET", "") == (
        *(403, "DENIED"),
        "Your authorization token has expired. Reauthenticate and try again.",
    )
    assert Docker(aws_in_time).status("GET", "") == 200


@pytest.fixture(scope="module")
def analyst(aws: EmbeddedAws) -> Docker:
    """Logged in by a role whose rights the tests set, after the token was minted."""
    aws.client("ecr").create_repository(repositoryName="team/image")
    aws.client("ecr").create_repository(repositoryName="other/image")
    return Docker(aws, session_of_a_role(aws, "analyst", allow("ecr:GetAuthorizationToken")))


ANALYST = f"arn:aws:sts::{ACCOUNT}:assumed-role/analyst/session"
LAYER = b"layer"


@pytest.mark.parametrize(
    ("action", "method", "path"),
    [
        ("ecr:InitiateLayerUpload", "POST", "team/image/blobs/uploads/"),
        ("ecr:UploadLayerPart", "PATCH", "team/image/blobs/uploads/1"),
        ("ecr:CompleteLayerUpload", "PUT", f"team/image/blobs/uploads/1?digest={digest_of(LAYER)}"),
        ("ecr:UploadLayerPart", "DELETE", "team/image/blobs/uploads/1"),
        ("ecr:BatchCheckLayerAvailability", "HEAD", f"team/image/blobs/{digest_of(LAYER)}"),
        ("ecr:GetDownloadUrlForLayer", "GET", f"team/image/blobs/{digest_of(LAYER)}"),
        ("ecr:PutImage", "PUT", "team/image/manifests/v1"),
        ("ecr:BatchGetImage", "GET", "team/image/manifests/v1"),
        ("ecr:BatchGetImage", "HEAD", "team/image/manifests/v1"),
        ("ecr:BatchDeleteImage", "DELETE", f"team/image/manifests/{digest_of(LAYER)}"),
        ("ecr:ListImages", "GET", "team/image/tags/list"),
    ],
)
def test_each_operation_of_the_registry_needs_its_right(
    aws: EmbeddedAws, analyst: Docker, action: str, method: str, path: str
) -> None:
    team = arn_of("team/*")
    grant(aws, "analyst", allow(action, on=team))
    assert analyst.status(method, path, LAYER) not in (401, 403)

    grant(
        aws, "analyst", {"Effect": "Allow", "NotAction": action, "Resource": team}, allow(action, on=arn_of("other/*"))
    )
    assert analyst.status(method, path, LAYER) == 403
    if method != "HEAD":
        assert analyst.error(method, path, LAYER) == (
            *(403, "DENIED"),
            f"User: {ANALYST} is not authorized to perform: {action} on resource: {arn_of('team/image')} "
            f"because no identity-based policy allows the {action} action",
        )


@pytest.mark.parametrize("missing", ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"])
def test_a_layer_in_one_request_needs_all_three_rights(aws: EmbeddedAws, analyst: Docker, missing: str) -> None:
    push = "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"
    path = f"team/image/blobs/uploads/?digest={digest_of(LAYER)}"
    grant(aws, "analyst", allow(*push))
    assert analyst.status("POST", path, LAYER) == 201
    grant(aws, "analyst", allow(*(action for action in push if action != missing)))
    assert analyst.status("POST", path, LAYER) == 403


def test_mounting_a_layer_reads_the_repository_it_comes_from(aws: EmbeddedAws, analyst: Docker) -> None:
    secret = b"a layer of another team"
    assert Docker(aws).status("POST", f"other/image/blobs/uploads/?digest={digest_of(secret)}", secret) == 201
    mount = f"team/image/blobs/uploads/?mount={digest_of(secret)}&from=other/image"
    grant(aws, "analyst", allow("ecr:*", on=arn_of("team/*")))
    status, code, message = analyst.error("POST", mount)
    assert (status, code) == (403, "DENIED")
    assert f"ecr:GetDownloadUrlForLayer on resource: {arn_of('other/image')}" in message

    grant(
        aws, "analyst", allow("ecr:*", on=arn_of("team/*")), allow("ecr:GetDownloadUrlForLayer", on=arn_of("other/*"))
    )
    assert analyst.status("POST", mount) == 201


def test_rights_by_the_repositorys_tag(aws: EmbeddedAws, analyst: Docker) -> None:
    by_tag = {"StringEquals": {"aws:ResourceTag/team": "analytics"}}
    grant(aws, "analyst", allow("ecr:*", Condition=by_tag))
    ecr = aws.client("ecr")
    for team, status in (("risk", 403), ("analytics", 201)):
        ecr.tag_resource(resourceArn=arn_of("team/image"), tags=[{"Key": "team", "Value": team}])
        assert analyst.push("team/image", "by-tag", "image") == status


def test_a_permissions_boundary_limits_a_token(aws: EmbeddedAws, analyst: Docker) -> None:
    iam = aws.client("iam")
    pull_only = json.dumps({"Version": "2012-10-17", "Statement": allow("ecr:BatchGetImage")})
    boundary = iam.create_policy(PolicyName="pull-only", PolicyDocument=pull_only)["Policy"]["Arn"]
    grant(aws, "analyst", allow("ecr:*"))
    assert analyst.push("team/image", "bounded", "image") == 201
    iam.put_role_permissions_boundary(RoleName="analyst", PermissionsBoundary=boundary)
    assert analyst.push("team/image", "bounded", "image") == 403
    assert analyst.status("GET", "team/image/manifests/bounded") == 200
    iam.delete_role_permissions_boundary(RoleName="analyst")


@pytest.mark.parametrize(
    ("effect", "rights", "status"), [("Deny", [allow("ecr:*")], 403), ("Allow", [allow("sts:*")], 201)]
)
def test_a_repositorys_policy_counts(
    aws: EmbeddedAws, analyst: Docker, effect: str, rights: list[Statement], status: int
) -> None:
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/analyst"}
    policy = {"Statement": {"Effect": effect, "Principal": principal, "Action": "ecr:PutImage"}}
    ecr = aws.client("ecr")
    grant(aws, "analyst", *rights)
    ecr.set_repository_policy(repositoryName="team/image", policyText=json.dumps(policy))
    assert analyst.push("team/image", "by-policy", "image") == status
    ecr.delete_repository_policy(repositoryName="team/image")


def test_a_token_of_a_deleted_role_opens_nothing(aws: EmbeddedAws) -> None:
    aws.client("ecr").create_repository(repositoryName="orphaned")
    docker = Docker(aws, session_of_a_role(aws, "leaver", allow("ecr:*")))
    assert docker.push("orphaned", "v1", "image") == 201
    aws.client("iam").delete_role_policy(RoleName="leaver", PolicyName="rights")
    aws.client("iam").delete_role(RoleName="leaver")
    assert docker.push("orphaned", "v1", "image") == 403


def test_no_token_is_in_the_log(aws: EmbeddedAws, analyst: Docker) -> None:
    analyst.push("team/image", "logged", "image")
    log = (aws.state / "server.log").read_text()
    assert analyst.password[:40] not in log
    assert analyst.token["authorizationToken"][:40] not in log


@pytest.mark.parametrize(
    ("mutability", "filters", "moving", "fixed"),
    [
        ("MUTABLE", None, ["v1", "latest"], []),
        ("IMMUTABLE", None, [], ["v1", "latest"]),
        ("IMMUTABLE_WITH_EXCLUSION", "latest", ["latest"], ["v1", "latest-1"]),
        ("IMMUTABLE_WITH_EXCLUSION", "dev*", ["dev", "dev-1"], ["v1", "my-dev"]),
        ("MUTABLE_WITH_EXCLUSION", "v*", ["latest"], ["v1"]),
    ],
)
def test_a_tag_moves_if_the_repository_lets_it(
    aws: EmbeddedAws, mutability: str, filters: str | None, moving: list[str], fixed: list[str]
) -> None:
    name = f"moves/{mutability}-{filters}".lower().replace("*", "x").replace("_", "-")
    excluding = (
        {"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": filters}]} if filters else {}
    )
    ecr = aws.client("ecr")
    created = ecr.create_repository(repositoryName=name, imageTagMutability=mutability, **excluding)["repository"]
    assert excluding.items() <= created.items()
    docker = Docker(aws)
    for tag in moving:
        assert [docker.push(name, tag, content) for content in ("first", "second")] == [201, 201]
    for tag in fixed:
        message = (
            f"The image tag '{tag}' already exists in the '{name}' repository "
            "and cannot be overwritten because the tag is immutable."
        )
        assert [docker.push(name, tag, "first") for _ in range(2)] == [201, 201]
        assert docker.error("PUT", f"{name}/manifests/{tag}", b"second") == (400, "TAG_INVALID", message)
        put = {"repositoryName": name, "imageTag": tag, "imageManifest": "second"}
        assert refused(ecr.put_image, **put) == f"ImageTagAlreadyExistsException: {message}"


def test_a_change_of_mutability_changes_its_exclusions(aws: EmbeddedAws) -> None:
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="changing")
    excluding = {"imageTagMutabilityExclusionFilters": LATEST_EXCLUDED}
    for mutability, filters in (("IMMUTABLE_WITH_EXCLUSION", excluding), ("IMMUTABLE", {})):
        ecr.put_image_tag_mutability(repositoryName="changing", imageTagMutability=mutability, **filters)
        (found,) = ecr.describe_repositories(repositoryNames=["changing"])["repositories"]
        assert {key: found[key] for key in excluding if key in found} == filters


# Mended: functions and schedules


def a_function(name: str, **properties: Any) -> dict[str, dict[str, Any]]:
    trust = {
        "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    }
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
        "Role": resource("IAM::Role", {"RoleName": f"{name}-role", "AssumeRolePolicyDocument": trust}),
        "Function": resource("Lambda::Function", function),
    }


def lines_of(aws: EmbeddedAws, log_group: str) -> list[str]:
    events = aws.client("logs").filter_log_events(logGroupName=log_group)["events"]
    return [event["message"] for event in events]


under_awslambdaric = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None, reason="not to be had here: MiniStack's own worker runs functions"
)


@under_awslambdaric
def test_a_function_sees_what_aws_sets_and_its_own_variables(aws: EmbeddedAws) -> None:
    own = {"Variables": {"GREETING": "hello", "AUTH": "mine"}}
    assert deploy(aws, "runs", **a_function("runs", Environment=own)).status == "CREATE_COMPLETE"
    answer = aws.client("lambda").invoke(FunctionName="runs", Payload=b'{"run": 1}')
    result = json.loads(answer["Payload"].read())

    assert result["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/runs-role/runs", "boto3 reaches the embedded AWS"
    environment = result["environment"]
    assert (environment["GREETING"], environment["AUTH"]) == ("hello", "mine")
    assert environment["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    of_aws = re.compile(r"AWS_\w+|_HANDLER|_X_AMZN_TRACE_ID|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR|TZ|PWD|SHLVL|_")
    others = {name for name in environment if not of_aws.fullmatch(name)}
    assert others == {"PATH", "HOME", "LANG", "GREETING", "AUTH"}
    assert any(line.startswith("[INFO]") and line.endswith("run 1") for line in lines_of(aws, "/aws/lambda/runs"))


@under_awslambdaric
def test_a_functions_lines_are_json_in_the_log_group_that_it_names(aws: EmbeddedAws) -> None:
    group = resource("Logs::LogGroup", {"LogGroupName": "/refresh/login"})
    logging_config = {"LogGroup": {"Ref": "LogGroup"}, "LogFormat": "JSON"}
    deploy(aws, "logs", LogGroup=group, **a_function("logs", LoggingConfig=logging_config))
    aws.client("lambda").invoke(FunctionName="logs", Payload=b'{"run": 2}')

    lines = [json.loads(line) for line in lines_of(aws, "/refresh/login") if line.startswith("{")]
    (line,) = [line for line in lines if line["message"] == "run 2"]
    assert line["level"] == "INFO"
    assert line["requestId"]


def a_schedule(expression: str, target: str, event: dict[str, Any]) -> dict[str, Any]:
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


def received(aws: EmbeddedAws, queue_url: str) -> list[Any]:
    """The messages that wait in a queue, taken from it."""
    sqs = aws.client("sqs")
    messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def test_a_schedule_fires_once_when_it_falls_due(aws_in_time: EmbeddedAws) -> None:
    aws = aws_in_time
    schedule = a_schedule("rate(30 minutes)", "Queue", {"every": 30})
    queue = deploy(aws, "half-hourly", Queue=resource("SQS::Queue", {}), Schedule=schedule).refs["Queue"]
    for minutes, fired in ((29, []), (1, [{"every": 30}]), (29, []), (300, [{"every": 30}])):
        aws.advance_clock(minutes)
        assert received(aws, queue) == fired
    destroy(aws, "half-hourly")


def test_a_nightly_schedule_fires_in_the_night(aws_in_time: EmbeddedAws) -> None:
    aws = aws_in_time
    schedule = a_schedule("cron(0 0 * * ? *)", "Queue", {"every": "night"})
    queue = deploy(aws, "nightly", Queue=resource("SQS::Queue", {}), Schedule=schedule).refs["Queue"]
    aws.advance_clock(24 * 60)
    assert received(aws, queue) == [{"every": "night"}]
    destroy(aws, "nightly")


def test_a_destroyed_schedule_leaves_nothing_behind(aws_in_time: EmbeddedAws) -> None:
    aws = aws_in_time
    resources = {"Queue": resource("SQS::Queue", {}), "Schedule": a_schedule("rate(30 minutes)", "Queue", {})}
    deploy(aws, "destroyed", **resources)
    aws.advance_clock(1)
    destroy(aws, "destroyed")
    assert aws.client("scheduler").list_schedules()["Schedules"] == []

    aws.advance_clock(60)
    queue = deploy(aws, "destroyed", **resources).refs["Queue"]
    aws.advance_clock(0)
    assert received(aws, queue) == [], "its successor counts from its own creation"
    destroy(aws, "destroyed")


def test_a_schedule_that_is_due_fires_within_seconds(aws: EmbeddedAws) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    schedule = a_schedule(f"at({now})", "Queue", {"at": "once"})
    queue = deploy(aws, "at-once", Queue=resource("SQS::Queue", {}), Schedule=schedule).refs["Queue"]
    assert eventually(lambda: received(aws, queue), 5) == [{"at": "once"}]


def test_a_scheduled_run_that_fails_is_retried_and_then_sent_to_the_queue(aws_in_time: EmbeddedAws) -> None:
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
    aws.advance_clock(30)

    (failure,) = eventually(lambda: received(aws, deployed.refs["Queue"]))
    assert failure["requestContext"]["condition"] == "RetriesExhausted"
    assert failure["requestPayload"] == {"run": 3, "fail": True}
    assert failure["responsePayload"]["errorMessage"] == "as told"
    lines = lines_of(aws, "/aws/lambda/fails")
    assert len([line for line in lines if line.startswith("START")]) == 2
    destroy(aws, "fails")
    assert aws.client("scheduler").list_schedules()["Schedules"] == []
