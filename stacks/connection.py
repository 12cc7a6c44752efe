"""One Airflow connection's docker login: secret, refreshing function, role, schedule and first refresh."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from aws_cdk import CfnCustomResource, Duration, RemovalPolicy, Stack, triggers
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks import image_rights
from stacks.environment import Environment
from stacks.secret_key import WRITE_ACTIONS, SecretKey
from stacks.secret_policy import secret_policy

_LAMBDA_FOLDER = str(Path(__file__).parent.parent / "lambda")


class DockerLogin(Construct):
    """Keeps one connection's secret at a login that is valid for hours to come."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        connection_id: str,
        key: SecretKey | None,
        failures: sqs.IQueue,
        reader_arns: Sequence[str],
        deploy_role_arn: str,
    ) -> None:
        """
        Args:
            key: encrypts the secret; None for Secrets Manager's own key.
            failures: where runs that failed for good end, and schedules that could not be delivered.
            reader_arns: the Airflow workers' roles.
            deploy_role_arn: CloudFormation's role.
        """
        super().__init__(scope, construct_id)
        connection = environment.connections[connection_id]

        # Resources
        # The L1, because the L2 puts a random text in the secret. Born empty, it never reads as a login that it is
        # not, and CloudFormation, which does not own the value, never writes over it.
        self.secret = secretsmanager.CfnSecret(
            self,
            "Secret",
            name=environment.secret_name(connection_id),
            description=f"Airflow connection {connection_id}: docker login to {environment.registry_host}",
            kms_key_id=key.key_arn if key else None,
        )
        self.secret.apply_removal_policy(RemovalPolicy.DESTROY)
        self.pull_role = iam.Role(
            self,
            "PullRole",
            description=f"Mints the docker login of {connection_id}, which pulls what this role may pull",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        log_group = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        self.function = lambda_.Function(
            self,
            "Refresh",
            description=f"Writes a fresh docker login into the secret of {connection_id}",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=Duration.minutes(2),
            code=lambda_.Code.from_asset(_LAMBDA_FOLDER, exclude=["**/__pycache__"]),
            handler="refresh_docker_login.handler.handle",
            environment={
                "SECRET_ARN": self.secret.ref,
                "REGISTRY_HOST": environment.registry_host,
                "NEW_RIGHTS_WAIT_SECONDS": "60",
            },
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # CDK's own grants are wider than needed: this role's whole policy is written out below.
            role=self.pull_role.without_policy_updates(),
            # An error of the function: two more tries, then a message in the queue.
            retry_attempts=2,
            max_event_age=Duration.minutes(15),
            on_failure=destinations.SqsDestination(failures),
        )

        # Grants
        pull_policy = iam.Policy(
            self,
            "PullPolicy",
            roles=[self.pull_role],
            statements=[
                image_rights.pull(Stack.of(self), connection.teams),
                image_rights.log_in(),
                _allow("WriteLogin", ["secretsmanager:PutSecretValue"], self.secret.ref),
                _allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], log_group.log_group_arn),
                _allow("ReportFailure", ["sqs:SendMessage"], failures.queue_arn),
            ],
        )
        if key:
            pull_policy.add_statements(
                iam.PolicyStatement(
                    sid="EncryptLogin",
                    actions=WRITE_ACTIONS,
                    resources=[key.key_arn],
                    conditions=key.only_for(connection_id),
                )
            )
        access = secretsmanager.CfnResourcePolicy(
            self,
            "SecretPolicy",
            secret_id=self.secret.ref,
            block_public_policy=True,
            resource_policy=secret_policy(
                account_root_arn=iam.AccountRootPrincipal().arn,
                deploy_role_arn=deploy_role_arn,
                writer_arn=self.pull_role.role_arn,
                reader_arns=reader_arns,
                break_glass_role_arns=environment.break_glass_role_arns,
            ),
        )

        # Schedule
        schedule_role = iam.Role(
            self,
            "ScheduleRole",
            description=f"Starts the refresh of {connection_id}",
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com", conditions=_in_default_group(Stack.of(self))),
            inline_policies={
                "Start": iam.PolicyDocument(
                    statements=[
                        _allow("StartRefresh", ["lambda:InvokeFunction"], self.function.function_arn),
                        _allow("ReportFailure", ["sqs:SendMessage"], failures.queue_arn),
                    ]
                )
            },
        )
        scheduler.Schedule(
            self,
            "Schedule",
            description=f"Refreshes the docker login of {connection_id}",
            schedule=scheduler.ScheduleExpression.rate(Duration.minutes(connection.refresh_every_minutes)),
            # Many connections must not refresh in the same second: PutSecretValue has 50 calls a second for a region.
            time_window=scheduler.TimeWindow.flexible(Duration.minutes(5)),
            target=targets.LambdaInvoke(
                self.function,
                # Scheduler's retries and queue are for delivery alone; the function's errors are Lambda's, above.
                dead_letter_queue=failures,
                max_event_age=Duration.minutes(15),
                retry_attempts=3,
                role=schedule_role.without_policy_updates(),
            ),
        )

        # First refresh: a deploy that ends well has a working login.
        first_refresh = triggers.Trigger(
            self,
            "FirstRefresh",
            handler=self.function,
            timeout=Duration.minutes(3),
            execute_after=[self.secret, access, pull_policy, *([key] if key else [])],
        )
        # It runs again only when its properties change. With the policies among them, a change of rights refreshes,
        # and one that breaks the refresh rolls back.
        rights = {"PullPolicy": pull_policy.document, "SecretPolicy": access.resource_policy}
        if key:
            rights["KeyPolicy"] = iam.PolicyDocument(statements=[key.let_write(connection_id, self.pull_role.role_arn)])
        custom_resource = cast(CfnCustomResource, first_refresh.node.find_child("Default").node.default_child)
        custom_resource.add_property_override("Rights", rights)


def _in_default_group(stack: Stack) -> dict[str, dict[str, str]]:
    """Only for this account's schedules: Scheduler names the group in `aws:SourceArn`, not the schedule."""
    group_arn = stack.format_arn(service="scheduler", resource="schedule-group", resource_name="default")
    return {"StringEquals": {"aws:SourceAccount": stack.account, "aws:SourceArn": group_arn}}


def _allow(sid: str, actions: list[str], resource: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=actions, resources=[resource])
