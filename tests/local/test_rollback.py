"""Tests of failed deployments and of destroyed stacks: which resources remain, and which a new deployment adopts."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from local import cdk
from local.account import WORKER_ROLE_ARN, Account, assume, docker_login, outputs
from local.cdk import CdkFailed
from local.demo import FILES, log_in, read
from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.faults.refresh import published_version
from tests.local.assemblies import edit, wait_one_second_for_permissions
from tests.local.logins import places_with_a_login
from tests.templates import synthesize

SETTINGS = f"""
account = "{ACCOUNT}"
region = "us-east-1"
connections_prefix = "NAME/connections"
[teams.NAME]
repositories = ["repository"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/analyst"]
[connections.docker_NAME]
teams = ["NAME"]
[workers]
role_arns = ["{WORKER_ROLE_ARN}"]
[workers.clean_up]
tag_key = "role"
tag_value = "NAME-worker"
[ecs.tasks."NAME/repository"]
image_tag = "1"
[alerts]
emails = ["ops@example.com"]
"""


@pytest.fixture(scope="module")
def assembly(aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of `fragile` and `broken`. The function of `broken` may not write the secret."""
    settings = tmp_path_factory.mktemp("environments")
    for name in ("fragile", "broken"):
        (settings / f"{name}.toml").write_text(SETTINGS.replace("NAME", name))
    made = tmp_path_factory.mktemp("assembly") / "cdk.out"
    synthesize(settings, made)
    for name in ("fragile", "broken"):
        edit(made, name, wait_one_second_for_permissions)
    edit(made, "broken", _remove_the_permission_to_write)
    return made


@pytest.fixture(scope="module")
def without_fragile(aws: EmbeddedAws, assembly: Path, account: Account) -> set[str]:
    """Deploy `fragile`, and return the resources that existed before."""
    before = _inventory(aws)
    cdk.deploy(aws, assembly, "fragile/*")
    return before


def test_a_first_deploy_whose_refresh_lacks_a_permission_fails_and_leaves_nothing(
    aws: EmbeddedAws, assembly: Path, account: Account
) -> None:
    before = _inventory(aws)

    with pytest.raises(CdkFailed) as failure:
        cdk.deploy(aws, assembly, "broken/DockerLogin")

    assert "PutSecretValue failed: AccessDeniedException" in str(failure.value)
    leaks = places_with_a_login({"the output of the CLI": str(failure.value)})
    assert leaks == []
    assert _status(aws, "broken-DockerLogin") == "ROLLBACK_COMPLETE"
    assert _inventory(aws) - before == set()


def test_an_update_that_removes_a_permission_fails_and_rolls_back_to_a_working_login(
    aws: EmbeddedAws, assembly: Path, without_fragile: set[str], worker: Any
) -> None:
    good_version, _ = read(worker, "fragile/connections/docker_fragile")
    changed = shutil.copytree(assembly, assembly.parent / "changed.out")
    edit(changed, "fragile", _remove_the_permission_to_write)

    with pytest.raises(CdkFailed) as failure:
        cdk.deploy(aws, changed, "fragile/DockerLogin")

    assert "PutSecretValue failed: AccessDeniedException" in str(failure.value)
    assert _status(aws, "fragile-DockerLogin") == "UPDATE_ROLLBACK_COMPLETE"
    function = outputs(aws, "fragile")["RefreshFunctionNameDockerFragile"]
    run = aws.client("lambda").invoke(FunctionName=function, Qualifier=published_version(aws, function))
    assert "FunctionError" not in run
    version, _ = read(worker, "fragile/connections/docker_fragile")
    assert version != good_version


def test_destroy_keeps_only_the_repositories_and_a_new_deploy_adopts_them(
    aws: EmbeddedAws, assembly: Path, without_fragile: set[str], account: Account, worker: Any
) -> None:
    push_role = assume(aws, outputs(aws, "fragile")["PushRoleArnFragile"], account.analyst)
    docker_login(aws, push_role).push("fragile/repository:1", FILES)

    cdk.destroy(aws, assembly, "fragile/*")

    left = {arn for arn in _inventory(aws) - without_fragile if "fragile" in arn}
    assert left == {f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/fragile/repository"}

    cdk.deploy(aws, assembly, "fragile/*")

    _, connection = read(worker, "fragile/connections/docker_fragile")
    assert log_in(aws, connection).pull("fragile/repository:1") == FILES


def test_a_secret_that_is_scheduled_for_deletion_is_created_again_as_the_runbook_says(
    aws: EmbeddedAws, assembly: Path, without_fragile: set[str], worker: Any
) -> None:
    secret, function = "fragile/connections/docker_fragile", outputs(aws, "fragile")["RefreshFunctionNameDockerFragile"]
    aws.client("secretsmanager").delete_secret(SecretId=secret, RecoveryWindowInDays=7)
    run = aws.client("lambda").invoke(FunctionName=function, Qualifier=published_version(aws, function))
    assert "PutSecretValue failed: InvalidRequestException" in run["Payload"].read().decode()

    with pytest.raises(CdkFailed, match="marked for deletion"):
        cdk.destroy(aws, assembly, "fragile/DockerLogin")
    cloudformation = aws.client("cloudformation")
    resources = cloudformation.describe_stack_resources(StackName="fragile-DockerLogin")["StackResources"]
    policies = [
        found["LogicalResourceId"]
        for found in resources
        if found["ResourceType"] == "AWS::SecretsManager::ResourcePolicy"
    ]
    cloudformation.delete_stack(StackName="fragile-DockerLogin", RetainResources=policies)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName="fragile-DockerLogin", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    cdk.deploy(aws, assembly, "fragile/*")

    _, connection = read(worker, secret)
    assert connection["login"] == "AWS"


def _remove_the_permission_to_write(template: dict[str, Any]) -> None:
    """Remove the statement that allows writes from the policy, and from the copy that the first refresh has."""
    resources = template["Resources"].values()
    policies = [r["Properties"]["PolicyDocument"] for r in resources if r["Type"] == "AWS::IAM::Policy"]
    copies = [r["Properties"]["Rights"]["PullPolicy"] for r in resources if r["Type"] == "Custom::Trigger"]
    for document in policies + copies:
        document["Statement"] = [s for s in document["Statement"] if s["Sid"] != "WriteLogin"]


def _status(aws: EmbeddedAws, stack: str) -> str:
    [described] = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return str(described["StackStatus"])


def _inventory(aws: EmbeddedAws) -> set[str]:
    """Return all resources with the types of the templates, except keys that are scheduled for deletion."""
    found = {
        *(r["repositoryArn"] for r in aws.client("ecr").describe_repositories()["repositories"]),
        *(s["ARN"] for s in aws.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]),
        *(f["FunctionArn"] for f in aws.client("lambda").list_functions()["Functions"]),
        *(s["Arn"] for s in aws.client("scheduler").list_schedules()["Schedules"]),
        *(g["Arn"] for g in aws.client("scheduler").list_schedule_groups()["ScheduleGroups"]),
        *aws.client("sqs").list_queues().get("QueueUrls", []),
        *(t["TopicArn"] for t in aws.client("sns").list_topics()["Topics"]),
        *(a["AlarmArn"] for a in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]),
        *aws.client("ecs").list_clusters()["clusterArns"],
        *(g["arn"] for g in aws.client("logs").describe_log_groups()["logGroups"]),
    }
    iam, kms = aws.client("iam"), aws.client("kms")
    found |= {r["Arn"] for r in iam.list_roles()["Roles"]}
    found |= {p["Arn"] for p in iam.list_policies(Scope="Local")["Policies"]}
    found |= {p["Arn"] for p in iam.list_instance_profiles()["InstanceProfiles"]}
    keys = [kms.describe_key(KeyId=k["KeyId"])["KeyMetadata"] for k in kms.list_keys()["Keys"]]
    return found | {k["Arn"] for k in keys if k["KeyState"] != "PendingDeletion"}
