"""Tests of the procedures in docs/runbook.md, step by step."""

from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.account import BREAK_GLASS_ROLE_ARN, WORKER_ROLE_ARN, Account, assume, docker_login
from local.demo import FILES, log_in, read
from local.embedded_aws import EmbeddedAws
from tests.faults.refresh import Refresh, published_version


def test_the_break_glass_role_rolls_a_login_back_to_the_previous_one(
    aws: EmbeddedAws, local: dict[str, str], account: Account, worker: Any
) -> None:
    secret, function = local["SecretNameDockerDefault"], local["RefreshFunctionNameDockerDefault"]
    docker_login(aws, assume(aws, local["PushRoleArnAnalytics"], account.analyst)).push(
        "analytics/churn-model:1", FILES
    )
    # The published version replaces the login of the deployment, although the login is young.
    aws.client("lambda").invoke(FunctionName=function, Qualifier=published_version(aws, function))

    with Refresh(aws, local, worker).stopped():
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            aws.client("lambda", config=Config(retries={"total_max_attempts": 1})).invoke(FunctionName=function)
        current, _ = read(worker, secret)
        break_glass = aws.client("secretsmanager", assume(aws, BREAK_GLASS_ROLE_ARN, account.operator))
        versions = break_glass.list_secret_version_ids(SecretId=secret)["Versions"]
        [previous] = [version["VersionId"] for version in versions if "AWSPREVIOUS" in version["VersionStages"]]
        roll_back = {"SecretId": secret, "VersionStage": "AWSCURRENT"}
        roll_back |= {"MoveToVersionId": previous, "RemoveFromVersionId": current}
        for credentials in (assume(aws, WORKER_ROLE_ARN, account.operator), account.other_admin):
            with pytest.raises(ClientError, match="AccessDenied"):
                aws.client("secretsmanager", credentials).update_secret_version_stage(**roll_back)
        break_glass.update_secret_version_stage(**roll_back)
        restored, connection = read(worker, secret)
    run = aws.client("lambda").invoke(FunctionName=function, Qualifier=published_version(aws, function))

    assert restored == previous
    assert log_in(aws, connection).pull("analytics/churn-model:1") == FILES
    assert "FunctionError" not in run
    assert read(worker, secret)[0] not in (current, previous)
