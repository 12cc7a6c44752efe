"""Tests of "Existing repositories" in docs/deploy.md, with the commands of the page."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import cdk
from local.account import WORKER_ROLE_ARN, Account, assume, docker_login, outputs
from local.demo import FILES, log_in, read
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from local.registry_client import RegistryRefused
from tests.conftest import Deployed
from tests.local.assemblies import edit, wait_one_second_for_permissions
from tests.local.documented import Shell, commands
from tests.templates import synthesize
from tools import ROOT

DEPLOY = ROOT / "docs" / "deploy.md"
REPOSITORY = "adopt/existing"
ARN = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{REPOSITORY}"
READERS = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]}
SETTINGS = f"""
account = "{ACCOUNT}"
region = "{REGION}"
connections_prefix = "adopt/connections"
[teams.adopt]
repositories = REPOSITORIES
pull_accounts = ["222222222222"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/analyst"]
[connections.docker_adopt]
teams = ["adopt"]
[workers]
role_arns = ["{WORKER_ROLE_ARN}"]
[alerts]
off_because = "a test"
"""


@pytest.fixture(scope="module")
def aws(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An emulator of its own, with a repository that was created by hand."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), snapshot=deployed.snapshot) as running:
        ecr = running.client("ecr")
        ecr.create_repository(repositoryName=REPOSITORY, tags=[{"Key": "owner", "Value": "somebody"}])
        ecr.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps(READERS))
        yield running


@pytest.fixture(scope="module")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Cloud assemblies of three settings: do not list the repository, list it as an existing repository, manage it."""
    lists = {
        "without": '["new"]',
        "kept_out": f'["new"]\nexisting_repositories = ["{REPOSITORY}"]',
        "adopted": '["new", "existing"]',
    }
    assemblies = {}
    for name, repositories in lists.items():
        folder = tmp_path_factory.mktemp("adopt")
        (folder / "adopt.toml").write_text(SETTINGS.replace("REPOSITORIES", repositories))
        synthesize(folder, folder / "cdk.out")
        edit(folder / "cdk.out", "adopt", wait_one_second_for_permissions)
        assemblies[name] = folder / "cdk.out"
    return assemblies


def test_a_repository_is_kept_out_adopted_and_handed_back(
    aws: EmbeddedAws, assemblies: dict[str, Path], account: Account, tmp_path: Path
) -> None:
    names = {"prod": "adopt", "<team>/<name>": REPOSITORY, "<team>": "adopt", "<repository-arn>": ARN}
    shell = Shell(aws, tmp_path, names, account.other_admin)

    # Kept out
    cdk.deploy(aws, assemblies["without"], "adopt/*")
    with pytest.raises(RegistryRefused, match="ecr:InitiateLayerUpload"):
        _push(aws, account)
    cdk.deploy(aws, assemblies["kept_out"], "adopt/*")
    _push(aws, account)
    assert _pull(aws, account) == FILES
    assert _tags(aws) == {"owner"}
    assert _policy(aws) == READERS

    # Adopted
    preview, save, *_ = commands(DEPLOY, "See what would be lost")
    shell.assembly = assemblies["adopted"]
    [adopted] = [line for line in shell.run(preview).splitlines() if "AWS::ECR::Repository" in line]
    assert "Existing" in adopted
    assert adopted.endswith("import")
    shell.run(save.partition("aws ecr get-lifecycle-policy")[0])
    cdk.deploy(aws, assemblies["adopted"], "adopt/*")
    assert [each["Sid"] for each in _policy(aws)["Statement"]] == ["PushOnlyByTeam", "PullByOtherAccounts"]
    assert "owner" not in _tags(aws)

    # Handed back
    assert "DELETE_SKIPPED" in cdk.deploy(aws, assemblies["without"], "adopt/*")
    [restore] = commands(DEPLOY, "Hand a repository back")
    shell.run(restore)
    cdk.deploy(aws, assemblies["without"], "adopt/*")
    assert _policy(aws) == READERS
    assert _pull(aws, account) == FILES


def _push(aws: EmbeddedAws, account: Account) -> None:
    role = assume(aws, outputs(aws, "adopt")["PushRoleArnAdopt"], account.analyst)
    docker_login(aws, role).push(f"{REPOSITORY}:1", FILES)


def _pull(aws: EmbeddedAws, account: Account) -> Any:
    worker = aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))
    return log_in(aws, read(worker, "adopt/connections/docker_adopt")[1]).pull(f"{REPOSITORY}:1")


def _tags(aws: EmbeddedAws) -> set[str]:
    tags = aws.client("ecr").list_tags_for_resource(resourceArn=ARN)["tags"]
    return {tag["Key"] for tag in tags if not tag["Key"].startswith("aws:")}


def _policy(aws: EmbeddedAws) -> Any:
    return json.loads(aws.client("ecr").get_repository_policy(repositoryName=REPOSITORY)["policyText"])
