"""The control interface of the AWS emulator. It consists of paths on the gateway that AWS does not have.

- `GET /_local/status` returns the server's process id, the minutes by which the clock was moved, the number of
  functions that may run at the same time, and the faults.
- `POST /_local/advance?minutes=30` moves the clock forward by 30 minutes. Each schedule that is due
  invokes its target once. Role sessions that end in these minutes expire, unless `&sessions=keep` is added.
- `POST /_local/finish` waits until no function runs. Schedules that are due invoke their targets before.
- `POST /_local/concurrency?limit=10` limits the functions that run at the same time, as in a new AWS account.
- `DELETE /_local/concurrency` removes this limit.
- `POST /_local/stacks?pause_milliseconds=50` makes CloudFormation wait after each resource. Other requests are served
  meanwhile.
- `POST /_local/events` sends an event of an AWS service to the default event bus. The request's body is a JSON object
  with `source`, `detail-type`, `detail` and `resources`.
- `POST /_local/subscriptions?confirm=ops@example.com` confirms the pending subscriptions of this e-mail address.
- `POST /_local/faults` adds a fault. The request's body is a JSON object with the fields of `Fault` in
  local/emulator/faults.py.
- `DELETE /_local/faults` removes all faults.
- `POST /_local/snapshot` with the body `{"file": "<path>"}` writes a snapshot to this file. See
  local/emulator/snapshots.py.

The answer to each command is the new status. The answer to a wrong command has the HTTP status 400 or 404, and contains
a message in JSON.
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
from local.emulator.patches import clock, eventbridge, lambda_concurrency, stack_pace, subscriptions

_aws = faults.with_faults(ministack.app.app)


class _CommandError(Exception):
    """A command is wrong. The arguments are the HTTP status and the message of the answer."""


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve the control interface, and AWS on all other paths."""
    if scope["type"] != "http" or not scope["path"].startswith("/_local/"):
        await _aws(scope, receive, send)
        return
    try:
        await _run_command(scope, receive)
        status, answer = 200, _status()
    except _CommandError as error:
        status, answer = error.args[0], {"message": error.args[1]}
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _run_command(scope: Message, receive: Receive) -> None:
    match scope["method"], scope["path"]:
        case "GET", "/_local/status":
            pass
        case "POST", "/_local/advance":
            query = parse_qs(scope["query_string"].decode())
            minutes = query.get("minutes", [""])[0]
            if not minutes.isdecimal():
                raise _CommandError(400, f"minutes={minutes}: write a whole number of minutes, such as minutes=30")
            keep = query.get("sessions") == ["keep"]
            await asyncio.to_thread(clock.advance, int(minutes), sessions_expire=not keep)
        case "POST", "/_local/finish":
            await asyncio.to_thread(clock.finish_due_runs)
        case "POST", "/_local/snapshot":
            await asyncio.to_thread(snapshots.save, Path(json.loads(await _body(receive))["file"]))
        case "POST", "/_local/concurrency":
            limit = parse_qs(scope["query_string"].decode()).get("limit", [""])[0]
            if not limit.isdecimal() or not int(limit):
                raise _CommandError(400, f"limit={limit}: write a number of functions, such as limit=10")
            lambda_concurrency.set_limit(int(limit))
        case "DELETE", "/_local/concurrency":
            lambda_concurrency.set_limit(None)
        case "POST", "/_local/stacks":
            pause = parse_qs(scope["query_string"].decode()).get("pause_milliseconds", [""])[0]
            if not pause.isdecimal():
                raise _CommandError(400, f"pause_milliseconds={pause}: write a whole number of milliseconds")
            stack_pace.set_pause(int(pause) / 1000)
        case "POST", "/_local/events":
            try:
                await asyncio.to_thread(eventbridge.send, json.loads(await _body(receive)))
            except (ValueError, KeyError) as error:
                raise _CommandError(400, f"This event is not valid: {error!r}") from None
        case "POST", "/_local/subscriptions":
            address = parse_qs(scope["query_string"].decode()).get("confirm", [""])[0]
            if not subscriptions.confirm(address):
                raise _CommandError(400, f"confirm={address}: no pending subscription has this e-mail address")
        case "POST", "/_local/faults":
            try:
                faults.add(json.loads(await _body(receive)))
            except ValueError as error:
                raise _CommandError(400, f"This fault is not valid: {error}") from None
        case "DELETE", "/_local/faults":
            faults.clear()
        case method, path:
            commands = (
                "GET status, POST advance, POST events, POST finish, POST stacks, POST subscriptions, "
                "POST or DELETE concurrency or faults"
            )
            raise _CommandError(404, f"{method} {path} is not a command. Commands below /_local/: {commands}")


def _status() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "minutes_advanced": clock.minutes_advanced(),
        "concurrency_limit": lambda_concurrency.limit(),
        "faults": faults.current(),
    }


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message: dict[str, Any] = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body
