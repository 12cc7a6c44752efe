"""A DockerOperator pulls and runs the private image, and what Airflow shows where it cannot."""

from tests.e2e.stage import Stage, faulty
import pytest


def test_try(stage: Stage) -> None:
    for f in (None, "missing", "wrong_password", "no_host", "empty_document", "plain_text", "broken_json"):
        for e in stage.run_task("web_scraper", "scrape", **(faulty(f) if f else {})):
            print("=====", f, e.version, e.exit_code, "\n", e.log[-2500:] if f else e.log[-300:])
    for e in stage.run_task(
        "web_scraper",
        "scrape",
        AIRFLOW__SECRETS__BACKEND_KWARGS='{"connections_prefix":"airflow/denied","connections_lookup_pattern":"^docker_","variables_prefix":null,"config_prefix":null}',
    ):
        print("===== denied", e.version, e.exit_code, "\n", e.log[-5500:])
    for e in stage.run_task("web_scraper", "scrape", AWS_ENDPOINT_URL="https://127.0.0.1:9", AWS_MAX_ATTEMPTS="1"):
        print("===== unreach", e.version, e.exit_code, "\n", e.log[-5500:])
    for e in stage.run_task("beside_the_examples", "image_of_another_team"):
        print("===== other", e.version, e.exit_code, "\n", e.log[-2500:])
    import pathlib, json

    c = pathlib.Path("/run/helper")
    c.mkdir()
    (c / "config.json").write_text(json.dumps({"credHelpers": {stage.outputs["RegistryHost"]: "ecr-login"}}))
    for e in stage.run_task("beside_the_examples", "without_a_connection"):
        print("===== none", e.version, e.exit_code, "\n", e.log[-2500:])
    for e in stage.run_task("beside_the_examples", "without_a_connection", DOCKER_CONFIG=str(c)):
        print("===== helper", e.version, e.exit_code, "\n", e.log[-2500:])
    with stage.function_stopped():
        stage.aws.advance_clock(12 * 60)
        for e in stage.run_task("web_scraper", "scrape"):
            print("===== expired", e.version, e.exit_code, "\n", e.log[-2500:])
    stage.refresh()
    for e in stage.run_task("web_scraper", "scrape"):
        print("===== healed", e.version, e.exit_code, "\n", e.log[-300:])
