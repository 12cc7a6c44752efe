"""The push roles: the principals that may assume a role, and the repositories to which a role may push."""

from typing import Any

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
    assert {statement["Action"] for statement in trust["Statement"]} == {"sts:AssumeRole"}


def test_users_need_mfa_to_assume_a_push_role_if_the_settings_require_it(templates: Templates) -> None:
    [with_mfa] = push_roles(templates["rich-Access"])["rich-ecr-push-risk"]["AssumeRolePolicyDocument"]["Statement"]
    [without] = push_roles(templates["plain-Access"])["plain-ecr-push-analytics"]["AssumeRolePolicyDocument"][
        "Statement"
    ]

    assert with_mfa["Principal"] == {"AWS": "arn:aws:iam::444455556666:user/ana"}
    # The operator is not BoolIfExists, because a session without the key aws:MultiFactorAuthPresent has no MFA.
    assert with_mfa["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    assert "Condition" not in without


def test_a_push_session_lasts_at_most_an_hour(templates: Templates) -> None:
    assert {role["MaxSessionDuration"] for role in push_roles(templates["rich-Access"]).values()} == {3600}
