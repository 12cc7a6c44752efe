"""Pulls from the registries of another account and of another Region, with both sides deployed from settings files.

`reader.toml` has the connections. `central.toml` deploys a registry of another account, and `abroad.toml` deploys a
registry of the same account in another Region. A third account has a repository with a policy that was pasted.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from local import cdk
from local.account import WORKER_ROLE_ARN, docker_login, outputs
from local.demo import FILES, log_in, read
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from local.registry_client import RegistryClient, RegistryRefused
from settings.registry_access import policy_to_paste
from tests.changes.deployments import toml
from tests.templates import synthesize

CENTRAL, PASTED, ABROAD = "444455556666", "777788889999", "eu-west-1"
PULL_ACTIONS = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
PUSHERS = {"role_arns": [f"arn:aws:iam::{ACCOUNT}:role/risk-ci"]}
PUSHERS_OF_CENTRAL = {"user_arns": [f"arn:aws:iam::{CENTRAL}:user/pusher"]}
SETTINGS: dict[str, Any] = {
    "reader": {
        "account": ACCOUNT,
        "region": REGION,
        "connections_prefix": "reader/connections",
        "teams": {"reading": {"repositories": ["app"], "push": PUSHERS}},
        "connections": {
            "docker_central": {"teams": ["platform"], "registry": {"account": CENTRAL}},
            "docker_abroad": {"teams": ["platform"], "registry": {"region": ABROAD}},
            "docker_pasted": {"repositories": ["tools/base"], "registry": {"account": PASTED, "region": ABROAD}},
        },
        "workers": {"role_arns": [WORKER_ROLE_ARN]},
        "alerts": {"off_because": "a test"},
    },
    "central": {
        "account": CENTRAL,
        "region": REGION,
        "connections_prefix": "central/connections",
        "teams": {
            "platform": {"repositories": ["base"], "push": PUSHERS_OF_CENTRAL, "pull_accounts": [ACCOUNT]},
            "private": {"repositories": ["base"], "push": PUSHERS_OF_CENTRAL},
        },
        "connections": {"docker_default": {"teams": ["platform"]}},
        "alerts": {"off_because": "a test"},
    },
    "abroad": {
        "account": ACCOUNT,
        "region": ABROAD,
        "connections_prefix": "abroad/connections",
        "teams": {
            "platform": {"repositories": ["base"], "push": PUSHERS, "pull_environments": ["reader"]},
            "private": {"repositories": ["base"], "push": PUSHERS},
        },
        "connections": {"docker_default": {"teams": ["platform"]}},
        "alerts": {"off_because": "a test"},
    },
}
HOSTS = {
    "docker_central": f"{CENTRAL}.dkr.ecr.{REGION}.amazonaws.com",
    "docker_abroad": f"{ACCOUNT}.dkr.ecr.{ABROAD}.amazonaws.com",
    "docker_pasted": f"{PASTED}.dkr.ecr.{ABROAD}.amazonaws.com",
}
IMAGES = {"docker_central": "platform/base:1", "docker_abroad": "platform/base:1", "docker_pasted": "tools/base:1"}


@dataclass(frozen=True)
class Registries:
    """The emulator, with one view for each registry."""

    aws: EmbeddedAws
    central: EmbeddedAws
    abroad: EmbeddedAws
    pasted: EmbeddedAws


@pytest.fixture(scope="module")
def registries(aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Registries:
    """Deploy both sides. Each registry has images. The third account also has the policy of its repository."""
    folder = tmp_path_factory.mktemp("other-registries")
    found = Registries(
        aws,
        central=aws.elsewhere(account=CENTRAL),
        abroad=aws.elsewhere(region=ABROAD),
        pasted=aws.elsewhere(account=PASTED, region=ABROAD),
    )
    for name, settings in SETTINGS.items():
        (folder / f"{name}.toml").write_text(toml(settings))
    synthesize(folder, folder / "cdk.out")
    found.pasted.client("ecr").create_repository(repositoryName="tools/base")
    paste_policy(found.pasted, "tools/base", "reader-ecr-pull-docker_pasted")
    for registry, name in ((found.central, "central"), (found.abroad, "abroad")):
        cdk.bootstrap(registry)
        cdk.deploy(registry, folder / "cdk.out", f"{name}/Registry")
        for image in ("platform/base:1", "private/base:1"):
            root_login(registry).push(image, FILES)
    root_login(found.pasted).push("tools/base:1", FILES)
    cdk.deploy(aws, folder / "cdk.out", "reader/*")
    return found


def root_login(aws: EmbeddedAws) -> RegistryClient:
    return docker_login(aws, aws.root_credentials)


def paste_policy(aws: EmbeddedAws, repository: str, role: str) -> None:
    """Set the policy of a repository for a pull role of the emulator's own account."""
    text = json.dumps(policy_to_paste("aws", [f"arn:aws:iam::{ACCOUNT}:role/{role}"]))
    aws.client("ecr").set_repository_policy(repositoryName=repository, policyText=text)


def login_of(aws: EmbeddedAws, worker: Any, connection_id: str) -> tuple[dict[str, Any], RegistryClient]:
    _, connection = read(worker, f"reader/connections/{connection_id}")
    return connection, log_in(aws, connection)


@pytest.mark.parametrize("connection_id", HOSTS)
def test_the_login_in_the_secret_pulls_from_the_other_registry_before_and_after_a_refresh(
    registries: Registries, worker: Any, connection_id: str
) -> None:
    aws = registries.aws
    first, docker = login_of(aws, worker, connection_id)
    assert first["host"] == HOSTS[connection_id]
    assert docker.pull(IMAGES[connection_id]) == FILES

    pascal = "".join(part.capitalize() for part in connection_id.split("_"))
    function = outputs(aws, "reader")[f"RefreshFunctionName{pascal}"]
    aws.advance_clock(minutes=30, sessions_expire=False)
    assert "FunctionError" not in aws.client("lambda").invoke(FunctionName=function)
    second, docker = login_of(aws, worker, connection_id)
    is_new = first["password"] != second["password"]
    assert (is_new, second["host"]) == (True, HOSTS[connection_id])
    assert docker.pull(IMAGES[connection_id]) == FILES


@pytest.mark.parametrize("connection_id", ["docker_central", "docker_abroad"])
def test_a_login_for_another_registry_pulls_no_other_team_and_pushes_nothing(
    registries: Registries, worker: Any, connection_id: str
) -> None:
    _, docker = login_of(registries.aws, worker, connection_id)
    with pytest.raises(RegistryRefused, match="no identity-based policy allows the ecr:BatchGetImage action"):
        docker.pull("private/base:1")
    with pytest.raises(RegistryRefused, match="is not authorized to perform: ecr:PutImage"):
        docker.push("platform/base:2", FILES)


def test_a_policy_that_names_another_role_refuses_the_pull(registries: Registries, worker: Any) -> None:
    _, docker = login_of(registries.aws, worker, "docker_pasted")
    paste_policy(registries.pasted, "tools/base", "reader-ecr-pull-docker_central")
    try:
        with pytest.raises(RegistryRefused, match="no resource-based policy allows the ecr:BatchGetImage action"):
            docker.pull("tools/base:1")
    finally:
        paste_policy(registries.pasted, "tools/base", "reader-ecr-pull-docker_pasted")
    assert docker.pull("tools/base:1") == FILES


def test_a_login_of_another_region_looks_expired(registries: Registries, worker: Any) -> None:
    connection, _ = login_of(registries.aws, worker, "docker_central")
    wrong = log_in(registries.aws, {**connection, "host": HOSTS["docker_pasted"]})
    with pytest.raises(RegistryRefused, match="Your authorization token has expired"):
        wrong.pull("tools/base:1")


def test_only_the_file_of_the_other_registry_lets_the_reader_pull(registries: Registries) -> None:
    [statement] = [
        each
        for each in json.loads(
            registries.central.client("ecr").get_repository_policy(repositoryName="platform/base")["policyText"]
        )["Statement"]
        if each["Effect"] == "Allow" and ACCOUNT in json.dumps(each["Principal"])
    ]
    assert sorted(statement["Action"]) == PULL_ACTIONS
    policies = registries.central.client("ecr").get_repository_policy(repositoryName="private/base")["policyText"]
    assert ACCOUNT not in policies
