"""Tests of the example DAGs: Airflow imports them without a warning, and the clean-up removes the right images."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

from local.embedded_aws import ROOT_CREDENTIALS
from tests.e2e import host, postgres
from tests.e2e.stage import Stage
from tools import ROOT

DAGS = sorted((ROOT / "dags").glob("*.py"))
CHECK = Path(__file__).with_name("run_dag_file.py")


def test_the_examples_cause_no_warning(stage: Stage) -> None:
    runs = [(worker.airflow, dag) for worker in stage.workers for dag in DAGS]
    with ThreadPoolExecutor(len(stage.workers)) as pool:
        checked = list(pool.map(lambda run: run[0].program("python", str(CHECK), str(run[1])), runs))
    assert [(ended.version, ended.log) for ended in checked if ended.exit_code] == []
    assert len(checked) == len(stage.workers) * len(DAGS) == 6


def test_airflow_imports_every_example(stage: Stage) -> None:
    stage.on_each(lambda airflow: airflow.command("dags", "reserialize"))
    for worker in stage.workers:
        found = postgres.query(worker.airflow.database, "select dag_id from serialized_dag").split()
        assert set(found) >= {dag.stem for dag in DAGS}, worker.airflow.version


def test_the_clean_up_dag_removes_old_images_and_keeps_new_ones(stage: Stage) -> None:
    old, fresh = f"{host.REGISTRY}/analytics/old:1", f"{host.REGISTRY}/analytics/web-scraper:1"
    for worker in stage.workers:
        worker.engine.forget_images()
        worker.engine.docker("load", stdin=image_archive(old, built="2020-01-01T00:00:00Z"))
        assert old in images(worker.engine)
    stage.run_task("web_scraper", "scrape")
    for ended in stage.on_each(lambda airflow: airflow.command("tasks", "test", "clean_up_docker", "clean_up_default")):
        assert "Total reclaimed space" in ended.log, ended.version
    for worker in stage.workers:
        assert images(worker.engine) == [fresh], worker.airflow.version


def test_the_clean_up_script_removes_old_images_without_a_confirmation(stage: Stage) -> None:
    """This test runs the script in a shell of the worker, as Systems Manager does."""
    old, fresh = f"{host.REGISTRY}/analytics/old:1", f"{host.REGISTRY}/analytics/web-scraper:1"
    template = stage.aws.client("cloudformation").get_template(StackName="local-WorkerUpkeep")["TemplateBody"]
    [association] = [r for r in template["Resources"].values() if r["Type"] == "AWS::SSM::Association"]
    busybox = {"busybox": Path("/bin/busybox").read_bytes()}
    script = "\n".join(association["Properties"]["Parameters"]["commands"])
    for worker in stage.workers:
        worker.engine.forget_images()
    stage.run_task("web_scraper", "scrape")
    for worker in stage.workers:
        worker.engine.docker("load", stdin=image_archive(old, built="2020-01-01T00:00:00Z"))
        worker.engine.docker("load", stdin=image_archive("in-use:1", "2020-01-01T00:00:00Z", busybox))
        worker.engine.docker(
            "run", "--detach", "--network=none", "--name=in-use", "in-use:1", "/busybox", "sleep", "600"
        )
        # Standard input stays open, so that a command that waits for a confirmation reaches the timeout.
        reading, writing = os.pipe()
        environment = {**os.environ, "DOCKER_HOST": worker.engine.host}
        try:
            ended = subprocess.run(
                ["/bin/sh", "-c", script], env=environment, stdin=reading, capture_output=True, timeout=60
            )
            left = sorted(images(worker.engine))
        finally:
            os.close(writing)
            os.close(reading)
            worker.engine.docker("rm", "--force", "in-use")

        assert (ended.returncode, b"Total reclaimed space" in ended.stdout) == (0, True), ended.stderr
        assert left == sorted([fresh, "in-use:1"])


def test_a_fargate_task_starts_with_the_overrides_of_the_dag_and_the_image_of_its_definition(stage: Stage) -> None:
    """This test uses the root user of the account, because the emulator requires more permissions than AWS.

    The permission matrix tests the permissions that AWS requires.
    """
    ecs, cluster = stage.aws.client("ecs"), stage.outputs["EcsClusterName"]
    settings = {
        "AWS_ACCESS_KEY_ID": ROOT_CREDENTIALS["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": ROOT_CREDENTIALS["SecretAccessKey"],
        "AWS_SESSION_TOKEN": "",
        "AIRFLOW_VAR_ECS_CLUSTER": cluster,
        "AIRFLOW_VAR_ECS_TASK_FAMILY": stage.outputs["EcsTaskFamilyRiskVar"],
        "AIRFLOW_VAR_ECS_TASK_LOG_GROUP": stage.outputs["EcsTaskLogGroupRiskVar"],
        "AIRFLOW_VAR_ECS_SUBNET": "subnet-12345678",
    }
    # Each version of Airflow runs the DAG for another day. Two runs with the same name would use the same ECS task.
    days = {worker.airflow: f"2026-01-{number:02}" for number, worker in enumerate(stage.workers, start=3)}
    with ThreadPoolExecutor() as pool:
        ending = {
            day: pool.submit(airflow.command, "tasks", "test", "run_on_ecs", "value_at_risk", day, **settings)
            for airflow, day in days.items()
        }
        try:
            host.eventually(lambda: len(running_tasks(ecs, cluster)) == len(days), 60)
        finally:
            # ECS tasks in the emulator run no container, so they end only when they are stopped.
            started = running_tasks(ecs, cluster)
            for task in started:
                ecs.stop_task(cluster=cluster, task=task["taskArn"])
        logs = {day: ended.result().log for day, ended in ending.items()}

    assert [requested(task) for task in sorted(started, key=day_of)] == [
        {
            "launchType": "FARGATE",
            "image": f"{host.REGISTRY}/risk/var:1",
            "overrides": [{"name": "task", "environment": [{"name": "DAY", "value": day}]}],
        }
        for day in days.values()
    ]
    assert [task["taskArn"] in logs[day_of(task)] for task in started] == [True, True]


def day_of(task: dict[str, Any]) -> str:
    day: str = task["overrides"]["containerOverrides"][0]["environment"][0]["value"]
    return day


def running_tasks(ecs: Any, cluster: str) -> list[dict[str, Any]]:
    arns = ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]
    found: list[dict[str, Any]] = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    return found


def requested(task: dict[str, Any]) -> dict[str, Any]:
    return {
        "launchType": task["launchType"],
        "image": task["containers"][0]["image"],
        "overrides": task["overrides"]["containerOverrides"],
    }


def images(engine: host.Engine) -> list[str]:
    return engine.docker("image", "ls", "--format={{.Repository}}:{{.Tag}}").split()


def image_archive(name: str, built: str, content: Mapping[str, bytes] = MappingProxyType({})) -> bytes:
    """Return an image with one layer, as an archive in the format of `docker save`."""
    layer = archive(content)
    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    rootfs = {"type": "layers", "diff_ids": [diff_id]}
    config = {"architecture": "amd64", "os": "linux", "created": built, "config": {}, "rootfs": rootfs}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {"config.json": json.dumps(config).encode(), "layer.tar": layer}
    return archive({**files, "manifest.json": json.dumps(manifest).encode()})


def archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
