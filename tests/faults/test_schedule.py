"""Tests of failed scheduled runs: Lambda retries a run twice, and then sends a message to the failure queue."""

import json
import time
from collections.abc import Iterator

import pytest

from local.embedded_aws import EmbeddedAws
from tests.faults.aws_answers import error
from tests.faults.refresh import Refresh, schedules_off
from tests.local.emulator.patches.support import eventually, received
from tests.local.logins import places_with_a_login

DENIED = error("AccessDeniedException", "Access to KMS is not allowed")
REASON = "PutSecretValue failed: AccessDeniedException"


@pytest.fixture
def failures(aws: EmbeddedAws, refresh: Refresh) -> Iterator[str]:
    """The URL of the empty failure queue. The schedules of the other functions are disabled during the test."""
    with schedules_off(aws, but=refresh.function):
        url = refresh.failure_queue()
        received(aws, url)
        yield url


def test_no_run_is_in_progress_after_the_schedules_are_turned_off(aws: EmbeddedAws, refresh: Refresh) -> None:
    started = int(time.time() * 1000)
    aws.advance_clock(minutes=30)

    with schedules_off(aws):
        assert '"version_id"' in "".join(refresh.lines(started))


def test_a_scheduled_run_that_fails_after_all_retries_sends_one_message_with_the_reason(
    aws: EmbeddedAws, refresh: Refresh, failures: str
) -> None:
    before = refresh.login()
    with aws.fault("PutSecretValue", **DENIED) as hits:
        aws.advance_clock(minutes=30)
        [message] = eventually(lambda: received(aws, failures))
        assert hits() == 3

    leaks = places_with_a_login({"the message": json.dumps(message)})
    assert leaks == []
    assert message["requestContext"]["condition"] == "RetriesExhausted"
    assert message["responsePayload"]["errorMessage"] == REASON
    assert refresh.login() == before
    aws.advance_clock(minutes=30)
    eventually(lambda: refresh.login() != before)
    assert received(aws, failures) == []


def test_a_retry_after_a_write_whose_answers_were_lost_keeps_the_written_login(
    aws: EmbeddedAws, refresh: Refresh, failures: str
) -> None:
    before, started = refresh.login(), int(time.time() * 1000)
    with aws.fault("PutSecretValue", times=3, after=True, cut=True) as hits:
        aws.advance_clock(minutes=30)
        eventually(lambda: "this run keeps it" in "".join(refresh.lines(started)), seconds=30)
        assert hits() == 3

    written = refresh.login()
    assert refresh.versions() == {before.version, written.version}  # Three attempts added one version.
    assert f'"version_id": "{written.version}"' in "".join(refresh.lines(started))
    assert received(aws, failures) == []


def test_a_scheduled_run_that_succeeds_in_a_retry_sends_no_message(
    aws: EmbeddedAws, refresh: Refresh, failures: str
) -> None:
    before = refresh.login()
    with aws.fault("PutSecretValue", times=1, **DENIED) as hits:
        aws.advance_clock(minutes=30)
        eventually(lambda: refresh.login() != before)
        assert hits() == 1

    assert received(aws, failures) == []
