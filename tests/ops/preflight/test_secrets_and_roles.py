"""The checks of secrets, roles, principals, OIDC providers and stacks."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from ops.clients import Clients
from ops.preflight.deploy_role import find_denied_deploy_role
from ops.preflight.findings import Planned
from ops.preflight.oidc_providers import find_missing_oidc_providers
from ops.preflight.roles import find_missing_principals, find_push_role_conflicts
from ops.preflight.secrets import find_removed_secrets, find_taken_secrets
from ops.preflight.stacks import find_stacks
from tests.ops.preflight.planned import ENVIRONMENT, PLANNED, ROLE, SECRET, TRUST, only, planned_with
from tools import ROOT


def test_a_secret_that_exists_is_found(clients: Clients, secret: Any) -> None:
    finding = only(find_taken_secrets(clients, PLANNED))
    assert finding.problem == (
        f"The secret {SECRET} exists, and it is not part of the stack flight-DockerLogin. "
        "CloudFormation would answer: already exists."
    )
    assert "docs/airflow/migrate.md" in finding.fix


def test_a_secret_that_is_scheduled_for_deletion_is_found_and_the_fix_works(clients: Clients, secret: Any) -> None:
    secret.delete_secret(SecretId=SECRET, RecoveryWindowInDays=7)
    finding = only(find_taken_secrets(clients, PLANNED))
    assert "is scheduled for deletion" in finding.problem
    assert f"restore-secret --secret-id {SECRET} --region {REGION} && " in finding.fix
    assert f"delete-secret --force-delete-without-recovery --secret-id {SECRET}" in finding.fix

    secret.restore_secret(SecretId=SECRET)
    secret.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    assert list(find_taken_secrets(clients, PLANNED)) == []
    secret.create_secret(Name=SECRET, SecretString="for the fixture")


def test_a_secret_of_the_stack_is_a_finding_only_if_it_is_scheduled_for_deletion(
    aws: EmbeddedAws, clients: Clients, stack: Any
) -> None:
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    assert list(find_taken_secrets(clients, PLANNED)) == []

    secretsmanager = aws.client("secretsmanager")
    secretsmanager.delete_secret(SecretId=SECRET)
    finding = only(find_taken_secrets(clients, PLANNED))
    assert finding.fix == f"Run: aws secretsmanager restore-secret --secret-id {SECRET} --region {REGION}"

    # The policy of the secret then denies the request to all other principals.
    break_glass = planned_with(break_glass_role_arns=[f"arn:aws:iam::{ACCOUNT}:role/BreakGlass"])
    finding = only(find_taken_secrets(clients, break_glass))
    assert (
        finding.fix
        == f"Run with a break-glass role: aws secretsmanager restore-secret --secret-id {SECRET} --region {REGION}"
    )

    secretsmanager.restore_secret(SecretId=SECRET)
    assert list(find_taken_secrets(clients, PLANNED)) == []


def test_a_push_role_name_that_is_taken_is_found(aws: EmbeddedAws, clients: Clients) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    try:
        finding = only(find_push_role_conflicts(clients, PLANNED))
    finally:
        iam.delete_role(RoleName=ROLE)
    assert finding.problem == (
        f"The role {ROLE} exists, and it is not part of the stack flight-Access. CloudFormation cannot create it."
    )


def test_a_push_role_of_another_stack_is_found(clients: Clients, stack: Any) -> None:
    stack("flight-Old", "AWS::IAM::Role", RoleName=ROLE, AssumeRolePolicyDocument=TRUST)
    assert "belongs to the stack flight-Old" in only(find_push_role_conflicts(clients, PLANNED)).problem


def test_a_push_role_of_the_stack_is_no_finding(clients: Clients, stack: Any) -> None:
    stack("flight-Access", "AWS::IAM::Role", RoleName=ROLE, AssumeRolePolicyDocument=TRUST)
    assert list(find_push_role_conflicts(clients, PLANNED)) == []


def test_a_secret_of_another_stack_is_found_with_the_name_of_the_stack(clients: Clients, stack: Any) -> None:
    stack("old-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    finding = only(find_taken_secrets(clients, PLANNED))
    assert "belongs to the stack old-DockerLogin. CloudFormation would answer: already exists." in finding.problem
    assert '"Rename an environment" in docs/changes.md' in finding.fix


def test_a_push_role_whose_path_the_settings_change_is_found(clients: Clients, stack: Any) -> None:
    stack("flight-Access", "AWS::IAM::Role", RoleName=ROLE, AssumeRolePolicyDocument=TRUST, Path="/old/")
    finding = only(find_push_role_conflicts(clients, PLANNED))
    assert finding.problem == (
        f"The path of {ROLE} is /old/, and role_path is /. CloudFormation would answer: "
        "cannot update a stack when a custom-named resource requires replacing."
    )
    assert finding.fix == 'See "Change role_path" in docs/changes.md.'


@pytest.mark.parametrize("role", ["cdk-other-cfn-exec-role", "someone"])
def test_a_secret_whose_policy_does_not_name_the_role_of_the_deployment_is_found(
    aws: EmbeddedAws, clients: Clients, stack: Any, role: str
) -> None:
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    assert list(find_denied_deploy_role(clients, PLANNED)) == []

    _allow_only(aws, f"arn:aws:iam::{ACCOUNT}:role/{role}-{ACCOUNT}-{REGION}")
    finding = only(find_denied_deploy_role(clients, PLANNED))
    denied = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
    assert f"The policy of {SECRET} denies the role of this deployment, {denied}." in finding.problem
    assert ("The last deployment used" in finding.problem) == (role != "someone")

    _allow_only(aws, denied)
    assert list(find_denied_deploy_role(clients, PLANNED)) == []


def test_the_policy_of_every_secret_of_the_stack_is_read(aws: EmbeddedAws, clients: Clients, stack: Any) -> None:
    other = "flight/connections/docker_risk"
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", second={"Name": other}, Name=SECRET)
    for secret, denied in ((SECRET, other), (other, SECRET)):
        _allow_only(aws, PLANNED.deploy_role_arn, secret)
        _allow_only(aws, f"arn:aws:iam::{ACCOUNT}:role/cdk-other-cfn-exec-role", denied)

        finding = only(find_denied_deploy_role(clients, PLANNED))
        assert f"The policy of {denied} denies the role" in finding.problem


def test_another_qualifier_is_another_role(aws: EmbeddedAws, clients: Clients, stack: Any) -> None:
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    _allow_only(aws, PLANNED.deploy_role_arn)
    finding = only(find_denied_deploy_role(clients, Planned(ENVIRONMENT, qualifier="other")))
    assert "/cdk-other-cfn-exec-role-" in finding.problem
    assert f"The last deployment used {PLANNED.deploy_role_arn}." in finding.problem


def _allow_only(aws: EmbeddedAws, role_arn: str, secret: str = SECRET) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:PutSecretValue",
        "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [role_arn]}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=policy)


def test_a_principal_that_does_not_exist_is_found(clients: Clients) -> None:
    push = {
        "user_arns": [f"arn:aws:iam::{ACCOUNT}:user/nobody", "arn:aws:iam::999999999999:user/of-another-account"],
        "role_arns": [f"arn:aws:iam::{ACCOUNT}:role/ci/nothing"],
    }
    planned = planned_with(
        teams={"pilots": {"repositories": ["map"], "push": push}},
        workers={"role_arns": [f"arn:aws:iam::{ACCOUNT}:role/no-worker"]},
        permissions_boundary_arn=f"arn:aws:iam::{ACCOUNT}:policy/no-boundary",
        break_glass_role_arns=[f"arn:aws:iam::{ACCOUNT}:role/no-break-glass"],
    )
    findings = list(find_missing_principals(clients, planned))
    start = f"arn:aws:iam::{ACCOUNT}"
    assert {finding.problem: finding.stops for finding in findings} == {
        f"The role {start}:role/ci/nothing does not exist. CloudFormation would answer: Invalid principal in policy.": (
            True
        ),
        f"The user {start}:user/nobody does not exist. CloudFormation would answer: Invalid principal in policy.": True,
        f"The role {start}:role/no-worker does not exist. CloudFormation would answer: NoSuchEntity.": True,
        f"The policy {start}:policy/no-boundary does not exist. CloudFormation would answer: NoSuchEntity.": True,
        f"The role {start}:role/no-break-glass does not exist. In an emergency, nobody can use it.": False,
    }
    assert {finding.fix.rpartition(" in ")[2] for finding in findings} == {
        "teams.pilots.push.role_arns.",
        "teams.pilots.push.user_arns.",
        "workers.role_arns.",
        "permissions_boundary_arn.",
        "break_glass_role_arns.",
    }


def test_a_missing_worker_stops_the_deployment_also_if_it_is_a_break_glass_role(clients: Clients) -> None:
    roles = [f"arn:aws:iam::{ACCOUNT}:role/no-worker"]
    planned = planned_with(workers={"role_arns": roles}, break_glass_role_arns=roles)
    finding = only(find_missing_principals(clients, planned))
    assert finding.stops
    assert "workers.role_arns" in finding.fix


def test_a_wrong_path_in_an_arn_is_found(clients: Clients) -> None:
    planned = planned_with(workers={"role_arns": [f"arn:aws:iam::{ACCOUNT}:role/path/airflow-worker"]})
    finding = only(find_missing_principals(clients, planned))
    assert f"is arn:aws:iam::{ACCOUNT}:role/airflow-worker, and the settings have" in finding.problem
    assert finding.fix == "Correct the path in workers.role_arns."
    assert finding.stops


def test_a_missing_oidc_provider_or_audience_is_a_notice_and_the_command_in_it_works(
    shell: pytest.MonkeyPatch, clients: Clients
) -> None:
    jobs = [{"project": "acme/flights", "branch": "main", "url": "https://git.flight.example"}]
    jobs += [{**jobs[0], "branch": "night", "audience": "https://git.flight.example"}]
    planned = [
        planned_with(teams={"pilots": {"repositories": ["map"], "push": {"gitlab": some}}}) for some in (jobs[:1], jobs)
    ]

    missing = only(find_missing_oidc_providers(clients, planned[0]))
    assert "has no OIDC provider for https://git.flight.example" in missing.problem
    assert not missing.stops
    run_aws_cli(missing.fix.removeprefix("Run: "))
    assert list(find_missing_oidc_providers(clients, planned[0])) == []

    lacking = only(find_missing_oidc_providers(clients, planned[1]))
    assert "lacks the audience https://git.flight.example" in lacking.problem
    run_aws_cli(lacking.fix.removeprefix("Run: "))
    assert list(find_missing_oidc_providers(clients, planned[1])) == []


def run_aws_cli(command: str) -> None:
    program, *words = command.split()
    assert program == "aws"
    subprocess.run([sys.executable, "-m", "tests.local.aws_cli", *words], cwd=ROOT, check=True)


def test_a_stack_that_the_settings_no_longer_contain_is_a_notice(clients: Clients, stack: Any) -> None:
    stack("flight-EcsTasks", "AWS::ECR::Repository", RepositoryName="pilots/other")
    finding = only(find_stacks(clients, PLANNED))
    assert not finding.stops
    assert "Remove Fargate tasks" in finding.fix

    tasks = planned_with(
        ecs={"tasks": {"pilots/map": {"image_tag": "1"}}}, workers={"role_arns": [f"arn:aws:iam::{ACCOUNT}:role/w"]}
    )
    assert list(find_stacks(clients, tasks)) == []


def test_a_stack_whose_deletion_failed_is_found(aws: EmbeddedAws, clients: Clients, stack: Any) -> None:
    stack("flight-Access", "AWS::IAM::Role", RoleName=ROLE, AssumeRolePolicyDocument=TRUST)
    iam, policy_arn = aws.client("iam"), "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=policy_arn)
    aws.client("cloudformation").delete_stack(StackName="flight-Access")
    waiter = aws.client("cloudformation").get_waiter("stack_delete_complete")
    with pytest.raises(WaiterError):
        waiter.wait(StackName="flight-Access", WaiterConfig={"Delay": 0.1})
    finding = only(find_stacks(clients, PLANNED))
    iam.detach_role_policy(RoleName=ROLE, PolicyArn=policy_arn)
    assert finding.stops
    assert "The stack flight-Access is in DELETE_FAILED" in finding.problem


def test_a_secret_that_the_deployment_deletes_is_a_notice_with_the_date_of_its_last_read(
    aws: EmbeddedAws, clients: Clients, stack: Any
) -> None:
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name="flight/connections/docker_old")
    finding = only(find_removed_secrets(clients, PLANNED))
    assert not finding.stops
    assert finding.problem == (
        "The deployment deletes the secret flight/connections/docker_old, with its value. It was not read yet."
    )

    secretsmanager = aws.client("secretsmanager")
    secretsmanager.put_secret_value(SecretId="flight/connections/docker_old", SecretString="{}")
    secretsmanager.get_secret_value(SecretId="flight/connections/docker_old")
    assert (
        f"It was last read on {datetime.now(UTC):%Y-%m-%d} (UTC)."
        in only(find_removed_secrets(clients, PLANNED)).problem
    )


def test_a_secret_that_the_deployment_keeps_is_no_notice(clients: Clients, stack: Any) -> None:
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    assert list(find_removed_secrets(clients, PLANNED)) == []
