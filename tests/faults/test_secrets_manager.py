"""Secrets Manager fails while a login is written: the write happens once or not at all, and never half."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.embedded_aws import EmbeddedAws
from tests.faults.aws_answers import error
from tests.faults.refresh import Refresh, expect_failure, expect_success

OPERATION = "PutSecretValue"
PASSING = {
    "it throttles": error("ThrottlingException", "Rate exceeded"),
    "it answers 500": error("InternalServiceError", status=500),
    "it answers 503 from a proxy": {"status": 503, "body": "<html>Service Unavailable</html>"},
    "it cuts the connection": {"cut": True},
    # Done the first time: the retry carries the request token of the first attempt, and so writes no second version.
    "it writes and the answer is cut": {"after": True, "cut": True},
    "it writes and answers 500": {"after": True, **error("InternalServiceError", status=500)},
    "it writes and answers after the function's patience of 5 s": {"after": True, "delay_seconds": 30},
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_fault_of_a_moment_is_survived_by_the_run_itself(
    aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any]
) -> None:
    with aws.fault(OPERATION, times=1, **fault):
        expect_success(refresh)


TRIED_AGAIN = {
    "it throttles": (error("ThrottlingException", "Rate exceeded"), "ThrottlingException"),
    "it answers 500": (error("InternalServiceError", status=500), "InternalServiceError"),
    "it is down": ({"status": 503, "body": ""}, "503"),
    "it cuts the connection": ({"cut": True}, "ConnectionClosedError"),
    # botocore takes this for a throttle.
    "the secret has too many versions": (
        error("LimitExceededException", "Too many versions"),
        "LimitExceededException",
    ),
}


@pytest.mark.parametrize(("fault", "code"), TRIED_AGAIN.values(), ids=TRIED_AGAIN.keys())
def test_a_fault_that_lasts_is_named_after_three_attempts(
    aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any], code: str
) -> None:
    with aws.fault(OPERATION, **fault) as struck:
        expect_failure(refresh, f"PutSecretValue failed: {code}")
        assert struck() == 3
    expect_success(refresh)


REFUSED = {
    "the secret is gone": error("ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
    "the key may not be used": error("AccessDeniedException", "Access to KMS is not allowed"),
    "the key is disabled": error("EncryptionFailure", "KMSInvalidStateException"),
    "the session of the role has expired": error("ExpiredTokenException", "The security token has expired"),
}


@pytest.mark.parametrize("fault", REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_is_named_at_once(aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any]) -> None:
    with aws.fault(OPERATION, **fault) as struck:
        expect_failure(refresh, f"PutSecretValue failed: {fault['body']['__type']}")
        assert struck() == 1
    expect_success(refresh)


def test_a_role_that_may_not_write_is_reported(refresh: Refresh) -> None:
    with refresh.denied("secretsmanager:PutSecretValue"):
        expect_failure(refresh, "PutSecretValue failed: AccessDeniedException")
    expect_success(refresh)


def test_a_secret_on_its_way_out_is_reported_and_holds_its_login_once_it_is_restored(
    aws: EmbeddedAws, refresh: Refresh
) -> None:
    secrets, before = aws.client("secretsmanager"), refresh.login()
    secrets.delete_secret(SecretId=refresh.secret)
    try:
        run = refresh.run()
        with pytest.raises(ClientError, match="marked for deletion"):
            refresh.login()  # Nobody reads such a secret, whatever a refresh does.
    finally:
        secrets.restore_secret(SecretId=refresh.secret)

    assert run.tells() == "PutSecretValue failed: InvalidRequestException"
    assert refresh.login() == before
    expect_success(refresh)


def test_a_write_whose_every_answer_is_lost_is_reported_though_its_login_is_there(
    aws: EmbeddedAws, refresh: Refresh
) -> None:
    earlier = refresh.versions()
    with aws.fault(OPERATION, after=True, cut=True) as struck:
        run = refresh.run()
        assert struck() == 3

    assert run.tells() == "PutSecretValue failed: ConnectionClosedError"
    assert refresh.versions() - earlier == {refresh.login().version}
    expect_success(refresh)


@pytest.mark.parametrize("body", ["", "{}", "<html>"], ids=["no body", "no version", "no JSON"])
def test_a_write_that_is_answered_with_nonsense_is_reported(aws: EmbeddedAws, refresh: Refresh, body: str) -> None:
    earlier = refresh.versions()
    with aws.fault(OPERATION, after=True, status=200, body=body):
        run = refresh.run()

    assert run.tells() == "PutSecretValue failed: KeyError"
    assert refresh.versions() - earlier == {refresh.login().version}
    expect_success(refresh)
