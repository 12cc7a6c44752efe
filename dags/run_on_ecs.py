"""Run an image of the team risk as a task on Fargate. The task's execution role pulls the image without a docker login.

The task definition comes from `[ecs.tasks."risk/var"]` in the environment's settings. The same DAG works in every
environment, because these Airflow Variables contain the stack outputs and the subnet:

- `ecs_cluster`: EcsClusterName
- `ecs_task_family`: EcsTaskFamilyRiskVar
- `ecs_task_log_group`: EcsTaskLogGroupRiskVar
- `ecs_subnet`: a private subnet that reaches ECR, S3 and CloudWatch Logs

The worker's environment needs AWS_DEFAULT_REGION, because an instance profile provides credentials but no Region.
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
        "execution_timeout": timedelta(hours=1),  # A timeout stops the task on ECS as well.
    },
) as dag:
    EcsRunTaskOperator(
        task_id="value_at_risk",
        # The operator uses the role of the worker. The deployment gives this role the permission to run the task.
        aws_conn_id=None,
        cluster="{{ var.value.ecs_cluster }}",
        # A family selects the newest revision. Append `:3` to select revision 3.
        task_definition="{{ var.value.ecs_task_family }}",
        # Without this name, the operator requests the container's name from ECS and waits for the answer.
        container_name="task",
        launch_type="FARGATE",
        network_configuration={
            "awsvpcConfiguration": {"subnets": ["{{ var.value.ecs_subnet }}"], "assignPublicIp": "DISABLED"}
        },
        # The overrides change the task definition. The only container of the task definition is `task`.
        overrides={"containerOverrides": [{"name": "task", "environment": [{"name": "DAY", "value": "{{ ds }}"}]}]},
        # Airflow's log of the task shows the output of the container.
        awslogs_group="{{ var.value.ecs_task_log_group }}",
        awslogs_stream_prefix="airflow/task",
        # If a worker was lost, a retry attaches to the running task on ECS and does not start a second task.
        reattach=True,
    )
