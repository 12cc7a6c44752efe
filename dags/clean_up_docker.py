"""Remove old containers and images from the workers each night, where Systems Manager does not do it.

A task runs on one worker, so each worker needs a queue that no other worker serves, in addition to its other queues:
`airflow celery worker --queues default,worker-a`. With LocalExecutor there is one worker, and no queue is needed.
"""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator

QUEUES = ["default"]  # one for each worker: ["worker-a", "worker-b"]

with DAG(
    dag_id="clean_up_docker",
    schedule="30 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(minutes=30)},
) as dag:
    for queue in QUEUES:
        BashOperator(
            task_id=f"clean_up_{queue.replace('-', '_')}",
            queue=queue,
            # Without --force docker waits for an answer. Images in use stay, and so do images built within a week.
            bash_command=(
                "docker container prune --force --filter until=24h"
                " && docker image prune --all --force --filter until=168h"
            ),
        )
