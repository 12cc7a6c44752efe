"""CloudFormation: the resources that remain after the rollback of a creation failed.

AWS: a stack in ROLLBACK_FAILED keeps the resources that CloudFormation could not delete. DeleteStack deletes them (user
guide, "Stack status codes": "Delete the stack").

MiniStack removes these resources from the stack, so DeleteStack leaves them in the account. MiniStack remembers them
only for ContinueUpdateRollback.

The patch adds the resources to the stack again before DeleteStack deletes the stack.
"""

from typing import Any

from ministack.services.cloudformation import handlers

_delete_stack = handlers._ACTION_HANDLERS["DeleteStack"]


def delete_stack(params: Any) -> Any:
    stack = handlers._resolve_stack(handlers._p(params, "StackName"))
    if stack and stack["StackStatus"] == "ROLLBACK_FAILED":
        for logical_id, record in stack.pop("_rollback_failed", {}).items():
            stack["_resources"].setdefault(logical_id, {**record, "ResourceStatus": "CREATE_COMPLETE"})
    return _delete_stack(params)


def apply() -> None:
    handlers._ACTION_HANDLERS["DeleteStack"] = delete_stack
