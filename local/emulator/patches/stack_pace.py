"""CloudFormation: the time between two resources of a stack.

AWS:
- CloudFormation changes the resources of a stack in the order of their dependencies, and not all at once (user guide,
  DependsOn attribute). Other requests see the new state of some resources and the old state of others.

MiniStack:
- Changes most resources without a pause in which it could serve a request. Other requests therefore see all of
  these changes at once, and a wrong order has no effect.

The patch:
- Waits after each resource, and serves requests meanwhile. By default, there is no pause.
"""

import time
from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import stacks

_pause_seconds = 0.0

_runs_on_worker_thread = stacks._runs_on_worker_thread
_provision = stacks._provision_keeping_seed
_update = stacks._update_keeping_seed
_delete = stacks._delete_resource


def set_pause(seconds: float) -> None:
    """Set how long CloudFormation waits after each resource."""
    global _pause_seconds
    _pause_seconds = seconds


def runs_on_worker_thread(resource_type: str) -> bool:
    return _pause_seconds > 0 or bool(_runs_on_worker_thread(resource_type))


def _with_pause(function: Callable[..., Any]) -> Callable[..., Any]:
    def change(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        time.sleep(_pause_seconds)
        return result

    return change


def apply() -> None:
    stacks._runs_on_worker_thread = runs_on_worker_thread
    stacks._provision_keeping_seed = _with_pause(_provision)
    stacks._update_keeping_seed = _with_pause(_update)
    stacks._delete_resource = _with_pause(_delete)
