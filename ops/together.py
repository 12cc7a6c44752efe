"""Send many requests at the same time."""

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ops.clients import NoAnswer

Name = TypeVar("Name", bound=Hashable)

THREADS = 16
"""ECR and CloudFormation throttle clients that send more requests at the same time."""


def ask_all(requests: Mapping[Name, Callable[[], Any]]) -> dict[Name, Any]:
    """Return the answer to each request, by name. The answer is NoAnswer if AWS refused the request."""

    def ask(request: Callable[[], Any]) -> Any:
        try:
            return request()
        except NoAnswer as refused:
            return refused

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(requests, pool.map(ask, requests.values()), strict=True))
