"""The users and roles that exist in an AWS account before this project is deployed, and their docker logins."""

import base64
from dataclasses import dataclass, field
from typing import Any

from local.embedded_aws import ACCOUNT, EmbeddedAws
from local.iam_policies import allow, assumed_by, name_of
from local.registry_client import RegistryClient

Credentials = dict[str, str]

WORKER_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/airflow-worker"
BREAK_GLASS_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/BreakGlass"
CI_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/risk-ci"


@dataclass(frozen=True)
class Account:
    """The access keys of the account's users.

    Attributes:
        analyst: may assume the push role of the team analytics.
        operator: may assume the Airflow workers' role and the break-glass role.
        other_admin: an administrator of the account who is not in the settings.
    """

    analyst: Credentials = field(repr=False)
    operator: Credentials = field(repr=False)
    other_admin: Credentials = field(repr=False)


def create_account(aws: EmbeddedAws) -> Account:
    """Create the principals in environments/local.toml, and an administrator who is not in that file."""
    iam = aws.client("iam")
    iam.create_user(UserName="operator")
    by_operator = assumed_by(f"arn:aws:iam::{ACCOUNT}:user/operator")
    for arn in (WORKER_ROLE_ARN, BREAK_GLASS_ROLE_ARN, CI_ROLE_ARN):
        # On AWS, an instance assumes the workers' role, a person on call the break-glass role, and a CI system the CI
        # role. Here, the operator assumes them.
        iam.create_role(RoleName=name_of(arn), AssumeRolePolicyDocument=by_operator)
    iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"]
    )
    iam.put_role_policy(
        RoleName=name_of(BREAK_GLASS_ROLE_ARN),
        PolicyName="Emergency",
        PolicyDocument=allow("secretsmanager:*", "kms:Decrypt", "ecr:*"),
    )
    iam.create_user(UserName="other-admin")
    iam.put_user_policy(UserName="other-admin", PolicyName="Administrator", PolicyDocument=allow("*"))
    iam.create_user(UserName="analyst")
    # On AWS, a trust policy that names the user is enough. MiniStack also asks for an identity policy.
    # This policy allows every role, so only the trust policies of the roles limit the user.
    for user in ("analyst", "operator"):
        iam.put_user_policy(UserName=user, PolicyName="AssumeRoles", PolicyDocument=allow("sts:AssumeRole"))
    return Account(*(_access_key(iam, user) for user in ("analyst", "operator", "other-admin")))


def assume(aws: EmbeddedAws, role_arn: str, credentials: Credentials) -> Credentials:
    """Assume a role with these credentials, and return the credentials of the session."""
    sts = aws.client("sts", credentials)
    answer: dict[str, Credentials] = sts.assume_role(RoleArn=role_arn, RoleSessionName="local")
    return answer["Credentials"]


def docker_login(aws: EmbeddedAws, credentials: Credentials) -> RegistryClient:
    """Log in to the registry with these credentials, as `aws ecr get-login-password | docker login` does."""
    [data] = aws.client("ecr", credentials).get_authorization_token()["authorizationData"]
    username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return registry_client(aws, data["proxyEndpoint"].removeprefix("https://"), username, password)


def registry_client(aws: EmbeddedAws, host: str, username: str, password: str) -> RegistryClient:
    """Return a docker client with this login. The client connects to the emulator instead of the registry host."""
    return RegistryClient(host, username, password, port=aws.port, ca_bundle=aws.ca_bundle)


def outputs(aws: EmbeddedAws, environment: str = "local") -> dict[str, str]:
    """Return the outputs of all stacks of an environment, by name."""
    found = {}
    for page in aws.client("cloudformation").get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            # The last part of a stack's name has no hyphen, but an environment's name may: dev-Access, dev-eu-Access.
            if stack["StackName"].rpartition("-")[0] == environment:
                found.update({output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])})
    return found


def _access_key(iam: Any, user: str) -> Credentials:
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]}
