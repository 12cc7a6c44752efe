"""Repositories that a push creates: the first push, the adoption by a later deployment, and create_on_push turned off.

One environment is deployed three times. The names of two teams start with the same word.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.account import BREAK_GLASS_ROLE_ARN, WORKER_ROLE_ARN, Account, assume, docker_login
from local.demo import FILES, log_in, read
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from local.registry_client import RegistryClient, RegistryRefused
from ops.preflight.creation_templates import find_taken_creation_templates
from ops.preflight.findings import Finding
from ops.preflight.repositories import find_removed_repositories, find_taken_repositories
from settings.names import pascal_case
from tests.changes.deployments import Deployer, Deployment, Settings, changed
from tests.changes.rows import plays

PUSH = {"user_arns": [f"arn:aws:iam::{ACCOUNT}:user/analyst"]}
SECRET = "pushed/connections/docker_pushed"
TEMPLATE, REPOSITORY = "AWS::ECR::RepositoryCreationTemplate", "AWS::ECR::Repository"

FIRST: Settings = {
    "account": ACCOUNT,
    "region": REGION,
    "connections_prefix": "pushed/connections",
    # With a break-glass role, the repository policy denies changes to all roles that it does not name.
    "break_glass_role_arns": [BREAK_GLASS_ROLE_ARN],
    "teams": {
        "own": {
            "create_on_push": True,
            "push": PUSH,
            "repository_defaults": {"mutable_tags": ["latest"]},
            "lifecycle": {"keep_images": 7},
        },
        "own-x": {"create_on_push": True, "push": PUSH},
        "fixed": {"repositories": ["app"], "push": PUSH},
    },
    "connections": {"docker_pushed": {"teams": ["own"]}},
    "workers": {"role_arns": [WORKER_ROLE_ARN], "pull_directly": True},
    "alerts": {"off_because": "a test"},
}
ADOPTING = changed(FIRST, {"teams": {"own": {"repositories": ["app"]}}})
OFF = changed(ADOPTING, {"teams": {"own": {"create_on_push": False}}})

FIRST_PUSHES = [
    ("own", "own/app"),
    ("own", "own/deep/er"),
    ("own", "own-x/app"),
    ("own", "fixed/other"),
    ("own", "other/app"),
    ("fixed", "fixed/other"),
    ("other admin", "fixed/other"),
    ("other admin", "own/by-admin"),
    ("other admin", "own/app"),
]


@dataclass
class Played:
    """Three deployments, and what was observed after each of them.

    Attributes:
        deployments: the state after each deployment.
        pushed: whether each of FIRST_PUSHES was accepted after the first deployment, or the error message.
        repositories: the repositories with their settings and tags, after each deployment.
        pulled: the images that a worker can pull after each deployment, with a docker login and directly.
        pushed_at_the_end: the same as `pushed`, after the last deployment.
        findings: what the checks of the repositories and creation templates found before each deployment.
    """

    deployments: list[Deployment]
    pushed: dict[tuple[str, str], str]
    repositories: list[dict[str, Any]]
    pulled: list[list[set[str]]]
    pushed_at_the_end: dict[str, str]
    findings: list[Finding]


@pytest.fixture(scope="module")
def played(aws: EmbeddedAws, account: Account, worker_role: Any, tmp_path_factory: pytest.TempPathFactory) -> Played:
    deployer = Deployer(aws, tmp_path_factory.mktemp("create-on-push"))
    deployments, repositories, pulled, pushed, pushed_at_the_end = [], [], [], {}, {}
    findings: list[Finding] = []
    for settings in (FIRST, ADOPTING, OFF):
        for check in (find_taken_repositories, find_taken_creation_templates, find_removed_repositories):
            findings += check(deployer.clients, deployer.planned("pushed", settings))
        deployments.append(deployer.deploy("pushed", settings))
        teams = {
            team: docker_login(
                aws, assume(aws, deployments[-1].outputs[f"PushRoleArn{pascal_case(team)}"], account.analyst)
            )
            for team in settings["teams"]
        }
        if settings is FIRST:
            principals = {**teams, "other admin": docker_login(aws, account.other_admin)}
            pushed = {(who, name): push(principals[who], f"{name}:1") for who, name in FIRST_PUSHES}
        if settings is OFF:
            for image in ("own/app:2", "own/deep/er:2", "own/another:1"):
                pushed_at_the_end[image] = push(teams["own"], image)
        repositories.append(described(aws))
        with_login = log_in(aws, read(worker_role, SECRET)[1])
        directly = docker_login(aws, assume(aws, WORKER_ROLE_ARN, account.operator))
        pulled.append(
            [
                {image for image in ("own/app:1", "own/deep/er:1") if pulls(each, image)}
                for each in (with_login, directly)
            ]
        )
    return Played(deployments, pushed, repositories, pulled, pushed_at_the_end, findings)


def push(docker: RegistryClient, image: str) -> str:
    """Push an image, and return an empty string or the error message."""
    try:
        docker.push(image, FILES)
    except RegistryRefused as refusal:
        return str(refusal)
    return ""


def pulls(docker: RegistryClient, image: str) -> bool:
    try:
        return docker.pull(image) == FILES
    except RegistryRefused:
        return False


def described(aws: EmbeddedAws) -> dict[str, Any]:
    """Return the repositories of the teams in this file, with their tags, policies and number of images."""
    ecr = aws.client("ecr")
    found = {}
    for page in ecr.get_paginator("describe_repositories").paginate():
        for repository in page["repositories"]:
            name = repository["repositoryName"]
            if name.startswith(("own", "fixed", "other/")):
                tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
                found[name] = {
                    **repository,
                    "tags": {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")},
                    "policy": text_of(ecr.get_repository_policy, name, "policyText"),
                    "lifecycle": text_of(ecr.get_lifecycle_policy, name, "lifecyclePolicyText"),
                    "images": len(ecr.list_images(repositoryName=name)["imageIds"]),
                }
    return found


def text_of(get: Any, repository: str, key: str) -> str | None:
    try:
        return str(get(repositoryName=repository)[key])
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
        return None


def test_the_first_push_of_a_team_creates_a_repository_of_this_team_only(played: Played) -> None:
    assert {name for name, refusal in played.pushed.items() if not refusal} == {
        ("own", "own/app"),
        ("own", "own/deep/er"),
    }
    assert set(played.repositories[0]) == {"own/app", "own/deep/er", "fixed/app"}


def test_a_push_that_creates_no_repository_fails_with_403_or_404(played: Played) -> None:
    # The push role of the team `fixed` requires the tag, and a repository that does not exist has no tag.
    denied = {("own", "own-x/app"), ("own", "fixed/other"), ("own", "other/app"), ("fixed", "fixed/other")}
    for who_and_name in denied:
        assert played.pushed[who_and_name].startswith("403 User: "), who_and_name
    assert played.pushed["other admin", "fixed/other"].startswith("404 repository name not known to registry")


def test_the_policy_of_a_new_repository_denies_pushing_to_an_administrator(played: Played) -> None:
    for name in ("own/by-admin", "own/app"):
        assert "with an explicit deny in a resource-based policy" in played.pushed["other admin", name]
    assert played.repositories[0]["own/app"]["images"] == 1


def test_a_new_repository_has_the_tag_and_the_settings_of_its_team(played: Played) -> None:
    for name in ("own/app", "own/deep/er"):
        created = played.repositories[0][name]
        assert created["tags"] == {"team": "own"}
        assert created["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
        assert created["imageTagMutabilityExclusionFilters"] == [{"filterType": "WILDCARD", "filter": "latest"}]
        assert created["encryptionConfiguration"] == {"encryptionType": "AES256"}
        assert created["imageScanningConfiguration"] == {"scanOnPush": False}
        [rule] = json.loads(created["lifecycle"])["rules"]
        assert rule["selection"]["countNumber"] == 7


def test_workers_pull_from_a_new_repository_with_the_docker_login_and_directly(played: Played) -> None:
    images = {"own/app:1", "own/deep/er:1"}
    assert played.pulled == [[images, images]] * 3


def test_no_check_before_a_deployment_has_a_finding(played: Played) -> None:
    assert played.findings == []


def test_a_deployment_adopts_a_new_repository_that_the_settings_list(played: Played) -> None:
    first, adopting, _ = (deployment.of(REPOSITORY) for deployment in played.deployments)
    assert sorted(first.values()) == ["fixed/app"]
    assert sorted(adopting.values()) == ["fixed/app", "own/app"]
    before, after = (repositories["own/app"] for repositories in played.repositories[:2])
    assert (after["createdAt"], after["images"]) == (before["createdAt"], 1)
    assert after["tags"]["team"] == "own"


@plays("teams.<team>.create_on_push")
def test_repositories_stay_when_create_on_push_is_turned_off(played: Played) -> None:
    assert [sorted(deployment.of(TEMPLATE).values()) for deployment in played.deployments] == [
        ["own", "own-x"],
        ["own", "own-x"],
        ["own-x"],
    ]
    assert set(played.repositories[2]) == {"own/app", "own/deep/er", "fixed/app"}
    assert played.pushed_at_the_end["own/app:2"] == played.pushed_at_the_end["own/deep/er:2"] == ""
    assert played.pushed_at_the_end["own/another:1"].startswith("403 User: ")
