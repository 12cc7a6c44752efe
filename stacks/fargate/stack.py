"""The alternative without any login: Airflow runs a team's image as a task on Fargate, which pulls by a role."""

from collections.abc import Mapping

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from settings.environment import EcsTask, Environment
from settings.names import pascal_case
from stacks.acknowledgements import acknowledge
from stacks.fargate.task import TaskDefinition
from stacks.permissions_boundary import keep_within_boundary


class EcsTasksStack(Stack):
    """A cluster, a task definition for each repository that the settings list, and the workers' right to run them."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: Environment, tasks: Mapping[str, EcsTask]
    ) -> None:
        """
        Args:
            tasks: by repository, `<team>/<name>`.
        """
        super().__init__(scope, construct_id)

        # Resources
        cluster = ecs.CfnCluster(self, "Cluster", cluster_name=environment.ecs_cluster_name)
        acknowledge(
            cluster,
            {
                "AwsSolutions-ECS4": "Container Insights are charged per task; what a task did is in its log",
                "CKV_AWS_65": "Container Insights are charged per task; what a task did is in its log",
            },
        )
        definitions = {
            repository: TaskDefinition(
                self, pascal_case(repository), environment=environment, repository=repository, task=task
            )
            for repository, task in tasks.items()
        }

        # Grants
        keep_within_boundary(self, environment)
        tasks_arn = self.format_arn(service="ecs", resource="task", resource_name=f"{environment.ecs_cluster_name}/*")
        in_cluster = {"ArnEquals": {"ecs:cluster": cluster.attr_arn}}
        families = [
            self.format_arn(service="ecs", resource="task-definition", resource_name=environment.ecs_family(repository))
            for repository in tasks
        ]
        policy = iam.ManagedPolicy(
            self,
            "WorkerPolicy",
            description=f"Airflow workers of {environment.name}: run images as tasks on Fargate",
            roles=[
                iam.Role.from_role_name(self, name, name)
                for name in (arn.rsplit("/", 1)[-1] for arn in environment.workers.role_arns)
            ],
            statements=[
                iam.PolicyStatement(
                    sid="RunTasks",
                    actions=["ecs:RunTask"],
                    # Named with or without a revision.
                    resources=[*families, *(f"{family}:*" for family in families)],
                    conditions=in_cluster,
                ),
                iam.PolicyStatement(
                    sid="HandOverRoles",
                    actions=["iam:PassRole"],
                    resources=[
                        role.role_arn for each in definitions.values() for role in (each.execution_role, each.task_role)
                    ],
                    conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
                ),
                iam.PolicyStatement(
                    sid="FollowTasks", actions=["ecs:DescribeTasks", "ecs:StopTask"], resources=[tasks_arn]
                ),
                iam.PolicyStatement(
                    sid="FindTasks",
                    actions=["ecs:ListTasks"],
                    resources=["*"],  # On Fargate there is no container instance to name.
                    conditions=in_cluster,
                ),
                iam.PolicyStatement(
                    sid="ReadLogs",
                    actions=["logs:GetLogEvents"],
                    resources=[each.log_group.log_group_arn for each in definitions.values()],
                ),
            ],
        )
        acknowledge(
            policy,
            {
                "AwsSolutions-IAM5[Resource::*]": "ecs:ListTasks knows no resource on Fargate; its cluster is named",
                f"AwsSolutions-IAM5[Resource::{tasks_arn}]": "Tasks get their names when they start",
                **{f"AwsSolutions-IAM5[Resource::{family}:*]": "Every deploy makes a revision" for family in families},
            },
        )

        # Outputs
        CfnOutput(self, "EcsClusterName", value=environment.ecs_cluster_name)
        for repository, definition in definitions.items():
            name = pascal_case(repository)
            CfnOutput(self, f"EcsTaskFamily{name}", value=environment.ecs_family(repository))
            CfnOutput(self, f"EcsTaskLogGroup{name}", value=definition.log_group.log_group_name)
            CfnOutput(self, f"EcsTaskRoleArn{name}", value=definition.task_role.role_arn)
