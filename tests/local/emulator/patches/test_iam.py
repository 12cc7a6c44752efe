"""Principals and quotas of IAM, and roles and policies in templates."""

import json
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.local.emulator.patches.support import (
    Resource,
    allow,
    deploy,
    destroy,
    refused,
    resource,
    session_of_a_role,
    trust,
)

LAMBDA = trust(Service="lambda.amazonaws.com")
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def a_role(principal: dict[str, Any] = LAMBDA, **properties: Any) -> Resource:
    return resource("IAM::Role", {"AssumeRolePolicyDocument": principal, **properties})


def a_managed_policy(**properties: Any) -> Resource:
    document = {"Version": "2012-10-17", "Statement": [allow("ecr:DescribeImages")]}
    return resource("IAM::ManagedPolicy", {"PolicyDocument": document, **properties})


def arn_of(kind_and_name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{kind_and_name}"


def create_role(aws: EmbeddedAws, name: str, principal: dict[str, Any] = LAMBDA, **settings: str) -> None:
    aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(principal), **settings)


def attach_ten_policies(aws: EmbeddedAws, role: str) -> None:
    for number in range(10):
        aws.client("iam").attach_role_policy(RoleName=role, PolicyArn=f"arn:aws:iam::aws:policy/Number{number}")


def roles_of(aws: EmbeddedAws, policy_arn: str) -> list[str]:
    entities = aws.client("iam").list_entities_for_policy(PolicyArn=policy_arn)
    return [role["RoleName"] for role in entities["PolicyRoles"]]


# Principals


def test_the_principal_arn_of_a_session_is_the_arn_of_the_role_with_its_path(aws: EmbeddedAws) -> None:
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
    other = session_of_a_role(aws, "other", allow("secretsmanager:GetSecretValue"))
    read = {"SecretId": "guarded"}
    assert aws.client("secretsmanager", worker).get_secret_value(**read)["SecretString"] == "login"
    assert "AccessDenied" in refused(aws.client("secretsmanager", other).get_secret_value, **read)


@pytest.mark.parametrize("principal", ["user/nobody", "role/nothing", "role/another-path/exists", "role/exist*"])
def test_a_trust_policy_cannot_name_a_principal_that_does_not_exist(aws: EmbeddedAws, principal: str) -> None:
    iam = aws.client("iam")
    if not any(role["RoleName"] == "exists" for role in iam.list_roles()["Roles"]):
        create_role(aws, "exists", Path="/a-path/")
    document = json.dumps(trust(AWS=arn_of(principal)))
    refusal = f'MalformedPolicyDocument: Invalid principal in policy: "AWS":"{arn_of(principal)}"'

    assert refused(iam.create_role, RoleName="trusting", AssumeRolePolicyDocument=document) == refusal
    assert refused(iam.update_assume_role_policy, RoleName="exists", PolicyDocument=document) == refusal

    failed = deploy(aws, f"trusts-{principal.translate({47: 45, 42: 45})}", Role=a_role(trust(AWS=arn_of(principal))))
    assert failed.status == "ROLLBACK_COMPLETE"
    assert "Invalid principal in policy" in failed.failures


def test_a_failed_trust_policy_leaves_the_role_of_a_stack_as_it_was(aws: EmbeddedAws) -> None:
    role = deploy(aws, "retrusted", Role=a_role()).refs["Role"]
    failed = deploy(aws, "retrusted", Role=a_role(trust(AWS=arn_of("user/nobody"))))
    assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
    found = aws.client("iam").get_role(RoleName=role)["Role"]
    assert found["AssumeRolePolicyDocument"] == LAMBDA


def test_a_trust_policy_can_name_principals_that_exist_and_other_accounts(aws: EmbeddedAws) -> None:
    aws.client("iam").create_user(UserName="somebody", Path="/people/")
    create_role(aws, "something")
    principals = [
        arn_of("user/people/somebody"),
        arn_of("role/something"),
        arn_of("root"),
        ACCOUNT,
        "*",
        "arn:aws:iam::999999999999:role/unknown",
    ]
    create_role(aws, "trusts-them", {"Statement": trust()["Statement"] | {"Principal": {"AWS": principals}}})


# Quotas


def test_a_role_has_at_most_ten_managed_policies(aws: EmbeddedAws) -> None:
    create_role(aws, "full")
    attach_ten_policies(aws, "full")
    attach = aws.client("iam").attach_role_policy
    refusal = refused(attach, RoleName="full", PolicyArn=READ_ONLY)
    assert refusal == "LimitExceeded: Cannot exceed quota for PoliciesPerRole: 10"
    attach(RoleName="full", PolicyArn="arn:aws:iam::aws:policy/Number0")


def test_a_stack_cannot_attach_an_eleventh_managed_policy(aws: EmbeddedAws) -> None:
    create_role(aws, "full-before-a-stack")
    attach_ten_policies(aws, "full-before-a-stack")
    policy = a_managed_policy(ManagedPolicyName="eleventh", Roles=["full-before-a-stack"])

    failed = deploy(aws, "eleventh", Policy=policy)
    assert failed.status == "ROLLBACK_COMPLETE"
    assert "Cannot exceed quota for PoliciesPerRole: 10" in failed.failures
    destroy(aws, "eleventh")

    aws.client("iam").detach_role_policy(RoleName="full-before-a-stack", PolicyArn="arn:aws:iam::aws:policy/Number0")
    assert deploy(aws, "eleventh", Policy=policy).status == "CREATE_COMPLETE"


# Templates


def test_a_stack_attaches_a_managed_policy_only_to_roles_that_exist(aws: EmbeddedAws) -> None:
    failed = deploy(aws, "attached", Policy=a_managed_policy(Roles=["absent"]))
    assert failed.status == "ROLLBACK_COMPLETE"
    assert "The role with name absent cannot be found." in failed.failures
    destroy(aws, "attached")

    for name in ("first", "second"):
        create_role(aws, name)
    arn = deploy(aws, "attached", Policy=a_managed_policy(Roles=["first"])).refs["Policy"]
    assert deploy(aws, "attached", Policy=a_managed_policy(Roles=["absent"])).status == "UPDATE_ROLLBACK_COMPLETE"
    assert roles_of(aws, arn) == ["first"]
    assert deploy(aws, "attached", Policy=a_managed_policy(Roles=["second"])).status == "UPDATE_COMPLETE"
    assert roles_of(aws, arn) == ["second"]


def test_a_stack_cannot_create_a_role_or_a_managed_policy_that_exists(aws: EmbeddedAws) -> None:
    role, policy = a_role(RoleName="taken"), a_managed_policy(ManagedPolicyName="taken")
    deploy(aws, "owns-a-name", Role=role, Policy=policy)
    for logical_id, taken in (("Role", role), ("Policy", policy)):
        failed = deploy(aws, f"wants-the-name-of-a-{logical_id.lower()}", **{logical_id: taken})
        assert failed.status == "ROLLBACK_COMPLETE"
        assert "already exists" in failed.failures

    deploy(aws, "takes-a-name", Role=a_role(RoleName="own"))
    assert deploy(aws, "takes-a-name", Role=role).status == "UPDATE_ROLLBACK_COMPLETE"


def test_a_named_role_whose_path_changes_cannot_be_replaced(aws: EmbeddedAws) -> None:
    deploy(aws, "moved", Role=a_role(RoleName="moved", Path="/"))
    failed = deploy(aws, "moved", Role=a_role(RoleName="moved", Path="/people/"))
    assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
    assert failed.failures == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        "Rename moved and update the stack again."
    )
    assert deploy(aws, "moved", Role=a_role(RoleName="renamed", Path="/people/")).status == "UPDATE_COMPLETE"


def test_a_stack_gives_a_role_a_permissions_boundary_and_removes_it(aws: EmbeddedAws) -> None:
    iam = aws.client("iam")

    def boundary_of(role: str) -> Any:
        boundary = iam.get_role(RoleName=role)["Role"].get("PermissionsBoundary", {})
        return boundary.get("PermissionsBoundaryArn")

    role = deploy(aws, "bounded", Role=a_role(PermissionsBoundary=READ_ONLY)).refs["Role"]
    assert boundary_of(role) == READ_ONLY
    failed = deploy(aws, "bounded", Role=a_role(PermissionsBoundary=arn_of("policy/nothing")))
    assert "does not exist or is not attachable" in failed.failures
    assert boundary_of(role) == READ_ONLY
    assert deploy(aws, "bounded", Role=a_role()).refs["Role"] == role
    assert boundary_of(role) is None


def test_a_stack_deletes_a_role_with_the_policies_of_its_template(aws: EmbeddedAws) -> None:
    inline = {"PolicyName": "inline", "PolicyDocument": {"Version": "2012-10-17", "Statement": [allow("s3:*")]}}
    role = a_role(RoleName="with-policies", ManagedPolicyArns=[READ_ONLY], Policies=[inline])
    attached = a_managed_policy(Roles=[{"Ref": "Role"}])
    assert deploy(aws, "with-policies", Role=role, Attached=attached).status == "CREATE_COMPLETE"
    destroy(aws, "with-policies")
    assert "NoSuchEntity" in refused(aws.client("iam").get_role, RoleName="with-policies")


def test_a_policy_that_was_attached_by_hand_stops_the_deletion_of_a_role(aws: EmbeddedAws) -> None:
    iam, cloudformation = aws.client("iam"), aws.client("cloudformation")
    deploy(aws, "by-hand", Role=a_role(RoleName="by-hand"))
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:*")]})
    iam.attach_role_policy(RoleName="by-hand", PolicyArn=READ_ONLY)
    iam.put_role_policy(RoleName="by-hand", PolicyName="inline", PolicyDocument=document)

    def reasons() -> str:
        destroy(aws, "by-hand", ends="DELETE_FAILED")
        events = cloudformation.describe_stack_events(StackName="by-hand")["StackEvents"]
        return str(next(e["ResourceStatusReason"] for e in events if e["LogicalResourceId"] == "Role"))

    assert "Cannot delete entity, must detach all policies first." in reasons()
    iam.detach_role_policy(RoleName="by-hand", PolicyArn=READ_ONLY)
    assert "Cannot delete entity, must delete policies first." in reasons()
    iam.delete_role_policy(RoleName="by-hand", PolicyName="inline")
    destroy(aws, "by-hand")


def test_the_ref_of_an_instance_profile_is_its_name(aws: EmbeddedAws) -> None:
    def role(name: str) -> Resource:
        return resource("IAM::Role", {"RoleName": name, "AssumeRolePolicyDocument": trust(Service="ec2.amazonaws.com")})

    def profile(of: str, name: str | None = None) -> Resource:
        named = {"InstanceProfileName": name} if name else {}
        return resource("IAM::InstanceProfile", {"Path": "/airflow/", "Roles": [{"Ref": of}], **named})

    iam = aws.client("iam")
    roles = {"First": role("profile-first"), "Second": role("profile-second")}
    ref = deploy(aws, "profile", **roles, Profile=profile("First")).refs["Profile"]
    assert iam.get_instance_profile(InstanceProfileName=ref)["InstanceProfile"]["Path"] == "/airflow/"

    assert deploy(aws, "profile", **roles, Profile=profile("Second")).refs["Profile"] == ref
    [found] = iam.get_instance_profile(InstanceProfileName=ref)["InstanceProfile"]["Roles"]
    assert found["RoleName"] == "profile-second"

    renamed = deploy(aws, "profile", **roles, Profile=profile("Second", "renamed"))
    assert (renamed.status, renamed.refs["Profile"]) == ("UPDATE_COMPLETE", "renamed")
    assert "NoSuchEntity" in refused(iam.get_instance_profile, InstanceProfileName=ref)
    destroy(aws, "profile")
    assert "NoSuchEntity" in refused(iam.get_instance_profile, InstanceProfileName="renamed")
