"""Read a connection again and again while another process rewrites it, and count what went wrong.

On the standard library alone: readers run in environments of their own.
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
    """What one reader met."""

    reads: int
    failures: dict[str, int]  # by what the reader saw: an exception's name, or "not whole"
    longest_gap_seconds: float  # from a failed read to the next good one
    logins: int  # different ones

    @property
    def failed(self) -> int:
        return sum(self.failures.values())


def read_repeatedly(read: Callable[[], Mapping[str, Any]], *, reads: int, pause_seconds: float) -> Reads:
    """Read so many times, with a pause after each."""
    failures: Counter[str] = Counter()
    logins = set()
    longest_gap_seconds = 0.0
    failing_since: float | None = None
    for _ in range(reads):
        started = time.monotonic()
        try:
            connection = read()
            problem = None if is_whole(connection) else "not whole"
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


def is_whole(connection: Mapping[str, Any]) -> bool:
    """Could DockerOperator log in with it?"""
    host, password = connection.get("host") or "", connection.get("password") or ""
    return _WANTED.items() <= connection.items() and ".dkr.ecr." in host and len(password) > 20


def main(read: Callable[[], Mapping[str, Any]]) -> None:
    """Say `ready` once the connection can be read, start at a line on stdin, and print what was met as JSON."""
    if not is_whole(read()):
        sys.exit("There is no connection to begin with")
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(read_repeatedly(read, reads=READS, pause_seconds=PAUSE_SECONDS))))
