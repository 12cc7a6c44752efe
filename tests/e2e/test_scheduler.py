"""Airflow's own scheduler runs the example on its schedule, for days on end."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.e2e import host, postgres
from tests.e2e.airflows import Airflow
from tests.e2e.stage import Stage

DAG = "web_scraper"
SECONDS = 120
# Airflow 3 gives its workers an API to report to; Airflow 2 lets them into the database.
PROCESSES = {"2": [["scheduler"]], "3": [["api-server", "--apps", "execution", "--workers", "1"], ["scheduler"]]}


def test_an_expired_login_is_healed_by_a_refresh_with_nothing_restarted(stage: Stage) -> None:
    airflows = [worker.airflow for worker in stage.workers]
    stage.forget_images()
    # As if it were new: a run of another test would take the one place that the DAG leaves to its runs.
    for command in (["delete", "--yes", DAG], ["reserialize"], ["unpause", DAG]):
        stage.on_each(lambda airflow, command=command: airflow.command("dags", *command))  # type: ignore[misc]
    with running(airflows):
        # The schedule starts a run by itself, for the day that has passed.
        stage.on_each(lambda airflow: until(airflow, "scrape_pinned", "success"))
        assert [stage.marker in task_log(airflow, "scrape") for airflow in airflows] == [True, True]

        stage.forget_images()
        with stage.function_stopped():
            stage.aws.advance_clock(minutes=12 * 60)
            stage.on_each(lambda airflow: airflow.command("tasks", "clear", "--yes", DAG))
            stage.on_each(lambda airflow: until(airflow, "scrape", "up_for_retry"))
        assert ["status: 403 Forbidden" in task_log(airflow, "scrape") for airflow in airflows] == [True, True]

        stage.refresh()
        # Airflow would try again in five minutes; to clear the task is to ask it to do so now.
        stage.on_each(lambda airflow: airflow.command("tasks", "clear", "--yes", DAG))
        stage.on_each(lambda airflow: until(airflow, "scrape_pinned", "success"))
        assert [stage.marker in task_log(airflow, "scrape") for airflow in airflows] == [True, True]


@contextmanager
def running(airflows: list[Airflow]) -> Iterator[None]:
    """While this lasts, the processes of a deployment of each."""
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
    """Wait for the state of a task in the one run that there is by schedule."""
    host.eventually(partial(is_in, airflow, task, state), SECONDS, every=0.5)


def is_in(airflow: Airflow, task: str, state: str) -> bool:
    query = "select t.state from task_instance t join dag_run r on (t.dag_id, t.run_id) = (r.dag_id, r.run_id)"
    where = f"where t.dag_id = '{DAG}' and task_id = '{task}' and run_type = 'scheduled'"
    # Should a day pass meanwhile, there is a second run.
    return postgres.query(airflow.database, f"{query} {where} order by r.id limit 1") == state


def task_log(airflow: Airflow, task: str) -> str:
    """The newest log of a task's attempts, as Airflow shows it in its user interface."""
    logs = airflow.home.glob(f"logs/dag_id={DAG}/run_id=scheduled*/task_id={task}/attempt=*.log")
    return max(logs, key=lambda log: log.stat().st_mtime).read_text(errors="replace")
