"""The repositories: names, tags, mutable image tags, the deletion policy and the repository policy."""

import json
from pathlib import Path
from typing import Any

from stacks.repository_policy import repository_policy
from tests.stacks.conftest import PLAIN, of_type, statements
from tests.templates import Templates, synthesize

REPOSITORY = "AWS::ECR::Repository"
ROOT = "arn:aws:iam::444455556666:root"
ROLE = "arn:aws:iam::444455556666:role"
DEPLOY_ROLE = f"{ROLE}/cdk-hnb659fds-cfn-exec-role-444455556666-eu-west-1"


def test_repositories_have_the_prefix_and_the_tag_of_their_team(templates: Templates) -> None:
    repositories = {r["RepositoryName"]: r["Tags"] for r in of_type(templates["rich-Registry"], REPOSITORY)}

    assert repositories == {
        "analytics/web-scraper": [{"Key": "team", "Value": "analytics"}],
        "analytics/churn-model": [{"Key": "team", "Value": "analytics"}],
        "risk/var": [{"Key": "team", "Value": "risk"}],
        "risk/reports/daily": [{"Key": "team", "Value": "risk"}],
    }


def test_repositories_and_their_images_stay_after_the_stack_is_deleted(templates: Templates) -> None:
    resources = templates["rich-Registry"]["Resources"].values()

    for repository in (r for r in resources if r["Type"] == REPOSITORY):
        # The policy is not Retain: a repository that stays after a failed first deployment would make the next
        # deployment fail.
        assert repository["DeletionPolicy"] == "RetainExceptOnCreate"
        assert repository["UpdateReplacePolicy"] == "Retain"


def test_only_the_tags_in_the_settings_are_mutable(templates: Templates) -> None:
    repositories = {r["RepositoryName"]: r for r in of_type(templates["rich-Registry"], REPOSITORY)}

    mutable = repositories["analytics/web-scraper"]
    assert mutable["ImageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert mutable["ImageTagMutabilityExclusionFilters"] == [
        {"ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": "latest"}
    ]
    immutable = repositories["risk/var"]
    assert immutable["ImageTagMutability"] == "IMMUTABLE"
    assert "ImageTagMutabilityExclusionFilters" not in immutable


def test_images_are_scanned(templates: Templates) -> None:
    for repository in of_type(templates["rich-Registry"], REPOSITORY):
        assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}


def test_scans_that_are_off_are_turned_off_and_the_scans_of_the_registry_are_left_alone(tmp_path: Path) -> None:
    for scan in ("off", "registry"):
        text = PLAIN.replace("analytics", scan).replace("[teams", f'scan = "{scan}"\n[teams', 1)
        (tmp_path / f"{scan}.toml").write_text(f'connections_prefix = "{scan}"\n{text}')

    templates = synthesize(tmp_path, tmp_path / "cdk.out")

    found = {name: of_type(templates[f"{name}-Registry"], REPOSITORY)[0] for name in ("off", "registry")}
    assert found["off"]["ImageScanningConfiguration"] == {"ScanOnPush": False}
    assert "ImageScanningConfiguration" not in found["registry"]


def test_only_the_repositories_of_the_settings_have_a_lifecycle_policy(templates: Templates) -> None:
    policies = {r["RepositoryName"]: r.get("LifecyclePolicy") for r in of_type(templates["rich-Registry"], REPOSITORY)}

    selected = {
        name: [rule["selection"]["tagStatus"] for rule in json.loads(policy["LifecyclePolicyText"])["rules"]]
        for name, policy in policies.items()
        if policy
    }
    assert selected == {"analytics/web-scraper": ["tagged", "any"], "analytics/churn-model": ["untagged"]}


def test_a_lifecycle_of_a_repository_that_deletes_nothing_turns_the_lifecycle_of_its_team_off(tmp_path: Path) -> None:
    settings = PLAIN.replace(
        '["web-scraper"]',
        '["web-scraper", "all", "tagged"]\nlifecycle.keep_images = 50\n'
        'repository.all.lifecycle = {}\nrepository.tagged.lifecycle.protected_tags = ["v*"]',
    )
    (tmp_path / "plain.toml").write_text(settings)

    template = synthesize(tmp_path, tmp_path / "cdk.out")["plain-Registry"]

    policies = {r["RepositoryName"]: "LifecyclePolicy" in r for r in of_type(template, REPOSITORY)}
    assert policies == {"analytics/web-scraper": True, "analytics/all": False, "analytics/tagged": False}


def test_no_repository_sets_its_encryption(templates: Templates) -> None:
    # Every change of this property would replace the repository.
    for repository in of_type(templates["rich-Registry"], REPOSITORY):
        assert "EncryptionConfiguration" not in repository


def test_an_output_has_the_registry_host(templates: Templates) -> None:
    outputs = templates["rich-Registry"]["Outputs"]

    assert outputs["RegistryHost"]["Value"] == "444455556666.dkr.ecr.eu-west-1.amazonaws.com"


def test_only_the_push_role_the_deploy_role_and_the_root_user_may_push(templates: Templates) -> None:
    policies = {
        r["RepositoryName"]: statements(r["RepositoryPolicyText"])
        for r in of_type(templates["rich-Registry"], REPOSITORY)
    }

    allowed = [f"{ROLE}/rich-ecr-push-risk", DEPLOY_ROLE, ROOT]
    assert policies["risk/var"] == policies["risk/reports/daily"]
    assert policies["risk/var"]["PushOnlyByTeam"] == {
        "Sid": "PushOnlyByTeam",
        "Effect": "Deny",
        "Principal": "*",
        "Action": policies["risk/var"]["PushOnlyByTeam"]["Action"],
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": allowed}},
    }


def test_only_the_deploy_role_the_root_user_and_break_glass_roles_may_delete_and_change(templates: Templates) -> None:
    of_rich = statements(of_type(templates["rich-Registry"], REPOSITORY)[0]["RepositoryPolicyText"])
    of_plain = statements(of_type(templates["plain-Registry"], REPOSITORY)[0]["RepositoryPolicyText"])

    denied = of_rich["ChangeOnlyByDeployment"]
    assert denied["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": [DEPLOY_ROLE, ROOT, f"{ROLE}/BreakGlass"]}}
    assert {"ecr:BatchDeleteImage", "ecr:SetRepositoryPolicy", "ecr:UpdateImageStorageClass"} <= {*denied["Action"]}
    # Without break-glass roles, a mistake could otherwise lock out all administrators.
    assert set(of_plain) == {"PushOnlyByTeam"}


def test_no_statement_makes_ecr_refuse_the_policy(templates: Templates) -> None:
    for repository in of_type(templates["rich-Registry"], REPOSITORY):
        for statement in repository["RepositoryPolicyText"]["Statement"]:
            assert not {"Resource", "NotResource", "NotPrincipal"} & set(statement)
            assert "ecr:GetAuthorizationToken" not in statement["Action"]


def test_a_policy_can_let_other_accounts_pull_and_deny_nothing() -> None:
    def policy(**settings: Any) -> Any:
        return repository_policy(
            partition="aws",
            account="444455556666",
            push_role_arn=f"{ROLE}/push",
            deploy_role_arn=DEPLOY_ROLE,
            break_glass_role_arns=[f"{ROLE}/BreakGlass"],
            **settings,
        )

    assert policy(others_may_push=True) is None
    readers = statements(policy(others_may_push=True, pull_accounts=["111111111111"], pull_organization="o-abcd123456"))
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    assert readers == {
        "PullByOtherAccounts": {
            "Sid": "PullByOtherAccounts",
            "Effect": "Allow",
            "Principal": {"AWS": ["arn:aws:iam::111111111111:root"]},
            "Action": pull,
        },
        "PullByOrganization": {
            "Sid": "PullByOrganization",
            "Effect": "Allow",
            "Principal": "*",
            "Action": pull,
            # Without the second condition, every principal of the own account could pull.
            "Condition": {
                "StringEquals": {"aws:PrincipalOrgID": "o-abcd123456"},
                "StringNotEquals": {"aws:PrincipalAccount": "444455556666"},
            },
        },
    }
    creator = f"{ROLE}/creator"
    for statement in policy(creation_role_arn=creator)["Statement"]:
        assert creator in statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]


def test_a_stack_without_repositories_has_a_resource_because_cloudformation_needs_one(tmp_path: Path) -> None:
    (tmp_path / "plain.toml").write_text(
        PLAIN.replace('repositories = ["web-scraper"]', 'existing_repositories = ["a"]')
    )

    resources = synthesize(tmp_path, tmp_path / "cdk.out")["plain-Registry"]["Resources"].values()

    assert [resource["Type"] for resource in resources] == ["AWS::CloudFormation::WaitConditionHandle"]
