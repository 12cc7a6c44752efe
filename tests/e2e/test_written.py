"""A test that no log contains a docker login. This file runs last, so the test checks the logs of all other tests."""

from tests.e2e.stage import SCRATCH, Stage
from tests.local.logins import places_with_a_login


def test_no_log_contains_a_login(stage: Stage) -> None:
    logs = {path: text for worker in stage.workers for path, text in worker.airflow.logs().items()}
    logs |= {file.name: file.read_text(errors="replace") for file in SCRATCH.glob("dockerd-*.log")}
    assert any("Login into Docker Registry" in text for text in logs.values())
    found = places_with_a_login(logs, str(stage.login()["password"]), "no-token-of-ecr", "of-last-year")
    assert found == []
