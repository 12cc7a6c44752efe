"""Every item of a long list in the settings has the same effect as the first one."""

import json
import re

import pytest

from tests.permissions.account import path_of
from tests.templates import Templates, synthesize

LETTERS = "abcdefghi"
ACCOUNT = "111111111111"
IAM = f"arn:aws:iam::{ACCOUNT}"
MOST_MUTABLE_TAGS = 5


def nine(start: str) -> list[str]:
    """Return nine names. No name is a part of another name."""
    return [f"{start}q{letter}z" for letter in LETTERS]


# The names of these lists are values: no resource is only about one of them.
VALUES = {
    "break-glass roles": nine("glass"),
    "roles of workers": nine("worker"),
    "other accounts": [f"22222222222{number}" for number in range(9)],
    "mutable tags": nine("moving")[:MOST_MUTABLE_TAGS],
    "protected tags": nine("kept"),
    "tags": nine("key"),
    "existing repositories": nine("old"),
    "repositories of another registry": nine("tool"),
    "teams of another registry": nine("far"),
}
# Each of these names has resources or outputs of its own.
KINDS = {
    "teams": nine("team"),
    "repositories": nine("image"),
    "connections": nine("docker_login"),
    "e-mail addresses": nine("mail"),
}


def settings() -> str:
    """Return an environment with nine of everything."""
    teams = "".join(
        f'[teams.{team}]\nrepositories = ["app"]\npush.role_arns = ["{IAM}:role/ci"]\n' for team in KINDS["teams"]
    )
    connections = "".join(f"[connections.{each}]\nteams = {KINDS['teams']}\n" for each in KINDS["connections"])
    tasks = "".join(f'[ecs.tasks."all/{each}"]\nimage_tag = "1"\n' for each in KINDS["repositories"])
    return f"""
account = "{ACCOUNT}"
region = "eu-west-1"
secret_key = "customer"
break_glass_role_arns = {[f"{IAM}:role/{each}" for each in VALUES["break-glass roles"]]}
alerts.emails = {[f"{each}@example.com" for each in KINDS["e-mail addresses"]]}
{teams}
[teams.all]
repositories = {KINDS["repositories"]}
existing_repositories = {VALUES["existing repositories"]}
create_on_push = true
pull_accounts = {VALUES["other accounts"]}
push.role_arns = ["{IAM}:role/ci"]
repository_defaults.mutable_tags = {VALUES["mutable tags"]}
lifecycle = {{ protected_tags = {VALUES["protected tags"]}, keep_images = 50 }}
{connections}
[connections.docker_all]
teams = ["all"]
[connections.docker_elsewhere]
registry.account = "333333333333"
teams = {VALUES["teams of another registry"]}
repositories = {VALUES["repositories of another registry"]}
[workers]
pull_directly = true
role_arns = {[f"{IAM}:role/{each}" for each in VALUES["roles of workers"]]}
{tasks}
[tags]
{"".join(f'{each} = "1"{chr(10)}' for each in VALUES["tags"])}
"""


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    folder = tmp_path_factory.mktemp("nine")
    (folder / "nine.toml").write_text(settings())
    return synthesize(folder, folder / "cdk.out")


@pytest.mark.parametrize("names", VALUES.values(), ids=VALUES)
def test_a_resource_that_names_one_value_of_a_list_names_all_of_them(templates: Templates, names: list[str]) -> None:
    resources = [resource for template in templates.values() for resource in template["Resources"].values()]
    counts = {path_of(each): [json.dumps(each).count(name) for name in names] for each in resources}

    assert any(any(found) for found in counts.values())
    assert {path: found for path, found in counts.items() if len(set(found)) > 1} == {}


@pytest.mark.parametrize("names", KINDS.values(), ids=KINDS)
def test_every_item_of_a_list_has_the_same_resources_and_is_named_as_often(
    templates: Templates, names: list[str]
) -> None:
    # Of the first refreshes and schedules, only the order of creation differs.
    everything = {
        stack: {
            "Resources": {name: {**each, "DependsOn": None} for name, each in template["Resources"].items()},
            "Outputs": template.get("Outputs"),
        }
        for stack, template in templates.items()
    }
    # A logical id contains the name in Pascal case.
    text = re.sub("[^a-z0-9]", "", json.dumps(everything).lower())

    counts = {name: text.count(name.replace("_", "")) for name in names}
    assert min(counts.values()) > 0
    assert len(set(counts.values())) == 1, counts
