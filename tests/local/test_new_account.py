"""A first deployment in a new AWS account, in which at most 10 functions run at the same time."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from local import cdk
from local.account import WORKER_ROLE_ARN, create_account
from local.cdk import CdkFailed
from local.demo import read
from local.embedded_aws import ACCOUNT, ROOT_CREDENTIALS, EmbeddedAws
from tests.templates import synthesize

LIMIT = 10
CONNECTIONS = [f"docker_{number:02}" for number in range(1, 13)]
SETTINGS = f"""
account = "{ACCOUNT}"
region = "us-east-1"
[teams.team]
repositories = ["repository"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/analyst"]
[workers]
role_arns = ["{WORKER_ROLE_ARN}"]
[alerts]
off_because = "a test"
""" + "".join(f'[connections.{connection}]\nteams = ["team"]\n' for connection in CONNECTIONS)


@pytest.fixture(scope="module")
def new_account(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with EmbeddedAws.start(tmp_path_factory.mktemp("new-account")) as aws:
        create_account(aws)
        cdk.bootstrap(aws)
        yield aws


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = tmp_path_factory.mktemp("environments")
    (settings / "new.toml").write_text(SETTINGS)
    assembly = tmp_path_factory.mktemp("assembly") / "cdk.out"
    synthesize(settings, assembly)
    return assembly


@pytest.fixture(scope="module")
def unordered(assembly: Path) -> Path:
    """The same assembly, in which the first refreshes do not depend on each other."""
    copy = shutil.copytree(assembly, assembly.parent / "unordered.out")
    [file] = copy.glob("**/newDockerLogin*.template.json")
    template = json.loads(file.read_text())
    triggers = {name for name, found in template["Resources"].items() if found["Type"] == "Custom::Trigger"}
    for trigger in triggers:
        definition = template["Resources"][trigger]
        definition["DependsOn"] = sorted(set(definition["DependsOn"]) - triggers)
    # The CDK CLI uploads a template only if its hash is new.
    old = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_text(json.dumps(template))
    new = hashlib.sha256(file.read_bytes()).hexdigest()
    for listing in file.parent.glob("*.json"):
        listing.write_text(listing.read_text().replace(old, new))
    return copy


def test_first_refreshes_that_do_not_wait_for_each_other_are_throttled(
    new_account: EmbeddedAws, unordered: Path
) -> None:
    with new_account.concurrency_limit(LIMIT), pytest.raises(CdkFailed, match="status code 429"):
        cdk.deploy(new_account, unordered, "new/DockerLogin")


def test_a_first_deployment_of_twelve_connections_succeeds(new_account: EmbeddedAws, assembly: Path) -> None:
    with new_account.concurrency_limit(LIMIT):
        cdk.deploy(new_account, assembly, "new/*")
    root = new_account.client("secretsmanager", ROOT_CREDENTIALS)
    for connection in CONNECTIONS:
        _, login = read(root, f"airflow/connections/{connection}")
        assert login["conn_type"] == "docker"
