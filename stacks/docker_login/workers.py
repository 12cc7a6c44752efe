"""The roles of the Airflow workers, and the permissions that they need to read the docker logins."""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks import image_permissions
from stacks.acknowledgements import acknowledge
from stacks.docker_login.secret_key import READ_ACTIONS, SecretKey
from stacks.existing_roles import roles_from_arns


class WorkerRoles(Construct):
    """The workers' roles: existing ones, or a new one with an instance profile.

    Attributes:
        roles: The roles.
        role_arns: The ARNs of the roles.
        new_role: The role that was created here, if there are no existing ones.
        instance_profile: The instance profile of that role.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment_name: str,
        existing_role_arns: Sequence[str],
        role_path: str,
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            environment_name: The environment, for the description of a new role.
            existing_role_arns: The existing roles. If empty, a role is created.
            role_path: The path of a new role in IAM.
        """
        super().__init__(scope, construct_id)
        self.new_role: iam.Role | None = None
        self.instance_profile: iam.InstanceProfile | None = None
        if existing_role_arns:
            # A wrong path in an ARN does not fail the deploy, but the secrets' policies then deny the role.
            self.roles = roles_from_arns(self, existing_role_arns)
            self.role_arns = list(existing_role_arns)
        else:
            self.new_role = iam.Role(
                self,
                "Role",
                path=role_path,
                description=f"Airflow workers of {environment_name}",
                assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            )
            self.instance_profile = iam.InstanceProfile(self, "InstanceProfile", role=self.new_role)
            self.roles = [self.new_role]
            self.role_arns = [self.new_role.role_arn]


class WorkerPolicy(iam.ManagedPolicy):
    """The permissions to read the connections' secrets and, if wanted, to pull images without a docker login."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment_name: str,
        roles: Sequence[iam.IRole],
        secret_arns: Sequence[str],
        key: SecretKey | None,
        pull_teams: Sequence[str],
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            environment_name: The environment, for the policy's description.
            roles: The workers' roles.
            secret_arns: The secrets of the connections.
            key: The customer managed key of the secrets; None for the key of Secrets Manager.
            pull_teams: The teams whose images the workers may pull directly.
        """
        stack = Stack.of(scope)
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
                    conditions=key.conditions(),
                )
            )
        if pull_teams:
            statements += [image_permissions.pull(stack, pull_teams), image_permissions.log_in()]
        super().__init__(
            scope,
            construct_id,
            # Another description would replace the policy.
            description=f"Airflow workers of {environment_name}: read the docker logins",
            roles=list(roles),
            statements=statements,
        )
        if pull_teams:
            acknowledge(self, image_permissions.wildcard_reasons(stack, pull_teams))
