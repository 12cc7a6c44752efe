"""CloudFormation: the role that a stack operation uses.

AWS:
- CloudFormation makes its requests with the credentials of the role in RoleARN, and uses this role for all later
  operations on the stack that name no role (API reference, CreateChangeSet). The CDK CLI passes the CloudFormation
  execution role of the bootstrap stack.
- DescribeStacks shows the role as RoleARN (API reference, Stack).
- The policy of a secret or a repository also applies to this role. A policy that denies the role makes the operation
  fail.
- An operation with a role that does not exist fails with ValidationError: "Role <arn> is invalid or cannot be assumed"
  (reports of users).

MiniStack accepts RoleARN and ignores it.

The patch remembers the role and shows it. Secrets, repositories and their policies are changed only if the policy of
the secret or repository does not deny the role. The patch does not check the role's own policies, because the CDK's
role is an administrator by default. KMS keys are an exception: see secret_keys.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from ministack.services import cloudformation, iam, secretsmanager
from ministack.services.cloudformation import changesets, handlers

from local.emulator import authorization

Handler = Callable[[Any], Any]

_ROLE = "_local_role_arn"  # The key in MiniStack's records of stacks and change sets.

# A background task of MiniStack inherits the role from the request that started the task.
_role: ContextVar[str | None] = ContextVar("role", default=None)


def check(action: str, secret_id: str) -> None:
    """Check whether the policy of a secret denies an action to the role of the current stack operation.

    Args:
        action: the action, such as `PutResourcePolicy`.
        secret_id: the ARN or the name of the secret.

    Raises:
        ValueError: the policy denies the action.
    """
    role_arn = _role.get()
    _, secret = secretsmanager._resolve(secret_id)
    if role_arn is None or secret is None:
        return
    principal = authorization.principal_of(credential())
    if authorization.decide(principal, f"secretsmanager:{action}", secret["ARN"]).decision == "Deny":
        raise ValueError(
            f"User: {principal.arn} is not authorized to perform: secretsmanager:{action} on resource: "
            f"{secret['ARN']} with an explicit deny in a resource-based policy "
            "(Service: SecretsManager, Status Code: 400)"
        )


def has_role() -> bool:
    """Return whether the current stack operation uses a role."""
    return _role.get() is not None


def credential() -> authorization.Credential:
    """Return the credential of the current stack operation: a session of its role, or the caller's credential."""
    role_arn = _role.get()
    return authorization.session_of_role(role_arn, "AWSCloudFormation") if role_arn else authorization.caller()


def create_change_set(handle: Handler, params: Any) -> Any:
    role_arn = handlers._p(params, "RoleARN") or _role_of(handlers._resolve_stack(handlers._p(params, "StackName")))
    if refusal := _refusal(role_arn):
        return refusal
    response = handle(params)
    _, change_set = changesets._find_change_set(handlers._p(params, "ChangeSetName"), handlers._p(params, "StackName"))
    if change_set and role_arn:
        change_set[_ROLE] = role_arn
    return response


def execute_change_set(handle: Handler, params: Any) -> Any:
    _, change_set = changesets._find_change_set(handlers._p(params, "ChangeSetName"), handlers._p(params, "StackName"))
    return _with_role(handle, params, _role_of(change_set), change_set)


def describe_stacks(handle: Handler, params: Any) -> Any:
    status, headers, body = handle(params)
    for stack in cloudformation._stacks.values():
        if role_arn := _role_of(stack):
            stack_id = f"<StackId>{stack['StackId']}</StackId>".encode()
            body = body.replace(stack_id, stack_id + f"<RoleARN>{role_arn}</RoleARN>".encode())
    return status, headers, body


def _with_role(handle: Handler, params: Any, role_arn: str | None, of: Any = None) -> Any:
    """Handle a request with a role, and remember the role for later operations on the stack."""
    stack_name = of["StackName"] if of else handlers._p(params, "StackName")
    stack = handlers._resolve_stack(stack_name)
    role_arn = role_arn or _role_of(stack)
    if refusal := _refusal(role_arn):
        return refusal
    with _acting_as(role_arn):
        response = handle(params)
    stack = stack or handlers._resolve_stack(stack_name)
    if stack and role_arn:
        stack[_ROLE] = role_arn
    return response


@contextmanager
def _acting_as(role_arn: str | None) -> Iterator[None]:
    token = _role.set(role_arn)
    try:
        yield
    finally:
        _role.reset(token)


def _role_of(record: Any) -> str | None:
    return record.get(_ROLE) if record else None


def _refusal(role_arn: str | None) -> Any:
    if role_arn and role_arn.rsplit("/", 1)[-1] not in iam._roles:
        return handlers._error("ValidationError", f"Role {role_arn} is invalid or cannot be assumed")
    return None


def with_the_role_of_the_request(handle: Handler, params: Any) -> Any:
    return _with_role(handle, params, handlers._p(params, "RoleARN") or None)


def apply() -> None:
    patches = {"CreateChangeSet": create_change_set, "ExecuteChangeSet": execute_change_set}
    patches["DescribeStacks"] = describe_stacks
    for action in ("CreateStack", "UpdateStack", "DeleteStack", "ContinueUpdateRollback", "RollbackStack"):
        patches[action] = with_the_role_of_the_request
    for action, patch in patches.items():
        # Other patches may have replaced MiniStack's handler before.
        handlers._ACTION_HANDLERS[action] = partial(patch, handlers._ACTION_HANDLERS[action])
