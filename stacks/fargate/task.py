"""One repository's image as a task on Fargate."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from settings.environment import EcsTask, Environment
from stacks import image_permissions
from stacks.acknowledgements import ANY_LOG, acknowledge

CONTAINER = "task"  # what a DAG's container overrides call it


class TaskDefinition(Construct):
    """Its definition, the role that pulls it, the role that it has, and its log."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: Environment, repository: str, task: EcsTask
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)

        # Resources
        self.log_group = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        acknowledge(self.log_group, ANY_LOG)
        self.execution_role = iam.Role(
            self,
            "ExecutionRole",
            path=environment.role_path,
            description=f"Pulls {repository} for tasks on Fargate",
            assumed_by=_fargate(stack),
            inline_policies={
                "StartTask": iam.PolicyDocument(
                    statements=[
                        image_permissions.pull_one(stack, repository),
                        image_permissions.log_in(),
                        iam.PolicyStatement(
                            sid="WriteLog",
                            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                            resources=[self.log_group.log_group_arn],
                        ),
                    ]
                )
            },
        )
        acknowledge(self.execution_role, image_permissions.wildcards(stack, []))
        self.task_role = iam.Role(
            self,
            "TaskRole",
            path=environment.role_path,
            description=f"What {repository} may do as a task on Fargate: nothing, until its team attaches a policy",
            assumed_by=_fargate(stack),
        )
        definition = ecs.FargateTaskDefinition(
            self,
            "TaskDefinition",
            family=environment.ecs_family(repository),
            cpu=task.cpu_units,
            memory_limit_mib=task.memory_mib,
            execution_role=self.execution_role.without_policy_updates(),
            task_role=self.task_role,
        )
        definition.add_container(
            CONTAINER,
            image=ecs.ContainerImage.from_registry(f"{environment.registry_host}/{repository}:{task.image_tag}"),
            logging=ecs.LogDrivers.aws_logs(stream_prefix="airflow", log_group=self.log_group),
        )


def _fargate(stack: Stack) -> iam.ServicePrincipal:
    """ECS, for tasks of this account and region (ECS Developer Guide, "Task IAM role": confused deputy).

    The ARN has the account in it: aws:SourceAccount would add nothing.
    """
    anything = stack.format_arn(service="ecs", resource="*")
    return iam.ServicePrincipal("ecs-tasks.amazonaws.com", conditions={"ArnLike": {"aws:SourceArn": anything}})
