"""The example DAGs: Airflow has nothing against them, and the one that cleans up removes the right things."""

import hashlib
import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local.cdk import ROOT
from tests.e2e import host, postgres
from tests.e2e.stage import Stage

DAGS = sorted((ROOT / "dags").glob("*.py"))
CHECK = Path(__file__).with_name("run_dag_file.py")


def test_airflow_warns_of_nothing_in_the_examples(stage: Stage) -> None:
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


def test_the_clean_up_removes_old_images_and_keeps_what_is_fresh(stage: Stage) -> None:
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


def images(engine: host.Engine) -> list[str]:
    return engine.docker("image", "ls", "--format={{.Repository}}:{{.Tag}}").split()


def image_archive(name: str, built: str) -> bytes:
    """What `docker save` writes of an image with one empty layer."""
    layer = archive({})
    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    rootfs = {"type": "layers", "diff_ids": [diff_id]}
    config = {"architecture": "amd64", "os": "linux", "created": built, "config": {}, "rootfs": rootfs}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {"config.json": json.dumps(config).encode(), "layer.tar": layer}
    return archive({**files, "manifest.json": json.dumps(manifest).encode()})


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
