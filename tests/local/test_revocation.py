"""Tests of docs/security.md: revoke the docker logins of a role with the policy on the page."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.account import Account, assume, docker_login
from local.demo import FILES, log_in, read
from local.embedded_aws import EmbeddedAws
from local.registry_client import RegistryRefused
from tests.faults.refresh import Refresh
from tools import ROOT

NO_ONE = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}]}


def test_a_user_who_is_removed_from_the_trust_policy_pushes_until_older_logins_are_revoked(
    aws: EmbeddedAws, local: dict[str, str], account: Account, tmp_path: Path
) -> None:
    role, iam = _name(local["PushRoleArnAnalytics"]), aws.client("iam")
    login = docker_login(aws, assume(aws, local["PushRoleArnAnalytics"], account.analyst))
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]

    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(NO_ONE))
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            assume(aws, local["PushRoleArnAnalytics"], account.analyst)
        login.push("analytics/churn-model:removed", FILES)
        with _older_logins_revoked(iam, role, tmp_path), pytest.raises(RegistryRefused, match="explicit deny"):
            login.push("analytics/churn-model:revoked", FILES)
    finally:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))


def test_older_docker_logins_of_a_pull_role_are_revoked_and_the_next_login_pulls(
    aws: EmbeddedAws, local: dict[str, str], account: Account, worker: Any, tmp_path: Path
) -> None:
    docker_login(aws, assume(aws, local["PushRoleArnAnalytics"], account.analyst)).push(
        "analytics/churn-model:revocation", FILES
    )
    _, leaked = read(worker, local["SecretNameDockerDefault"])
    role, iam = _name(local["PullRoleArnDockerDefault"]), aws.client("iam")

    with _older_logins_revoked(iam, role, tmp_path):
        with pytest.raises(RegistryRefused, match="explicit deny"):
            log_in(aws, leaked).pull("analytics/churn-model:revocation")
        refresh = Refresh(aws, local, worker)
        # The policy also denies a process of the function that has an older session. A changed setting starts a new
        # process.
        with refresh.configured(variables={"SHORTEST_INTERVAL_MINUTES": "0.0001"}):
            assert "expires_at" in refresh.invoke("$LATEST")
        _, fresh = read(worker, local["SecretNameDockerDefault"])
        assert log_in(aws, fresh).pull("analytics/churn-model:revocation") == FILES


@contextmanager
def _older_logins_revoked(iam: Any, role: str, folder: Path) -> Iterator[None]:
    """Attach the policy that the commands of docs/security.md write, and remove the policy at the end."""
    [commands] = re.findall(r"^(cat > revoke\.json <<EOF\n.*?\nEOF\n)", _page(), re.DOTALL | re.MULTILINE)
    time.sleep(1)  # The policy contains the time in seconds, and it denies only sessions that are older.
    subprocess.run(["/bin/bash", "-euc", commands], cwd=folder, check=True)
    policy = {"RoleName": role, "PolicyName": "RevokeOlderLogins"}
    iam.put_role_policy(**policy, PolicyDocument=(folder / "revoke.json").read_text())
    try:
        yield
    finally:
        iam.delete_role_policy(**policy)


def _page() -> str:
    return (ROOT / "docs" / "security.md").read_text()


def _name(role_arn: str) -> str:
    return role_arn.rsplit("/", 1)[-1]
