"""Read-only requests to AWS."""

from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

from ops.clients import answers

T = TypeVar("T")


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
