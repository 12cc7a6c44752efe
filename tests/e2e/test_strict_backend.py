"""Tests of airflow_backend/: what a task logs if a required connection cannot be read, and what stays as it is.

One scheduler of each version of Airflow runs all tasks of strict_backend_dags/. docs/airflow/strict-backend.md quotes
the lines of the log.
"""

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.account import WORKER_ROLE_ARN
from local.embedded_aws import REGION
from tests.e2e import host, postgres
from tests.e2e.airflows import Airflow, backend_settings
from tests.e2e.stage import Stage
from tests.e2e.test_reading import PROCESSES, READS, REFRESHES, ended, readers, show
from tests.e2e.test_scheduler import DAG as EXAMPLE
from tests.e2e.test_scheduler import finished, running
from tools import ROOT

SOURCE = ROOT / "airflow_backend"
CLASS = "strict_secrets_manager.StrictSecretsManagerBackend"
DAG = "required_connections"
PREFIX = "airflow/connections"
SECONDS = 240
BLACK_HOLE_SECONDS = 30
"""The longest run of a task if Secrets Manager does not answer. The start of the task is included."""
STATUS = "Run: ecr-login status <environment>."
# For each failure: the problem in the line that the task logs, in both versions of Airflow.
PROBLEMS = {
    "missing": f"the secret does not exist in {REGION}. {STATUS}",
    "no_value": f"the secret has no value yet. {STATUS}",
    "denied": f"access is denied in {REGION}. Check workers.role_arns, the Region and connections_prefix.",
    "key_disabled": "the key of the secret is disabled, or this process may not use it (DecryptionFailure). " + STATUS,
    "deleted": f"the secret is scheduled for deletion in {REGION}. {STATUS}",
    "plain_text": f"the value is not a docker login in JSON. {STATUS}",
    "no_host": f"the value has no host. {STATUS}",
    "expired": f"the docker login expired at 2026-01-01T12:00:00+00:00. {STATUS}",
    "unreachable": "Secrets Manager cannot be reached (EndpointConnectionError). Check the network and the Region.",
    "black_hole": "Secrets Manager cannot be reached (ReadTimeoutError). Check the network and the Region.",
    "no_credentials": "no AWS credentials were found. Give this process a role in workers.role_arns.",
    "no_region": "no AWS Region is set. Set AWS_DEFAULT_REGION, or region_name in the backend's settings.",
}
REQUIRED = [*(f"required_{fault}" for fault in PROBLEMS), "required_repaired", "docker_default"]
LOGIN = {"conn_type": "docker", "host": host.REGISTRY, "login": "AWS", "password": "no-token-of-ecr"}
OLD = LOGIN | {"password": "of-last-year"}
"""The value of every required connection in Airflow's database, in the environment and in the other backend."""
OTHERS = {"docker_in_environment": "from-environment", "in_database": "from-database"}
OTHERS_3 = OTHERS | {"in_other_backend": "from-other-backend"}


@pytest.fixture(scope="module")
def ran(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Airflow]]:
    """The Airflow installations after a scheduler of each has run the DAG."""
    airflows = [worker.airflow for worker in stage.workers]
    stage.forget_images()
    stage.on_each(lambda airflow: airflow.command("dags", "pause", EXAMPLE))
    make_secrets(stage)
    with black_hole() as url:
        settings = {airflow.version: strict_settings(airflow, tmp_path_factory, url) for airflow in airflows}
        usual = {airflow.version: airflow.environment for airflow in airflows}
        for airflow in airflows:
            airflow.environment = airflow.environment | settings[airflow.version]
            add_old_rows(airflow)
        try:
            # A new process, because the forked command keeps the DAGs folder of its parent.
            stage.on_each(lambda airflow: airflow.program("airflow", "dags", "reserialize"))
            with running(airflows):
                stage.on_each(
                    lambda airflow: host.eventually(
                        lambda: state(airflow, "required_repaired") == "up_for_retry", SECONDS, every=0.5
                    )
                )
                put(stage, "required_repaired", stage.login())
                stage.on_each(lambda airflow: host.eventually(lambda: finished(airflow, DAG), SECONDS, every=0.5))
            yield airflows
        finally:
            for airflow in airflows:
                postgres.query(airflow.database, "delete from connection")
                airflow.environment = usual[airflow.version]


@pytest.mark.parametrize("fault", PROBLEMS)
def test_a_task_logs_why_a_required_connection_cannot_be_read(ran: list[Airflow], fault: str) -> None:
    connection = f"required_{fault}"
    for airflow in ran:
        log = task_log(airflow, connection)
        assert line(connection, PROBLEMS[fault]) in log, airflow.version
        assert state(airflow, connection) == "failed", airflow.version
        # With an old login, the operator would log in to the registry.
        assert [text for text in ("Login into Docker Registry", "Login failed", "isn't defined") if text in log] == []


def test_the_working_connection_pulls_the_image(stage: Stage, ran: list[Airflow]) -> None:
    assert [stage.marker in task_log(airflow, "docker_default") for airflow in ran] == [True, True]


def test_a_retry_succeeds_after_the_secret_gets_a_value(stage: Stage, ran: list[Airflow]) -> None:
    for airflow in ran:
        first = task_log(airflow, "required_repaired")
        assert line("required_repaired", PROBLEMS["no_value"]) in first, airflow.version
        assert state(airflow, "required_repaired") == "success", airflow.version
        assert stage.marker in task_log(airflow, "required_repaired", attempt="*"), airflow.version


def test_other_connections_come_from_the_next_backend(ran: list[Airflow]) -> None:
    """Airflow may not read docker_in_environment in Secrets Manager, and asks the next backend as it does usually."""
    expected = {"2": OTHERS, "3": OTHERS_3}
    for airflow in ran:
        log = task_log(airflow, "others").replace("\\", "")
        assert f"the other connections are {json.dumps(expected[airflow.version])}" in log


def test_a_dag_that_reads_a_required_connection_is_an_import_error_and_other_dags_are_not_affected(
    ran: list[Airflow],
) -> None:
    for airflow in ran:
        errors = postgres.query(airflow.database, "select stacktrace from import_error")
        assert line("required_missing", PROBLEMS["missing"]) in errors, airflow.version
        files = postgres.query(airflow.database, "select filename from import_error")
        assert "reads_while_parsing.py" in files, airflow.version
        assert "required_connections.py" not in files, airflow.version


def test_a_black_hole_ends_within_seconds(ran: list[Airflow], capsys: pytest.CaptureFixture[str]) -> None:
    for airflow in ran:
        seconds = float(column(airflow, "duration", "required_black_hole"))
        with capsys.disabled():
            print(
                f"\n  Airflow {airflow.version}, Secrets Manager does not answer: the task took {seconds:.1f} s", end=""
            )
        assert seconds < BLACK_HOLE_SECONDS


def test_no_read_of_a_required_connection_fails_while_the_function_refreshes_the_login(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    airflows = [worker.airflow for worker in stage.workers for _ in range(PROCESSES)]
    settings = {
        "PYTHONPATH": str(SOURCE),
        "AIRFLOW__SECRETS__BACKEND": CLASS,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": strict_kwargs(["docker_default"]),
    }
    with readers(airflows, READS, pause_seconds=0, **settings) as reading:
        for _ in range(REFRESHES):
            stage.refresh()
        results = [ended(reader) for reader in reading]
    with capsys.disabled():
        show(f"the function refreshes {REFRESHES} times, strict backend", airflows, results)
    assert sum(result["reads"] for result in results) >= 4_000
    assert [result["failed"] for result in results] == [0] * len(results)
    assert min(result["logins"] for result in results) > 2


def test_the_page_about_the_backend_quotes_every_tested_problem() -> None:
    page = (ROOT / "docs" / "airflow" / "strict-backend.md").read_text().replace("<region>", REGION)
    problems = [problem.removesuffix(STATUS).strip() for problem in PROBLEMS.values()]
    assert [problem for problem in problems if problem not in page] == []


def line(connection: str, problem: str) -> str:
    return f"Connection {connection}, secret {PREFIX}/{connection}: {problem} See docs/airflow/strict-backend.md"


def strict_kwargs(required: list[str]) -> str:
    recommended = json.loads(backend_settings()["AIRFLOW__SECRETS__BACKEND_KWARGS"])
    return json.dumps(recommended | {"required_connections": required})


def strict_settings(airflow: Airflow, folders: pytest.TempPathFactory, black_hole: str) -> dict[str, str]:
    """Install the backend, and return the environment variables of all processes of this Airflow.

    Airflow 2 gets a copy on the Python path under [secrets]. Airflow 3 gets a copy in the plugins folder under
    [workers], and another backend under [secrets].
    """
    settings = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).with_name("strict_backend_dags")),
        "BLACK_HOLE": black_hole,
        "AWS_EC2_METADATA_DISABLED": "true",
        "OTHER_CONNECTIONS": json.dumps(list(OTHERS if airflow.version == "2" else OTHERS_3)),
        "AIRFLOW_CONN_DOCKER_IN_ENVIRONMENT": json.dumps({"conn_type": "http", "host": "from-environment"}),
        **{f"AIRFLOW_CONN_{connection.upper()}": json.dumps(OLD) for connection in REQUIRED},
    }
    if airflow.version == "2":
        installed = folders.mktemp("installed")
        shutil.copy(SOURCE / "strict_secrets_manager.py", installed)
        return settings | {
            "PYTHONPATH": str(installed),
            "AIRFLOW__SECRETS__BACKEND": CLASS,
            "AIRFLOW__SECRETS__BACKEND_KWARGS": strict_kwargs(REQUIRED),
        }
    (airflow.home / "plugins").mkdir(exist_ok=True)
    shutil.copy(SOURCE / "strict_secrets_manager.py", airflow.home / "plugins")
    # The folder of Airflow contains only what Airflow writes. The last test looks for logins there.
    connections = folders.mktemp("other-backend") / "connections.json"
    others = {"in_other_backend": {"conn_type": "http", "host": "from-other-backend"}}
    connections.write_text(json.dumps(dict.fromkeys(REQUIRED, OLD) | others))
    return settings | {
        "AIRFLOW__WORKERS__SECRETS_BACKEND": CLASS,
        "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS": strict_kwargs(REQUIRED),
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(connections)}),
    }


def make_secrets(stage: Stage) -> None:
    """Create a secret for each failure, and allow the workers to read all of them except one."""
    keys, secrets_manager = stage.aws.client("kms"), stage.aws.client("secretsmanager")
    key = keys.create_key()["KeyMetadata"]["KeyId"]
    for fault in ("no_value", "repaired"):
        secrets_manager.create_secret(Name=f"{PREFIX}/required_{fault}")
    for fault in ("denied", "deleted", "unreachable", "black_hole", "no_credentials", "no_region"):
        put(stage, f"required_{fault}", LOGIN)
    put(stage, "required_no_host", {name: value for name, value in LOGIN.items() if name != "host"})
    put(stage, "required_expired", LOGIN | {"extra": {"expires_at": "2026-01-01T12:00:00+00:00"}})
    secrets_manager.create_secret(Name=f"{PREFIX}/required_plain_text", SecretString="no-token-of-ecr")
    name = f"{PREFIX}/required_key_disabled"
    secrets_manager.create_secret(Name=name, SecretString=json.dumps(LOGIN), KmsKeyId=key)
    keys.disable_key(KeyId=key)
    secrets_manager.delete_secret(SecretId=f"{PREFIX}/required_deleted")
    secrets = "arn:aws:secretsmanager:*:*:secret:" + PREFIX
    statements = [
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": f"{secrets}/required_*"},
        {"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": f"{secrets}/required_denied*"},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"},
    ]
    stage.aws.client("iam").put_role_policy(
        RoleName=WORKER_ROLE_ARN.rpartition("/")[2],
        PolicyName="ReadRequired",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )


def put(stage: Stage, connection: str, value: dict[str, Any]) -> None:
    """Write the value of a secret, and create the secret if it does not exist."""
    client = stage.aws.client("secretsmanager")
    try:
        client.create_secret(Name=f"{PREFIX}/{connection}", SecretString=json.dumps(value))
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=f"{PREFIX}/{connection}", SecretString=json.dumps(value))


def add_old_rows(airflow: Airflow) -> None:
    """Add an old login for each required connection to Airflow's database, and a row for another connection."""
    rows = dict.fromkeys(REQUIRED, OLD) | {"in_database": {"conn_type": "http", "host": "from-database"}}
    file = airflow.home / "rows.json"
    file.write_text(json.dumps(rows))
    done = airflow.command("connections", "import", str(file))
    file.unlink()
    assert done.succeeded, airflow.version


@contextmanager
def black_hole() -> Iterator[str]:
    """Listen on a port, accept connections and never answer. Yield the URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"https://127.0.0.1:{server.getsockname()[1]}"


def state(airflow: Airflow, task: str) -> str:
    return column(airflow, "state", task)


def column(airflow: Airflow, name: str, task: str) -> str:
    """Return a column of a task's row in Airflow's database."""
    rows = f"from task_instance where dag_id = '{DAG}' and task_id = '{task}'"
    return postgres.query(airflow.database, f"select {name} {rows}")


def task_log(airflow: Airflow, task: str, attempt: str = "1") -> str:
    """Return the log of an attempt as the user interface of Airflow shows it, or of all attempts."""
    logs = airflow.home.glob(f"logs/dag_id={DAG}/run_id=*/task_id={task}/attempt={attempt}.log")
    return "\n".join(log.read_text(errors="replace") for log in sorted(logs))
