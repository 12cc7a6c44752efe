"""The Lambda function that refreshes one connection's docker login."""

from pathlib import Path

from aws_cdk import Duration, FileSystem, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from settings.registries import Registry
from stacks.acknowledgements import ANY_FUNCTION, CDK_REPEATS_DEPENDENCY, acknowledge
from stacks.docker_login import timings

_LAMBDA_FOLDER = str(Path(__file__).parents[2] / "lambda")
_EXCLUDED = ["**/__pycache__"]


class RefreshFunction(lambda_.Function):
    """The Lambda function that runs the code of lambda/refresh_docker_login.

    This construct gives no permissions to the function's role. The parent construct gives the permissions.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        connection_id: str,
        secret_name: str,
        secret_arn: str,
        registry: Registry,
        refresh_every_minutes: int,
        role: iam.Role,
        role_path: str,
        log_group: logs.ILogGroup,
        failures: sqs.IQueue,
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            connection_id: The Airflow connection, such as `docker_default`.
            secret_name: The name of the connection's secret.
            secret_arn: The ARN of the connection's secret.
            registry: The registry that the login is for.
            refresh_every_minutes: The interval of the schedule.
            role: The role that the function assumes.
            role_path: The path of the role in IAM.
            log_group: The log group for its runs.
            failures: The queue for runs that failed after all retries.
        """
        # ECR names this registry in its answer, also if the login is for a registry of another account.
        own_registry = Registry(Stack.of(scope).account, registry.region)
        super().__init__(
            scope,
            construct_id,
            # The description contains the secret's name, so that CDK publishes a new version of the function if the
            # name changes. The first refresh of a deployment invokes the published version, and this version must have
            # the ARN of the new secret.
            description=f"Writes a fresh docker login into {secret_name}",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=Duration.minutes(timings.FUNCTION_TIMEOUT_MINUTES),
            code=lambda_.Code.from_asset(_LAMBDA_FOLDER, exclude=_EXCLUDED),
            handler="refresh_docker_login.handler.handle",
            environment={
                "CONNECTION_ID": connection_id,
                "SECRET_ARN": secret_arn,
                "REGISTRY_HOST": registry.host,
                "REGISTRY_REGION": registry.region,
                "TOKEN_ENDPOINT_HOST": own_registry.host,
                "SHORTEST_INTERVAL_MINUTES": str(timings.shortest_interval_minutes(refresh_every_minutes)),
                "NEW_RIGHTS_WAIT_SECONDS": str(timings.NEW_PERMISSIONS_WAIT_SECONDS),
            },
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Without this call, CDK adds more permissions to the role than the function needs.
            role=role.without_policy_updates(),
            # Lambda retries a failed event. After the last retry, Lambda sends the event to the queue.
            retry_attempts=timings.FUNCTION_RETRIES,
            max_event_age=Duration.minutes(timings.FUNCTION_MAX_EVENT_AGE_MINUTES),
            on_failure=destinations.SqsDestination(failures),
        )
        # CDK publishes a new version if the location of the code changes, for example after a bootstrap with another
        # qualifier. Lambda refuses a new version if the code and the configuration are the same, so use the content.
        lambda_.Function.classify_version_property("Code", False)
        self.invalidate_version_based_on(FileSystem.fingerprint(_LAMBDA_FOLDER, exclude=_EXCLUDED))
        # A published version keeps its role. Another path replaces the role, and only a new version uses the new role.
        self.invalidate_version_based_on(role_path)
        acknowledge(
            self,
            {
                **ANY_FUNCTION,
                **CDK_REPEATS_DEPENDENCY,
                "AwsSolutions-L1": "Lambda supports Python 3.13 until June 2029",
                "CKV_AWS_116": "The function has a failure destination, which also receives the error",
                "CKV_AWS_173": "Lambda encrypts the variables, and the variables contain no secret value",
            },
        )

    def report_failures_after(self, first_refresh: Construct) -> None:
        """Create the failure destination after the first refresh of a deployment.

        Lambda rejects the destination if the role does not have the permission to send messages to the queue. After the
        first refresh, the role's permissions work.
        """
        self.node.find_child("EventInvokeConfig").node.add_dependency(first_refresh)
