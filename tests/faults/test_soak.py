"""A soak test: many refreshes with random faults, while Airflow workers read the docker login and use it at once.

`make soak` runs 500 refreshes. The emulator's clock moves by 30 minutes for each refresh, by ten days in total. The
environment variable SOAK_REFRESHES sets another number of refreshes. The number must be greater than 24, because a
login is valid for 24 refreshes. SOAK_SEED repeats a run that failed.
"""

import base64
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import urllib3

from local.account import Account
from local.demo import read
from local.embedded_aws import EmbeddedAws
from tests.faults.aws_answers import error, minted
from tests.faults.refresh import Refresh, Worker, expect_success, schedules_off
from tests.local.logins import places_with_a_login

REFRESHES = int(os.environ.get("SOAK_REFRESHES", "40"))
MINUTES_BETWEEN = 30
READERS = 2
MINT, LIST, WRITE = "GetAuthorizationToken", "ListSecretVersionIds", "PutSecretValue"
THROTTLED = error("ThrottlingException", "Rate exceeded")
DENIED = error("AccessDeniedException", "not now")
# For each fault: its weight, whether the run succeeds, and the arguments of `EmbeddedAws.fault`. Most faults take
# little time, because botocore does not retry the request.
FAULTS: dict[str, tuple[int, bool, dict[str, Any] | None]] = {
    "none": (40, True, None),
    "minting is denied": (8, False, {"operation": MINT, **DENIED}),
    "no token": (8, False, {"operation": MINT, "status": 200, "body": {"authorizationData": []}}),
    "an expired token": (8, False, {"operation": MINT, **minted(expiresAt=1_750_000_000)}),
    "no JSON": (8, False, {"operation": MINT, "status": 200, "body": "<html>"}),
    "writing is denied": (8, False, {"operation": WRITE, **DENIED}),
    "the write's answer is nonsense": (8, False, {"operation": WRITE, "after": True, "status": 200, "body": "{}"}),
    "listing is denied": (4, True, {"operation": LIST, **DENIED}),
    "the list is nonsense": (4, True, {"operation": LIST, "status": 200, "body": "{}"}),
    "listing is throttled once": (2, True, {"operation": LIST, "times": 1, **THROTTLED}),
    "minting is throttled once": (2, True, {"operation": MINT, "times": 1, **THROTTLED}),
    "minting is cut once": (2, True, {"operation": MINT, "times": 1, "cut": True}),
    "writing is throttled once": (2, True, {"operation": WRITE, "times": 1, **THROTTLED}),
    "the write's answer is cut once": (2, True, {"operation": WRITE, "times": 1, "after": True, "cut": True}),
    "writing is down": (1, False, {"operation": WRITE, "status": 503}),
    "every answer of the write is cut": (1, False, {"operation": WRITE, "after": True, "cut": True}),
}


class Readers:
    """Threads that read the login as an Airflow worker does, and check at once that the registry accepts the login."""

    def __init__(self, aws: EmbeddedAws, account: Account, secret: str) -> None:
        self._aws, self._account, self._secret = aws, account, secret
        self._end = threading.Event()
        self._counted = threading.Lock()
        self.reads = 0
        self.failed: list[str] = []

    @contextmanager
    def reading(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._read_on) for _ in range(READERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._end.set()
            for thread in threads:
                thread.join()

    def _read_on(self) -> None:
        secrets, registry = Worker(self._aws, self._account), Registry(self._aws)
        while not self._end.wait(0.02):  # The pause leaves CPU time for the refreshes.
            try:
                _, connection = read(secrets, self._secret)
                status = registry.status(connection)
                failure = None if status == 200 else f"the registry answered {status}"
            except Exception as caught:  # Every exception is a failed read.
                failure = type(caught).__name__
            with self._counted:
                self.reads += 1
                if failure:
                    self.failed.append(failure)


class Registry:
    """Send the registry the first request of docker, which tells whether a login is valid."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self._url = f"{aws.endpoint_url}/v2/"
        self._pool = urllib3.PoolManager(ca_certs=str(aws.ca_bundle), retries=False)

    def status(self, connection: dict[str, Any]) -> int:
        login = base64.b64encode(f"{connection['login']}:{connection['password']}".encode()).decode()
        headers = {"Host": connection["host"], "Authorization": f"Basic {login}"}
        return self._pool.request("GET", self._url, headers=headers).status


@pytest.fixture
def unscheduled(aws: EmbeddedAws, refresh: Refresh) -> Iterator[None]:
    """Disable the schedules during the test."""
    with schedules_off(aws):
        yield


def test_every_read_finds_a_valid_login_during_refreshes_with_faults(
    aws: EmbeddedAws, account: Account, worker: Any, refresh: Refresh, unscheduled: None
) -> None:
    seed = int(os.environ.get("SOAK_SEED", random.randrange(2**32)))  # noqa: S311  # not for security
    again = f"to repeat this run, set SOAK_SEED={seed} SOAK_REFRESHES={REFRESHES}"
    chance, texts, runs_by_fault = random.Random(seed), {}, Counter[str]()  # noqa: S311
    _, first = read(worker, refresh.secret)
    readers, started = Readers(aws, account, refresh.secret), time.time()

    with readers.reading():
        for number in range(REFRESHES):
            aws.advance_clock(MINUTES_BETWEEN)
            [name] = chance.choices(list(FAULTS), [weight for weight, _, _ in FAULTS.values()])
            _, writes, fault = FAULTS[name]
            with ExitStack() as faults:
                if fault:
                    faults.enter_context(aws.fault(**fault))
                run = refresh.run()
            runs_by_fault[name] += 1
            texts[f"refresh {number}"] = json.dumps(run.texts)
            assert (run.error is None) == writes, f"refresh {number}, {name}: {run.error}; {again}"

    took = time.time() - started
    faults_by_kind = ", ".join(f"{name} {times}" for name, times in sorted(runs_by_fault.items()) if name != "none")
    print(
        f"\n{REFRESHES} refreshes in {took:.0f} s, {REFRESHES * MINUTES_BETWEEN / 60 / 24:.1f} days of the clock, "
        f"{REFRESHES - runs_by_fault['none']} with a fault ({faults_by_kind}); "
        f"{readers.reads} reads, {len(readers.failed)} failed; seed {seed}"
    )
    leaks = places_with_a_login(texts)
    assert leaks == []
    assert readers.failed == [], again
    assert readers.reads > REFRESHES, again
    aws.advance_clock(MINUTES_BETWEEN)
    assert Registry(aws).status(first) == 403, "the first login has not expired: set SOAK_REFRESHES to more than 24"
    expect_success(refresh)
