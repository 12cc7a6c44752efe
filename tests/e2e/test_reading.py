"""Readers of the connection while it is renewed: by the function, and by the hosts' script that came before."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.airflows import Airflow
from tests.e2e.stage import Stage

READER = Path(__file__).with_name("read_connection.py")
PROCESSES = 2  # of each version
READS = 1_000  # of each process, at least
REFRESHES = 12
SCRIPT_RUNS = 3
PAUSE_SECONDS = 0.02  # of readers of the database: at full speed they would slow the script's commands down


def test_no_reader_sees_a_gap_while_the_login_is_refreshed(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    airflows = [worker.airflow for worker in stage.workers for _ in range(PROCESSES)]
    with readers(airflows, READS, pause_seconds=0) as reading:
        for _ in range(REFRESHES):
            stage.refresh()
        results = [ended(reader) for reader in reading]
    with capsys.disabled():
        show(f"refreshed {REFRESHES} times by the function", airflows, results)
    assert sum(result["reads"] for result in results) >= 4_000
    assert [result["failed"] for result in results] == [0] * len(results)
    assert min(result["logins"] for result in results) > 2


def test_readers_of_a_row_that_a_script_deletes_and_adds_do_see_one(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the hosts' cron job did, by the same commands; the bench runs them with their start, which takes longer."""
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
        show(f"deleted and added {SCRIPT_RUNS} times by the script", airflows, results)
    assert all(result["failed"] > 0 for result in results)


@contextmanager
def readers(
    airflows: list[Airflow], reads: int, *, pause_seconds: float, **environment: str
) -> Iterator[list[subprocess.Popen[str]]]:
    """A process for each of these that reads the connection, each at work already."""
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
    """What a reader says once it may end."""
    printed, _ = reader.communicate(timeout=120)
    result: dict[str, float] = json.loads(printed.splitlines()[-1])
    return result


def show(how: str, airflows: list[Airflow], results: list[dict[str, float]]) -> None:
    for airflow, result in zip(airflows, results, strict=True):
        failed = f"{result['failed']} of {result['reads']} reads failed"
        gap = f", none succeeded for {result['gap_seconds']} s" if result["failed"] else ""
        print(f"\n  Airflow {airflow.version}, {how}: {failed}{gap}", end="")
