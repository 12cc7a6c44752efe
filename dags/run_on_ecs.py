"""Run the same image on ECS, without a docker login: there the task's execution role pulls it.

The Airflow Variables `ecs_cluster`, `ecs_subnet` and `ecs_task_definition` name where and what.
"""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator

with DAG(
    dag_id="run_on_ecs",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        # The task on ECS is stopped with it.
        "execution_timeout": timedelta(hours=1),
    },
) as dag:
    EcsRunTaskOperator(
        task_id="scrape",
        cluster="{{ var.value.ecs_cluster }}",
        # `web-scraper` is its newest revision, `web-scraper:3` this one.
        task_definition="{{ var.value.ecs_task_definition }}",
        launch_type="FARGATE",
        network_configuration={
            "awsvpcConfiguration": {
                "subnets": ["{{ var.value.ecs_subnet }}"],
                "assignPublicIp": "DISABLED",
            }
        },
        # Only what differs from the task definition.
        overrides={"containerOverrides": [{"name": "web-scraper", "command": ["python", "scrape.py", "{{ ds }}"]}]},
        # A retry, or a worker that was restarted, takes up the task that runs rather than start a second one.
        reattach=True,
    )
