"""Fault injection: make requests to the AWS emulator fail in a chosen way.

A fault can refuse a request, return an invalid answer, delay the answer, close the connection, or drop the answer after
the operation. A fault applies to all requests of one operation, from all clients. The gateway injects the fault, and
the services behind the gateway do not change.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from botocore.loaders import Loader

# ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html
Message = Any
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# The services with a JSON protocol that the product uses. Requests to these services name the operation in the header
# X-Amz-Target. The gateway cannot see the operation of other requests.
SERVICES = ("secretsmanager", "ecr", "kms", "sqs", "events", "ecs", "logs", "ssm")


@dataclass
class Fault:
    """An injected fault. Without `status` and `cut`, the emulator answers the request as usual.

    Attributes:
        operation: the operation to whose requests the fault applies, such as PutSecretValue.
        times: the number of requests to which the fault applies; None: all requests until the fault is removed.
        after: whether the emulator performs the operation before the fault, so that only the answer is lost.
        delay_seconds: the time in seconds before the answer. The delay ends early when the fault is removed. If the
            client closes the connection during the delay, the request is dropped.
        cut: whether the connection is closed in the middle of the answer. status: the HTTP status of the answer that
        replaces the usual answer. body: the body of the answer that replaces the usual answer. A string is sent
        unchanged, any other value as JSON. hits: the number of requests to which the fault has applied.
    """

    operation: str
    times: int | None = None
    after: bool = False
    delay_seconds: float = 0
    cut: bool = False
    status: int | None = None
    body: Any = ""
    hits: int = 0


# The fields of a fault's description: the accepted types of each field, and their description in error messages.
_FIELDS: dict[str, tuple[tuple[type, ...], str]] = {
    "operation": ((str,), "a string"),
    "times": ((int, type(None)), "a whole number, or null for all requests"),
    "after": ((bool,), "true or false"),
    "delay_seconds": ((int, float), "a number of seconds"),
    "cut": ((bool,), "true or false"),
    "status": ((int, type(None)), "an HTTP status, such as 503"),
    "body": ((object,), "any JSON value"),
}

_faults: list[Fault] = []
_cleared = asyncio.Event()


def add(description: Any) -> None:
    """Add a fault.

    Args:
        description: a dict of name to value with fields of `Fault`, except `hits`.

    Raises:
        ValueError: the description is not valid. The message tells the user what to change.
    """
    if not isinstance(description, dict) or "operation" not in description:
        raise ValueError(
            'write a JSON object with an operation, such as {"operation": "PutSecretValue", "status": 503}'
        )
    for name, value in description.items():
        _check_field(name, value)
    _check_operation(description["operation"])
    _faults.append(Fault(**description))


def clear() -> None:
    """Remove all faults. Delayed requests continue at once."""
    global _cleared
    _faults.clear()
    _cleared.set()
    _cleared = asyncio.Event()


def current() -> list[dict[str, Any]]:
    """Return the faults that are not removed. Faults that have applied `times` times are included."""
    return [asdict(fault) for fault in _faults]


def with_faults(aws: App) -> App:
    """Return a gateway that injects the faults into requests to `aws`."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        fault = _fault_for(scope)
        if fault is None:
            await aws(scope, receive, send)
        else:
            fault.hits += 1
            await _inject(fault, aws, scope, receive, send)

    return app


def _check_field(name: str, value: Any) -> None:
    if name not in _FIELDS:
        raise ValueError(f"{name!r} is not a field. {_suggestion(name, _FIELDS)}Fields: {', '.join(_FIELDS)}")
    types, wanted = _FIELDS[name]
    # In Python, bool is a subclass of int. The value `true` for a number is a mistake.
    if not isinstance(value, types) or (isinstance(value, bool) and int in types):
        raise ValueError(f"{name} is {json.dumps(value)}, and must be {wanted}")


def _check_operation(operation: str) -> None:
    if not any(operation in _operations(service) for service in SERVICES):
        known = [name for service in SERVICES for name in _operations(service)]
        raise ValueError(
            f"{operation!r} is not an operation. {_suggestion(operation, known)}"
            f"Faults apply to operations of {', '.join(SERVICES)}"
        )


def _suggestion(name: str, known: Any) -> str:
    return "".join(f"Did you mean {match}? " for match in get_close_matches(name, known, n=1))


@cache
def _operations(service: str) -> frozenset[str]:
    """Return the names of a service's operations, from botocore's API model of the service."""
    return frozenset(Loader().load_service_model(service, "service-2")["operations"])


def _fault_for(scope: Message) -> Fault | None:
    if not _faults or scope["type"] != "http":
        return None
    operation = dict(scope["headers"]).get(b"x-amz-target", b"").decode().rpartition(".")[2]
    due = (f for f in _faults if f.operation == operation and (f.times is None or f.hits < f.times))
    return next(due, None)


async def _inject(fault: Fault, aws: App, scope: Message, receive: Receive, send: Send) -> None:
    request = await _read(receive)
    answer: list[Message] = []

    async def call_aws() -> None:
        async def replay() -> Message:
            return request.pop(0) if request else await receive()

        async def keep(message: Message) -> None:
            answer.append(message)

        await aws(scope, replay, keep)

    if fault.after:
        await call_aws()
    if fault.delay_seconds and await _client_hangs_up(receive, fault.delay_seconds):
        return
    if fault.cut:
        answer = [_start(200, b"1")]  # The Content-Length of this answer is one byte, which is never sent.
    elif fault.status is not None:
        body = (fault.body if isinstance(fault.body, str) else json.dumps(fault.body)).encode()
        answer = [_start(fault.status, str(len(body)).encode()), {"type": "http.response.body", "body": body}]
    elif not fault.after:
        await call_aws()
    for message in answer:
        await send(message)


async def _read(receive: Receive) -> list[Message]:
    """Receive a whole request."""
    request = [await receive()]
    while request[-1].get("more_body"):
        request.append(await receive())
    return request


async def _client_hangs_up(receive: Receive, seconds: float) -> bool:
    """Wait for this time or until the faults are removed. Return whether the client closed the connection meanwhile."""
    hung_up, cleared = asyncio.ensure_future(receive()), asyncio.ensure_future(_cleared.wait())
    done, waiting = await asyncio.wait([hung_up, cleared], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for future in waiting:
        future.cancel()
    return hung_up in done


def _start(status: int, length: bytes) -> Message:
    headers = [(b"content-type", b"application/x-amz-json-1.1"), (b"content-length", length)]
    return {"type": "http.response.start", "status": status, "headers": headers}
