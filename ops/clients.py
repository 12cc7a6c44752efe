"""The AWS clients of the commands. They use the credentials of the shell, and short timeouts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

CONNECT_SECONDS = 3
READ_SECONDS = 5


class NoAnswer(Exception):
    """AWS did not answer a request, for example because a permission is missing. The error message is one line."""


@dataclass(frozen=True)
class Clients:
    """One client per service, for one account and Region."""

    cloudformation: Any
    ecr: Any
    iam: Any
    secretsmanager: Any


def make_clients(account: str, region: str, profile: str | None, qualifier: str) -> Clients:
    """Return clients for an account and Region.

    If the credentials belong to another account, they assume the lookup role of `cdk bootstrap`, as the CDK CLI does.

    Args:
        account: The account's number.
        region: The Region's code.
        profile: A profile of the AWS CLI, or None for the credentials of the shell.
        qualifier: The qualifier of the CDK's bootstrap.

    Raises:
        NoAnswer: There are no credentials for the account.
    """
    session = Session(profile=profile)
    session.set_config_variable("region", region)
    session.set_default_client_config(
        Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1},
            max_pool_connections=20,
        )
    )
    with answers():
        # A code of an MFA device works only once, and the CDK CLI needs a code later.
        session.get_component("credential_provider").get_provider("assume-role")._prompter = _refuse_to_ask
        sts = session.create_client("sts")
        caller = sts.get_caller_identity()
        if caller["Account"] != account:
            role_name = f"cdk-{qualifier}-lookup-role-{account}-{region}"
            role = f"arn:{caller['Arn'].split(':')[1]}:iam::{account}:role/{role_name}"
            try:
                found = sts.assume_role(RoleArn=role, RoleSessionName="preflight")["Credentials"]
            except ClientError as error:
                raise NoAnswer(f"the credentials are of the account {caller['Account']}, not {account}") from error
            session.set_credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
        services = [field.name for field in fields(Clients)]
        return Clients(**{service: session.create_client(service) for service in services})


@contextmanager
def answers() -> Iterator[None]:
    """Raise NoAnswer instead of the error of a request."""
    try:
        yield
    except ClientError as error:
        raise NoAnswer(f"{error.operation_name} answered {error.response['Error']['Code']}") from error
    except BotoCoreError as error:
        raise NoAnswer(" ".join(str(error).split())) from error


def _refuse_to_ask(prompt: str) -> NoReturn:
    raise NoAnswer("the profile asks for an MFA code")
