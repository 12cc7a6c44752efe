"""`ecr-login rollback` and `ecr-login resume` on a deployed environment."""

from pathlib import Path
from typing import Any

import pytest

from local.account import BREAK_GLASS_ROLE_ARN, Account
from local.demo import read
from local.embedded_aws import ROOT_CREDENTIALS, EmbeddedAws
from ops import rollback
from ops.clients import Clients
from ops.deployment import Connection
from ops.invocation import run_refresh
from ops.results import Check
from settings.files import load_environments
from tests.local.logins import places_with_a_login
from tests.ops.ecr_login import Done, ecr_login
from tests.ops.in_process import run
from tools import ROOT

LOCAL = next(each for each in load_environments(ROOT / "environments") if each.name == "local")


@pytest.fixture
def profiles(account: Account, tmp_path: Path) -> str:
    """The configuration file of a person who is an administrator and may assume the break-glass role."""
    file = tmp_path / "config"
    file.write_text(
        "[profile admin]\n"
        f"aws_access_key_id = {ROOT_CREDENTIALS['AccessKeyId']}\n"
        f"aws_secret_access_key = {ROOT_CREDENTIALS['SecretAccessKey']}\n"
        "[profile operator]\n"
        f"aws_access_key_id = {account.operator['AccessKeyId']}\n"
        f"aws_secret_access_key = {account.operator['SecretAccessKey']}\n"
        "[profile break-glass]\n"
        f"role_arn = {BREAK_GLASS_ROLE_ARN}\nsource_profile = operator\n"
    )
    return str(file)


@pytest.fixture
def secret(aws: EmbeddedAws, local: dict[str, str], worker: Any) -> Any:
    """A secret with a current and a previous login. The function runs again after the test."""
    assert ecr_login(aws, "refresh", "local", "docker_default", "--write").code == 0
    yield local["SecretNameDockerDefault"]
    aws.client("lambda").delete_function_concurrency(FunctionName=local["RefreshFunctionNameDockerDefault"])


def roll_back(aws: EmbeddedAws, profiles: str, *options: str, typed: str | None = None) -> Done:
    return ecr_login(
        aws,
        *("rollback", "local", "docker_default", "--profile", "admin"),
        *options,
        typed=typed,
        AWS_CONFIG_FILE=profiles,
    )


def versions(aws: EmbeddedAws, secret: str) -> dict[str, str]:
    listed = aws.client("secretsmanager").list_secret_version_ids(SecretId=secret)["Versions"]
    return {label: version["VersionId"] for version in listed for label in version.get("VersionStages", [])}


def test_a_rollback_and_a_resume_take_one_command_each(
    aws: EmbeddedAws, secret: str, profiles: str, worker: Any
) -> None:
    before = versions(aws, secret)

    rolled_back = roll_back(aws, profiles, "--break-glass-profile", "break-glass", "--yes", "--json")
    restored, _ = read(worker, secret)
    stopped = ecr_login(aws, "refresh", "local", "docker_default")
    resumed = ecr_login(aws, "resume", "local", "docker_default")
    refreshed, _ = read(worker, secret)

    assert rolled_back.code == 1  # the function is stopped
    assert rolled_back.json["version_id"] == restored == before["AWSPREVIOUS"]
    assert "valid until" in rolled_back.checks["login_docker_default"][1]
    assert "ecr-login resume local docker_default" in rolled_back.checks["function_docker_default"][2]
    assert stopped.code == 1
    assert resumed.code == 0, resumed.out
    assert refreshed not in before.values()
    outputs = {"rollback": rolled_back.out + rolled_back.error, "resume": resumed.out + resumed.error}
    assert places_with_a_login(outputs) == []


def test_a_second_rollback_does_not_return_to_the_broken_login(
    aws: EmbeddedAws, secret: str, profiles: str, worker: Any
) -> None:
    before = versions(aws, secret)

    for _ in range(2):
        done = roll_back(aws, profiles, "--break-glass-profile", "break-glass", "--yes", "--json")
        assert done.json["version_id"] == before["AWSPREVIOUS"]

    assert read(worker, secret)[0] == before["AWSPREVIOUS"]


def test_a_login_that_a_refresh_writes_during_the_question_is_not_replaced(
    aws: EmbeddedAws, secret: str, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = rollback._stop

    def write_and_stop(clients: Clients, name: str, connection: Connection) -> Check:
        run_refresh(clients, connection, LOCAL, write=True)
        return stop(clients, name, connection)

    monkeypatch.setattr(rollback, "_stop", write_and_stop)
    before = versions(aws, secret)

    done = run(aws, "rollback", "local", "docker_default", "--yes")

    assert done.code == 3
    assert "a refresh has written another docker login meanwhile" in done.error
    assert "resume local docker_default" in done.error
    assert read(worker, secret)[0] not in before.values()


def test_a_secret_that_is_scheduled_for_deletion_is_restored_first(
    aws: EmbeddedAws, secret: str, profiles: str, local: dict[str, str]
) -> None:
    root = aws.client("secretsmanager")
    root.delete_secret(SecretId=secret)
    try:
        done = roll_back(aws, profiles, "--break-glass-profile", "break-glass", "--yes")
    finally:
        root.restore_secret(SecretId=secret)

    assert done.code == 3
    assert "is scheduled for deletion" in done.error
    assert f"aws secretsmanager restore-secret --secret-id {secret}" in done.error
    limit = aws.client("lambda").get_function_concurrency(FunctionName=local["RefreshFunctionNameDockerDefault"])
    assert "ReservedConcurrentExecutions" not in limit


def test_a_rollback_without_a_break_glass_role_says_what_changed_and_how_to_continue(
    aws: EmbeddedAws, secret: str, profiles: str, account: Account
) -> None:
    before = versions(aws, secret)

    done = roll_back(aws, profiles, "--break-glass-profile", "operator", "--yes")

    assert done.code == 3
    assert "AWS denied secretsmanager:UpdateSecretVersionStage. The function of docker_default is stopped" in (
        done.error
    )
    assert "or run: .venv/bin/ecr-login resume local docker_default --profile " in done.error.splitlines()[-1]
    assert versions(aws, secret) == before


@pytest.mark.parametrize("typed", [None, "yes\n", "docker_risk\n"])
def test_nothing_changes_unless_a_person_types_the_id_of_the_connection(
    aws: EmbeddedAws, secret: str, profiles: str, local: dict[str, str], typed: str | None
) -> None:
    before = versions(aws, secret)

    done = roll_back(aws, profiles, "--break-glass-profile", "break-glass", typed=typed)

    assert done.code == 3
    assert "Nothing changed" in done.error
    assert versions(aws, secret) == before
    limit = aws.client("lambda").get_function_concurrency(FunctionName=local["RefreshFunctionNameDockerDefault"])
    assert "ReservedConcurrentExecutions" not in limit


def test_a_person_confirms_with_the_id_of_the_connection(
    aws: EmbeddedAws, secret: str, profiles: str, worker: Any
) -> None:
    before = versions(aws, secret)

    done = roll_back(aws, profiles, "--break-glass-profile", "break-glass", typed="docker_default\n")

    assert done.code == 1, done.error
    assert before["AWSPREVIOUS"] in done.error  # what is about to change
    assert read(worker, secret)[0] == before["AWSPREVIOUS"]
