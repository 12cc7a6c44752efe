"""DescribeStacks: clients that wait for a stack see its final status without a delay.

AWS: DescribeStacks answers at once, and the CDK CLI asks every 5 s until the stack is done.

With the patch, the answer waits until the stack is done, for a few seconds at most. If a stack takes one second, the
CLI then waits for one second instead of five.
"""

import asyncio
import time
from typing import Any
from urllib.parse import parse_qs

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers

_LONGEST_WAIT_SECONDS = 4  # far below the read timeout of any client

_handle_request = cloudformation.handle_request


async def handle_request(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
    request = parse_qs(body.decode(errors="replace"))
    if request.get("Action") == ["DescribeStacks"] and "StackName" in request:
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        while _is_in_progress(request["StackName"][0]) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
    return await _handle_request(method, path, headers, body, query_params)


def _is_in_progress(name_or_id: str) -> bool:
    stack = handlers._resolve_stack(name_or_id)
    status = str(stack["StackStatus"]) if stack else ""
    # A stack with only a change set has the status REVIEW_IN_PROGRESS until its client runs the change set.
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def apply() -> None:
    cloudformation.handle_request = handle_request
