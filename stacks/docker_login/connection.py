"""One Airflow connection's docker login: secret, refreshing function, role, schedule and first refresh."""

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from settings.environment import Environment
from stacks import image_permissions
from stacks.acknowledgements import ANY_FUNCTION, ANY_LOG, CDK_DEPENDS_TWICE, acknowledge
from stacks.docker_login.first_refresh import FirstRefresh
from stacks.docker_login.schedule import RefreshSchedule
from stacks.docker_login.secret_key import WRITE_ACTIONS, SecretKey
from stacks.docker_login.secret_policy import secret_policy

_LAMBDA_FOLDER = str(Path(__file__).parents[2] / "lambda")


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
        rotation = {"AwsSolutions-SMG4": "The schedule renews it more often than Secrets Manager could, every 4 hours"}
        own_key = {"CKV_AWS_149": "The setting secret_key asks for the key that AWS has for it"}
        acknowledge(self.secret, rotation if key else rotation | own_key)
        self.pull_role = iam.Role(
            self,
            "PullRole",
            path=environment.role_path,
            description=f"Mints the docker login of {connection_id}, which pulls what this role may pull",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        self.log_group = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        acknowledge(self.log_group, ANY_LOG)
        self.function = lambda_.Function(
            self,
            "Refresh",
            # With the secret's name, so that another secret makes another version of the function: a deploy's first
            # refresh runs the version that was published, and that has to know the new secret.
            description=f"Writes a fresh docker login into {environment.secret_name(connection_id)}",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=Duration.minutes(2),
            code=lambda_.Code.from_asset(_LAMBDA_FOLDER, exclude=["**/__pycache__"]),
            handler="refresh_docker_login.handler.handle",
            environment={
                "CONNECTION_ID": connection_id,
                "SECRET_ARN": self.secret.ref,
                "REGISTRY_HOST": environment.registry_host,
                "NEW_RIGHTS_WAIT_SECONDS": "60",
            },
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # CDK's own grants are wider than needed: this role's whole policy is written out below.
            role=self.pull_role.without_policy_updates(),
            # An error of the function: two more tries, then a message in the queue.
            retry_attempts=2,
            max_event_age=Duration.minutes(15),
            on_failure=destinations.SqsDestination(failures),
        )
        acknowledge(
            self.function,
            {
                **ANY_FUNCTION,
                **CDK_DEPENDS_TWICE,
                "AwsSolutions-L1": "Lambda keeps Python 3.13 secure until June 2029",
                "CKV_AWS_116": "Failures go to a destination, which is told the error too",
                "CKV_AWS_173": "Lambda encrypts them; they hold names and nothing secret",
            },
        )

        # Grants
        pull_policy = iam.Policy(
            self,
            "PullPolicy",
            roles=[self.pull_role],
            statements=[
                image_permissions.pull(Stack.of(self), connection.teams),
                image_permissions.log_in(),
                _allow("WriteLogin", ["secretsmanager:PutSecretValue"], self.secret.ref),
                _allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], self.log_group.log_group_arn),
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
        acknowledge(pull_policy, image_permissions.wildcards(Stack.of(self), connection.teams))
        # Lambda asks, when a destination is set, whether the role may reach it.
        self.function.node.find_child("EventInvokeConfig").node.add_dependency(pull_policy)
        document = secret_policy(
            account_root_arn=iam.AccountRootPrincipal().arn,
            deploy_role_arn=deploy_role_arn,
            writer_arn=self.pull_role.role_arn,
            reader_arns=reader_arns,
            break_glass_role_arns=environment.break_glass_role_arns,
        )
        access = secretsmanager.CfnResourcePolicy(
            self, "SecretPolicy", secret_id=self.secret.ref, block_public_policy=True, resource_policy=document
        )

        # Schedule
        RefreshSchedule(
            self,
            "Schedule",
            function=self.function,
            every_minutes=connection.refresh_every_minutes,
            failures=failures,
            role_path=environment.role_path,
        )
        needs: list[Construct] = [self.secret, access, pull_policy]
        rights = {"PullPolicy": pull_policy.document, "SecretPolicy": document}
        if key:
            needs.append(key)
            rights["KeyPolicy"] = iam.PolicyDocument(statements=[key.let_write(connection_id, self.pull_role.role_arn)])
        self.first_refresh = FirstRefresh(self, "FirstRefresh", function=self.function, after=needs, rights=rights)


def _allow(sid: str, actions: list[str], resource: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=actions, resources=[resource])
