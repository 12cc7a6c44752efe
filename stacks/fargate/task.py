"""The image of one repository as a task on Fargate."""

from aws_cdk import Annotations, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from settings.registries import Registry
from stacks import image_permissions
from stacks.acknowledgements import acknowledge
from stacks.logs import StackLogGroup

CONTAINER_NAME = "task"
"""The container's name, which DAGs use in their container overrides."""


class FargateTask(Construct):
    """A task definition with an execution role, a task role and a log group.

    Attributes:
        family_arn: The ARN of the task definition without a revision.
        execution_role: The role that pulls the image and writes the log.
        task_role: The role of the code in the container.
        log_group: The log group of the tasks.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        registry: Registry,
        repository: str,
        image_tag: str,
        family: str,
        cpu_units: int,
        memory_mib: int,
        role_path: str,
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            registry: The registry with the repository.
            repository: The full name of the repository, `<team>/<name>`.
            image_tag: The tag of the image that a task runs.
            family: The family of the task definition. DAGs use this name.
            cpu_units: The task's CPU; 1024 units are one vCPU.
            memory_mib: The task's memory in MiB.
            role_path: The path of the roles in IAM.
        """
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self.family_arn = stack.format_arn(service="ecs", resource="task-definition", resource_name=family)

        # Resources
        self.log_group = StackLogGroup(self, "Log")
        self.execution_role = iam.Role(
            self,
            "ExecutionRole",
            path=role_path,
            description=f"Pulls {repository} for tasks on Fargate",
            assumed_by=_fargate(stack),
            inline_policies={
                "StartTask": iam.PolicyDocument(
                    statements=[
                        image_permissions.pull_one(registry, repository),
                        image_permissions.log_in(),
                        self.log_group.write_permission(),
                    ]
                )
            },
        )
        acknowledge(self.execution_role, image_permissions.wildcard_reasons(registry, []))
        self.task_role = iam.Role(
            self,
            "TaskRole",
            path=role_path,
            description=f"The role of {repository} as a task on Fargate; the team attaches the permissions",
            assumed_by=_fargate(stack),
        )
        definition = ecs.FargateTaskDefinition(
            self,
            "TaskDefinition",
            family=family,
            cpu=cpu_units,
            memory_limit_mib=memory_mib,
            execution_role=self.execution_role.without_policy_updates(),
            task_role=self.task_role,
        )
        container = definition.add_container(
            CONTAINER_NAME,
            image=ecs.ContainerImage.from_registry(f"{registry.host}/{repository}:{image_tag}"),
            logging=ecs.LogDrivers.aws_logs(stream_prefix="airflow", log_group=self.log_group),
        )
        Annotations.of(container).acknowledge_warning(
            "@aws-cdk/aws-ecs:ecrImageRequiresPolicy", "The execution role above has the permission to pull the image"
        )


def _fargate(stack: Stack) -> iam.ServicePrincipal:
    """Return the service principal of ECS tasks, with a condition that allows only tasks of this account and Region.

    The condition prevents the confused deputy problem (Amazon ECS Developer Guide, "Task IAM role"). The ARN contains
    the account id, so a condition on aws:SourceAccount is not necessary.
    """
    anything = stack.format_arn(service="ecs", resource="*")
    return iam.ServicePrincipal("ecs-tasks.amazonaws.com", conditions={"ArnLike": {"aws:SourceArn": anything}})
