"""Changes of the registry of a connection: added, changed and removed. One environment is deployed four times."""

from dataclasses import dataclass
from typing import Any

import pytest

from local.account import WORKER_ROLE_ARN, docker_login
from local.demo import FILES, read
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.changes.deployments import Deployer, Deployment, Settings, changed, pulls
from tests.changes.rows import plays
from tests.local.test_other_registries import paste_policy
from tests.readings import Readings, reading

SECRET = "moving/connections/docker_moving"
OTHER_ACCOUNT, OTHER_REGION = "333344445555", "eu-west-1"
PULL_ROLE = "moving-ecr-pull-docker_moving"
FIRST: Settings = {
    "account": ACCOUNT,
    "region": REGION,
    "connections_prefix": "moving/connections",
    "teams": {"indigo": {"repositories": ["app"], "push": {"user_arns": [f"arn:aws:iam::{ACCOUNT}:user/analyst"]}}},
    "connections": {"docker_moving": {"teams": ["indigo"]}},
    "workers": {"role_arns": [WORKER_ROLE_ARN]},
    "alerts": {"off_because": "a test"},
}
ADDED = changed(FIRST, {"connections": {"docker_moving": {"registry": {"account": OTHER_ACCOUNT}}}})
MOVED = changed(
    ADDED,
    {
        "connections": {"docker_moving": {"teams": [], "repositories": ["base"], "registry": {"region": OTHER_REGION}}},
    },
)


@dataclass(frozen=True)
class Played:
    """The deployments of one environment.

    Attributes:
        deployments: the own registry, another account, also another Region, and the own registry again.
        hosts: the host in the login after each deployment.
        pulls: after each deployment, whether the login pulls the image of the registry in the settings.
        readings: what a worker read during all changes.
    """

    deployments: list[Deployment]
    hosts: list[str]
    pulls: list[bool]
    readings: Readings


@pytest.fixture(scope="module")
def played(aws: EmbeddedAws, worker_role: Any, tmp_path_factory: pytest.TempPathFactory) -> Played:
    deployer = Deployer(aws, tmp_path_factory.mktemp("registries"))
    for registry, name in (
        (aws.elsewhere(account=OTHER_ACCOUNT), "indigo/app"),
        (aws.elsewhere(account=OTHER_ACCOUNT, region=OTHER_REGION), "base"),
    ):
        registry.client("ecr").create_repository(repositoryName=name)
        docker_login(registry, registry.root_credentials).push(f"{name}:1", FILES)
        paste_policy(registry, name, PULL_ROLE)
    deployments, hosts, pulled = [deployer.deploy("moving", FIRST)], [], []
    docker_login(aws, aws.root_credentials).push("indigo/app:1", FILES)

    def observe(image: str) -> None:
        hosts.append(read(worker_role, SECRET)[1]["host"])
        pulled.append(pulls(aws, worker_role, SECRET, image))

    observe("indigo/app:1")
    with aws.slow_stacks(), reading(worker_role, [SECRET]) as readings:
        for settings, image in ((ADDED, "indigo/app:1"), (MOVED, "base:1"), (FIRST, "indigo/app:1")):
            deployments.append(deployer.deploy("moving", settings))
            observe(image)
    return Played(deployments, hosts, pulled, readings)


@plays("connections.<id>.registry.account", "connections.<id>.registry.region", "connections.<id>.repositories")
def test_the_login_is_for_the_registry_in_the_settings_after_each_deployment(played: Played) -> None:
    places = [(ACCOUNT, REGION), (OTHER_ACCOUNT, REGION), (OTHER_ACCOUNT, OTHER_REGION), (ACCOUNT, REGION)]
    assert played.hosts == [f"{account}.dkr.ecr.{region}.amazonaws.com" for account, region in places]
    assert played.pulls == [True] * 4


@plays("connections.<id>.registry.account", "connections.<id>.registry.region", "connections.<id>.repositories")
def test_the_login_is_readable_at_every_moment_while_the_registry_changes(played: Played) -> None:
    assert played.readings.failures == []
    assert played.readings.logins > 50


@plays("connections.<id>.registry.account", "connections.<id>.registry.region")
def test_the_pull_role_is_replaced_only_when_the_registry_is_added_or_removed(played: Played) -> None:
    own, added, moved, again = (each.outputs["PullRoleArnDockerMoving"] for each in played.deployments)
    assert added == moved == f"arn:aws:iam::{ACCOUNT}:role/{PULL_ROLE}"
    assert len({own, added, again}) == 3
