"""A Lambda Runtime API on loopback. It passes invocations to a function one by one and receives their results."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any

from bench.loopback import Answering, serving

_FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:refresh"


class RuntimeApi:
    """The invocations of one function."""

    def __init__(self, events: Sequence[dict[str, Any]]) -> None:
        self.address = ""  # host and port
        self.finished = Event()  # The event is set when all invocations have a result, or when one failed.
        self.failure = ""  # This is only the type of the error, because the message could contain a token.
        self.closed = Event()
        self._waiting = list(events)
        self._results_wanted = len(events)

    def next(self) -> dict[str, Any]:
        if not self._waiting:
            self.closed.wait()  # AWS freezes the process at this point. The benchmark ends the process.
            raise ConnectionAbortedError
        return self._waiting.pop(0)

    def take_result(self) -> None:
        self._results_wanted -= 1
        if not self._results_wanted:
            self.finished.set()

    def take_failure(self, failure: str) -> None:
        self.failure = failure
        self.finished.set()


@contextmanager
def runtime_api(events: Sequence[dict[str, Any]]) -> Iterator[RuntimeApi]:
    """Serve the Runtime API with these events while the body of the `with` statement runs."""
    api = RuntimeApi(events)

    class Requests(Answering):
        def do_GET(self) -> None:
            event = json.dumps(api.next()).encode()
            headers = {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": "00000000-0000-0000-0000-000000000000",
                "Lambda-Runtime-Invoked-Function-Arn": _FUNCTION_ARN,
                "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 120_000),
            }
            self.answer(200, event, headers)

        def do_POST(self) -> None:
            result = self.body()
            self.answer(202, b"", {})
            self.wfile.flush()
            if self.path.endswith("/response"):
                api.take_result()
            else:  # An invocation failed, or the import of the function's module failed.
                api.take_failure(json.loads(result)["errorType"])

    with serving(Requests) as port:
        api.address = f"127.0.0.1:{port}"
        try:
            yield api
        finally:
            api.closed.set()
