"""CloudFormation: the stack that a resource belongs to.

AWS (API reference of DescribeStackResources): with PhysicalResourceId instead of StackName, the answer is about the
stack that has the resource. If no stack has it, the answer is a ValidationError.

MiniStack ignores PhysicalResourceId, and answers that a stack without a name does not exist.

The patch finds the stack.
"""

from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers

_describe_stack_resources = handlers._describe_stack_resources


def describe_stack_resources(params: Any) -> Any:
    physical_id = handlers._p(params, "PhysicalResourceId")
    if physical_id and not handlers._p(params, "StackName"):
        name = _stack_with(physical_id)
        if not name:
            return handlers._error("ValidationError", f"Stack for {physical_id} does not exist")
        return _describe_stack_resources({**params, "StackName": [name]})
    return _describe_stack_resources(params)


def _stack_with(physical_id: str) -> str | None:
    for name, stack in cloudformation._stacks.items():
        if stack["StackStatus"] == "DELETE_COMPLETE":
            continue
        resources = stack.get("_resources", {}).values()
        if any(resource.get("PhysicalResourceId") == physical_id for resource in resources):
            return str(name)
    return None


def apply() -> None:
    handlers._ACTION_HANDLERS["DescribeStackResources"] = describe_stack_resources
