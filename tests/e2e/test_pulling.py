"""Tests of a DockerOperator that pulls and runs the private image, and of Airflow's log when the pull fails.

docs/airflow/failures.md quotes these lines of the log.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e import host
from tests.e2e.airflows import Ended
from tests.e2e.stage import Stage, faulty, looking_below
from tools import ROOT

NOT_DEFINED = "AirflowNotFoundException: The conn_id `docker_default` isn't defined"
NO_REGISTRY = "AirflowNotFoundException: No Docker Registry URL provided."
LOGIN_FAILED = f'Internal Server Error ("login attempt to https://{host.REGISTRY}/v2/ failed with status: '
# For each wrong value of the secret (see stage.py): the line in the log of the failed task, in both versions of
# Airflow.
SHOWN = {
    "missing": NOT_DEFINED,
    "invalid_json": NOT_DEFINED,
    "plain_text": NO_REGISTRY,
    "empty_object": NO_REGISTRY,
    "no_host": NO_REGISTRY,
    "wrong_password": f'{LOGIN_FAILED}401 Unauthorized")',
}
# At the default log level, only Airflow 2 logs the reason why it cannot read the secret. Airflow 3 logs nothing.
WHY = "Unable to retrieve connection from secrets backend (SecretsManagerBackend)"
DENIED = looking_below("airflow/of-another-environment")
UNREACHABLE = {"AWS_ENDPOINT_URL": "https://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}


@pytest.fixture(autouse=True)
def _images_forgotten(request: pytest.FixtureRequest) -> None:
    """Remove the images before each test, so that the workers have to pull."""
    if "stage" in request.fixturenames:
        request.getfixturevalue("stage").forget_images()


def test_the_analysts_image_is_pulled_and_run_by_tag_and_by_digest(stage: Stage) -> None:
    """This test runs the `airflow` command of the installation, not a fork."""
    for ended in stage.on_each(lambda airflow: airflow.program("airflow", "dags", "test", "web_scraper", "2026-01-01")):
        by_task = re.split(r"\[DAG TEST\] starting task_id=", ended.log)[1:]
        assert [task.split()[0] for task in by_task] == ["scrape", "scrape_pinned"], ended.version
        assert all(stage.marker in task for task in by_task), ended.version
        assert "Downloaded newer image" in by_task[0], ended.version
        assert ended.exit_code == 0


@pytest.mark.parametrize("fault", SHOWN)
def test_airflow_shows_the_documented_line_for_a_wrong_secret_value(stage: Stage, fault: str) -> None:
    failed(stage, stage.run_task("web_scraper", "scrape", **faulty(fault)), SHOWN[fault])


@pytest.mark.parametrize("obstacle", [DENIED, UNREACHABLE], ids=["denied", "unreachable"])
def test_only_airflow_2_logs_why_it_could_not_read_the_secret(stage: Stage, obstacle: dict[str, str]) -> None:
    both = stage.run_task("web_scraper", "scrape", **obstacle)
    failed(stage, both, NOT_DEFINED)
    assert {ended.version: WHY in ended.log for ended in both} == {"2": True, "3": False}
    assert {ended.version: "AccessDenied" in ended.log for ended in both} == {"2": obstacle is DENIED, "3": False}


def test_an_expired_login_fails_until_the_next_refresh(stage: Stage) -> None:
    with stage.function_stopped():
        stage.aws.advance_clock(minutes=12 * 60, sessions_expire=False)
        failed(stage, stage.run_task("web_scraper", "scrape"), f'{LOGIN_FAILED}403 Forbidden")')
    stage.refresh()
    ran(stage, stage.run_task("web_scraper", "scrape"))


def test_an_image_of_a_team_that_the_connection_does_not_cover_is_refused(stage: Stage) -> None:
    both = stage.run_task("beside_the_examples", "image_of_another_team")
    failed(stage, both, f"pull access denied for {host.REGISTRY}/risk/var")
    for ended in both:
        assert "Login into Docker Registry" in ended.log, ended.version
        assert "is not authorized to perform: ecr:BatchGetImage" in ended.log, ended.version


def test_a_task_without_the_connection_is_not_logged_in(stage: Stage) -> None:
    failed(stage, stage.run_task("beside_the_examples", "without_a_connection"), "no basic auth credentials")


def test_amazons_credential_helper_pulls_with_the_workers_role(stage: Stage, tmp_path: Path) -> None:
    helper = {"credHelpers": {stage.outputs["RegistryHost"]: "ecr-login"}}
    (tmp_path / "config.json").write_text(json.dumps(helper))
    # The helper's cache would write the token to the home folder of the worker.
    settings = {"DOCKER_CONFIG": str(tmp_path), "AWS_ECR_DISABLE_CACHE": "true"}
    ran(stage, stage.run_task("beside_the_examples", "without_a_connection", **settings))


@pytest.mark.parametrize("obstacle", [faulty("missing"), DENIED, UNREACHABLE], ids=["missing", "denied", "unreachable"])
def test_a_connection_in_the_database_is_used_without_the_secret(stage: Stage, obstacle: dict[str, str]) -> None:
    """The task runs with a docker login that is not refreshed. The task fails when this login expires."""
    with a_connection_in_the_database(stage):
        ran(stage, stage.run_task("web_scraper", "scrape", **obstacle))


def test_a_connection_in_the_database_is_not_used_with_the_secret(stage: Stage) -> None:
    with a_connection_in_the_database(stage, password="of-last-year"):
        failed(stage, stage.run_task("web_scraper", "scrape", **faulty("missing")), f"{LOGIN_FAILED}401 Unauthorized")
        ran(stage, stage.run_task("web_scraper", "scrape"))


def test_the_page_about_failures_quotes_every_tested_line() -> None:
    page = (ROOT / "docs" / "airflow" / "failures.md").read_text()
    ours = page.replace("<RegistryHost>", host.REGISTRY)
    assert [line for line in (*SHOWN.values(), WHY, f'{LOGIN_FAILED}403 Forbidden")') if line not in ours] == []


def ran(stage: Stage, both: list[Ended]) -> None:
    """Check that the task pulled the private image and ran it, in each version of Airflow."""
    assert {ended.version: stage.marker in ended.log for ended in both} == {"2": True, "3": True}
    assert {ended.version: "Downloaded newer image" in ended.log for ended in both} == {"2": True, "3": True}


def failed(stage: Stage, both: list[Ended], shown: str) -> None:
    """Check that the task failed with this line and did not run the image, in each version of Airflow."""
    assert {ended.version: shown in ended.log for ended in both} == {"2": True, "3": True}
    assert {ended.version: stage.marker in ended.log for ended in both} == {"2": False, "3": False}
    assert {ended.version: "Task failed with exception" in ended.log for ended in both} == {"2": True, "3": True}


@contextmanager
def a_connection_in_the_database(stage: Stage, password: str | None = None) -> Iterator[None]:
    """Add the connection to the metadata databases, as a script on the hosts does, and remove it at the end.

    Args:
        password: the password of the connection; None: the password of the current docker login.
    """
    password = password or stage.login()["password"]
    row = ["--conn-type=docker", f"--conn-host={host.REGISTRY}", "--conn-login=AWS", f"--conn-password={password}"]
    for ended in stage.on_each(lambda airflow: airflow.command("connections", "add", "docker_default", *row)):
        assert ended.exit_code == 0, ended.version
    try:
        yield
    finally:
        for ended in stage.on_each(lambda airflow: airflow.command("connections", "delete", "docker_default")):
            assert ended.exit_code == 0, ended.version
