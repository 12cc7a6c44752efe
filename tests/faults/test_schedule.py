"""A scheduled run fails: Lambda tries again, twice, and what failed for good is told to the queue."""

import json
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
    """The URL of the queue of failures, which is empty, while no other function is started by a schedule."""
    with schedules_off(aws, but=refresh.function):
        url = refresh.failure_queue()
        received(aws, url)
        yield url


def test_a_scheduled_run_that_fails_for_good_ends_as_one_message_that_names_the_reason(
    aws: EmbeddedAws, refresh: Refresh, failures: str
) -> None:
    before = refresh.login()
    with aws.fault("PutSecretValue", **DENIED) as struck:
        aws.advance_clock(minutes=30)
        [message] = eventually(lambda: received(aws, failures))
        assert struck() == 3

    leaks = places_with_a_login({"the message": json.dumps(message)})
    assert leaks == []
    assert message["requestContext"]["condition"] == "RetriesExhausted"
    assert message["responsePayload"]["errorMessage"] == REASON
    assert refresh.login() == before
    aws.advance_clock(minutes=30)
    eventually(lambda: refresh.login() != before)
    assert received(aws, failures) == []


def test_a_scheduled_run_that_a_retry_repairs_is_told_to_nobody(
    aws: EmbeddedAws, refresh: Refresh, failures: str
) -> None:
    before = refresh.login()
    with aws.fault("PutSecretValue", times=1, **DENIED) as struck:
        aws.advance_clock(minutes=30)
        eventually(lambda: refresh.login() != before)
        assert struck() == 1

    assert received(aws, failures) == []
