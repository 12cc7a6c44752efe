"""Changes that replace roles: the path of the roles, and a worker's role that the deployment creates.

One environment is deployed five times. Each test checks one change and the steps in docs/changes.md.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from local import cdk
from local.account import WORKER_ROLE_ARN, Account, assume, docker_login
from local.cdk import CdkFailed
from local.demo import FILES, read
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from local.iam_policies import allow, assumed_by, name_of
from ops.preflight.findings import Finding
from ops.preflight.roles import find_push_role_conflicts
from tests.changes.deployments import Deployer, Deployment, Settings, changed, delete_stack, is_allowed, pulls
from tests.changes.rows import plays
from tests.readings import Readings, reading

SECRET = "roled/connections/docker_roled"
PATH = "/data-platform/"
FIRST: Settings = {
    "account": ACCOUNT,
    "region": REGION,
    "connections_prefix": "roled/connections",
    "teams": {
        "violet": {"repositories": ["app"], "push": {"user_arns": [f"arn:aws:iam::{ACCOUNT}:user/analyst"]}},
    },
    "connections": {"docker_roled": {"teams": ["violet"]}},
    "workers": {"role_arns": [WORKER_ROLE_ARN]},
    "ecs": {"tasks": {"violet/app": {"image_tag": "1"}}},
    "alerts": {"off_because": "a test"},
}
WITH_PATH = changed(FIRST, {"role_path": PATH})
WITH_NEW_WORKER_ROLE = changed(WITH_PATH, {"workers": {"role_arns": []}, "ecs": None})
WITH_EXISTING_WORKER_ROLE = changed(WITH_NEW_WORKER_ROLE, {"workers": {"role_arns": [WORKER_ROLE_ARN]}})


@dataclass(frozen=True)
class Played:
    """The deployments of one environment, and what was observed.

    Attributes:
        findings: what the checks found before the path changed.
        error: the output of the CDK CLI when the path changed without the steps of the page.
        readings: what a worker read while the path changed with the steps of the page.
        task_roles: the inline policies of the first task role and of the second, after the path changed.
        readers: after each deployment, whether the existing role and the created role can read the login.
    """

    first: Deployment
    findings: list[Finding]
    error: str
    with_path: Deployment
    readings: Readings
    task_roles: list[list[str]]
    created: Deployment
    existing: Deployment
    readers: list[tuple[bool, bool]]


@pytest.fixture(scope="module")
def played(aws: EmbeddedAws, account: Account, worker_role: Any, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Change the path, first without and then with the steps of the page. Then change the worker's role twice."""
    deployer, iam = Deployer(aws, tmp_path_factory.mktemp("roles")), aws.client("iam")
    first = deployer.deploy("roled", FIRST)
    docker_login(aws, assume(aws, first.outputs["PushRoleArnViolet"], account.analyst)).push("violet/app:1", FILES)
    first_task_role = name_of(first.outputs["EcsTaskRoleArnVioletApp"])
    iam.put_role_policy(RoleName=first_task_role, PolicyName="ByHand", PolicyDocument=allow("s3:GetObject"))

    findings = list(find_push_role_conflicts(deployer.clients, deployer.planned("roled", WITH_PATH)))
    assembly = deployer.synthesize("roled", WITH_PATH)
    with pytest.raises(CdkFailed) as failed:
        cdk.deploy(aws, assembly, "roled/Access")
    with aws.slow_stacks(), reading(worker_role, [SECRET]) as readings:
        cdk.destroy(aws, first.assembly, "roled/Access")
        cdk.deploy(aws, assembly, "roled/*")
    with_path = deployer.state("roled", assembly)
    task_roles = [
        iam.list_role_policies(RoleName=role)["PolicyNames"]
        for role in (first_task_role, name_of(with_path.outputs["EcsTaskRoleArnVioletApp"]))
    ]

    delete_stack(aws, "roled-EcsTasks")
    created = deployer.deploy("roled", WITH_NEW_WORKER_ROLE)
    new_role = created.outputs["WorkerRoleArn"]
    # On AWS, an instance assumes this role. Here, the operator assumes it.
    by_operator = assumed_by(f"arn:aws:iam::{ACCOUNT}:user/operator")
    iam.update_assume_role_policy(RoleName=name_of(new_role), PolicyDocument=by_operator)
    new_worker = aws.client("secretsmanager", assume(aws, new_role, account.operator))

    def readers() -> tuple[bool, bool]:
        return is_allowed(read, worker_role, SECRET), is_allowed(read, new_worker, SECRET)

    after_created = readers()
    existing = deployer.deploy("roled", WITH_EXISTING_WORKER_ROLE)
    return Played(
        first,
        findings,
        str(failed.value),
        with_path,
        readings,
        task_roles,
        created,
        existing,
        [after_created, readers()],
    )


@plays("role_path", "Push role")
def test_another_path_of_push_roles_is_refused_before_the_deployment_and_by_cloudformation(played: Played) -> None:
    [finding] = played.findings
    assert finding.stops
    assert "roled-ecr-push-violet is /, and role_path is /data-platform/" in finding.problem
    assert "cannot update a stack when a custom-named resource requires replacing" in played.error


@plays("role_path")
def test_the_login_is_readable_at_every_moment_while_the_path_changes_with_the_steps(played: Played) -> None:
    assert played.readings.failures == []
    assert played.readings.logins > 50


@plays("role_path")
def test_the_pull_role_is_replaced_and_a_new_published_version_has_the_new_role(
    aws: EmbeddedAws, played: Played, worker: Any
) -> None:
    old, new = played.first.outputs["PullRoleArnDockerRoled"], played.with_path.outputs["PullRoleArnDockerRoled"]
    assert f":role{PATH}" in new
    assert new != old
    [old_version], [new_version] = (
        each.of("AWS::Lambda::Version").values() for each in (played.first, played.with_path)
    )
    assert new_version != old_version
    function, _, number = new_version.rpartition(":")
    published = aws.client("lambda").get_function_configuration(FunctionName=function, Qualifier=number)
    assert published["Role"] == new
    assert pulls(aws, worker, SECRET, "violet/app:1")
    # $LATEST would keep the young login. The published version writes with the new role.
    run = aws.client("lambda").invoke(FunctionName=function, Qualifier=number)
    assert "expires_at" in json.load(run["Payload"])


@plays("role_path")
def test_the_push_role_has_another_arn_and_pushes(aws: EmbeddedAws, account: Account, played: Played) -> None:
    role = played.with_path.outputs["PushRoleArnViolet"]
    assert role == f"arn:aws:iam::{ACCOUNT}:role{PATH}roled-ecr-push-violet"
    docker_login(aws, assume(aws, role, account.analyst)).push("violet/app:2", FILES)


@plays("role_path")
def test_a_task_role_with_permissions_of_the_team_stays_and_the_new_one_lacks_them(played: Played) -> None:
    assert played.task_roles == [["ByHand"], []]


@plays("workers.role_arns")
def test_a_created_role_replaces_existing_roles_and_the_other_way_round(aws: EmbeddedAws, played: Played) -> None:
    assert played.readers[0] == (False, True)
    assert played.readers[1] == (True, False)
    assert "WorkerRoleArn" not in played.existing.outputs
    [profile] = played.created.of("AWS::IAM::InstanceProfile").values()
    assert played.existing.of("AWS::IAM::InstanceProfile") == {}
    profiles = aws.client("iam").list_instance_profiles()["InstanceProfiles"]
    assert name_of(profile) not in {each["InstanceProfileName"] for each in profiles}
