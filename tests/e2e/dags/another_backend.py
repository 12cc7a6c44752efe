"""Tasks that use the docker login of Secrets Manager, and connections of another secrets backend."""

import json
from datetime import datetime

from airflow import DAG
from airflow.providers.common.compat.sdk import BaseHook
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.providers.standard.operators.python import PythonOperator

OTHERS = ("docker_in_vault", "in_vault", "in_environment", "in_database")


def print_other_connections() -> None:
    hosts = {each: BaseHook.get_connection(each).host for each in OTHERS}
    print(f"the other connections are {json.dumps(hosts)}")


with DAG(dag_id="another_backend", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    DockerOperator(
        task_id="docker_default",
        image="{{ var.value.ecr_registry }}/analytics/web-scraper:1",
        docker_conn_id="docker_default",
        auto_remove="force",
        mount_tmp_dir=False,
    )
    PythonOperator(task_id="others", python_callable=print_other_connections)
