"""The permissions that the Airflow workers need to run tasks on Fargate."""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.acknowledgements import acknowledge
from stacks.fargate.task import FargateTask


class RunTasksPolicy(iam.ManagedPolicy):
    """The permissions to run these tasks in the cluster, to describe and stop the tasks, and to read their logs."""

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
        max_cpu_units: int,
        max_memory_mib: int,
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            environment_name: The name of the environment. The policy's description contains this name.
            roles: The workers' roles.
            cluster: The cluster.
            cluster_name: The name of the cluster, as a plain string.
            tasks: The tasks.
            max_cpu_units: The most CPU that a DAG may request for a task; 1024 units are one vCPU.
            max_memory_mib: The most memory that a DAG may request for a task, in MiB.
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
            # A change of this description replaces the policy.
            description=f"Airflow workers of {environment_name}: run images as tasks on Fargate",
            roles=list(roles),
            statements=[
                iam.PolicyStatement(
                    sid="RunTasks",
                    actions=["ecs:RunTask"],
                    # A DAG can refer to the task definition with or without a revision.
                    resources=[*families, *revisions],
                    conditions={**in_cluster, **_within(max_cpu_units, max_memory_mib)},
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
                    # The resource type of ecs:ListTasks is a container instance. Fargate has no container instances.
                    resources=["*"],
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
                "AwsSolutions-IAM5[Resource::*]": "ecs:ListTasks has no resource on Fargate; a condition limits access",
                f"AwsSolutions-IAM5[Resource::{running_tasks_arn}]": "A task gets its id when it starts",
                **{f"AwsSolutions-IAM5[Resource::{arn}]": "A deployment can create a revision" for arn in revisions},
            },
        )


def _within(max_cpu_units: int, max_memory_mib: int) -> dict[str, dict[str, str]]:
    """Return conditions that deny ECS Exec and a task of more CPU or memory than the largest task in the settings.

    The condition keys hold the values of the request (Service Authorization Reference, "Amazon Elastic Container
    Service", RunTask). A request that leaves a value out may have no such key. `IfExists` allows this request: ECS Exec
    is then off, and the task has the size of its task definition.
    """
    return {
        "StringEqualsIfExists": {"ecs:enable-execute-command": "false"},
        "NumericLessThanEqualsIfExists": {"ecs:task-cpu": str(max_cpu_units), "ecs:task-memory": str(max_memory_mib)},
    }
