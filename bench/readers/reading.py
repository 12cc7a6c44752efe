"""Read a connection repeatedly while another process rewrites the connection, and count the failed reads.

This module uses only the standard library, because the readers run in different virtual environments.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

READS = 2000
PAUSE_SECONDS = 0.02
_WANTED = {"conn_type": "docker", "login": "AWS"}


@dataclass
class Reads:
    """The reads of one reader."""

    reads: int
    failures: dict[str, int]  # name of the exception, or "unusable", to the number of failed reads
    longest_gap_seconds: float  # the time from the first failed read to the next successful read
    logins: int  # the number of different docker logins

    @property
    def failed(self) -> int:
        return sum(self.failures.values())


def read_repeatedly(read: Callable[[], Mapping[str, Any]], *, reads: int, pause_seconds: float) -> Reads:
    """Read `reads` times, with a pause after each read."""
    failures: Counter[str] = Counter()
    logins = set()
    longest_gap_seconds = 0.0
    failing_since: float | None = None
    for _ in range(reads):
        started = time.monotonic()
        try:
            connection = read()
            problem = None if is_usable(connection) else "unusable"
        except Exception as error:
            problem = type(error).__name__
        if problem:
            failures[problem] += 1
            failing_since = started if failing_since is None else failing_since
        else:
            logins.add(hash(connection["password"]))
        if failing_since is not None:
            longest_gap_seconds = max(longest_gap_seconds, time.monotonic() - failing_since)
            failing_since = failing_since if problem else None
        time.sleep(pause_seconds)
    return Reads(reads, dict(failures), longest_gap_seconds, len(logins))


def is_usable(connection: Mapping[str, Any]) -> bool:
    """Return whether DockerOperator could log in with the connection."""
    host, password = connection.get("host") or "", connection.get("password") or ""
    return _WANTED.items() <= connection.items() and ".dkr.ecr." in host and len(password) > 20


def main(read: Callable[[], Mapping[str, Any]]) -> None:
    """Print `ready`, wait for a line on stdin, then read the connection repeatedly and print the result as JSON."""
    if not is_usable(read()):
        sys.exit("The connection is not usable before the first rewrite")
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(read_repeatedly(read, reads=READS, pause_seconds=PAUSE_SECONDS))))
