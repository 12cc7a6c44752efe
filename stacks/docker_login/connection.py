"""The docker login of one Airflow connection."""

from collections.abc import Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from settings.registries import PulledImages
from stacks import image_permissions
from stacks.acknowledgements import acknowledge
from stacks.docker_login.failure_queue import FailureQueue
from stacks.docker_login.first_refresh import FirstRefresh
from stacks.docker_login.function import RefreshFunction
from stacks.docker_login.schedule import RefreshSchedule
from stacks.docker_login.secret_key import WRITE_ACTIONS, SecretKey
from stacks.docker_login.secret_policy import secret_policy
from stacks.logs import StackLogGroup


class DockerLogin(Construct):
    """A secret, and the function, role and schedule that keep a valid docker login in the secret.

    Attributes:
        secret: The secret that Airflow reads.
        pull_role: The function's role. A login has the permissions of the role that created it.
        function: The function that refreshes the login.
        log_group: The log group of the function.
        first_refresh: The refresh that a deployment runs.
        schedule: The schedule of the later refreshes.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        connection_id: str,
        secret_name: str,
        images: PulledImages,
        pull_role_name: str | None,
        refresh_every_minutes: int,
        role_path: str,
        key: SecretKey | None,
        failures: FailureQueue,
        reader_arns: Sequence[str],
        break_glass_role_arns: Sequence[str],
        deploy_role_arn: str,
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            connection_id: The Airflow connection, such as `docker_default`.
            secret_name: The name under which Airflow looks up the connection.
            images: The images that the login can pull, and their registry.
            pull_role_name: The name of the function's role. If None, CloudFormation chooses the name.
            refresh_every_minutes: The interval of the schedule.
            role_path: The path of the roles in IAM.
            key: The customer managed key that encrypts the secret. If None, the AWS managed key encrypts the secret.
            failures: The queue for refreshes that failed after all retries, and for invocations that EventBridge
                Scheduler did not deliver.
            reader_arns: The ARNs of the Airflow workers' roles.
            break_glass_role_arns: The ARNs of the roles that may read the login, roll it back to an earlier version,
                cancel the deletion of the secret, and change the secret's policy.
            deploy_role_arn: The ARN of the role that CloudFormation assumes for a deployment.
        """
        super().__init__(scope, construct_id)

        # Resources
        # This is an L1 construct, because the L2 construct writes a random string into the secret. Here, the secret has
        # no value until the first refresh, so Airflow never reads a wrong login. The template does not contain the
        # value, so CloudFormation never overwrites the value.
        self.secret = secretsmanager.CfnSecret(
            self,
            "Secret",
            name=secret_name,
            description=f"Airflow connection {connection_id}: docker login to {images.registry.host}",
            kms_key_id=key.key_arn if key else None,
        )
        self.secret.apply_removal_policy(RemovalPolicy.DESTROY)
        reasons = {"AwsSolutions-SMG4": "A schedule renews the login; Secrets Manager rotates at most every 4 hours"}
        if not key:
            reasons["CKV_AWS_149"] = "The setting secret_key chooses the AWS managed key"
        acknowledge(self.secret, reasons)
        self.pull_role = iam.Role(
            self,
            "PullRole",
            role_name=pull_role_name,
            path=role_path,
            description=f"Mints the docker login of {connection_id}; the login pulls what this role may pull",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        self.log_group = StackLogGroup(self, "Log")
        self.function = RefreshFunction(
            self,
            "Refresh",
            connection_id=connection_id,
            secret_name=secret_name,
            secret_arn=self.secret.ref,
            registry=images.registry,
            refresh_every_minutes=refresh_every_minutes,
            role=self.pull_role,
            role_path=role_path,
            log_group=self.log_group,
            failures=failures,
        )

        # Permissions
        pull_policy = iam.Policy(
            self,
            "PullPolicy",
            roles=[self.pull_role],
            statements=[
                *image_permissions.pull(images),
                image_permissions.log_in(),
                iam.PolicyStatement(
                    sid="WriteLogin",
                    # A run reads the age of the current login, and does not replace a login that is minutes old.
                    actions=["secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue"],
                    resources=[self.secret.ref],
                ),
                self.log_group.write_permission(),
                failures.report_permission(),
            ],
        )
        acknowledge(pull_policy, image_permissions.wildcard_reasons(images.registry, images.teams))
        secret_policy_document = secret_policy(
            account_root_arn=iam.AccountRootPrincipal().arn,
            deploy_role_arn=deploy_role_arn,
            writer_arn=self.pull_role.role_arn,
            reader_arns=reader_arns,
            break_glass_role_arns=break_glass_role_arns,
        )
        secret_access = secretsmanager.CfnResourcePolicy(
            self,
            "SecretPolicy",
            secret_id=self.secret.ref,
            block_public_policy=True,
            resource_policy=secret_policy_document,
        )
        needs: list[Construct] = [self.secret, secret_access, pull_policy]
        permissions = {"PullPolicy": pull_policy.document, "SecretPolicy": secret_policy_document}
        if key:
            pull_policy.add_statements(
                iam.PolicyStatement(
                    sid="EncryptLogin",
                    actions=WRITE_ACTIONS,
                    resources=[key.key_arn],
                    conditions=key.conditions(connection_id),
                )
            )
            key_statement = key.allow_write(connection_id, self.pull_role.role_arn)
            needs.append(key)
            permissions["KeyPolicy"] = iam.PolicyDocument(statements=[key_statement])

        # Schedule
        self.first_refresh = FirstRefresh(
            self, "FirstRefresh", function=self.function, after=needs, permissions=permissions
        )
        self.function.report_failures_after(self.first_refresh)
        self.schedule = RefreshSchedule(
            self,
            "Schedule",
            function=self.function,
            every_minutes=refresh_every_minutes,
            failures=failures,
            role_path=role_path,
        )
