"""Repository policies on the emulator: who can push and delete, and the ways back in docs/changes.md and others."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import cdk
from local.account import BREAK_GLASS_ROLE_ARN, Account, assume, docker_login, outputs
from local.demo import FILES
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from local.iam_policies import allow, assumed_by
from local.registry_client import RegistryRefused
from tests.changes.deployments import toml
from tests.conftest import Deployed
from tests.local.documented import Shell, commands
from tests.templates import synthesize
from tools import ROOT

CHANGES, LOCKED_OUT, REMOVE = (ROOT / "docs" / name for name in ("changes.md", "locked-out.md", "remove.md"))
BREAK_GLASS = {"break_glass_role_arns": [BREAK_GLASS_ROLE_ARN]}
OTHER_FILES = {"marker": "another image"}
BUILDER = f"arn:aws:iam::{ACCOUNT}:role/builder"

Credentials = dict[str, str]


class Lab:
    """An emulator, and the steps that the tests share."""

    def __init__(self, aws: EmbeddedAws, account: Account, folders: pytest.TempPathFactory) -> None:
        self.aws, self.account, self.folders = aws, account, folders
        iam = aws.client("iam")
        operator = f"arn:aws:iam::{ACCOUNT}:user/operator"
        iam.create_role(RoleName="builder", AssumeRolePolicyDocument=assumed_by(operator))
        iam.put_role_policy(RoleName="builder", PolicyName="Push", PolicyDocument=allow("ecr:*"))

    def assembly(self, name: str, teams: dict[str, list[str]], **more: Any) -> Path:
        """Synthesize an environment.

        Args:
            name: The name of the environment.
            teams: The repositories of each team.
            more: More settings. The setting `team` contains settings of every team.
        """
        folder, of_team = self.folders.mktemp(name), more.pop("team", {})
        push = {"user_arns": [f"arn:aws:iam::{ACCOUNT}:user/analyst"]}
        settings = {
            "account": ACCOUNT,
            "region": REGION,
            "connections_prefix": f"{name}/connections",
            "teams": {team: {"repositories": names, "push": push, **of_team} for team, names in teams.items()},
            "connections": {f"docker_{name}": {"teams": [*teams]}},
            "alerts": {"off_because": "a test"},
            **more,
        }
        (folder / f"{name}.toml").write_text(toml(settings))
        synthesize(folder, folder / "cdk.out")
        return folder / "cdk.out"

    def deploy(self, name: str, teams: dict[str, list[str]], **more: Any) -> Path:
        """Deploy only the stacks that these tests need."""
        assembly = self.assembly(name, teams, **more)
        cdk.deploy(self.aws, assembly, f"{name}/Registry", f"{name}/Access")
        return assembly

    def push_role(self, name: str, team: str) -> Credentials:
        return assume(self.aws, outputs(self.aws, name)[f"PushRoleArn{team}"], self.account.analyst)

    def break_glass(self) -> Credentials:
        return assume(self.aws, BREAK_GLASS_ROLE_ARN, self.account.operator)

    def builder(self) -> Credentials:
        """A role with ecr:*."""
        return assume(self.aws, BUILDER, self.account.operator)

    def push(self, credentials: Credentials, image: str, content: Any = None) -> None:
        docker_login(self.aws, credentials).push(image, content or FILES)

    def shell(self, by: Credentials, **names: str) -> Shell:
        placeholders = {f"<{key}>": value for key, value in names.items()}
        return Shell(self.aws, self.folders.mktemp("shell"), placeholders, by)


@pytest.fixture(scope="module")
def lab(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with an emulator of its own."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), snapshot=deployed.snapshot) as aws:
        yield Lab(aws, deployed.account, tmp_path_factory)


def refused(call: Callable[..., Any], **request: Any) -> str:
    with pytest.raises(ClientError) as refusal:
        call(**request)
    return str(refusal.value)


def names(repository: str, **more: str) -> dict[str, str]:
    team, _, name = repository.partition("/")
    return {"team": team, "name": name, **more}


def test_only_the_push_role_pushes_and_administrators_free_a_tag_without_break_glass(lab: Lab) -> None:
    lab.deploy("open", {"open": ["app"]})
    analyst = lab.push_role("open", "Open")

    for stranger in (lab.account.other_admin, lab.builder()):
        with pytest.raises(RegistryRefused, match="explicit deny in a resource-based policy"):
            lab.push(stranger, "open/app:1")
        put_image = lab.aws.client("ecr", stranger).put_image
        message = refused(put_image, repositoryName="open/app", imageManifest="{}", imageTag="1")
        assert "explicit deny in a resource-based policy" in message
    lab.push(analyst, "open/app:1")
    with pytest.raises(RegistryRefused, match="already exists"):
        lab.push(analyst, "open/app:1", OTHER_FILES)

    free, _ = commands(LOCKED_OUT, "Free an image tag or repair a repository")
    lab.shell(lab.account.other_admin, **names("open/app", tag="1")).run(free)
    lab.push(analyst, "open/app:1", OTHER_FILES)


def test_only_a_break_glass_role_frees_a_tag_and_repairs_the_policy_if_there_is_one(lab: Lab) -> None:
    lab.deploy("guarded", {"guarded": ["app"]}, **BREAK_GLASS)
    analyst = lab.push_role("guarded", "Guarded")
    lab.push(analyst, "guarded/app:1")
    free, repair = commands(LOCKED_OUT, "Free an image tag or repair a repository")
    of_app = names("guarded/app", tag="1")

    for stranger in (lab.account.other_admin, lab.builder(), analyst):
        for command in (free, repair):
            with pytest.raises(AssertionError, match="AccessDenied"):
                lab.shell(stranger, **of_app).run(command)
    with pytest.raises(RegistryRefused, match="explicit deny"):
        lab.push(lab.break_glass(), "guarded/app:2")

    lab.shell(lab.break_glass(), **of_app).run(free)
    lab.push(analyst, "guarded/app:1", OTHER_FILES)

    # A policy that denies too much
    broken = policy_of(lab, "guarded/app")
    broken["Statement"][0]["Condition"]["ArnNotEquals"]["aws:PrincipalArn"] = [BREAK_GLASS_ROLE_ARN]
    ecr = lab.aws.client("ecr", lab.break_glass())
    ecr.set_repository_policy(repositoryName="guarded/app", policyText=json.dumps(broken))
    with pytest.raises(RegistryRefused, match="explicit deny"):
        lab.push(analyst, "guarded/app:3")
    lab.shell(lab.break_glass(), **of_app).run(repair)
    lab.push(analyst, "guarded/app:3")

    # The page's way to set the policy again
    lab.deploy("guarded", {"guarded": ["app"]}, team={"others_may_push_because": "a repair"}, **BREAK_GLASS)
    lab.deploy("guarded", {"guarded": ["app"]}, **BREAK_GLASS)
    assert [each["Sid"] for each in policy_of(lab, "guarded/app")["Statement"]] == [
        "PushOnlyByTeam",
        "ChangeOnlyByDeployment",
    ]


def policy_of(lab: Lab, repository: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        lab.aws.client("ecr").get_repository_policy(repositoryName=repository)["policyText"]
    )
    return found


@pytest.mark.parametrize("break_glass", [False, True], ids=["without break glass", "with break glass"])
def test_a_repository_that_left_the_stack_is_handed_over(lab: Lab, break_glass: bool) -> None:
    name, more = ("kept", BREAK_GLASS) if break_glass else ("left", {})
    old, other, heir = f"{name}-old", f"{name}-other", f"{name}heir"
    lab.deploy(name, {old: ["app", "removed", "moved"], other: ["own"]}, **more)
    after = lab.deploy(name, {old: ["app"], other: ["own", "moved"]}, **more)
    cdk.destroy(lab.aws, after, f"{name}/*")
    [hand_over] = commands(CHANGES, "Hand over a repository")
    delete, _ = commands(REMOVE, "4. Remove the repositories")
    stranger = lab.account.other_admin

    # Destroyed, removed from the settings, and moved to another team.
    for repository in (f"{old}/app", f"{old}/removed", f"{old}/moved"):
        with pytest.raises(RegistryRefused, match="explicit deny"):
            lab.push(lab.builder(), f"{repository}:1")
        if break_glass:
            for command in (hand_over, delete):
                with pytest.raises(AssertionError, match="AccessDenied"):
                    lab.shell(stranger, **names(repository)).run(command)
        by = lab.break_glass() if break_glass else stranger
        lab.shell(by, **names(repository)).run(hand_over)
        lab.push(lab.builder(), f"{repository}:1")
        lab.shell(stranger, **names(repository)).run(delete)

    # Another environment adopts a repository with the old policy.
    assert policy_of(lab, f"{other}/own")
    lab.deploy(heir, {other: ["own"]})
    lab.push(lab.push_role(heir, "".join(part.title() for part in other.split("-"))), f"{other}/own:1")
    with pytest.raises(RegistryRefused, match="explicit deny"):
        lab.push(lab.builder(), f"{other}/own:2")
