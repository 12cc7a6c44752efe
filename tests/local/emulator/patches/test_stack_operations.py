"""The role that CloudFormation uses for a stack, and stacks whose rollback or deletion failed."""

import json
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.local.emulator.patches.support import eventually, refused, trust

TAKEN = "stack-operations/taken"  # The name of a repository that exists.


@pytest.fixture(scope="module")
def roles(aws: EmbeddedAws) -> dict[str, str]:
    """The ARNs of two roles for CloudFormation: `first` and `second`."""
    aws.client("ecr").create_repository(repositoryName=TAKEN)
    create = aws.client("iam").create_role
    document = json.dumps(trust(Service="cloudformation.amazonaws.com"))
    return {
        name: create(RoleName=f"stack-role-{name}", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        for name in ("first", "second")
    }


def a_secret_for(role_arn: str, name: str, *, fails: bool = False) -> str:
    """Return a template with a secret that only this role may administer.

    Args:
        role_arn: the role.
        name: the name of the secret.
        fails: whether the creation of another resource fails after the policy of the secret is in place.
    """
    denied = ["secretsmanager:DeleteSecret", "secretsmanager:PutResourcePolicy", "secretsmanager:DeleteResourcePolicy"]
    condition = {"ArnNotEquals": {"aws:PrincipalArn": role_arn}}
    statement = {"Effect": "Deny", "Principal": "*", "Action": denied, "Resource": "*", "Condition": condition}
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name}}
    policy = {"SecretId": {"Ref": "Secret"}, "ResourcePolicy": {"Statement": [statement]}}
    resources: dict[str, Any] = {"Secret": secret}
    resources["Policy"] = {"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": policy}
    if fails:
        resources["Fails"] = {
            "Type": "AWS::ECR::Repository",
            "DependsOn": "Policy",
            "Properties": {"RepositoryName": TAKEN},
        }
    return json.dumps({"Resources": resources})


def status(cloudformation: Any, stack: str) -> str:
    """Return the status of a stack after its current operation."""

    def ended() -> str | None:
        found = str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        return None if found.endswith("IN_PROGRESS") else found

    return str(eventually(ended, 30))


def failures(cloudformation: Any, stack: str) -> str:
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    return "\n".join(event.get("ResourceStatusReason", "") for event in events)


def test_the_policy_of_a_secret_stops_a_role_that_it_does_not_name(aws: EmbeddedAws, roles: dict[str, str]) -> None:
    cloudformation = aws.client("cloudformation")
    stack = "two-roles"
    first, second = (a_secret_for(role, "two-roles") for role in roles.values())
    cloudformation.create_stack(StackName=stack, TemplateBody=first, RoleARN=roles["first"])
    assert status(cloudformation, stack) == "CREATE_COMPLETE"

    cloudformation.update_stack(StackName=stack, TemplateBody=second, RoleARN=roles["second"])
    assert status(cloudformation, stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/stack-role-second/AWSCloudFormation is not authorized to perform: "
        "secretsmanager:PutResourcePolicy"
    ) in failures(cloudformation, stack)

    # An operation without a role uses the role of the operation before.
    [described] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    stack_id = described["StackId"]
    assert described["RoleARN"] == roles["second"]
    cloudformation.delete_stack(StackName=stack)
    assert status(cloudformation, stack_id) == "DELETE_FAILED"
    cloudformation.delete_stack(StackName=stack, RoleARN=roles["first"])
    assert status(cloudformation, stack_id) == "DELETE_COMPLETE"


def test_a_change_set_is_executed_with_its_role(aws: EmbeddedAws, roles: dict[str, str]) -> None:
    cloudformation = aws.client("cloudformation")
    for number, (role, ending) in enumerate((("first", "CREATE_COMPLETE"), ("second", "UPDATE_ROLLBACK_COMPLETE"))):
        created = cloudformation.create_change_set(
            StackName="with-change-sets",
            ChangeSetName=f"set-{number}",
            ChangeSetType="UPDATE" if number else "CREATE",
            TemplateBody=a_secret_for(roles[role], "with-change-sets"),
            RoleARN=roles[role],
        )
        cloudformation.describe_change_set(ChangeSetName=created["Id"])
        cloudformation.execute_change_set(ChangeSetName=created["Id"])
        assert status(cloudformation, "with-change-sets") == ending


def test_a_role_that_does_not_exist_is_refused(aws: EmbeddedAws) -> None:
    missing = f"arn:aws:iam::{ACCOUNT}:role/stack-role-missing"
    refusal = refused(
        aws.client("cloudformation").create_stack,
        StackName="without-a-role",
        TemplateBody=a_secret_for(missing, "without-a-role"),
        RoleARN=missing,
    )
    assert refusal == f"ValidationError: Role {missing} is invalid or cannot be assumed"


def test_the_resources_that_a_failed_rollback_leaves_are_deleted_with_the_stack(
    aws: EmbeddedAws, roles: dict[str, str]
) -> None:
    cloudformation, stack = aws.client("cloudformation"), "left-by-rollback"
    template = a_secret_for(roles["first"], stack, fails=True)
    created = cloudformation.create_stack(StackName=stack, TemplateBody=template, RoleARN=roles["second"])
    assert status(cloudformation, stack) == "ROLLBACK_FAILED"

    # The policy that the role `second` created denies the role `second`.
    cloudformation.delete_stack(StackName=stack)
    assert status(cloudformation, stack) == "DELETE_FAILED"
    refusal = refused(cloudformation.create_change_set, StackName=stack, ChangeSetName="update", TemplateBody=template)
    assert refusal == f"ValidationError: Stack:{created['StackId']} is in DELETE_FAILED state and can not be updated."

    cloudformation.delete_stack(StackName=stack, RoleARN=roles["first"])
    assert status(cloudformation, created["StackId"]) == "DELETE_COMPLETE"
    assert "ResourceNotFound" in refused(aws.client("secretsmanager").describe_secret, SecretId=stack)


def test_a_failed_rollback_continues_with_another_role(aws: EmbeddedAws, roles: dict[str, str]) -> None:
    cloudformation, stack = aws.client("cloudformation"), "continued"
    cloudformation.create_stack(
        StackName=stack, TemplateBody=a_secret_for(roles["first"], stack), RoleARN=roles["first"]
    )
    assert status(cloudformation, stack) == "CREATE_COMPLETE"
    cloudformation.update_stack(StackName=stack, TemplateBody=a_secret_for(roles["second"], stack, fails=True))
    assert status(cloudformation, stack) == "UPDATE_ROLLBACK_FAILED"

    cloudformation.continue_update_rollback(StackName=stack, ResourcesToSkip=[])
    assert status(cloudformation, stack) == "UPDATE_ROLLBACK_FAILED"
    cloudformation.continue_update_rollback(StackName=stack, ResourcesToSkip=[], RoleARN=roles["second"])
    assert status(cloudformation, stack) == "UPDATE_ROLLBACK_COMPLETE"
    policy = aws.client("secretsmanager").get_resource_policy(SecretId=stack)["ResourcePolicy"]
    assert roles["first"] in policy
