"""Secrets and their policies, created with requests and with templates."""

import json
import re
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.local.emulator.patches.support import (
    Deployed,
    Resource,
    allow,
    deploy,
    destroy,
    refused,
    request_operation,
    resource,
    session_of_a_role,
)


def a_secret(name: str, **properties: str) -> Resource:
    return resource("SecretsManager::Secret", {"Name": name, **properties})


def a_policy(policy: Any) -> Resource:
    """Return a policy for the stack's secret."""
    return resource("SecretsManager::ResourcePolicy", {"SecretId": {"Ref": "Secret"}, "ResourcePolicy": policy})


def policy_that_denies(action: str) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"}]}


def policy_of(aws: EmbeddedAws, secret: str) -> Any:
    answer = aws.client("secretsmanager").get_resource_policy(SecretId=secret)
    return json.loads(answer["ResourcePolicy"]) if "ResourcePolicy" in answer else None


def test_the_ref_of_a_secret_is_its_arn(aws: EmbeddedAws) -> None:
    deployed = deploy(aws, "ref", Secret=a_secret("ref/token"))
    arn = deployed.refs["Secret"]
    assert re.fullmatch(rf"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ref/token-\w{{6}}", arn)
    assert aws.client("secretsmanager").describe_secret(SecretId="ref/token")["ARN"] == arn

    destroy(aws, "ref")
    assert "ResourceNotFound" in refused(aws.client("secretsmanager").describe_secret, SecretId=arn)


def test_a_secret_that_is_created_without_a_value_has_no_version(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    deploy(aws, "empty", Secret=a_secret("empty/of-a-template"))
    assert "VersionId" not in secrets.create_secret(Name="empty/of-a-call")
    for name in ("empty/of-a-template", "empty/of-a-call"):
        assert refused(secrets.get_secret_value, SecretId=name).startswith(
            "ResourceNotFoundException: Secrets Manager can't find the specified secret value "
            "for staging label: AWSCURRENT"
        )
        secrets.put_secret_value(SecretId=name, SecretString="first")
        assert secrets.get_secret_value(SecretId=name)["SecretString"] == "first"


def test_a_secret_that_is_created_with_a_value_has_that_value(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    deploy(aws, "full", Secret=a_secret("full/a", SecretString="given"))
    secrets.create_secret(Name="full/b", SecretString="given")
    for name in ("full/a", "full/b"):
        assert secrets.get_secret_value(SecretId=name)["SecretString"] == "given"


def test_a_repeated_write_creates_one_version(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="repeated", SecretString="before")
    write = {"SecretId": "repeated", "SecretString": "after", "ClientRequestToken": "1" * 32}

    first, second = (secrets.put_secret_value(**write) for _ in range(2))

    answered = ("ARN", "Name", "VersionId", "VersionStages")
    assert [first[name] for name in answered] == [second[name] for name in answered]
    assert second["VersionStages"] == ["AWSCURRENT"]
    previous = secrets.get_secret_value(SecretId="repeated", VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "before"


def test_a_write_cannot_change_an_existing_version(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="unchanged")
    write = {"SecretId": "unchanged", "ClientRequestToken": "1" * 32}
    secrets.put_secret_value(**write, SecretString="before")

    refusal = refused(secrets.put_secret_value, **write, SecretString="after")
    assert refusal.startswith("ResourceExistsException: You can't use ClientRequestToken 1")

    assert secrets.get_secret_value(SecretId="unchanged")["SecretString"] == "before"


def test_an_update_of_a_secret_keeps_its_arn_and_value(aws: EmbeddedAws) -> None:
    def update(description: str) -> Deployed:
        return deploy(aws, "kept", Secret=a_secret("kept/token", Description=description))

    arn = update("before").refs["Secret"]
    aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="minted")
    assert update("after").refs["Secret"] == arn
    assert aws.client("secretsmanager").describe_secret(SecretId=arn)["Description"] == "after"
    assert aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"] == "minted"


def test_renaming_a_secret_replaces_it_and_keeps_its_policy(aws: EmbeddedAws) -> None:
    def rename(name: str) -> Deployed:
        return deploy(aws, "renamed", Secret=a_secret(name), Policy=a_policy({"Statement": []}))

    old = rename("renamed/old").refs["Secret"]
    renamed = rename("renamed/new")
    assert renamed.status == "UPDATE_COMPLETE"
    assert renamed.refs["Policy"] == renamed.refs["Secret"] != old
    secrets = aws.client("secretsmanager")
    assert "ResourceNotFound" in refused(secrets.describe_secret, SecretId=old)
    assert "ResourceNotFound" in refused(secrets.get_secret_value, SecretId="renamed/new")
    assert policy_of(aws, "renamed/new") == {"Statement": []}


def test_the_policy_of_a_secret_is_created_updated_and_deleted(aws: EmbeddedAws) -> None:
    secret = a_secret("policed/token")
    first, second = policy_that_denies("secretsmanager:GetSecretValue"), policy_that_denies("secretsmanager:*")
    deployed = deploy(aws, "policed", Secret=secret, Policy=a_policy(first))
    assert deployed.refs["Policy"] == deployed.refs["Secret"]
    assert policy_of(aws, "policed/token") == first

    updated = deploy(aws, "policed", Secret=secret, Policy=a_policy(json.dumps(second)))
    assert updated.status == "UPDATE_COMPLETE"
    assert policy_of(aws, "policed/token") == second

    deploy(aws, "policed", Secret=secret)
    assert policy_of(aws, "policed/token") is None
    destroy(aws, "policed")


def test_a_failed_update_restores_the_policy(aws: EmbeddedAws) -> None:
    secret = a_secret("rolled-back/token")
    before, after = policy_that_denies("secretsmanager:GetSecretValue"), policy_that_denies("secretsmanager:*")
    aws.client("ecr").create_repository(repositoryName="in-the-way")
    deploy(aws, "rolled-back", Secret=secret, Policy=a_policy(before))
    fails = resource("ECR::Repository", {"RepositoryName": "in-the-way"}, DependsOn="Policy")

    failed = deploy(aws, "rolled-back", Secret=secret, Policy=a_policy(after), Fails=fails)
    assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
    assert policy_of(aws, "rolled-back/token") == before


def test_a_second_stack_cannot_create_a_secret_that_exists(aws: EmbeddedAws) -> None:
    secret = a_secret("taken/token")
    arn = deploy(aws, "owner-of-a-secret", Secret=secret).refs["Secret"]

    failed = deploy(aws, "second-owner-of-a-secret", Secret=secret)
    assert failed.status == "ROLLBACK_COMPLETE"
    assert "The operation failed because the secret taken/token already exists." in failed.failures
    assert aws.client("secretsmanager").describe_secret(SecretId="taken/token")["ARN"] == arn


def test_a_secret_that_is_written_every_ten_minutes_never_has_too_many_versions(aws_in_time: EmbeddedAws) -> None:
    secrets = aws_in_time.client("secretsmanager")
    secrets.create_secret(Name="often")
    for number in range(200):
        aws_in_time.advance_clock(10)
        secrets.put_secret_value(SecretId="often", SecretString=f"{number}")
    assert secrets.get_secret_value(SecretId="often", VersionStage="AWSPREVIOUS")["SecretString"] == "198"
    assert number_of_versions(aws_in_time, "often") in range(100, 146)


def test_a_secret_that_is_written_in_a_loop_reaches_the_quota_of_versions_for_a_day(aws_in_time: EmbeddedAws) -> None:
    secrets = aws_in_time.client("secretsmanager")
    secrets.create_secret(Name="loop")
    for number in range(150):
        secrets.put_secret_value(SecretId="loop", SecretString=f"{number}")

    refusal = "LimitExceededException: The request failed because it would exceed one of the Secrets Manager quotas."
    assert refused(secrets.put_secret_value, SecretId="loop", SecretString="more") == refusal
    assert refused(secrets.update_secret, SecretId="loop", SecretString="more") == refusal
    secrets.update_secret(SecretId="loop", Description="no version")
    assert secrets.get_secret_value(SecretId="loop")["SecretString"] == "149"

    aws_in_time.advance_clock(24 * 60 - 1)
    assert refused(secrets.put_secret_value, SecretId="loop", SecretString="more") == refusal
    aws_in_time.advance_clock(1)
    secrets.put_secret_value(SecretId="loop", SecretString="more")
    assert number_of_versions(aws_in_time, "loop") == 101
    assert len(secrets.list_secret_version_ids(SecretId="loop")["Versions"]) == 2, "without IncludeDeprecated"


def test_a_version_becomes_older_when_the_clock_is_moved(aws_in_time: EmbeddedAws) -> None:
    secrets = aws_in_time.client("secretsmanager")
    secrets.create_secret(Name="older", SecretString="first")

    def age_in_minutes() -> float:
        [version] = secrets.list_secret_version_ids(SecretId="older")["Versions"]
        read = secrets.get_secret_value(SecretId="older")
        assert read["CreatedDate"] == version["CreatedDate"]
        age: timedelta = datetime.now(UTC) - version["CreatedDate"]
        return age / timedelta(minutes=1)

    before = age_in_minutes()
    aws_in_time.advance_clock(90)

    assert 90 <= age_in_minutes() - before < 91


def number_of_versions(aws: EmbeddedAws, secret: str) -> int:
    request = {"SecretId": secret, "IncludeDeprecated": True}
    page = aws.client("secretsmanager").list_secret_version_ids(**request)
    number = len(page["Versions"])
    while "NextToken" in page:
        page = aws.client("secretsmanager").list_secret_version_ids(**request, NextToken=page["NextToken"])
        number += len(page["Versions"])
    return number


def test_a_secret_has_the_date_of_its_last_successful_read(aws_in_time: EmbeddedAws) -> None:
    secrets = aws_in_time.client("secretsmanager")
    secrets.create_secret(Name="accessed", SecretString="any")

    def last_read() -> datetime | None:
        [listed] = secrets.list_secrets(Filters=[{"Key": "name", "Values": ["accessed"]}])["SecretList"]
        described = secrets.describe_secret(SecretId="accessed").get("LastAccessedDate")
        assert listed.get("LastAccessedDate") == described
        return described.astimezone(UTC) if described else None

    refused(secrets.get_secret_value, SecretId="accessed", VersionStage="missing")
    assert last_read() is None
    before = datetime.now(UTC).date()
    secrets.get_secret_value(SecretId="accessed")
    today = last_read()
    assert today
    assert today.time() == time(0)
    assert before <= today.date() <= datetime.now(UTC).date()

    aws_in_time.advance_clock(2 * 24 * 60)
    assert last_read() == today - timedelta(days=2)


def test_the_policy_of_a_secret_that_is_scheduled_for_deletion_cannot_change(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="doomed")
    policy = json.dumps(policy_that_denies("secretsmanager:GetSecretValue"))
    secrets.put_resource_policy(SecretId="doomed", ResourcePolicy=policy)
    secrets.delete_secret(SecretId="doomed")

    refusal = (
        "InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."
    )
    assert refused(secrets.delete_resource_policy, SecretId="doomed") == refusal
    assert refused(secrets.put_resource_policy, SecretId="doomed", ResourcePolicy=policy) == refusal
    secrets.restore_secret(SecretId="doomed")
    secrets.delete_resource_policy(SecretId="doomed")


def test_a_stack_cannot_be_deleted_while_its_secret_is_scheduled_for_deletion(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    policy = policy_that_denies("secretsmanager:GetSecretValue")
    deploy(aws, "doomed", Secret=a_secret("doomed/token"), Policy=a_policy(policy))
    secrets.delete_secret(SecretId="doomed/token")
    destroy(aws, "doomed", ends="DELETE_FAILED")
    assert secrets.describe_secret(SecretId="doomed/token")["DeletedDate"]
    assert policy_of(aws, "doomed/token") == policy
    secrets.restore_secret(SecretId="doomed/token")
    destroy(aws, "doomed")


def test_a_stack_that_retains_the_policy_deletes_a_secret_that_is_scheduled_for_deletion(aws: EmbeddedAws) -> None:
    policy = policy_that_denies("secretsmanager:GetSecretValue")
    deploy(aws, "retains", Secret=a_secret("retains/token"), Policy=a_policy(policy))
    aws.client("secretsmanager").delete_secret(SecretId="retains/token")
    destroy(aws, "retains", ends="DELETE_FAILED")
    destroy(aws, "retains", retain=["Policy"])
    assert "ResourceNotFound" in refused(aws.client("secretsmanager").describe_secret, SecretId="retains/token")


@pytest.mark.parametrize("operation", ["AssociateCrossAccountReplica", "AnActionThatAwsAddsTomorrow"])
def test_an_operation_that_the_emulator_does_not_know_fails(aws: EmbeddedAws, operation: str) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name=f"asked/{operation}")
    refusal = refused(request_operation, client=secrets, operation=operation, SecretId=f"asked/{operation}")
    assert refusal == f"InvalidRequestException: Unknown action: {operation}"


def test_a_policy_can_deny_all_actions_except_a_list(aws: EmbeddedAws) -> None:
    aws.client("secretsmanager").create_secret(Name="mostly-denied", SecretString="value")
    everything_else = {"NotAction": ["secretsmanager:GetSecretValue", "secretsmanager:Describe*"]}
    statement = {"Effect": "Deny", "Principal": "*", "Resource": "*", **everything_else}
    aws.client("secretsmanager").put_resource_policy(
        SecretId="mostly-denied", ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    role = session_of_a_role(aws, "meets-a-denial", allow("secretsmanager:*"))
    secrets = aws.client("secretsmanager", role)
    assert secrets.get_secret_value(SecretId="mostly-denied")["SecretString"] == "value"
    assert secrets.describe_secret(SecretId="mostly-denied")
    new_operation = partial(request_operation, client=secrets, operation="AssociateCrossAccountReplica")
    for refusal in (
        refused(secrets.list_secret_version_ids, SecretId="mostly-denied"),
        refused(secrets.delete_resource_policy, SecretId="mostly-denied"),
        refused(new_operation, SecretId="mostly-denied"),
    ):
        assert refusal.startswith("AccessDeniedException: ")
        assert refusal.endswith("with an explicit deny in a resource-based policy")


def test_the_name_of_a_secret_that_is_scheduled_for_deletion_is_in_use(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="still-there")
    secrets.delete_secret(SecretId="still-there")

    reason = "You can't create this secret because a secret with this name is already scheduled for deletion."
    assert refused(secrets.create_secret, Name="still-there") == f"InvalidRequestException: {reason}"
    failed = deploy(aws, "wants-it", Secret=a_secret("still-there"))
    assert failed.status == "ROLLBACK_COMPLETE"
    assert reason in failed.failures
