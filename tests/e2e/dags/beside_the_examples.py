"""Tasks that only the tests need, and that the examples in dags/ do not contain."""

from datetime import datetime

from airflow import DAG
from airflow.providers.docker.operators.docker import DockerOperator

with DAG(dag_id="beside_the_examples", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    DockerOperator(
        task_id="image_of_another_team",
        image="{{ var.value.ecr_registry }}/risk/var:1",
        docker_conn_id="docker_default",
        auto_remove="force",
        mount_tmp_dir=False,
    )
    DockerOperator(
        task_id="without_a_connection",
        image="{{ var.value.ecr_registry }}/analytics/web-scraper:1",
        auto_remove="force",
        mount_tmp_dir=False,
    )
