"""The permissions that the Airflow workers need to run tasks on Fargate."""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.acknowledgements import acknowledge
from stacks.fargate.task import FargateTask


class RunTasksPolicy(iam.ManagedPolicy):
    """The permissions to run these tasks in the cluster, to follow and stop them, and to read their logs."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment_name: str,
        roles: Sequence[iam.IRole],
        cluster: ecs.CfnCluster,
        cluster_name: str,
        tasks: Sequence[FargateTask],
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            environment_name: The environment, for the policy's description.
            roles: The workers' roles.
            cluster: The cluster.
            cluster_name: The name of the cluster, as plain text.
            tasks: The tasks.
        """
        in_cluster = {"ArnEquals": {"ecs:cluster": cluster.attr_arn}}
        running_tasks_arn = Stack.of(scope).format_arn(
            service="ecs", resource="task", resource_name=f"{cluster_name}/*"
        )
        families = [task.family_arn for task in tasks]
        revisions = [f"{family}:*" for family in families]
        super().__init__(
            scope,
            construct_id,
            # Another description would replace the policy.
            description=f"Airflow workers of {environment_name}: run images as tasks on Fargate",
            roles=list(roles),
            statements=[
                iam.PolicyStatement(
                    sid="RunTasks",
                    actions=["ecs:RunTask"],
                    # A DAG names the task definition with or without a revision.
                    resources=[*families, *revisions],
                    conditions=in_cluster,
                ),
                iam.PolicyStatement(
                    sid="HandOverRoles",
                    actions=["iam:PassRole"],
                    resources=[role.role_arn for task in tasks for role in (task.execution_role, task.task_role)],
                    conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
                ),
                iam.PolicyStatement(
                    sid="FollowTasks", actions=["ecs:DescribeTasks", "ecs:StopTask"], resources=[running_tasks_arn]
                ),
                iam.PolicyStatement(
                    sid="FindTasks",
                    actions=["ecs:ListTasks"],
                    resources=["*"],  # The resource is a container instance, and Fargate has none.
                    conditions=in_cluster,
                ),
                iam.PolicyStatement(
                    sid="ReadLogs",
                    actions=["logs:GetLogEvents"],
                    resources=[task.log_group.log_group_arn for task in tasks],
                ),
            ],
        )
        acknowledge(
            self,
            {
                "AwsSolutions-IAM5[Resource::*]": "ecs:ListTasks has no resource on Fargate; a condition limits it",
                f"AwsSolutions-IAM5[Resource::{running_tasks_arn}]": "Tasks get their names when they start",
                **{f"AwsSolutions-IAM5[Resource::{arn}]": "Every deploy may create a revision" for arn in revisions},
            },
        )
