"""The AWS clients of the commands. They use the credentials of the shell, and short timeouts.

Importing the session and the settings of botocore takes 0.15 s, so `--help` does not import them.
"""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from botocore.session import Session

T = TypeVar("T")

CONNECTIONS = 64
"""The number of connections that a client keeps. Three checks before a deployment send 16 requests each to ECR."""
CONNECT_SECONDS = 3
READ_SECONDS = 5
FIRST_ATTEMPTS = 2
"""How often the first request is sent. It shows whether there are credentials and a network."""
ATTEMPTS = 4
"""How often every other request is sent. AWS throttles single requests if many clients send requests.

The time limit of all checks before a deployment is in `ops.preflight.run`.
"""

_PREFIXES = {"monitoring": "cloudwatch"}
"""The services whose requests are signed with another name than the prefix of their IAM actions."""
_OTHER_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}
"""The operations of the commands whose IAM action has another name."""
_DENIED = ("AccessDenied", "AuthorizationError", "UnauthorizedOperation", "NotAuthorized")
"""Parts of the error codes with which AWS refuses a request without a permission. SNS answers AuthorizationError."""


class NoAnswer(Exception):
    """AWS did not answer a request, for example because a permission is missing. The error message is one line."""


class Denied(NoAnswer):
    """AWS denied a request, because a permission is missing or a policy denies the action.

    Attributes:
        action: The IAM action, such as `ecr:DescribeImages`.
    """

    def __init__(self, action: str) -> None:
        super().__init__(f"AWS denied {action}")
        self.action = action


class RegionNotEnabled(NoAnswer):
    """The Region is not enabled in the account, so AWS refuses all credentials there."""


class Clients:
    """One client per service, for one account and Region. They also keep answers that several checks need.

    Args:
        create: Returns the client of a service. It accepts a `config` of botocore.
        creating: The lock of the session with which `create` creates clients.
    """

    def __init__(self, create: Callable[..., Any], creating: Lock | None = None) -> None:
        self._create = create
        self._created: dict[str, Any] = {}
        self._creating = creating or Lock()
        self._answers: dict[str, Any] = {}
        self._locks: dict[str, Lock] = {}

    def __getattr__(self, name: str) -> Any:
        """Return the client of a service, such as `clients.ecr`. Python reserves `lambda`: write `clients.lambda_`.

        A client is created when it is needed, because this takes 0.1 s.
        """
        if name.startswith("_"):
            raise AttributeError(name)
        with self._creating:  # A session of botocore is not safe for threads.
            if name not in self._created:
                self._created[name] = self._create(name.rstrip("_").replace("_", "-"))
            return self._created[name]

    def patient(self, service: str, read_seconds: int) -> Any:
        """Return a client that waits longer for an answer, and never sends a request twice."""
        from botocore.config import Config

        with self._creating:
            config = Config(
                connect_timeout=CONNECT_SECONDS, read_timeout=read_seconds, retries={"total_max_attempts": 1}
            )
            return self._create(service, config=config)

    def in_region(self, region: str) -> Clients:
        """Return clients for another Region, with the same credentials."""
        return Clients(partial(self._create, region_name=region), self._creating)

    def ask_once(self, key: str, request: Callable[[], T]) -> T:
        """Return the answer to a request. If other threads need the same answer, only the first one sends the request.

        A request that fails is sent again by the next thread.

        Args:
            key: The name of the answer.
            request: Sends the request.
        """
        with self._locks.setdefault(key, Lock()):
            if key not in self._answers:
                self._answers[key] = request()
            answer: T = self._answers[key]
            return answer


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
        RegionNotEnabled: The Region is not enabled in the account.
    """
    from botocore.config import Config
    from botocore.session import Session
    from botocore.utils import JSONFileCache

    session = Session(profile=profile)
    session.set_config_variable("region", region)
    session.register("after-call", _add_action)
    session.set_default_client_config(
        Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=CONNECTIONS,
        )
    )
    with answers():
        assume_role = session.get_component("credential_provider").get_provider("assume-role")
        # A code of an MFA device works only once, and the CDK CLI needs a code later. If the AWS CLI has asked for a
        # code, its session is used. Sessions of this program are not written into the CLI's folder.
        assume_role._prompter = _refuse_to_ask
        assume_role.cache = ChainMap({}, JSONFileCache(os.path.expanduser("~/.aws/cli/cache")))
        sts = session.create_client("sts", config=Config(retries={"total_max_attempts": FIRST_ATTEMPTS}))
        try:
            caller = sts.get_caller_identity()
        except ClientError as error:
            # STS answers the same for invalid credentials and for a Region that is not enabled.
            if error.response["Error"]["Code"] == "InvalidClientTokenId" and not _is_enabled(session, region):
                raise RegionNotEnabled(f"the Region {region} is not enabled in the account") from error
            raise
        if caller["Account"] != account:
            role_name = f"cdk-{qualifier}-lookup-role-{account}-{region}"
            role = f"arn:{caller['Arn'].split(':')[1]}:iam::{account}:role/{role_name}"
            try:
                found = sts.assume_role(RoleArn=role, RoleSessionName="ecr-login")["Credentials"]
            except ClientError as error:
                raise NoAnswer(f"the credentials are of the account {caller['Account']}, not {account}") from error
            session.set_credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
        return Clients(session.create_client)


@contextmanager
def answers() -> Iterator[None]:
    """Raise NoAnswer instead of the error of a request, and Denied if a permission is missing."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if any(word in code for word in _DENIED):
            raise Denied(error.response["Error"].get("Action", error.operation_name)) from error
        # AWS's message can contain account numbers.
        raise NoAnswer(f"{error.operation_name} answered {code}") from error
    except BotoCoreError as error:
        raise NoAnswer(" ".join(str(error).split())) from error


def unless_missing(request: Callable[..., T], *codes: str, **parameters: Any) -> T | None:
    """Send a request, and return None if AWS answers one of these error codes.

    Args:
        request: Sends the request.
        codes: The error codes, such as `ResourceNotFoundException`.
        parameters: The parameters of the request.

    Raises:
        NoAnswer: AWS answers another error, or does not answer.
    """
    with answers():
        try:
            return request(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] in codes:
                return None
            raise


def action_of(model: OperationModel) -> str:
    """Return the IAM action of an operation, such as `lambda:InvokeFunction` for the operation Invoke of Lambda.

    The names are in AWS's Service Authorization Reference.
    """
    service = model.service_model.signing_name
    action = f"{_PREFIXES.get(service, service)}:{model.name}"
    return _OTHER_ACTIONS.get(action, action)


def _add_action(parsed: dict[str, Any], model: OperationModel, **_: Any) -> None:
    """Add the IAM action of a request to the error that AWS answered."""
    if "Error" in parsed:
        parsed["Error"]["Action"] = action_of(model)


def _is_enabled(session: Session, region: str) -> bool:
    """Return whether an account uses a Region. The answer is yes if AWS does not say so."""
    try:
        found = session.create_client("account").get_region_opt_status(RegionName=region)
    except (BotoCoreError, ClientError):
        return True
    return found["RegionOptStatus"] in ("ENABLED", "ENABLED_BY_DEFAULT")


def _refuse_to_ask(prompt: str) -> NoReturn:
    raise NoAnswer("the profile asks for an MFA code")
