"""The roles of the Airflow workers, and the permissions that they need to read the docker logins."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from settings.regions import PARTITIONS
from settings.registries import PulledImages
from stacks import image_permissions
from stacks.acknowledgements import acknowledge
from stacks.docker_login.secret_key import READ_ACTIONS, SecretKey
from stacks.existing_roles import roles_from_arns


class WorkerRoles(Construct):
    """The roles of the Airflow workers: existing roles, or a new role with an instance profile.

    Attributes:
        roles: The roles.
        role_arns: The ARNs of the roles.
        new_role: The role that this construct creates. None if there are existing roles.
        instance_profile: The instance profile of the new role. None if there are existing roles.
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
            environment_name: The name of the environment. The description of a new role contains this name.
            existing_role_arns: The ARNs of the existing roles. If empty, a role is created.
            role_path: The path of a new role in IAM.
        """
        super().__init__(scope, construct_id)
        self.new_role: iam.Role | None = None
        self.instance_profile: iam.InstanceProfile | None = None
        if existing_role_arns:
            # If the path in an ARN is wrong, the deployment succeeds, but the policies of the secrets deny the role.
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
    """The permissions to read the connections' secrets, and to pull images without a docker login."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment_name: str,
        roles: Sequence[iam.IRole],
        secret_names: Sequence[str],
        key: SecretKey | None,
        images: Sequence[PulledImages],
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            environment_name: The name of the environment. The policy's description contains this name.
            roles: The workers' roles.
            secret_names: The names of the connections' secrets.
            key: The customer managed key that encrypts the secrets. If None, the AWS managed key encrypts the secrets.
            images: The images that the workers may pull without a docker login, with one entry for each registry. The
                list can be empty.
        """
        stack = Stack.of(scope)
        secret_arns = [_secret_arn(stack, name) for name in secret_names]
        statements = [
            iam.PolicyStatement(sid="ReadConnections", actions=["secretsmanager:GetSecretValue"], resources=secret_arns)
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
        for number, pulled in enumerate(images, 1):
            statements += image_permissions.pull(pulled, sid_suffix="" if number == 1 else str(number))
        if images:
            statements.append(image_permissions.log_in())
        super().__init__(
            scope,
            construct_id,
            # A change of this description replaces the policy.
            description=f"Airflow workers of {environment_name}: read the docker logins",
            roles=list(roles),
            statements=statements,
        )
        for pulled in images:
            acknowledge(self, image_permissions.wildcard_reasons(pulled.registry, pulled.teams))


def _secret_arn(stack: Stack, name: str) -> str:
    """Return a pattern that matches only the ARN of the secret with this name.

    Secrets Manager adds a hyphen and six characters to the name. The policy does not refer to the secret itself, so
    that the policy can exist before the secret.
    """
    partition = PARTITIONS[stack.region].name
    return stack.format_arn(
        partition=partition,
        service="secretsmanager",
        resource="secret",
        resource_name=f"{name}-??????",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
