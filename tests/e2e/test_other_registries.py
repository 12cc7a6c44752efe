"""Tests of a DockerOperator that pulls from the registry of another account and of another Region."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.account import outputs
from local.embedded_aws import ACCOUNT
from settings.registry_access import policy_to_paste
from tests.e2e import host
from tests.e2e.stage import Stage, other_registries
from tests.e2e.test_pulling import LOGIN_FAILED, failed, ran

TASKS = ["image_of_other_account", "image_of_other_region"]
DAG = "other_registries"


@pytest.fixture(autouse=True)
def _images_forgotten(stage: Stage) -> None:
    """Remove the images before each test, so that the workers have to pull."""
    stage.forget_images()


@pytest.mark.parametrize("task", TASKS)
def test_a_task_pulls_from_another_registry_with_the_connection_for_this_registry(stage: Stage, task: str) -> None:
    ran(stage, stage.run_task(DAG, task))


def test_a_pull_works_again_after_a_refresh(stage: Stage) -> None:
    stage.aws.advance_clock(minutes=30, sessions_expire=False)
    for place in ("OtherAccount", "OtherRegion"):
        function = outputs(stage.aws)[f"RefreshFunctionNameDocker{place}"]
        assert "FunctionError" not in stage.aws.client("lambda").invoke(FunctionName=function)
    for task in TASKS:
        ran(stage, stage.run_task(DAG, task))


@pytest.mark.parametrize(
    ("role", "pulls"), [("local-ecr-pull-docker_other_account", True), ("local-ecr-pull-docker_other_region", False)]
)
def test_a_pull_from_another_account_needs_the_pull_role_in_the_policy_over_there(
    stage: Stage, role: str, pulls: bool
) -> None:
    with policy_for(stage, role):
        both = stage.run_task(DAG, "image_of_other_account")
    if pulls:
        ran(stage, both)
    else:
        failed(stage, both, "because no resource-based policy allows the ecr:BatchGetImage action")


def test_the_login_of_another_region_is_refused_like_an_expired_login(stage: Stage) -> None:
    """The task uses the connection for another account in this Region, with the registry of the other Region."""
    login = LOGIN_FAILED.replace(host.REGISTRY, host.REGISTRY_OF_OTHER_REGION)
    secret = stage.aws.client("secretsmanager").get_secret_value(SecretId="airflow/connections/docker_other_account")
    connection = {**json.loads(secret["SecretString"]), "host": host.REGISTRY_OF_OTHER_REGION}
    both = stage.run_task(DAG, "image_of_other_region", **in_the_environment(connection))
    failed(stage, both, f'{login}403 Forbidden")')


def in_the_environment(connection: dict[str, str]) -> dict[str, str]:
    """Return settings that make Airflow read a connection from an environment variable, without a secret."""
    return {
        "AIRFLOW__SECRETS__BACKEND": "",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": "",
        "AIRFLOW_CONN_DOCKER_OTHER_REGION": json.dumps(connection),
    }


@contextmanager
def policy_for(stage: Stage, role: str) -> Iterator[None]:
    """Replace the policy of the repository in the other account with a policy for one role, until the end."""
    ecr = other_registries(stage.aws)["central"].client("ecr")
    before = ecr.get_repository_policy(repositoryName="platform/base")["policyText"]
    text = json.dumps(policy_to_paste("aws", [f"arn:aws:iam::{ACCOUNT}:role/{role}"]))
    ecr.set_repository_policy(repositoryName="platform/base", policyText=text)
    try:
        yield
    finally:
        ecr.set_repository_policy(repositoryName="platform/base", policyText=before)
