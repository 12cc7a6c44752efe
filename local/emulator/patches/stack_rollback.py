"""CloudFormation: stacks whose creation, rollback or deletion failed.

AWS:
- A stack in ROLLBACK_FAILED keeps the resources that CloudFormation could not delete, and DeleteStack deletes them
  (user guide, "Stack status codes").
- CreateChangeSet refuses a stack in DELETE_FAILED: "Stack:<arn> is in DELETE_FAILED state and can not be updated"
  (reports of users).
- ContinueUpdateRollback with an empty list of resources to skip skips none. `cdk rollback` sends an empty list.

MiniStack:
- Removes these resources from the stack, so DeleteStack leaves them in the account.
- Updates a stack in DELETE_FAILED with a change set.
- Reads the empty list as a resource without a name, and refuses the request.

The patch does what AWS does.
"""

from typing import Any

from ministack.services.cloudformation import handlers

_delete_stack = handlers._ACTION_HANDLERS["DeleteStack"]
_create_change_set = handlers._ACTION_HANDLERS["CreateChangeSet"]
_continue_update_rollback = handlers._ACTION_HANDLERS["ContinueUpdateRollback"]


def delete_stack(params: Any) -> Any:
    stack = handlers._resolve_stack(handlers._p(params, "StackName"))
    if stack and stack["StackStatus"] == "ROLLBACK_FAILED":
        # MiniStack keeps the records in the order of their deletion, and deletes a stack in the reverse order of its
        # resources.
        for logical_id, record in reversed(stack.pop("_rollback_failed", {}).items()):
            stack["_resources"].setdefault(logical_id, {**record, "ResourceStatus": "CREATE_COMPLETE"})
    return _delete_stack(params)


def create_change_set(params: Any) -> Any:
    stack = handlers._resolve_stack(handlers._p(params, "StackName"))
    if stack and stack["StackStatus"] == "DELETE_FAILED":
        message = f"Stack:{stack['StackId']} is in DELETE_FAILED state and can not be updated."
        return handlers._error("ValidationError", message)
    return _create_change_set(params)


def continue_update_rollback(params: Any) -> Any:
    if params.get("ResourcesToSkip") == [""]:
        params = {name: value for name, value in params.items() if name != "ResourcesToSkip"}
    return _continue_update_rollback(params)


def apply() -> None:
    handlers._ACTION_HANDLERS.update(
        DeleteStack=delete_stack,
        CreateChangeSet=create_change_set,
        ContinueUpdateRollback=continue_update_rollback,
    )
