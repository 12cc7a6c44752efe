"""The push roles: the principals that may assume a role, and the repositories to which a role may push."""

import json
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk.assertions import Template

from settings.environment import Push
from settings.registries import Registry
from stacks.access import PushRole
from tests.stacks.conftest import actions, of_type, statements
from tests.templates import Templates


def push_roles(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {role["RoleName"]: role for role in of_type(template, "AWS::IAM::Role")}


def policy(role: dict[str, Any]) -> dict[str, Any]:
    assert "ManagedPolicyArns" not in role
    [inline] = role["Policies"]
    document: dict[str, Any] = inline["PolicyDocument"]
    return document


def test_each_team_has_a_push_role_with_a_name_that_analysts_can_type(templates: Templates) -> None:
    template = templates["rich-Access"]

    assert list(push_roles(template)) == ["rich-ecr-push-analytics", "rich-ecr-push-risk"]
    assert set(template["Outputs"]) == {"PushRoleArnAnalytics", "PushRoleArnRisk"}


def test_a_push_role_may_only_push_pull_look_and_log_in(templates: Templates) -> None:
    document = policy(push_roles(templates["rich-Access"])["rich-ecr-push-analytics"])

    assert actions(document) == {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImageScanFindings",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "ecr:GetLifecyclePolicy",
        "ecr:GetLifecyclePolicyPreview",
        "ecr:InitiateLayerUpload",
        "ecr:ListImages",
        "ecr:ListTagsForResource",
        "ecr:PutImage",
        "ecr:StartLifecyclePolicyPreview",
        "ecr:UploadLayerPart",
    }


def test_a_push_role_may_push_only_to_repositories_with_the_prefix_and_the_tag_of_its_team(
    templates: Templates,
) -> None:
    push = statements(policy(push_roles(templates["rich-Access"])["rich-ecr-push-analytics"]))["PushImages"]

    assert push["Resource"] == "arn:aws:ecr:eu-west-1:444455556666:repository/analytics/*"
    assert push["Condition"] == {"StringEquals": {"aws:ResourceTag/team": ["analytics"]}}


def test_a_push_role_may_push_to_existing_repositories_of_its_team_by_name(templates: Templates) -> None:
    roles = push_roles(templates["rich-Access"])

    of_risk = statements(policy(roles["rich-ecr-push-risk"]))
    assert of_risk["PushToExisting"]["Action"] == of_risk["PushImages"]["Action"]
    assert of_risk["PushToExisting"]["Resource"] == [
        "arn:aws:ecr:eu-west-1:444455556666:repository/old/var",
        "arn:aws:ecr:eu-west-1:444455556666:repository/var_old",
    ]
    assert "Condition" not in of_risk["PushToExisting"]
    assert "PushToExisting" not in statements(policy(roles["rich-ecr-push-analytics"]))


def test_a_push_over_plain_http_is_refused(templates: Templates) -> None:
    for role in push_roles(templates["rich-Access"]).values():
        deny = statements(policy(role))["RefusePlainHttp"]
        assert (deny["Effect"], deny["Action"], deny["Resource"]) == ("Deny", "*", "*")
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_named_roles_and_permission_sets_may_assume_a_push_role(templates: Templates) -> None:
    trust = push_roles(templates["rich-Access"])["rich-ecr-push-analytics"]["AssumeRolePolicyDocument"]

    by_arn, by_permission_set = trust["Statement"]
    assert by_arn["Principal"] == {"AWS": "arn:aws:iam::444455556666:role/analytics-ci"}
    assert by_permission_set["Principal"] == {"AWS": "arn:aws:iam::444455556666:root"}
    # The pattern ends with sixteen question marks, because * would also match the permission set DataAnalyst_Admin.
    assert by_permission_set["Condition"] == {
        "ArnLike": {
            "aws:PrincipalArn": [
                "arn:aws:iam::444455556666:role/aws-reserved/sso.amazonaws.com*/"
                "AWSReservedSSO_DataAnalyst_????????????????"
            ]
        }
    }


def test_principals_that_assume_a_push_role_may_pass_session_tags_but_no_source_identity(templates: Templates) -> None:
    for name in ("rich-Access", "plain-Access"):
        for role in push_roles(templates[name]).values():
            for statement in role["AssumeRolePolicyDocument"]["Statement"]:
                if "Federated" not in statement["Principal"]:
                    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_no_permission_of_a_push_role_depends_on_the_tags_of_the_session(templates: Templates) -> None:
    for role in push_roles(templates["rich-Access"]).values():
        assert "PrincipalTag" not in json.dumps(role)


def test_a_workflow_may_assume_a_push_role_with_exactly_its_audience_and_subject(templates: Templates) -> None:
    trust = push_roles(templates["plain-Access"])["plain-ecr-push-analytics"]["AssumeRolePolicyDocument"]
    _, github, github_patterns, gitlab = trust["Statement"]
    issuer = "token.actions.githubusercontent.com"

    assert {each["Action"] for each in (github, github_patterns, gitlab)} == {"sts:AssumeRoleWithWebIdentity"}
    assert github["Principal"] == {"Federated": f"arn:aws:iam::111111111111:oidc-provider/{issuer}"}
    assert github["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": [
                "repo:acme@12/pipelines@34:ref:refs/heads/main",
                "repo:acme@12/pipelines@34:environment:production",
            ],
        }
    }
    # A subject with a wildcard has a statement of its own, so that no other subject is compared as a pattern.
    assert github_patterns["Condition"] == {
        "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{issuer}:sub": ["repo:acme/pipelines:ref:refs/heads/release/*"]},
    }
    assert gitlab["Principal"] == {"Federated": "arn:aws:iam::111111111111:oidc-provider/git.example.com/ci"}
    assert gitlab["Condition"] == {
        "StringEquals": {
            "git.example.com/ci:aud": "https://git.example.com",
            "git.example.com/ci:sub": ["project_path:acme/data/pipelines:ref_type:tag:ref:v1"],
        }
    }


WORKFLOW = {"repository": "acme/pipelines", "branch": "main"}


def trust_of(push: dict[str, Any], region: str = "eu-west-1") -> list[dict[str, Any]]:
    """Return the statements of the trust policy of a push role.

    Args:
        push: The table `push` of the settings.
        region: The Region of the role's stack.
    """
    # Without CDK's built-in validation, which takes seconds. One rehearsal includes it.
    context = {"@aws-cdk/core:enablePartitionLiterals": True}  # as in cdk.json
    app = App(context=context, builtin_cloud_formation_validation=False)
    stack = Stack(app, "Stack", env=CdkEnvironment(account="111111111111", region=region))
    PushRole(
        stack,
        "Role",
        team="analytics",
        registry=Registry("111111111111", region),
        role_name="push",
        role_path="/",
        push=Push.model_validate(push),
        existing_repositories=[],
    )
    [role] = Template.from_stack(stack).to_json()["Resources"].values()
    found: list[dict[str, Any]] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    return found


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_the_provider_is_in_the_partition_of_the_region(region: str, partition: str) -> None:
    [statement] = trust_of({"github": [WORKFLOW]}, region)

    provider = f"arn:{partition}:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
    assert statement["Principal"] == {"Federated": provider}


def test_each_project_needs_its_own_audience() -> None:
    names = [f"project-{number}" for number in range(9)]
    projects = [{"project": f"acme/{name}", "branch": "main", "audience": name} for name in names]

    found = [statement["Condition"]["StringEquals"] for statement in trust_of({"gitlab": projects})]

    assert found == [
        {
            "gitlab.com:aud": name,
            "gitlab.com:sub": [f"project_path:acme/{name}:ref_type:branch:ref:main"],
        }
        for name in names
    ]


def test_a_push_role_trusts_every_principal_of_long_lists() -> None:
    # IAM, STS and GitHub distinguish upper-case letters.
    names = [f"Name{number}" for number in range(9)]
    roles = [f"arn:aws:iam::111111111111:role/{name}" for name in names]
    users = [f"arn:aws:iam::111111111111:user/{name}" for name in names]
    workflows = [{"repository": f"acme/{name}", "branch": "main"} for name in names]

    of_roles, of_users, of_sets, of_workflows = trust_of(
        {"role_arns": roles, "user_arns": users, "permission_sets": names, "github": workflows}
    )

    assert of_roles["Principal"] == {"AWS": roles}
    assert of_users["Principal"] == {"AWS": users}
    sets = of_sets["Condition"]["ArnLike"]["aws:PrincipalArn"]
    assert [arn.partition("AWSReservedSSO_")[2] for arn in sets] == [f"{name}_{'?' * 16}" for name in names]
    subjects = of_workflows["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert subjects == [f"repo:acme/{name}:ref:refs/heads/main" for name in names]


def test_users_need_mfa_to_assume_a_push_role_if_the_settings_require_it(templates: Templates) -> None:
    [with_mfa] = push_roles(templates["rich-Access"])["rich-ecr-push-risk"]["AssumeRolePolicyDocument"]["Statement"]
    without, *_ = push_roles(templates["plain-Access"])["plain-ecr-push-analytics"]["AssumeRolePolicyDocument"][
        "Statement"
    ]

    assert with_mfa["Principal"] == {"AWS": "arn:aws:iam::444455556666:user/ana"}
    # The operator is not BoolIfExists, because a session without the key aws:MultiFactorAuthPresent has no MFA.
    assert with_mfa["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    assert "Condition" not in without


def test_every_user_of_a_long_list_needs_mfa_also_if_workflows_may_push() -> None:
    users = [f"arn:aws:iam::111111111111:user/name{number}" for number in range(9)]

    of_users, of_workflow = trust_of({"user_arns": users, "require_mfa": True, "github": [WORKFLOW]})

    assert of_users["Principal"] == {"AWS": users}
    assert of_users["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    assert "MultiFactor" not in json.dumps(of_workflow)


def test_a_push_session_lasts_at_most_an_hour(templates: Templates) -> None:
    assert {role["MaxSessionDuration"] for role in push_roles(templates["rich-Access"]).values()} == {3600}
