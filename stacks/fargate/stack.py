"""The alternative to docker logins: Airflow runs a team's image as a task on Fargate.

The execution role of the task pulls the image.
"""

from collections.abc import Mapping

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from settings.environment import EcsTask, Environment
from settings.names import pascal_case
from stacks.acknowledgements import acknowledge
from stacks.existing_roles import roles_from_arns
from stacks.fargate.task import FargateTask
from stacks.fargate.worker_policy import RunTasksPolicy
from stacks.permissions_boundary import apply_permissions_boundary

_INSIGHTS = "AWS charges Container Insights per task, and the log contains the output of a task"


class EcsTasksStack(Stack):
    """A cluster, a task for each repository in the settings, and the workers' permission to run the tasks."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: Environment, tasks: Mapping[str, EcsTask]
    ) -> None:
        """
        Args:
            scope: The stage.
            construct_id: The stack's id.
            environment: The settings of the environment.
            tasks: A dict of a repository's full name, `<team>/<name>`, to the settings of the repository's task.
        """
        # Without indentation, the template of tasks with many tags is smaller than CloudFormation's quota.
        super().__init__(scope, construct_id, suppress_template_indentation=True)

        # Resources
        cluster = ecs.CfnCluster(self, "Cluster", cluster_name=environment.ecs_cluster_name)
        acknowledge(cluster, {"AwsSolutions-ECS4": _INSIGHTS, "CKV_AWS_65": _INSIGHTS})
        fargate_tasks = {
            repository: FargateTask(
                self,
                pascal_case(repository),
                registry=environment.registry,
                repository=repository,
                image_tag=task.image_tag,
                family=environment.ecs_family(repository),
                cpu_units=task.cpu_units,
                memory_mib=task.memory_mib,
                role_path=environment.role_path,
            )
            for repository, task in tasks.items()
        }

        # Permissions
        apply_permissions_boundary(self, environment.permissions_boundary_arn)
        RunTasksPolicy(
            self,
            "WorkerPolicy",
            environment_name=environment.name,
            roles=roles_from_arns(self, environment.workers.role_arns),
            cluster=cluster,
            cluster_name=environment.ecs_cluster_name,
            tasks=list(fargate_tasks.values()),
            max_cpu_units=max(task.cpu_units for task in tasks.values()),
            max_memory_mib=max(task.memory_mib for task in tasks.values()),
        )

        # Outputs
        CfnOutput(self, "EcsClusterName", value=environment.ecs_cluster_name)
        for repository, task in fargate_tasks.items():
            name = pascal_case(repository)
            CfnOutput(self, f"EcsTaskFamily{name}", value=environment.ecs_family(repository))
            CfnOutput(self, f"EcsTaskLogGroup{name}", value=task.log_group.log_group_name)
            CfnOutput(self, f"EcsTaskRoleArn{name}", value=task.task_role.role_arn)
