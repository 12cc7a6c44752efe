"""Tests of reads of the connection while the function refreshes it, and while a script on the hosts replaces it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.airflows import Airflow
from tests.e2e.stage import SCRATCH, Stage
from tests.ops.ecr_login import ecr_login

READER = Path(__file__).with_name("read_connection.py")
PROCESSES = 2  # for each version of Airflow
READS = 1_000  # the minimum number for each process
REFRESHES = 12
SCRIPT_RUNS = 3
PAUSE_SECONDS = 0.02  # The pause between reads of the database. Without it, the reads slow the script's commands down.


def test_no_read_fails_while_the_function_refreshes_the_login(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    airflows = [worker.airflow for worker in stage.workers for _ in range(PROCESSES)]
    with readers(airflows, READS, pause_seconds=0) as reading:
        for _ in range(REFRESHES):
            stage.refresh()
        results = [ended(reader) for reader in reading]
    with capsys.disabled():
        show(f"the function refreshes {REFRESHES} times", airflows, results)
    assert sum(result["reads"] for result in results) >= 4_000
    assert [result["failed"] for result in results] == [0] * len(results)
    assert min(result["logins"] for result in results) > 2


def test_reads_fail_while_a_script_deletes_and_adds_the_connection(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script runs the commands of a cron job on the hosts. In the benchmark, each command also starts Airflow."""
    airflows = [worker.airflow for worker in stage.workers]
    login = stage.login()
    add = ["--conn-type=docker", f"--conn-host={login['host']}", "--conn-login=AWS"]
    for airflow in airflows:
        airflow.command("connections", "add", "docker_default", *add, f"--conn-password={login['password']}")
    database = {"AIRFLOW__SECRETS__BACKEND": ""}
    with readers(airflows, 1, pause_seconds=PAUSE_SECONDS, **database) as reading:

        def refresh(airflow: Airflow) -> None:
            for _ in range(SCRIPT_RUNS):
                airflow.command("connections", "delete", "docker_default")
                airflow.command("connections", "add", "docker_default", *add, f"--conn-password={login['password']}")

        stage.on_each(refresh)
        results = [ended(reader) for reader in reading]
    stage.on_each(lambda airflow: airflow.command("connections", "delete", "docker_default"))
    with capsys.disabled():
        show(f"the script deletes and adds {SCRIPT_RUNS} times", airflows, results)
    assert all(result["failed"] > 0 for result in results)


# A bare region in the environment would hide a missing region in the printed settings.
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
READ = """
from airflow.models.connection import Connection
found = Connection.get_connection_from_secrets("docker_default")
print(found.conn_type, found.host, found.login, bool(found.password))
"""


@pytest.mark.parametrize("way", ["Environment variables", "airflow.cfg"])
def test_airflow_reads_the_connection_with_the_settings_that_handoff_prints(
    stage: Stage, tmp_path: Path, way: str
) -> None:
    done = ecr_login(stage.aws, "handoff", "local", "--for", "airflow", "--json", folder=SCRATCH / "environments")
    [text] = [section["text"] for section in done.json["sections"] if section["title"] == way]
    (tmp_path / "printed").write_text(text)
    load = ". ./printed" if way == "Environment variables" else 'export AIRFLOW_CONFIG="$PWD/printed"'

    def read(airflow: Airflow) -> str:
        settings = {name: value for name, value in airflow.environment.items() if name not in REGIONS}
        settings = {name: value for name, value in settings.items() if not name.startswith("AIRFLOW__SECRETS__")}
        command = ["/bin/sh", "-ec", f'{load}; exec "$0" -c "$1"', str(airflow.folder / "python"), READ]
        ended = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.splitlines()[-1]

    assert stage.on_each(read) == [f"docker {stage.outputs['RegistryHost']} AWS True"] * len(stage.workers)


@contextmanager
def readers(
    airflows: list[Airflow], reads: int, *, pause_seconds: float, **environment: str
) -> Iterator[list[subprocess.Popen[str]]]:
    """Start a process that reads the connection for each item of `airflows`, and wait for its first read."""
    started = []
    try:
        for airflow in airflows:
            started.append(
                subprocess.Popen(
                    [str(airflow.folder / "python"), str(READER), str(reads), str(pause_seconds)],
                    env=airflow.environment | environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
        for process in started:
            assert process.stdout is not None
            assert "reading\n" in iter(process.stdout.readline, "")
        yield started
    finally:
        for process in started:
            process.kill()


def ended(reader: subprocess.Popen[str]) -> dict[str, float]:
    """Close the standard input of a reader, wait until the reader ends, and return its result."""
    printed, _ = reader.communicate(timeout=120)
    result: dict[str, float] = json.loads(printed.splitlines()[-1])
    return result


def show(how: str, airflows: list[Airflow], results: list[dict[str, float]]) -> None:
    for airflow, result in zip(airflows, results, strict=True):
        failed = f"{result['failed']} of {result['reads']} reads failed"
        gap = f", no read succeeded for {result['gap_seconds']} s" if result["failed"] else ""
        print(f"\n  Airflow {airflow.version}, {how}: {failed}{gap}", end="")
