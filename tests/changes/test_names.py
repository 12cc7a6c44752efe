"""Changes of names: connections, the prefix, repositories, the environment's file and the Region.

One environment is deployed again and again. Each test checks one change and the steps in docs/changes.md.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

import pytest

from local import cdk
from local.account import WORKER_ROLE_ARN, Account, assume, docker_login
from local.cdk import CdkFailed
from local.demo import FILES, log_in, read
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from ops.preflight.findings import Finding
from ops.preflight.repositories import find_removed_repositories, find_taken_repositories
from ops.preflight.roles import find_push_role_conflicts
from ops.preflight.secrets import find_removed_secrets, find_taken_secrets
from tests.changes.deployments import Deployer, Deployment, Settings, changed, login_pulls, pulls
from tests.changes.rows import plays
from tests.readings import Readings, reading

OTHER_REGION = "eu-west-1"
ANALYST = f"arn:aws:iam::{ACCOUNT}:user/analyst"
PREFIX = "named/connections"

FIRST: Settings = {
    "account": ACCOUNT,
    "region": REGION,
    "connections_prefix": PREFIX,
    "teams": {
        "green": {"repositories": ["app", "job"], "push": {"user_arns": [ANALYST]}},
        "gold": {"repositories": ["app"], "push": {"user_arns": [ANALYST]}},
    },
    "connections": {"docker_old": {"teams": ["green"]}, "docker_other": {"teams": ["green", "gold"]}},
    "workers": {"role_arns": [WORKER_ROLE_ARN]},
    "alerts": {"off_because": "a test"},
}
BOTH_NAMES = changed(FIRST, {"connections": {"docker_new": {"teams": ["green"]}}})
RENAMED = changed(BOTH_NAMES, {"connections": {"docker_old": None}})
AT_ONCE = changed(
    RENAMED,
    {
        "connections_prefix": "names/connections",
        "connections": {"docker_new": None, "docker_newest": {"teams": ["green"]}},
        "teams": {"green": {"repositories": ["app"]}, "gold": {"repositories": ["app", "job"]}},
    },
)


@dataclass
class Played:
    """The deployments of one environment, and what was observed before, during and after them.

    Attributes:
        deployments: the state after each deployment.
        notices: what the checks found before each deployment.
        readings: what a worker read during each deployment, by the name of the secret.
        login: the docker login of docker_other before its secret is replaced.
    """

    deployer: Deployer
    deployments: list[Deployment] = field(default_factory=list)
    notices: list[list[Finding]] = field(default_factory=list)
    readings: list[dict[str, Readings]] = field(default_factory=list)
    login: dict[str, Any] = field(default_factory=dict, repr=False)


@pytest.fixture(scope="module")
def played(aws: EmbeddedAws, account: Account, worker_role: Any, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Rename a connection in two deployments. Rename everything else in one more deployment."""
    deployer = Deployer(aws, tmp_path_factory.mktemp("names"))
    played = Played(deployer)
    for settings, old, other in (
        (FIRST, "", ""),
        (BOTH_NAMES, "docker_old", "docker_other"),
        (RENAMED, "docker_new", "docker_other"),
        (AT_ONCE, "docker_new", "docker_other"),
    ):
        planned = deployer.planned("named", settings)
        checks = (find_removed_secrets, find_removed_repositories)
        played.notices.append([finding for check in checks for finding in check(deployer.clients, planned)])
        if settings is AT_ONCE:
            _, played.login = read(worker_role, f"{PREFIX}/docker_other")
        read_meanwhile = [f"{PREFIX}/{name}" for name in (old, other) if name]
        with (
            aws.slow_stacks(),
            reading(worker_role, read_meanwhile[:1]) as of_old,
            reading(worker_role, read_meanwhile[1:]) as of_other,
        ):
            played.deployments.append(deployer.deploy("named", settings))
        played.readings.append({old: of_old, other: of_other})
        if settings is FIRST:
            analyst = docker_login(aws, assume(aws, played.deployments[0].outputs["PushRoleArnGreen"], account.analyst))
            for image in ("green/app:1", "green/job:1"):
                analyst.push(image, FILES)
    return played


@plays("connections.<id>")
def test_a_connection_is_renamed_in_two_deployments_without_an_interruption(played: Played) -> None:
    _, both_names, renamed, _ = played.readings
    for readings in (*both_names.values(), *renamed.values()):
        assert readings.failures == []
        assert readings.logins > 20
    assert played.notices[1] == []
    [notice] = played.notices[2]
    assert not notice.stops
    assert f"deletes the secret {PREFIX}/docker_old, with its value. It was last read" in notice.problem


@plays("connections.<id>")
def test_a_connection_that_is_renamed_in_one_deployment_is_missing_under_its_old_id(
    played: Played, worker: Any
) -> None:
    readings = played.readings[3]["docker_new"]
    assert readings.logins > 20
    assert readings.failures
    with pytest.raises(worker.exceptions.ClientError):
        read(worker, f"{PREFIX}/docker_new")


def test_other_connections_keep_their_resources(played: Played) -> None:
    of_other = [
        {
            logical: physical
            for logical, (kind, physical) in deployment.resources.items()
            if "DockerOther" in logical and kind != "AWS::Lambda::Version"
        }
        for deployment in played.deployments[:3]
    ]
    assert of_other[0] == of_other[1] == of_other[2]
    assert len(of_other[0]) > 5


@plays("connections_prefix", "Secret")
def test_another_prefix_replaces_the_secrets_and_the_old_logins_still_pull(
    aws: EmbeddedAws, played: Played, worker: Any
) -> None:
    assert played.readings[3]["docker_other"].failures
    deleted = {finding.problem.split()[5] for finding in played.notices[3] if "secret" in finding.problem}
    assert deleted == {f"{PREFIX}/docker_new,", f"{PREFIX}/docker_other,"}
    assert pulls(aws, worker, "names/connections/docker_other", "green/app:1")
    assert login_pulls(log_in, aws, played.login, image="green/app:1")


@plays("teams.<team>.repositories", "Repository")
def test_a_repository_that_leaves_a_team_stays_with_its_images_and_its_old_permissions(
    aws: EmbeddedAws, account: Account, played: Played, worker: Any
) -> None:
    names = {each["repositoryName"] for each in aws.client("ecr").describe_repositories()["repositories"]}
    assert {"green/job", "gold/job"} <= names
    moved = played.deployments[3]
    assert set(moved.of("AWS::ECR::Repository").values()) == {"green/app", "gold/app", "gold/job"}
    [notice] = [finding for finding in played.notices[3] if "repositories" in finding.problem]
    assert "no longer contain green/job." in notice.problem
    # The name and the tag of the old repository still contain the old team.
    assert pulls(aws, worker, "names/connections/docker_newest", "green/job:1")
    for team, image in (("Green", "green/job:2"), ("Gold", "gold/job:1")):
        docker_login(aws, assume(aws, moved.outputs[f"PushRoleArn{team}"], account.analyst)).push(image, FILES)


@dataclass(frozen=True)
class MovedOn:
    """The state after the environment was deployed with another name, and in another Region.

    Attributes:
        refused_name: the findings and the error of a deployment with another name before the removal.
        refused_region: the same with another Region.
        renamed: the state after the deployment with another name.
        elsewhere: the emulator with the other Region as default.
        in_region: the state after the deployment in the other Region.
    """

    refused_name: tuple[list[Finding], str]
    refused_region: tuple[list[Finding], str]
    renamed: Deployment
    elsewhere: EmbeddedAws
    in_region: Deployment


@pytest.fixture(scope="module")
def moved_on(aws: EmbeddedAws, played: Played, tmp_path_factory: pytest.TempPathFactory) -> MovedOn:
    deployer = played.deployer
    elsewhere = copy.copy(aws)
    elsewhere.region = OTHER_REGION
    deployer_elsewhere = Deployer(elsewhere, tmp_path_factory.mktemp("elsewhere"))
    in_region = changed(AT_ONCE, {"region": OTHER_REGION})
    cdk.bootstrap(elsewhere)

    planned = deployer.planned("renamed", AT_ONCE)
    by_name = [
        finding
        for check in (find_taken_secrets, find_taken_repositories)
        for finding in check(deployer.clients, planned)
    ]
    by_region = list(find_push_role_conflicts(deployer_elsewhere.clients, deployer.planned("named", in_region)))
    with pytest.raises(CdkFailed) as renamed:
        deployer.deploy("renamed", AT_ONCE)
    assembly = deployer_elsewhere.synthesize("named", in_region)
    with pytest.raises(CdkFailed) as moved:
        # This deploys only one stack. In the emulator, two stacks of one name in two Regions have policies of one name.
        cdk.deploy(elsewhere, assembly, "named/Access")

    # The steps of the page: remove the environment with its old name or Region, then deploy.
    cdk.destroy(aws, played.deployments[-1].assembly, "named/*")
    return MovedOn(
        (by_name, str(renamed.value)),
        (by_region, str(moved.value)),
        deployer.deploy("renamed", AT_ONCE),
        elsewhere,
        deployer_elsewhere.deploy("named", in_region),
    )


@plays("Environment", "Stack")
def test_a_renamed_environment_is_refused_and_adopts_the_repositories_after_the_removal(
    aws: EmbeddedAws, moved_on: MovedOn, worker: Any
) -> None:
    findings, error = moved_on.refused_name
    assert all(finding.stops for finding in findings)
    assert ["named-DockerLogin" in finding.problem for finding in findings] == [True, True, False, False, False]
    assert ["named-Registry" in finding.problem for finding in findings] == [False, False, True, True, True]
    assert "already exists" in error or "cannot be imported" in error
    assert set(moved_on.renamed.of("AWS::ECR::Repository").values()) == {"green/app", "gold/app", "gold/job"}
    assert pulls(aws, worker, "names/connections/docker_newest", "green/app:1")


@plays("region", "Push role")
def test_another_region_is_refused_and_has_empty_repositories_after_the_removal(
    moved_on: MovedOn, account: Account
) -> None:
    findings, error = moved_on.refused_region
    assert [finding.stops for finding in findings] == [True, True]
    assert all('"Change region" in docs/changes.md' in finding.fix for finding in findings)
    assert "RoleName=named-ecr-push-gold" in error
    elsewhere = moved_on.elsewhere
    repositories = elsewhere.client("ecr").describe_repositories()["repositories"]
    assert {"green/app", "gold/app", "gold/job"} <= {each["repositoryName"] for each in repositories}
    worker = elsewhere.client("secretsmanager", assume(elsewhere, WORKER_ROLE_ARN, account.operator))
    _, connection = read(worker, "names/connections/docker_newest")
    assert connection["host"] == f"{ACCOUNT}.dkr.ecr.{OTHER_REGION}.amazonaws.com"
