"""Tests that the scheduler of Airflow runs the example on its schedule, before and after the docker login expires."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.e2e import host, postgres
from tests.e2e.airflows import Airflow
from tests.e2e.stage import Stage

DAG = "web_scraper"
SECONDS = 120
# The workers of Airflow 3 use an API server. The workers of Airflow 2 use the database.
PROCESSES = {"2": [["scheduler"]], "3": [["api-server", "--apps", "execution", "--workers", "1"], ["scheduler"]]}


def test_a_refresh_after_an_expired_login_lets_tasks_run_again_without_a_restart(stage: Stage) -> None:
    airflows = [worker.airflow for worker in stage.workers]
    stage.forget_images()
    # Remove the runs of other tests, because the DAG allows one active run.
    for command in (["delete", "--yes", DAG], ["reserialize"], ["unpause", DAG]):
        stage.on_each(lambda airflow, command=command: airflow.command("dags", *command))  # type: ignore[misc]
    with running(airflows):
        # The scheduler starts a run for the previous day.
        stage.on_each(lambda airflow: until(airflow, "scrape_pinned", "success"))
        assert [stage.marker in task_log(airflow, "scrape") for airflow in airflows] == [True, True]

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
    processes = [
        airflow.start("airflow", *command)[0] for airflow in airflows for command in PROCESSES[airflow.version]
    ]
    try:
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


def until(airflow: Airflow, task: str, state: str) -> None:
    """Wait for the state of a task in the scheduled run."""
    host.eventually(partial(is_in, airflow, task, state), SECONDS, every=0.5)


def is_in(airflow: Airflow, task: str, state: str) -> bool:
    query = "select t.state from task_instance t join dag_run r on (t.dag_id, t.run_id) = (r.dag_id, r.run_id)"
    where = f"where t.dag_id = '{DAG}' and task_id = '{task}' and run_type = 'scheduled'"
    # The query uses the first run, because a second run starts after midnight.
    return postgres.query(airflow.database, f"{query} {where} order by r.id limit 1") == state


def task_log(airflow: Airflow, task: str) -> str:
    """Return the newest log of a task, as the user interface of Airflow shows it."""
    logs = airflow.home.glob(f"logs/dag_id={DAG}/run_id=scheduled*/task_id={task}/attempt=*.log")
    return max(logs, key=lambda log: log.stat().st_mtime).read_text(errors="replace")
