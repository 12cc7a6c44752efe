"""Faults of the embedded AWS: a call that is refused, answered with nonsense, hung, cut, or done and never answered.

What has to survive them cannot wait until AWS has one. A fault strikes the requests of one operation, whoever sends
them, at the gateway: all that is behind it stays as it is.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

Message = Any  # of ASGI, as is a scope
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass
class Fault:
    """One kind of fault. With neither `status` nor `cut`, AWS's own answer comes in the end.

    Attributes:
        operation: the requests it strikes, such as PutSecretValue: what X-Amz-Target has after its last dot.
        times: how many requests it strikes; None for all, until it is cleared.
        after: AWS does what is asked first, so that it is only the answer that gets lost.
        delay_seconds: how long the request then hangs, at most until the fault is cleared. If its sender gives up
            meanwhile, that is the end of it.
        cut: the connection ends in the middle of the answer.
        status, body: the answer in place of AWS's; a body that is text is sent as it is, all else as JSON.
        struck: how many requests it has struck so far.
    """

    operation: str
    times: int | None = None
    after: bool = False
    delay_seconds: float = 0
    cut: bool = False
    status: int | None = None
    body: Any = ""
    struck: int = 0


_faults: list[Fault] = []
_cleared = asyncio.Event()


def add(description: dict[str, Any]) -> None:
    """Raises TypeError if it describes no fault."""
    _faults.append(Fault(**description))


def clear() -> None:
    """End them all; what hangs goes on."""
    global _cleared
    _faults.clear()
    _cleared.set()
    _cleared = asyncio.Event()


def standing() -> list[dict[str, Any]]:
    """The faults since the last clearing, also those that have struck as often as they should."""
    return [asdict(fault) for fault in _faults]


def at(aws: App) -> App:
    """The gateway of an AWS, with these faults."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        fault = _due(scope)
        if fault is None:
            await aws(scope, receive, send)
        else:
            fault.struck += 1
            await _strike(fault, aws, scope, receive, send)

    return app


def _due(scope: Message) -> Fault | None:
    if not _faults or scope["type"] != "http":
        return None
    operation = dict(scope["headers"]).get(b"x-amz-target", b"").decode().rpartition(".")[2]
    due = (f for f in _faults if f.operation == operation and (f.times is None or f.struck < f.times))
    return next(due, None)


async def _strike(fault: Fault, aws: App, scope: Message, receive: Receive, send: Send) -> None:
    request = [await receive()]
    while request[-1].get("more_body"):
        request.append(await receive())
    answer: list[Message] = []

    async def ask() -> None:
        async def again() -> Message:
            return request.pop(0) if request else await receive()

        async def keep(message: Message) -> None:
            answer.append(message)

        await aws(scope, again, keep)

    if fault.after:
        await ask()
    if fault.delay_seconds and await _gives_up(receive, fault.delay_seconds):
        return
    if fault.cut:
        answer = [_start(200, b"1")]  # of which that one byte never comes
    elif fault.status is not None:
        body = (fault.body if isinstance(fault.body, str) else json.dumps(fault.body)).encode()
        answer = [_start(fault.status, str(len(body)).encode()), {"type": "http.response.body", "body": body}]
    elif not fault.after:
        await ask()
    for message in answer:
        await send(message)


async def _gives_up(receive: Receive, seconds: float) -> bool:
    """Wait; whether the sender, whose request is complete, has hung up by then."""
    hung_up, cleared = asyncio.ensure_future(receive()), asyncio.ensure_future(_cleared.wait())
    done, waiting = await asyncio.wait([hung_up, cleared], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for future in waiting:
        future.cancel()
    return hung_up in done


def _start(status: int, length: bytes) -> Message:
    headers = [(b"content-type", b"application/x-amz-json-1.1"), (b"content-length", length)]
    return {"type": "http.response.start", "status": status, "headers": headers}
