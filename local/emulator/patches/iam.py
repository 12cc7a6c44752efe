"""IAM: the condition key aws:PrincipalArn of a role's session.

AWS:
- "For IAM roles, the request context returns the ARN of the role, not the ARN of the user that assumed the role"
  (IAM user guide, global condition keys). The ARN includes the role's path.

MiniStack:
- Returns the ARN of the session, arn:aws:sts::<account>:assumed-role/<role>/<session>.

The patch:
- Returns the ARN of the role.
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

_resolve_condition_key = iam_evaluator._resolve_condition_key


def resolve_condition_key(key: str, context: Any) -> Any:
    if key.lower() == "aws:principalarn" and ":assumed-role/" in context.principal_arn:
        return _role_arn(context.principal_arn, context.principal_account)
    return _resolve_condition_key(key, context)


def _role_arn(session_arn: str, account: str) -> str:
    name = iam_evaluator._role_name_from_assumed_arn(session_arn)
    role = iam._roles.get_scoped(account, None, name)
    return str(role["Arn"]) if role else f"arn:aws:iam::{account}:role/{name}"


def apply() -> None:
    iam_evaluator._resolve_condition_key = resolve_condition_key
