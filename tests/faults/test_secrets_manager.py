"""Tests of failed Secrets Manager requests: the function writes a docker login completely and once, or not at all."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.account import BREAK_GLASS_ROLE_ARN, Account, assume
from local.embedded_aws import EmbeddedAws
from tests.faults.aws_answers import error
from tests.faults.refresh import Refresh, expect_failure, expect_success

pytestmark = pytest.mark.usefixtures("every_run_writes")

OPERATION = "PutSecretValue"
PASSING = {
    "it throttles": error("ThrottlingException", "Rate exceeded"),
    "it answers 500": error("InternalServiceError", status=500),
    "it answers 503 from a proxy": {"status": 503, "body": "<html>Service Unavailable</html>"},
    "it cuts the connection": {"cut": True},
    # The first attempt writes a version. The retry has the same ClientRequestToken, so it writes no second version.
    "it writes and the answer is cut": {"after": True, "cut": True},
    "it writes and answers 500": {"after": True, **error("InternalServiceError", status=500)},
    "it writes and answers after the function's timeout of 5 s": {"after": True, "delay_seconds": 30},
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_run_succeeds_despite_a_single_fault(aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any]) -> None:
    with aws.fault(OPERATION, times=1, **fault):
        expect_success(refresh)


TRIED_AGAIN = {
    "it throttles": (error("ThrottlingException", "Rate exceeded"), "ThrottlingException"),
    "it answers 500": (error("InternalServiceError", status=500), "InternalServiceError"),
    "it is down": ({"status": 503, "body": ""}, "503"),
    "it cuts the connection": ({"cut": True}, "ConnectionClosedError"),
    # botocore treats this error as throttling.
    "the secret has too many versions": (
        error("LimitExceededException", "Too many versions"),
        "LimitExceededException",
    ),
}


@pytest.mark.parametrize(("fault", "code"), TRIED_AGAIN.values(), ids=TRIED_AGAIN.keys())
def test_a_run_reports_a_lasting_fault_after_three_attempts(
    aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any], code: str
) -> None:
    with aws.fault(OPERATION, **fault) as hits:
        expect_failure(refresh, f"PutSecretValue failed: {code}")
        assert hits() == 3
    expect_success(refresh)


REFUSED = {
    "the secret does not exist": error("ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
    "the key may not be used": error("AccessDeniedException", "Access to KMS is not allowed"),
    "the key is disabled": error("EncryptionFailure", "KMSInvalidStateException"),
    "the session of the role has expired": error("ExpiredTokenException", "The security token has expired"),
}


@pytest.mark.parametrize("fault", REFUSED.values(), ids=REFUSED.keys())
def test_a_run_reports_a_refusal_at_once(aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any]) -> None:
    with aws.fault(OPERATION, **fault) as hits:
        expect_failure(refresh, f"PutSecretValue failed: {fault['body']['__type']}")
        assert hits() == 1
    expect_success(refresh)


def test_a_missing_permission_to_write_is_reported(refresh: Refresh) -> None:
    with refresh.denied("secretsmanager:PutSecretValue"):
        expect_failure(refresh, "PutSecretValue failed: AccessDeniedException")
    expect_success(refresh)


def test_a_secret_that_is_scheduled_for_deletion_is_reported_and_has_its_login_after_it_is_restored(
    aws: EmbeddedAws, refresh: Refresh, account: Account
) -> None:
    before = refresh.login()
    aws.client("secretsmanager").delete_secret(SecretId=refresh.secret)
    try:
        run = refresh.run()
        with pytest.raises(ClientError, match="marked for deletion"):
            refresh.login()  # No principal can read a secret that is scheduled for deletion.
    finally:
        break_glass = assume(aws, BREAK_GLASS_ROLE_ARN, account.operator)
        aws.client("secretsmanager", break_glass).restore_secret(SecretId=refresh.secret)

    assert run.reason() == "PutSecretValue failed: InvalidRequestException"
    assert refresh.login() == before
    expect_success(refresh)


def test_a_run_that_receives_no_answer_to_its_write_fails_although_the_login_is_written(
    aws: EmbeddedAws, refresh: Refresh
) -> None:
    earlier = refresh.versions()
    with aws.fault(OPERATION, after=True, cut=True) as hits:
        run = refresh.run()
        assert hits() == 3

    assert run.reason() == "PutSecretValue failed: ConnectionClosedError"
    assert refresh.versions() - earlier == {refresh.login().version}
    expect_success(refresh)


@pytest.mark.parametrize("body", ["", "{}", "<html>"], ids=["no body", "no version", "not JSON"])
def test_a_write_with_an_invalid_answer_is_reported(aws: EmbeddedAws, refresh: Refresh, body: str) -> None:
    earlier = refresh.versions()
    with aws.fault(OPERATION, after=True, status=200, body=body):
        run = refresh.run()

    assert run.reason() == "PutSecretValue failed: KeyError"
    assert refresh.versions() - earlier == {refresh.login().version}
    expect_success(refresh)


LISTING = "ListSecretVersionIds"
UNLISTED: dict[str, tuple[dict[str, Any], str, int]] = {
    "it denies": (error("AccessDeniedException", "denied by the secret's policy"), "AccessDeniedException", 1),
    "it throttles": (error("ThrottlingException", "Rate exceeded"), "ThrottlingException", 3),
    "it cuts the connection": ({"cut": True}, "ConnectionClosedError", 3),
    "no body": ({"status": 200, "body": ""}, "KeyError", 1),
    "no versions": ({"status": 200, "body": {}}, "KeyError", 1),
    "not JSON": ({"status": 200, "body": "<html>"}, "KeyError", 1),
    "a version without a date": ({"status": 200, "body": {"Versions": [{"VersionId": "v"}]}}, "KeyError", 1),
    "a wrong date": (
        {"status": 200, "body": {"Versions": [{"VersionId": "v", "CreatedDate": "<html>"}]}},
        "ValueError",
        1,
    ),
}


@pytest.mark.parametrize(("fault", "code", "attempts"), UNLISTED.values(), ids=UNLISTED.keys())
def test_a_run_that_cannot_list_the_versions_warns_once_and_writes(
    aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any], code: str, attempts: int
) -> None:
    started = int(time.time() * 1000)
    with aws.fault(LISTING, **fault) as hits:
        expect_success(refresh)
        assert hits() == attempts
    assert warnings(refresh, started) == [{"operation": LISTING, "code": code}]


@pytest.mark.parametrize(
    "fault",
    [error("InternalServiceError", status=500), {"delay_seconds": 30}],
    ids=["it answers 500", "it answers after the function's timeout of 5 s"],
)
def test_a_run_lists_the_versions_despite_a_single_fault(
    aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any]
) -> None:
    started = int(time.time() * 1000)
    with aws.fault(LISTING, times=1, **fault):
        expect_success(refresh)
    assert warnings(refresh, started) == []


def test_a_missing_permission_to_list_the_versions_does_not_keep_a_run_from_writing(refresh: Refresh) -> None:
    started = int(time.time() * 1000)
    with refresh.denied("secretsmanager:ListSecretVersionIds"):
        expect_success(refresh)
    assert warnings(refresh, started) == [{"operation": LISTING, "code": "AccessDeniedException"}]


def warnings(refresh: Refresh, since: int) -> list[dict[str, str]]:
    """Return the operation and the code of each warning that the function logged since a time."""
    lines = [json.loads(line) for line in refresh.lines(since) if line.startswith("{")]
    found = [line for line in lines if line.get("level") == "WARNING"]
    assert all(line["connection"] == "docker_default" for line in found)
    return [{"operation": line["operation"], "code": line["code"]} for line in found]
