"""Tests of docs/airflow/another-backend.md: the docker login from Secrets Manager, other connections from Vault.

The settings, the class and the check are blocks of the page. A scheduler of each version of Airflow runs a DAG with
them. Airflow uses the real VaultBackend with a stub of Vault.
"""

import json
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from local.embedded_aws import REGION
from tests.e2e import host, postgres
from tests.e2e.airflows import Airflow
from tests.e2e.stage import Stage
from tests.e2e.test_reading import REGIONS
from tests.e2e.test_scheduler import TRIGGERED, run_once, running, task_log
from tests.e2e.vault import TOKEN, vault
from tests.local.documented import commands
from tests.test_docs import blocks
from tools import ROOT

PAGE = ROOT / "docs" / "airflow" / "another-backend.md"
DAG = "another_backend"
VARIABLES, CHECK = commands(PAGE, "Airflow 3: the setting [workers] secrets_backend")
_, INI_2 = blocks(PAGE.read_text(), "ini")
[CLASS] = blocks(PAGE.read_text(), "python")
READ = CHECK.rpartition("\\\n")[2]
"""The last command of the check. It reads the connection with the settings in [secrets]."""
VAULT_CLASS = "airflow.providers.hashicorp.secrets.vault.VaultBackend"
OLD: dict[str, Any] = {
    "conn_type": "docker",
    "host": host.REGISTRY,
    "login": "AWS",
    "password": "of-last-year",
    "extra": {"expires_at": "2025-01-01T12:00:00+00:00"},
}
IN_ENVIRONMENT = {"conn_type": "http", "host": "from-environment"}
OTHER = {"conn_type": "http", "host": "from-vault"}
IN_VAULT = {"docker_default": OLD, "docker_in_vault": OTHER, "in_vault": OTHER, "in_environment": OTHER}
# The orders of the lookup differ: only in Airflow 3, a task uses an environment variable instead of Vault.
OTHERS = {"docker_in_vault": "from-vault", "in_vault": "from-vault", "in_environment": "from-vault"}
OTHERS_3 = OTHERS | {"in_environment": "from-environment"}
ADD_ROW = (
    "insert into connection (conn_id, conn_type, host, is_encrypted, is_extra_encrypted) "
    "values ('in_database', 'http', 'from-database', false, false)"
)


@pytest.fixture(scope="module")
def ran(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Airflow]]:
    """The Airflow installations with the settings of the page, after a scheduler of each has run the DAG."""
    airflows = [worker.airflow for worker in stage.workers]
    usual = {airflow.version: airflow.environment for airflow in airflows}
    stage.forget_images()
    with vault(IN_VAULT) as url:
        try:
            for airflow in airflows:
                folder = tmp_path_factory.mktemp("python-path")
                settings = settings_2(folder, url) if airflow.version == "2" else settings_3(url)
                airflow.environment = without_settings(airflow.environment) | settings
                postgres.query(airflow.database, ADD_ROW)
            stage.on_each(lambda airflow: airflow.command("dags", "reserialize"))
            with running(airflows):
                run_once(stage, DAG)
            yield airflows
        finally:
            for airflow in airflows:
                postgres.query(airflow.database, "delete from connection where conn_id = 'in_database'")
                airflow.environment = usual[airflow.version]


def test_a_task_uses_the_login_of_secrets_manager_before_old_logins_elsewhere(stage: Stage, ran: list[Airflow]) -> None:
    logs = [task_log(airflow, "docker_default", DAG, TRIGGERED) for airflow in ran]
    assert [stage.marker in log for log in logs] == [True, True]


def test_a_task_finds_other_connections_in_the_documented_order(ran: list[Airflow]) -> None:
    for airflow in ran:
        expected = (OTHERS if airflow.version == "2" else OTHERS_3) | {"in_database": "from-database"}
        log = task_log(airflow, "others", DAG, TRIGGERED).replace("\\", "")
        assert f"the other connections are {json.dumps(expected)}" in log, airflow.version


def test_the_check_prints_when_the_login_of_secrets_manager_expires(stage: Stage, ran: list[Airflow]) -> None:
    """In Airflow 2, the command without the settings in [workers] uses the same order as tasks."""
    expires_at = stage.login()["extra"]["expires_at"]
    printed = stage.on_each(lambda airflow: shell(READ if airflow.version == "2" else CHECK, airflow))
    assert [text.split() for text in printed] == [["expires_at:", f"'{expires_at}'"]] * len(ran)


def test_the_command_without_the_settings_in_workers_does_not_find_the_login(ran: list[Airflow]) -> None:
    [airflow_3] = [airflow for airflow in ran if airflow.version == "3"]
    ended = airflow_3.command("connections", "get", "docker_other_account")
    assert "Connection not found." in ended.log


def settings_2(folder: Path, url: str) -> dict[str, str]:
    """Save the class of the page in a folder, and return the environment variables of Airflow 2."""
    (folder / "vault_and_docker_logins.py").write_text(CLASS)
    region = {"AWS_DEFAULT_REGION": REGION}
    return common() | region | {"PYTHONPATH": str(folder)} | from_ini(INI_2.replace("https://<vault>:8200", url))


def settings_3(url: str) -> dict[str, str]:
    """Return the environment variables of Airflow 3: Vault in [secrets], and the settings of the page."""
    backend = {
        "AIRFLOW__SECRETS__BACKEND": VAULT_CLASS,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"url": url}),
    }
    return common() | backend | variables(VARIABLES)


def common() -> dict[str, str]:
    return {
        "VAULT_TOKEN": TOKEN,
        "AIRFLOW_CONN_DOCKER_DEFAULT": json.dumps(OLD),
        "AIRFLOW_CONN_IN_ENVIRONMENT": json.dumps(IN_ENVIRONMENT),
    }


def variables(block: str) -> dict[str, str]:
    """Run the `export` commands of a shell block, and return the environment variables."""
    script = f"{block.replace('<region>', REGION)}\nexec env -0"
    ended = subprocess.run(["/bin/sh", "-euc", script], env={}, capture_output=True, text=True, check=True)
    pairs = [line.partition("=") for line in ended.stdout.strip("\0").split("\0")]
    return {name: value for name, _, value in pairs if name.startswith(("AIRFLOW__", "AWS_"))}


def from_ini(block: str) -> dict[str, str]:
    """Return the environment variables with the same meaning as a block of airflow.cfg."""
    config = ConfigParser(interpolation=None)
    config.read_string(block)
    return {
        f"AIRFLOW__{section}__{option}".upper(): value
        for section in config.sections()
        for option, value in config[section].items()
    }


def without_settings(environment: dict[str, str]) -> dict[str, str]:
    """Return the environment variables without the settings that the page sets."""
    kept = {name: value for name, value in environment.items() if not name.startswith("AIRFLOW__SECRETS__")}
    return {name: value for name, value in kept.items() if name not in REGIONS}


def shell(command: str, airflow: Airflow) -> str:
    """Run a command of the page on the worker, and return its output."""
    ended = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", command],
        cwd=airflow.home,
        env=airflow.environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
