"""CloudFormation: the role that a stack is deployed with.

AWS:
- CloudFormation assumes the role in RoleARN for all operations on a stack, and "always uses this role for all future
  operations on the stack". Without a role, CloudFormation uses the credentials of its caller (API reference,
  CreateChangeSet and CreateStack).

MiniStack:
- Ignores RoleARN, and creates resources without asking for permissions.

The patch:
- Remembers the role. Secrets Manager asks KMS with the role's permissions: see secret_keys.py. Other permissions of the
  role are not checked.
"""

from functools import partial
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers

from local.emulator import authorization

_OPERATIONS = ("CreateChangeSet", "CreateStack", "UpdateStack")
# The key in MiniStack's record of a stack for the ARN of the role.
_ROLE = "LocalRoleARN"

_handlers = {operation: handlers._ACTION_HANDLERS[operation] for operation in _OPERATIONS}


def credential(stack_name: str) -> authorization.Credential:
    """Return the credential with which CloudFormation creates the resources of a stack."""
    role_arn = (cloudformation._stacks.get(stack_name) or {}).get(_ROLE)
    return authorization.session_of_role(role_arn, "AWSCloudFormation") if role_arn else authorization.caller()


def remember_role(operation: str, request: Any) -> Any:
    answer = _handlers[operation](request)
    role_arn = handlers._p(request, "RoleARN")
    stack = handlers._resolve_stack(handlers._p(request, "StackName"))
    if role_arn and stack:
        stack[_ROLE] = role_arn
    return answer


def apply() -> None:
    for operation in _OPERATIONS:
        handlers._ACTION_HANDLERS[operation] = partial(remember_role, operation)
