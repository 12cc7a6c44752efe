"""Read docker logins as an Airflow worker during a deployment."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.demo import read


@dataclass
class Readings:
    """The results of a worker's reads.

    Attributes:
        logins: the number of reads that found a valid docker login.
        failures: the secret and the exception of every other read.
    """

    logins: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def reading(secrets_manager: Any, secrets: Sequence[str]) -> Iterator[Readings]:
    """Read docker logins in a thread until the `with` block ends.

    Args:
        secrets_manager: a client with the permissions of a worker.
        secrets: the names of the secrets.
    """
    readings, stop = Readings(), threading.Event()

    def keep_reading() -> None:
        while not stop.is_set():
            for secret in secrets:
                try:
                    _, connection = read(secrets_manager, secret)
                    assert datetime.fromisoformat(connection["extra"]["expires_at"]) > datetime.now(UTC)
                except Exception as failure:  # With any exception, a task of Airflow fails.
                    readings.failures.append(f"{secret}: {type(failure).__name__}")
                else:
                    readings.logins += 1
            time.sleep(0.01)

    thread = threading.Thread(target=keep_reading)
    thread.start()
    try:
        yield readings
    finally:
        stop.set()
        thread.join()
