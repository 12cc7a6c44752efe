"""The settings of repositories that a push creates."""

import json
from pathlib import Path
from typing import Any

from tests.stacks.conftest import PLAIN, of_type, statements, the_one
from tests.templates import Templates, synthesize

ROLE = "the creation role"


def document(joined: Any) -> Any:
    """Return a policy in a template of CloudFormation, with ROLE instead of the reference to the creation role."""
    empty, parts = joined["Fn::Join"]
    return json.loads(empty.join(part if isinstance(part, str) else ROLE for part in parts))


def test_a_repository_that_a_push_creates_has_the_settings_of_the_other_repositories_of_its_team(
    templates: Templates,
) -> None:
    template = the_one(templates["rich-Registry"], "AWS::ECR::RepositoryCreationTemplate")
    [repository] = [
        each
        for each in of_type(templates["rich-Registry"], "AWS::ECR::Repository")
        if each["RepositoryName"] == "analytics/web-scraper"
    ]

    assert template["Prefix"] == "analytics"
    assert template["ResourceTags"] == repository["Tags"]
    for name in ("ImageTagMutability", "ImageTagMutabilityExclusionFilters"):
        assert template[name] == repository[name]
    assert template["LifecyclePolicy"] == repository["LifecyclePolicy"]["LifecyclePolicyText"]


def test_the_policy_of_a_new_repository_also_allows_the_creation_role_to_set_it_up(templates: Templates) -> None:
    template = the_one(templates["rich-Registry"], "AWS::ECR::RepositoryCreationTemplate")
    repository = of_type(templates["rich-Registry"], "AWS::ECR::Repository")[0]
    new = document(template["RepositoryPolicy"])

    for statement in statements(new).values():
        statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"].remove(ROLE)
    assert new == repository["RepositoryPolicyText"]


def test_a_creation_role_has_the_boundary_also_if_another_team_has_none(tmp_path: Path) -> None:
    boundary = "arn:aws:iam::111111111111:policy/Boundary"
    team = '[teams.risk]\ncreate_on_push = true\npush.role_arns = ["arn:aws:iam::111111111111:role/ci"]\n'
    (tmp_path / "plain.toml").write_text(f'permissions_boundary_arn = "{boundary}"\n{PLAIN}{team}')

    role = the_one(synthesize(tmp_path, tmp_path / "cdk.out")["plain-Registry"], "AWS::IAM::Role")

    assert role["PermissionsBoundary"] == boundary


def test_the_older_setting_for_the_number_of_images_applies_to_new_repositories(tmp_path: Path) -> None:
    settings = "create_on_push = true\nrepository_defaults.keep_images = 7\nrepositories ="
    (tmp_path / "plain.toml").write_text(PLAIN.replace("repositories =", settings))

    template = synthesize(tmp_path, tmp_path / "cdk.out")["plain-Registry"]

    new = the_one(template, "AWS::ECR::RepositoryCreationTemplate")["LifecyclePolicy"]
    assert '"countNumber":7' in new
    assert new == the_one(template, "AWS::ECR::Repository")["LifecyclePolicy"]["LifecyclePolicyText"]
