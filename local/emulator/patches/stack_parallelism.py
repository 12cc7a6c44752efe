"""CloudFormation: custom resources that are created at the same time.

AWS:
- CloudFormation creates resources that do not depend on each other at the same time (user guide, DependsOn attribute).

MiniStack:
- Creates one resource after another. If each of them invokes a function, the functions never run at the same time.

The patch:
- Creates custom resources of a new stack at the same time as other custom resources, as soon as the resources that they
  depend on exist. All resources that depend on no custom resource are created first.
"""

import asyncio
import copy
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import engine, stacks

Definitions = dict[str, dict[str, Any]]

_topological_sort = engine._topological_sort
_resolve_refs = stacks._resolve_refs
_run_reentrant = stacks.run_reentrant


@dataclass
class _Operation:
    """An operation on a stack.

    Attributes:
        definitions: the resources of the template.
        order: the logical ids of the resources to create, each after the resources that it depends on.
        values: the arguments of MiniStack's _resolve_refs after the first one. Their first item has the resources that
            exist.
        running: the custom resources that were started early.
    """

    definitions: Definitions
    order: list[str]
    values: tuple[Any, ...] = ({},)
    running: dict[str, "asyncio.Future[Any]"] = field(default_factory=dict)


_operation: ContextVar[_Operation] = ContextVar("operation")


def topological_sort(definitions: Definitions, conditions: dict[str, bool]) -> list[str]:
    order: list[str] = _topological_sort(definitions, conditions)
    late: set[str] = set()  # custom resources, and the resources that depend on them
    for logical_id in order:
        if _is_custom(definitions[logical_id]) or late & engine._extract_deps(definitions[logical_id], set(order)):
            late.add(logical_id)
    order = [name for name in order if name not in late] + [name for name in order if name in late]
    _operation.set(_Operation(definitions, order))
    return order


def resolve_refs(value: Any, *values: Any) -> Any:
    operation = _operation.get(None)
    if operation:
        operation.values = values
    return _resolve_refs(value, *values)


async def run_reentrant(function: Any, *arguments: Any, **named: Any) -> Any:
    """Create a custom resource, and start all others that are ready. MiniStack calls this for blocking work."""
    operation = _operation.get(None)
    if function is not stacks._provision_keeping_seed or not operation:
        return await _run_reentrant(function, *arguments, **named)
    _, logical_id, _, stack_name = arguments
    if cloudformation._stacks[stack_name]["StackStatus"] == "CREATE_IN_PROGRESS":
        for other in _ready(operation):
            if other != logical_id:
                definition = operation.definitions[other]
                properties = _resolve_refs(copy.deepcopy(definition.get("Properties", {})), *operation.values)
                create = _run_reentrant(function, definition["Type"], other, properties, stack_name)
                operation.running[other] = asyncio.ensure_future(create)
    started = operation.running.pop(logical_id, None)
    try:
        return await (started or _run_reentrant(function, *arguments, **named))
    except Exception:
        # The operation fails. Wait for the others, because their functions use resources that are deleted next.
        await asyncio.gather(*operation.running.values(), return_exceptions=True)
        raise


def _ready(operation: _Operation) -> Iterator[str]:
    """Yield the custom resources that have not been started, and whose dependencies exist."""
    existing, order = operation.values[0].keys(), set(operation.order)
    for logical_id in operation.order:
        definition = operation.definitions[logical_id]
        is_started = logical_id in existing or logical_id in operation.running
        if _is_custom(definition) and not is_started and engine._extract_deps(definition, order) <= existing:
            yield logical_id


def _is_custom(definition: dict[str, Any]) -> bool:
    return str(definition.get("Type")).startswith("Custom::")


def apply() -> None:
    stacks._topological_sort = topological_sort
    stacks._resolve_refs = resolve_refs
    stacks.run_reentrant = run_reentrant
