"""Tasks that pull from the registry of another account and of another Region."""

from datetime import datetime

from airflow import DAG
from airflow.providers.docker.operators.docker import DockerOperator

with DAG(dag_id="other_registries", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    for place in ("other_account", "other_region"):
        DockerOperator(
            task_id=f"image_of_{place}",
            image=f"{{{{ var.value.registry_of_{place} }}}}/platform/base:1",
            docker_conn_id=f"docker_{place}",
            auto_remove="force",
            mount_tmp_dir=False,
        )
