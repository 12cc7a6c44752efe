"""The docker logins: one per Airflow connection, and what the workers need to read them."""

from typing import cast

from aws_cdk import CfnOutput, DefaultStackSynthesizer, Duration, Fn, Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from settings.environment import Environment
from settings.names import pascal_case
from stacks.acknowledgements import acknowledge
from stacks.docker_login import first_refresh
from stacks.docker_login.alarms import Alarms
from stacks.docker_login.connection import DockerLogin
from stacks.docker_login.dashboard import LoginDashboard
from stacks.docker_login.secret_key import SecretKey
from stacks.docker_login.workers import WorkerPolicy, WorkerRoles
from stacks.permissions_boundary import keep_within_boundary


class DockerLoginStack(Stack):
    """Every connection's secret and refresh, the workers' access, and one queue for what failed."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        synthesizer = cast(DefaultStackSynthesizer, self.synthesizer)
        deploy_role_arn = Fn.sub(synthesizer.cloud_formation_execution_role_arn)

        # Resources
        workers = WorkerRoles(self, "Workers", environment=environment)
        key = None
        if environment.secret_key == "customer":
            key = SecretKey(
                self,
                "Key",
                environment=environment,
                reader_arns=[*workers.role_arns, *environment.break_glass_role_arns],
                deploy_role_arn=deploy_role_arn,
            )
        failures = sqs.Queue(
            self,
            "Failures",
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        acknowledge(
            failures,
            {
                "AwsSolutions-SQS3": "It is the end of the line itself: here lies what failed for good",
                "CKV_AWS_27": "SQS encrypts it with its own key; no login is in any message",
            },
        )
        logins = {
            connection_id: DockerLogin(
                self,
                pascal_case(connection_id),
                environment=environment,
                connection_id=connection_id,
                key=key,
                failures=failures,
                reader_arns=workers.role_arns,
                deploy_role_arn=deploy_role_arn,
            )
            for connection_id in environment.connections
        }

        first_refresh.confine_provider(self, role_path=environment.role_path)

        # Grants
        keep_within_boundary(self, environment)
        worker_policy = WorkerPolicy(
            self,
            "WorkerPolicy",
            environment=environment,
            roles=workers.roles,
            secret_arns=[login.secret.ref for login in logins.values()],
            key=key,
        )
        for login in logins.values():
            # No login under a new key before the workers may decrypt it.
            login.first_refresh.node.add_dependency(worker_policy)

        # Alarms
        alarms = None
        if not environment.alerts.off_because:
            alarms = Alarms(self, "Alarms", environment=environment, failures=failures)
            for connection_id, login in logins.items():
                alarms.watch(connection_id, login.function, first_refresh=login.first_refresh)
        dashboard = LoginDashboard(
            self,
            "Dashboard",
            environment=environment,
            functions={connection_id: login.function for connection_id, login in logins.items()},
            log_groups=[login.log_group for login in logins.values()],
            failures=failures,
            alarms=alarms.all if alarms else [],
        )

        # Outputs
        for connection_id, login in logins.items():
            name = pascal_case(connection_id)
            CfnOutput(self, f"SecretArn{name}", value=login.secret.ref)
            CfnOutput(self, f"SecretName{name}", value=environment.secret_name(connection_id))
            CfnOutput(self, f"RefreshFunctionName{name}", value=login.function.function_name)
            CfnOutput(self, f"PullRoleArn{name}", value=login.pull_role.role_arn)
        CfnOutput(self, "FailureQueueUrl", value=failures.queue_url)
        CfnOutput(self, "DashboardName", value=dashboard.dashboard_name)
        CfnOutput(self, "WorkerPolicyArn", value=worker_policy.managed_policy_arn)
        if workers.made_here and workers.instance_profile:
            CfnOutput(self, "WorkerRoleArn", value=workers.made_here.role_arn)
            CfnOutput(self, "WorkerInstanceProfileName", value=workers.instance_profile.instance_profile_name)
