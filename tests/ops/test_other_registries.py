"""The commands know the registries of other accounts and Regions, on the AWS emulator."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from ops.clients import Clients
from ops.handoff.page import render, sections
from ops.handoff.values import AUDIENCES
from ops.preflight.findings import Planned
from ops.preflight.other_registries import find_unusable_registries
from ops.preflight.roles import find_pull_role_conflicts
from ops.report.picture import draw
from ops.worker_check import Answer, Target, pull_problem
from settings.environment import Environment
from settings.files import load_environments
from tools import ROOT

OTHER = "444455556666"
LOCAL = next(each for each in load_environments(ROOT / "environments") if each.name == "local")


def shared(**registry: str) -> Environment:
    """Return the settings of `local` with a connection for another registry."""
    found = LOCAL.model_dump(mode="json", exclude_unset=True)
    found["connections"]["docker_shared"] = {
        "registry": registry,
        "teams": ["platform"],
        "repositories": ["tools/base"],
    }
    return Environment.model_validate(found)


def pages(environment: Environment, audience: str) -> dict[str, dict[str, str]]:
    connections = {
        name: SimpleNamespace(id=name, pull_role_arn=f"arn:aws:iam::{ACCOUNT}:role/local-ecr-pull-{name}")
        for name in environment.connections
    }
    outputs = {"RegistryHost": environment.registry_host, "WorkerRoleArn": f"arn:aws:iam::{ACCOUNT}:role/worker"}
    outputs |= {f"PushRoleArn{team.title()}": "arn" for team in environment.teams}
    deployment: Any = SimpleNamespace(environment=environment, connections=connections, outputs=outputs, stacks={})

    def refuse(service: str) -> Any:
        raise AssertionError(service)

    values = AUDIENCES[audience](deployment, Clients(refuse), None)
    return {section["title"]: section for section in sections(render(audience, values))}


def test_the_printed_script_keeps_the_other_statements_of_a_policy(empty_aws: EmbeddedAws, tmp_path: Path) -> None:
    credentials = {"AccessKeyId": OTHER, "SecretAccessKey": "test", "SessionToken": ""}
    ecr = empty_aws.client("ecr", credentials)
    reader = {"Sid": "Reader", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    for name in ("tools/base", "platform/app", "unrelated/app"):
        ecr.create_repository(repositoryName=name)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [reader]})
    ecr.set_repository_policy(repositoryName="tools/base", policyText=policy)
    aws = tmp_path / "aws"
    aws.write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m tests.local.aws_cli "$@"\n')
    aws.chmod(0o755)
    environment = {**os.environ, **empty_aws.client_environment(), "AWS_ACCESS_KEY_ID": OTHER}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    page = pages(shared(account=OTHER), "registry")
    script = page["docker_shared: add the statement to all repositories"]["text"]

    for _ in range(2):  # The script can run again.
        done = subprocess.run(["/bin/bash", "-c", script], env=environment, capture_output=True, text=True, check=True)

    def statements(name: str) -> Any:
        return json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"])["Statement"]

    ours = json.loads(page["docker_shared: the policy"]["text"])["Statement"][0]
    assert statements("tools/base") == [reader, ours]
    assert statements("platform/app") == [ours]
    assert "tools/base had the policy" in done.stdout
    with pytest.raises(ecr.exceptions.RepositoryPolicyNotFoundException):
        ecr.get_repository_policy(repositoryName="unrelated/app")


def test_the_page_for_a_registry_of_the_same_account_has_no_policy() -> None:
    page = pages(shared(region="us-west-2"), "registry")
    assert "need no policy" in page["docker_shared: permissions"]["text"]
    assert "docker_shared: the policy" not in page


def test_the_pages_for_airflow_and_security_name_the_other_registry() -> None:
    environment = shared(account=OTHER)
    # Without a connection for the own registry, the page needs no request to ECR.
    only = environment.model_copy(update={"connections": {"docker_shared": environment.connections["docker_shared"]}})
    host = f"{OTHER}.dkr.ecr.{REGION}.amazonaws.com"
    airflow, security = pages(only, "airflow"), pages(only, "security")
    assert f"--host {host}" in airflow["Check from a worker"]["text"]
    assert f'image="{host}/tools/base:' in airflow["DockerOperator"]["text"]
    assert host in security["Registries of other accounts and Regions"]["text"]


def test_the_picture_has_a_box_for_the_other_registry() -> None:
    [box] = [each for each in draw(shared(account=OTHER)).boxes if each.title == "Another registry"]
    assert box.lines == [OTHER, REGION, "platform/…", "tools/base"]


def test_a_pull_role_name_that_is_taken_is_found(empty_aws: EmbeddedAws) -> None:
    planned, iam = Planned(shared(account=OTHER), "hnb659fds"), empty_aws.client("iam")
    clients = Clients(empty_aws.client)
    assert list(find_pull_role_conflicts(clients, planned)) == []
    iam.create_role(RoleName="local-ecr-pull-docker_shared", AssumeRolePolicyDocument="{}")
    try:
        [found] = find_pull_role_conflicts(clients, planned)
    finally:
        iam.delete_role(RoleName="local-ecr-pull-docker_shared")
    assert "local-ecr-pull-docker_shared exists" in found.problem


def test_a_missing_repository_in_another_region_of_the_account_is_a_notice(empty_aws: EmbeddedAws) -> None:
    def create(service: str, region_name: str | None = None) -> Any:
        if service == "account":
            return SimpleNamespace(get_region_opt_status=lambda **_: {"RegionOptStatus": "ENABLED"})
        return empty_aws.client(service, region=region_name)

    planned = Planned(shared(region="us-west-2"), "hnb659fds")
    [found] = find_unusable_registries(Clients(create), planned)
    assert not found.stops
    assert "has no repository tools/base, platform/*" in found.problem


TARGET = Target("s", "docker_shared", REGION, f"{OTHER}.dkr.ecr.{REGION}.amazonaws.com", {}, frozenset(), "", ACCOUNT)


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ("because no resource-based policy allows it", "The repository policy does not allow the pull role."),
        ("because no identity-based policy allows it", "The pull role has no permission for this repository."),
        ("", "The registry does not say which of the two accounts refuses."),
    ],
)
def test_the_worker_check_says_which_account_refuses_if_the_registry_says_so(policy: str, text: str) -> None:
    body = json.dumps({"errors": [{"message": f"not authorized to perform: ecr:BatchGetImage {policy}"}]}).encode()
    answer = Answer(403, {}, body, TARGET.host)
    assert text in pull_problem(TARGET, "tools/base", answer, "manifest").detail
    assert text not in pull_problem(replace(TARGET, own_account=OTHER), "tools/base", answer, "manifest").detail
