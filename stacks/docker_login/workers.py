"""What the Airflow workers' own roles need."""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from settings.environment import Environment
from stacks import image_permissions
from stacks.acknowledgements import acknowledge
from stacks.docker_login.secret_key import READ_ACTIONS, SecretKey


class WorkerRoles(Construct):
    """The workers' roles: the environment's own, or one made here with its instance profile."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        self.made_here: iam.Role | None = None
        self.instance_profile: iam.InstanceProfile | None = None
        if environment.workers.role_arns:
            # By name, so that a mistyped name fails the deploy. (A mistyped path does not: the secrets' policies just
            # never meet that ARN.)
            self.roles: list[iam.IRole] = [
                iam.Role.from_role_name(self, name, name)
                for name in (arn.rsplit("/", 1)[-1] for arn in environment.workers.role_arns)
            ]
            self.role_arns = list(environment.workers.role_arns)
        else:
            self.made_here = iam.Role(
                self,
                "Role",
                path=environment.role_path,
                description=f"Airflow workers of {environment.name}",
                assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            )
            self.instance_profile = iam.InstanceProfile(self, "InstanceProfile", role=self.made_here)
            self.roles = [self.made_here]
            self.role_arns = [self.made_here.role_arn]


class WorkerPolicy(iam.ManagedPolicy):
    """Read the connections' secrets; with `pull_directly` also pull every connection's images without a login."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        roles: Sequence[iam.IRole],
        secret_arns: Sequence[str],
        key: SecretKey | None,
    ) -> None:
        statements = [
            iam.PolicyStatement(
                sid="ReadConnections", actions=["secretsmanager:GetSecretValue"], resources=list(secret_arns)
            )
        ]
        if key:
            statements.append(
                iam.PolicyStatement(
                    sid="DecryptConnections",
                    actions=READ_ACTIONS,
                    resources=[key.key_arn],
                    conditions=key.only_for(),
                )
            )
        teams = sorted({team for connection in environment.connections.values() for team in connection.teams})
        if environment.workers.pull_directly:
            statements += [image_permissions.pull(Stack.of(scope), teams), image_permissions.log_in()]
        super().__init__(
            scope,
            construct_id,
            description=f"Airflow workers of {environment.name}: read the docker logins",
            roles=list(roles),
            statements=statements,
        )
        if environment.workers.pull_directly:
            acknowledge(self, image_permissions.wildcards(Stack.of(self), teams))
