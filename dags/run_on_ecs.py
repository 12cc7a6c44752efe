"""Run an image of the team risk as a task on Fargate, without a docker login: the task's execution role pulls it.

The task definition comes from `[ecs.tasks."risk/var"]` in the environment's settings. Airflow Variables hold the
deploy's outputs and where the task runs, so that the same DAG serves every environment:

- `ecs_cluster`: EcsClusterName
- `ecs_task_family`: EcsTaskFamilyRiskVar
- `ecs_task_log_group`: EcsTaskLogGroupRiskVar
- `ecs_subnet`: a private subnet that reaches ECR, S3 and CloudWatch Logs

The worker's environment has AWS_DEFAULT_REGION: an instance profile tells credentials, and no region.
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
        "execution_timeout": timedelta(hours=1),  # stops the task on ECS as well
    },
) as dag:
    EcsRunTaskOperator(
        task_id="value_at_risk",
        aws_conn_id=None,  # the worker's own role, which the deploy gave the right to run this task
        cluster="{{ var.value.ecs_cluster }}",
        task_definition="{{ var.value.ecs_task_family }}",  # its newest revision; `…:3` would be the third
        container_name="task",  # as the task definition has it; else the operator asks, and waits for it
        launch_type="FARGATE",
        network_configuration={
            "awsvpcConfiguration": {"subnets": ["{{ var.value.ecs_subnet }}"], "assignPublicIp": "DISABLED"}
        },
        # What differs from the task definition, whose one container is called `task`.
        overrides={"containerOverrides": [{"name": "task", "environment": [{"name": "DAY", "value": "{{ ds }}"}]}]},
        # What the container prints appears in Airflow's log of the task.
        awslogs_group="{{ var.value.ecs_task_log_group }}",
        awslogs_stream_prefix="airflow/task",
        # After a worker was lost, a retry takes up the task that runs rather than start a second one.
        reattach=True,
    )
