"""Tests of DAG runs by the scheduler of Airflow: pulls from other registries, and the example on its schedule."""

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.e2e import host, postgres
from tests.e2e.airflows import Airflow
from tests.e2e.stage import Stage
from tests.e2e.test_other_registries import DAG as OTHER_REGISTRIES
from tests.e2e.test_other_registries import TASKS as TASKS_OF_OTHER_REGISTRIES

DAG = "web_scraper"
TRIGGERED = "triggered"
"""The id of a run that a test starts."""
SECONDS = 120
# The workers of Airflow 3 use an API server. The workers of Airflow 2 use the database.
PROCESSES = {"2": [["scheduler"]], "3": [["api-server", "--apps", "execution", "--workers", "1"], ["scheduler"]]}
HEALTH = "http://127.0.0.1:8080/execution/health"


@pytest.fixture(scope="module")
def airflows(stage: Stage) -> Iterator[list[Airflow]]:
    """The Airflow installations, each with a running scheduler."""
    airflows = [worker.airflow for worker in stage.workers]
    # Remove the runs of other tests, because the DAG of the example allows one active run.
    stage.on_each(lambda airflow: airflow.command("dags", "delete", "--yes", DAG))
    stage.on_each(lambda airflow: airflow.command("dags", "reserialize"))
    with running(airflows):
        yield airflows


def test_a_dag_run_pulls_from_the_registries_of_another_account_and_of_another_region(
    stage: Stage, airflows: list[Airflow]
) -> None:
    stage.forget_images()
    run_once(stage, OTHER_REGISTRIES)
    for task in TASKS_OF_OTHER_REGISTRIES:
        logs = [task_log(airflow, task, OTHER_REGISTRIES, TRIGGERED) for airflow in airflows]
        assert [stage.marker in log for log in logs] == [True, True], task


def test_a_refresh_after_an_expired_login_lets_tasks_run_again_without_a_restart(
    stage: Stage, airflows: list[Airflow]
) -> None:
    stage.forget_images()
    # The scheduler starts a run for the previous day.
    stage.on_each(lambda airflow: airflow.command("dags", "unpause", DAG))
    stage.on_each(lambda airflow: until(airflow, "scrape_pinned", "success"))
    assert [stage.marker in task_log(airflow, "scrape") for airflow in airflows] == [True, True]

    # If a run ends while its tasks are cleared, the scheduler does not start them again.
    wait_for_the_end(stage, DAG)
    stage.forget_images()
    with stage.function_stopped():
        stage.aws.advance_clock(minutes=12 * 60, sessions_expire=False)
        stage.on_each(lambda airflow: airflow.command("tasks", "clear", "--yes", DAG))
        stage.on_each(lambda airflow: until(airflow, "scrape", "up_for_retry"))
    assert ["status: 403 Forbidden" in task_log(airflow, "scrape") for airflow in airflows] == [True, True]

    stage.refresh()
    # Airflow would retry after five minutes. Clearing the task makes it retry at once.
    stage.on_each(lambda airflow: airflow.command("tasks", "clear", "--yes", DAG))
    stage.on_each(lambda airflow: until(airflow, "scrape_pinned", "success"))
    assert [stage.marker in task_log(airflow, "scrape") for airflow in airflows] == [True, True]


@contextmanager
def running(airflows: list[Airflow]) -> Iterator[None]:
    """Run the processes of an Airflow deployment for each version, and check that none of them ends early."""
    processes = []
    try:
        for airflow in airflows:
            for command in PROCESSES[airflow.version]:
                processes.append(airflow.start("airflow", *command)[0])
                if command[0] == "api-server":
                    # The API server builds its API when it receives the first request. A task of a busy machine would
                    # not wait long enough.
                    host.eventually(api_server_answers, SECONDS)
        yield
        assert [process.args for process in processes if process.poll() is not None] == []
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def api_server_answers() -> bool:
    try:
        with urllib.request.urlopen(HEALTH, timeout=SECONDS) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def run_once(stage: Stage, dag: str) -> None:
    """Start the run TRIGGERED of a DAG without a schedule, and wait until the running schedulers have run its tasks."""
    unpaused = stage.on_each(lambda airflow: airflow.command("dags", "unpause", dag))
    triggered = stage.on_each(lambda airflow: airflow.command("dags", "trigger", f"--run-id={TRIGGERED}", dag))
    for ended in [*unpaused, *triggered]:
        assert ended.succeeded, ended.log
    wait_for_the_end(stage, dag, TRIGGERED)


def wait_for_the_end(stage: Stage, dag: str, run: str = "scheduled") -> None:
    """Wait until the run of a DAG has ended on each worker. The id of the run starts with `run`."""
    stage.on_each(lambda airflow: host.eventually(partial(finished, airflow, dag, run), SECONDS, every=0.5))


def finished(airflow: Airflow, dag: str, run: str = "scheduled") -> bool:
    """Return whether the run of a DAG has ended. The id of the run starts with `run`."""
    rows = f"from dag_run where dag_id = '{dag}' and run_id like '{run}%'"
    return postgres.query(airflow.database, f"select state {rows} order by id limit 1") in ("failed", "success")


def until(airflow: Airflow, task: str, state: str) -> None:
    """Wait for the state of a task in the scheduled run."""
    host.eventually(partial(is_in, airflow, task, state), SECONDS, every=0.5)


def is_in(airflow: Airflow, task: str, state: str) -> bool:
    query = "select t.state from task_instance t join dag_run r on (t.dag_id, t.run_id) = (r.dag_id, r.run_id)"
    where = f"where t.dag_id = '{DAG}' and task_id = '{task}' and run_type = 'scheduled'"
    # The query uses the first run, because a second run starts after midnight.
    return postgres.query(airflow.database, f"{query} {where} order by r.id limit 1") == state


def task_log(airflow: Airflow, task: str, dag: str = DAG, run: str = "scheduled") -> str:
    """Return the newest log of a task, as the user interface of Airflow shows it."""
    logs = airflow.home.glob(f"logs/dag_id={dag}/run_id={run}*/task_id={task}/attempt=*.log")
    return max(logs, key=lambda log: log.stat().st_mtime).read_text(errors="replace")
