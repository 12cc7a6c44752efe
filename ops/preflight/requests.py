"""Read-only requests to AWS."""

from collections import deque
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

from botocore.exceptions import ClientError

from ops.clients import answers

S = TypeVar("S")
T = TypeVar("T")

THREADS = 16
"""The number of requests of one check at the same time.

With 490 repositories in a stack and 0.1 s for each request, all checks take about 5 s. With 8 threads, they take about
8 s.
"""


def unless_missing(missing: str | tuple[str, ...], request: Callable[..., T], **parameters: str) -> T | None:
    """Return the answer to a request, or None if AWS answers with an error code in `missing`.

    Raises:
        NoAnswer: AWS answers with another error, or does not answer.
    """
    with answers():
        try:
            return request(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ((missing,) if isinstance(missing, str) else missing):
                raise
            return None


def in_parallel(function: Callable[[S], T], items: list[S]) -> list[T]:
    """Return the result of a function for each item.

    The threads are daemons, so a program that ends does not wait for them. Python waits for the threads of a
    ThreadPoolExecutor.

    Raises:
        Exception: The first exception of the function.
    """
    results: dict[int, T] = {}
    errors: list[Exception] = []
    waiting = deque(enumerate(items))

    def work() -> None:
        while waiting and not errors:
            try:
                place, item = waiting.popleft()
            except IndexError:  # Another thread took the last item.
                return
            try:
                results[place] = function(item)
            except Exception as error:
                errors.append(error)

    threads = [Thread(target=work, daemon=True) for _ in items[:THREADS]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[place] for place in range(len(items))]
