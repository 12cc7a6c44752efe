"""Tests of the permissions in a deployed environment, with real calls. tests/permissions tests the templates."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.account import BREAK_GLASS_ROLE_ARN, WORKER_ROLE_ARN, Account, Credentials, assume, docker_login
from local.demo import log_in, read
from local.embedded_aws import ACCOUNT, REGION, ROOT_CREDENTIALS, EmbeddedAws
from local.registry_client import RegistryClient, RegistryRefused
from tests.faults.refresh import published_version
from tests.local.emulator.patches.support import Docker, arn_of, refused, request_operation

DEPLOY_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
# Repositories that the test creates by hand, with the value of the tag `team`.
HAND_MADE = {"analytics-x/app": "analytics", "analytics/untagged": None, "analytics/of-risk": "risk"}
OTHERS = ["risk/var", *HAND_MADE]
# The columns are: principal, decision, kind of the target, target, operations. `login` is the docker login that the
# Airflow workers read from the secret. `other admin` is an administrator who is not in the settings. A target of the
# kind `secret` or `role` is the name of an output of the deployment. The exception is airflow/connections/jdbc, a
# secret that the test creates by hand for a connection without a docker login.
TABLE = """
push role    may      docker  analytics/churn-model     push pull
push role    may not  docker  others                    push pull
push role    may      ecr     analytics/churn-model     ListImages DescribeImages DescribeRepositories
push role    may      ecr     analytics/churn-model     StartLifecyclePolicyPreview ListTagsForResource
push role    may not  ecr     others                    ListImages DescribeImages DescribeRepositories
push role    may not  ecr     others                    GetLifecyclePolicy ListTagsForResource
push role    may not  ecr     others                    StartLifecyclePolicyPreview DescribeImageScanFindings
push role    may not  ecr     -                         DescribeRepositories
push role    may not  ecr     analytics/churn-model     BatchDeleteImage DeleteRepository PutImageTagMutability
push role    may not  secret  SecretNameDockerDefault   GetSecretValue PutSecretValue
push role    may not  role    PullRoleArnDockerDefault  AssumeRole

analyst      may      role    PushRoleArnAnalytics      AssumeRole
analyst      may not  role    PushRoleArnRisk           AssumeRole
analyst      may not  role    PullRoleArnDockerDefault  AssumeRole
analyst      may not  ecr     -                         GetAuthorizationToken DescribeRepositories
analyst      may not  ecr     analytics/churn-model     BatchGetImage InitiateLayerUpload PutImage BatchDeleteImage
analyst      may not  secret  SecretNameDockerDefault   GetSecretValue

other admin  may      secret  SecretNameDockerDefault   DescribeSecret ListSecretVersionIds
other admin  may      secret  SecretNameDockerDefault   GetResourcePolicy ValidateResourcePolicy
other admin  may not  secret  SecretNameDockerDefault   GetSecretValue UpdateSecretVersionStage RestoreSecret
other admin  may not  secret  SecretNameDockerDefault   PutSecretValue UpdateSecret DeleteSecret
other admin  may not  secret  SecretNameDockerDefault   PutResourcePolicy DeleteResourcePolicy
other admin  may not  secret  SecretNameDockerDefault   RotateSecret CancelRotateSecret TagResource UntagResource
other admin  may not  secret  SecretNameDockerDefault   ReplicateSecretToRegions RemoveRegionsFromReplication
other admin  may not  secret  SecretNameDockerDefault   StopReplicationToReplica AssociateCrossAccountReplica
other admin  may not  secret  SecretNameDockerDefault   AnActionThatAwsAddsTomorrow
other admin  may not  role    PushRoleArnAnalytics      AssumeRole
other admin  may not  role    PullRoleArnDockerDefault  AssumeRole

worker       may      secret  SecretNameDockerDefault   GetSecretValue
worker       may not  secret  SecretNameDockerDefault   PutSecretValue UpdateSecretVersionStage DeleteSecret
worker       may not  secret  airflow/connections/jdbc  GetSecretValue
worker       may not  ecr     -                         GetAuthorizationToken
worker       may not  ecr     analytics/churn-model     BatchGetImage InitiateLayerUpload PutImage

login        may      docker  analytics/churn-model     pull
login        may not  docker  analytics/churn-model     push
login        may not  docker  others                    push pull

pull role    may      ecr     analytics/churn-model     BatchGetImage
pull role    may not  ecr     analytics/churn-model     PutImage BatchDeleteImage
pull role    may not  ecr     others                    BatchGetImage
pull role    may      secret  SecretNameDockerDefault   ListSecretVersionIds
pull role    may not  secret  SecretNameDockerDefault   GetSecretValue UpdateSecretVersionStage UpdateSecret
pull role    may not  secret  SecretNameDockerDefault   DeleteSecret PutResourcePolicy
pull role    may not  secret  airflow/connections/jdbc  GetSecretValue PutSecretValue

break glass  may      secret  SecretNameDockerDefault   GetSecretValue
break glass  may not  secret  SecretNameDockerDefault   PutSecretValue UpdateSecret DeleteSecret
break glass  may not  secret  SecretNameDockerDefault   ReplicateSecretToRegions AssociateCrossAccountReplica

deploy role  may      secret  SecretNameDockerDefault   DescribeSecret
deploy role  may not  secret  SecretNameDockerDefault   ReplicateSecretToRegions AssociateCrossAccountReplica
"""
CASES = [
    pytest.param(who, may == "may", kind, target, operation, id=f"{who} {may} {operation} {target}")
    for who, may, kind, targets, operations in (re.split(" {2,}", row) for row in TABLE.splitlines() if row)
    for target in (OTHERS if targets == "others" else [targets])
    for operation in operations.split()
]
# For each docker command, the missing permission that its error message names.
MISSING = {"push": {"InitiateLayerUpload"}, "pull": {"BatchGetImage"}}
LIFECYCLE_POLICY = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
                "action": {"type": "expire"},
            }
        ]
    }
)
SERVICES = {"ecr": ("ecr", "repositoryName"), "secret": ("secretsmanager", "SecretId"), "role": ("sts", "RoleArn")}
OTHER_PARAMETERS: dict[str, dict[str, Any]] = {
    "AssumeRole": {"RoleSessionName": "permissions"},
    "BatchDeleteImage": {"imageIds": [{"imageTag": "seeded"}]},
    "BatchGetImage": {"imageIds": [{"imageTag": "seeded"}]},
    "DescribeImageScanFindings": {"imageId": {"imageTag": "seeded"}},
    "PutImage": {"imageManifest": "{}", "imageTag": "forged"},
    "PutImageTagMutability": {"imageTagMutability": "MUTABLE"},
    "PutResourcePolicy": {"ResourcePolicy": '{"Version": "2012-10-17", "Statement": []}'},
    "PutSecretValue": {"SecretString": "{}"},
    "RemoveRegionsFromReplication": {"RemoveReplicaRegions": ["eu-west-1"]},
    "ReplicateSecretToRegions": {"AddReplicaRegions": [{"Region": "eu-west-1"}]},
    "StartLifecyclePolicyPreview": {"lifecyclePolicyText": LIFECYCLE_POLICY},
    "TagResource": {"Tags": [{"Key": "team", "Value": "risk"}]},
    "UntagResource": {"TagKeys": ["team"]},
    "UpdateSecret": {"SecretString": "{}"},
    "ValidateResourcePolicy": {"ResourcePolicy": '{"Version": "2012-10-17", "Statement": []}'},
    "UpdateSecretVersionStage": {"VersionStage": "AWSCURRENT", "MoveToVersionId": "0" * 32},
}
FILES, OTHER_FILES = {"marker": "seeded"}, {"marker": "another"}


@pytest.fixture(scope="module")
def seeded(aws: EmbeddedAws, local: dict[str, str]) -> Iterator[None]:
    """Create repositories and a secret, and push an image `seeded` to each repository. Remove all at the end."""
    ecr, secrets_manager, root = aws.client("ecr"), aws.client("secretsmanager"), docker_login(aws, ROOT_CREDENTIALS)
    for name, team in HAND_MADE.items():
        ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": team}] if team else [])
    for name in ("analytics/churn-model", *OTHERS):
        root.push(f"{name}:seeded", FILES)
    secrets_manager.create_secret(Name="airflow/connections/jdbc", SecretString="{}")
    yield
    secrets_manager.delete_secret(SecretId="airflow/connections/jdbc", ForceDeleteWithoutRecovery=True)
    for name in ("analytics/churn-model", "risk/var"):
        digests = {image["imageDigest"] for image in ecr.list_images(repositoryName=name)["imageIds"]}
        ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": digest} for digest in digests])
    for name in HAND_MADE:
        ecr.delete_repository(repositoryName=name, force=True)


@pytest.fixture(scope="module")
def credentials(aws: EmbeddedAws, local: dict[str, str], account: Account) -> dict[str, Credentials]:
    return {
        "push role": assume(aws, local["PushRoleArnAnalytics"], account.analyst),
        "analyst": account.analyst,
        "other admin": account.other_admin,
        "worker": assume(aws, WORKER_ROLE_ARN, account.operator),
        # MiniStack lets the account's root user assume every role that a service may assume, such as this role of
        # Lambda, and the deploy role, which CloudFormation assumes.
        "pull role": assume(aws, local["PullRoleArnDockerDefault"], ROOT_CREDENTIALS),
        "break glass": assume(aws, BREAK_GLASS_ROLE_ARN, account.operator),
        "deploy role": assume(aws, DEPLOY_ROLE_ARN, ROOT_CREDENTIALS),
    }


@pytest.fixture(scope="module")
def docker(
    aws: EmbeddedAws, local: dict[str, str], credentials: dict[str, Credentials], seeded: None
) -> dict[str, RegistryClient]:
    _, connection = read(aws.client("secretsmanager", credentials["worker"]), local["SecretNameDockerDefault"])
    return {"push role": docker_login(aws, credentials["push role"]), "login": log_in(aws, connection)}


@pytest.mark.parametrize(("who", "may", "kind", "target", "operation"), CASES)
def test_each_principal_may_do_exactly_what_the_table_says(
    aws: EmbeddedAws,
    local: dict[str, str],
    credentials: dict[str, Credentials],
    docker: dict[str, RegistryClient],
    who: str,
    may: bool,
    kind: str,
    target: str,
    operation: str,
) -> None:
    if kind == "docker":
        image: list[Any] = [f"{target}:new", {"by": who}] if operation == "push" else [f"{target}:seeded"]
        attempt = partial(getattr(docker[who], operation), *image)
    else:
        service, parameter = SERVICES[kind]
        request: dict[str, Any] = {} if target == "-" else {parameter: local.get(target, target)}
        if operation == "DescribeRepositories" and request:
            request = {"repositoryNames": [target]}
        elif operation == "ListTagsForResource":
            request = {"resourceArn": arn_of(target)}
        call = partial(request_operation, aws.client(service, credentials[who]), operation)
        attempt = partial(call, **request, **OTHER_PARAMETERS.get(operation, {}))

    if may:
        assert attempt()
    else:
        assert _missing_permission(attempt) in MISSING.get(operation, {operation})


def _missing_permission(attempt: Callable[[], object]) -> str:
    """Make an attempt that must be refused, and return the missing permission that the error message names."""
    with pytest.raises((ClientError, RegistryRefused)) as caught:
        attempt()
    refusal: Any = caught.value
    code = refusal.status if isinstance(refusal, RegistryRefused) else refusal.response["Error"]["Code"]
    assert code in (403, "AccessDenied", "AccessDeniedException"), refusal
    [missing] = re.findall(r"not authorized to perform: \w+:(\w+)", str(refusal))
    return str(missing)


def test_the_push_role_can_mount_only_layers_of_its_own_team(
    aws: EmbeddedAws, credentials: dict[str, Credentials], seeded: None
) -> None:
    root, pusher = docker_login(aws, ROOT_CREDENTIALS), Docker(aws, credentials["push role"])

    def mount(team_with_the_layer: str) -> str:
        """Push an image with a layer of its own, and return the request to mount this layer elsewhere."""
        name = f"{team_with_the_layer}:mounted"
        root.push(name, {"marker": name})
        image = aws.client("ecr").batch_get_image(
            repositoryName=team_with_the_layer, imageIds=[{"imageTag": "mounted"}]
        )["images"][0]
        [layer] = json.loads(image["imageManifest"])["layers"]
        return f"analytics/web-scraper/blobs/uploads/?mount={layer['digest']}&from={team_with_the_layer}"

    assert pusher.status("POST", mount("analytics/churn-model")) == 201
    status, _, message = pusher.error("POST", mount("risk/var"))
    assert status == 403
    assert f"ecr:GetDownloadUrlForLayer on resource: {arn_of('risk/var')}" in message


def test_the_push_role_may_ask_for_the_scan_findings_of_its_own_team(
    aws: EmbeddedAws, credentials: dict[str, Credentials], seeded: None
) -> None:
    ecr = aws.client("ecr", credentials["push role"])
    for tag, error in (("seeded", "ScanNotFoundException"), ("missing", "ImageNotFoundException")):
        request = {"repositoryName": "analytics/churn-model", "imageId": {"imageTag": tag}}
        assert refused(ecr.describe_image_scan_findings, **request).startswith(f"{error}: ")


def test_the_push_role_can_move_only_a_mutable_tag(docker: dict[str, RegistryClient]) -> None:
    push, pull = docker["push role"].push, docker["login"].pull
    for tag in ("latest", "fixed"):
        push(f"analytics/churn-model:{tag}", FILES)

    push("analytics/churn-model:latest", OTHER_FILES)
    with pytest.raises(RegistryRefused, match=r"^400 .* because the tag is immutable"):
        push("analytics/churn-model:fixed", OTHER_FILES)

    assert pull("analytics/churn-model:latest") == OTHER_FILES
    assert pull("analytics/churn-model:fixed") == FILES


def test_an_administrator_who_is_not_in_the_settings_cannot_read_a_login_in_a_batch(
    aws: EmbeddedAws, local: dict[str, str], account: Account
) -> None:
    read_all = aws.client("secretsmanager", account.other_admin).batch_get_secret_value
    answer = read_all(SecretIdList=[local["SecretNameDockerDefault"]])
    assert answer["SecretValues"] == []
    assert [error["ErrorCode"] for error in answer["Errors"]] == ["AccessDeniedException"]


def test_the_break_glass_role_can_delete_the_policy_of_a_secret_and_put_it_back(
    aws: EmbeddedAws, local: dict[str, str], credentials: dict[str, Credentials], account: Account
) -> None:
    secret = local["SecretNameDockerDefault"]
    break_glass = aws.client("secretsmanager", credentials["break glass"])
    other_admin = aws.client("secretsmanager", account.other_admin)
    policy = break_glass.get_resource_policy(SecretId=secret)["ResourcePolicy"]
    tag = {"SecretId": secret, "TagKeys": ["absent"]}

    break_glass.delete_resource_policy(SecretId=secret)
    try:
        other_admin.untag_resource(**tag)
    finally:
        break_glass.put_resource_policy(SecretId=secret, ResourcePolicy=policy)

    assert _missing_permission(partial(other_admin.untag_resource, **tag)) == "UntagResource"


def test_the_break_glass_role_rolls_a_login_back_and_forward_again(
    aws: EmbeddedAws, local: dict[str, str], credentials: dict[str, Credentials], worker: Any, seeded: None
) -> None:
    secret = local["SecretNameDockerDefault"]
    function = local["RefreshFunctionNameDockerDefault"]
    aws.client("lambda").invoke(FunctionName=function, Qualifier=published_version(aws, function))
    newer, _ = read(worker, secret)
    break_glass = aws.client("secretsmanager", credentials["break glass"])
    earlier = break_glass.get_secret_value(SecretId=secret, VersionStage="AWSPREVIOUS")["VersionId"]
    move = partial(break_glass.update_secret_version_stage, SecretId=secret, VersionStage="AWSCURRENT")

    move(RemoveFromVersionId=newer, MoveToVersionId=earlier)
    rolled_back, connection = read(worker, secret)
    move(RemoveFromVersionId=earlier, MoveToVersionId=newer)
    forward, _ = read(worker, secret)

    assert (rolled_back, forward) == (earlier, newer)
    assert log_in(aws, connection).pull("analytics/churn-model:seeded") == FILES
