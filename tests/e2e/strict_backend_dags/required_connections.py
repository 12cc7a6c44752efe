"""Tasks that use required connections of StrictSecretsManagerBackend. Each task, except the last three, fails."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from airflow import DAG
from airflow.providers.common.compat.sdk import BaseHook
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.providers.standard.operators.python import PythonOperator

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def pull(connection: str, **arguments: Any) -> DockerOperator:
    return DockerOperator(
        task_id=connection,
        image="{{ var.value.ecr_registry }}/analytics/web-scraper:1",
        docker_conn_id=connection,
        auto_remove="force",
        mount_tmp_dir=False,
        execution_timeout=timedelta(minutes=3),
        **arguments,
    )


def with_endpoint(url: str) -> Callable[[Any], None]:
    return lambda context: os.environ.update(AWS_ENDPOINT_URL=url)


def without(*names: str) -> Callable[[Any], None]:
    """Remove these variables from the environment of the task before the task reads the connection."""

    def remove(context: Any) -> None:
        for name in names:
            os.environ.pop(name, None)

    return remove


def print_other_connections() -> None:
    hosts = {each: BaseHook.get_connection(each).host for each in json.loads(os.environ["OTHER_CONNECTIONS"])}
    print(f"the other connections are {json.dumps(hosts)}")


with DAG(
    dag_id="required_connections",
    schedule="@once",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
) as dag:
    for fault in ("missing", "no_value", "denied", "key_disabled", "deleted", "plain_text", "no_host", "expired"):
        pull(f"required_{fault}")
    pull("required_unreachable", pre_execute=with_endpoint("https://127.0.0.1:9"))
    pull("required_black_hole", pre_execute=with_endpoint(os.environ.get("BLACK_HOLE", "")))
    pull("required_no_credentials", pre_execute=without(*CREDENTIALS))
    pull("required_no_region", pre_execute=without("AWS_REGION", "AWS_DEFAULT_REGION"))
    pull("required_repaired", retries=5, retry_delay=timedelta(seconds=10))
    pull("docker_default")
    PythonOperator(task_id="others", python_callable=print_other_connections)
