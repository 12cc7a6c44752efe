"""Remove old containers and images from the workers each night. Use this DAG if Systems Manager does not do this.

A task runs on only one worker. Therefore, each worker needs a separate queue that no other worker serves, in addition
to its other queues: `airflow celery worker --queues default,worker-a`. With LocalExecutor, there is only one worker,
and it needs no separate queue.
"""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator

QUEUES = ["default"]  # one queue per worker, such as ["worker-a", "worker-b"]

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
            # Without --force, docker waits for a confirmation. The commands keep images that are in use and images that
            # were built in the last week.
            bash_command=(
                "docker container prune --force --filter until=24h"
                " && docker image prune --all --force --filter until=168h"
            ),
        )
