"""What steers the embedded AWS: paths on its gateway that AWS does not have.

- GET /_local/status answers the server's process id, the minutes its clock was advanced, and its faults.
- POST /_local/advance?minutes=30 lets 30 minutes pass: every schedule that falls due in them fires once.
- POST /_local/faults, with a fault as local/emulator/faults.py describes it in JSON, adds one; DELETE clears them all.
- POST /_local/snapshot with {"file": path} writes a snapshot to that file, as local/emulator/snapshots.py describes it.

Each answers the status that follows.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import ministack.app

from local.emulator import faults, snapshots
from local.emulator.faults import Message, Receive, Send
from local.emulator.patches import clock

_aws = faults.at(ministack.app.app)


class _Refused(Exception):
    """The request cannot be done; the arguments are the HTTP status and why."""


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """The gateway: everything but the paths above is AWS."""
    if scope["type"] != "http" or not scope["path"].startswith("/_local/"):
        await _aws(scope, receive, send)
        return
    status, answer = 200, {}
    try:
        await _obey(scope, receive)
        answer = {"pid": os.getpid(), "minutes_advanced": clock.minutes_advanced(), "faults": faults.standing()}
    except _Refused as refusal:
        status, answer = refusal.args[0], {"message": refusal.args[1]}
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _obey(scope: Message, receive: Receive) -> None:
    match scope["method"], scope["path"]:
        case "GET", "/_local/status":
            pass
        case "POST", "/_local/advance":
            minutes = parse_qs(scope["query_string"].decode()).get("minutes", [""])[0]
            if not minutes.isdecimal():
                raise _Refused(400, "minutes: a whole number, not negative")
            await asyncio.to_thread(clock.advance, int(minutes))
        case "POST", "/_local/snapshot":
            await asyncio.to_thread(snapshots.save, Path(json.loads(await _body(receive))["file"]))
        case "POST", "/_local/faults":
            try:
                faults.add(json.loads(await _body(receive)))
            except (TypeError, ValueError) as error:
                raise _Refused(400, f"not a fault: {error}") from None
        case "DELETE", "/_local/faults":
            faults.clear()
        case _:
            raise _Refused(404, "no such path")


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message: dict[str, Any] = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body
