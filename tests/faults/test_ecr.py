"""Tests of failed ECR requests: the function keeps the current docker login and never writes an invalid one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.faults.aws_answers import HOST, PASSWORD, error, minted, token
from tests.faults.refresh import Refresh, expect_failure, expect_success

pytestmark = pytest.mark.usefixtures("every_run_writes")

OPERATION = "GetAuthorizationToken"
PASSING = {
    "it throttles": error("ThrottlingException", "Rate exceeded"),
    "it answers 500": error("ServerException", status=500),
    "it answers 503 from a proxy": {"status": 503, "body": "<html>Service Unavailable</html>"},
    "it cuts the connection": {"cut": True},
    "it answers after the function's timeout of 5 s": {"delay_seconds": 30},
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_run_succeeds_despite_a_single_fault(aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any]) -> None:
    with aws.fault(OPERATION, times=1, **fault):
        expect_success(refresh)


TRIED_AGAIN = {
    "it throttles": (error("ThrottlingException", "Rate exceeded"), "ThrottlingException"),
    "it answers 500": (error("ServerException", status=500), "ServerException"),
    "it answers 503 from a proxy": ({"status": 503, "body": "<html>Service Unavailable</html>"}, "503"),
    "it cuts the connection": ({"cut": True}, "ConnectionClosedError"),
    "it does not answer": ({"delay_seconds": 30}, "ReadTimeoutError"),
}


@pytest.mark.parametrize(("fault", "code"), TRIED_AGAIN.values(), ids=TRIED_AGAIN.keys())
def test_a_run_reports_a_lasting_fault_after_three_attempts(
    aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any], code: str
) -> None:
    with aws.fault(OPERATION, **fault) as hits:
        expect_failure(refresh, f"GetAuthorizationToken failed: {code}")
        assert hits() == 3
    expect_success(refresh)


REFUSED = {
    "the signature is refused": error("InvalidSignatureException", "The request signature we calculated …", 403),
    "the session of the role has expired": error("ExpiredTokenException", "The security token has expired", 403),
    "a service control policy denies the request": error(
        "AccessDeniedException", "with an explicit deny in a service control policy"
    ),
}


@pytest.mark.parametrize("fault", REFUSED.values(), ids=REFUSED.keys())
def test_a_run_reports_a_refusal_at_once(aws: EmbeddedAws, refresh: Refresh, fault: dict[str, Any]) -> None:
    with aws.fault(OPERATION, **fault) as hits:
        expect_failure(refresh, f"GetAuthorizationToken failed: {fault['body']['__type']}")
        assert hits() == 1
    expect_success(refresh)


def test_a_missing_permission_to_get_a_token_is_reported(refresh: Refresh) -> None:
    with refresh.denied("ecr:GetAuthorizationToken"):
        expect_failure(refresh, "GetAuthorizationToken failed: AccessDeniedException")
    expect_success(refresh)


NOT_ONE = "ECR's answer does not hold exactly one authorization token"
NO_LOGIN = "ECR's token is not a login of the user AWS"
ANOTHER = f"ECR answered for another registry than {HOST}"
UNUSABLE = {
    "no token": ({"status": 200, "body": {"authorizationData": []}}, NOT_ONE),
    "two tokens": ({"status": 200, "body": {"authorizationData": minted()["body"]["authorizationData"] * 2}}, NOT_ONE),
    "no list of tokens": ({"status": 200, "body": {}}, NOT_ONE),
    "a body that is not JSON": ({"status": 200, "body": f"AWS:{PASSWORD}"}, NOT_ONE),
    "an empty body": ({"status": 200, "body": ""}, NOT_ONE),
    "a token that is not base64": (minted(authorizationToken=f"AWS:{PASSWORD}"), NOT_ONE),
    "a token without a password": (minted(authorizationToken=token("AWS:")), NO_LOGIN),
    "a password without a user": (minted(authorizationToken=token(PASSWORD)), NO_LOGIN),
    "another user's token": (minted(authorizationToken=token(f"root:{PASSWORD}")), NO_LOGIN),
    "no expiry": (minted(expiresAt=None), NOT_ONE),
    "another account's registry": (minted(proxyEndpoint="https://999.dkr.ecr.us-east-1.amazonaws.com"), ANOTHER),
    "another region's registry": (minted(proxyEndpoint=f"https://{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"), ANOTHER),
    "no registry": (minted(proxyEndpoint=None), NOT_ONE),
    "an expired token": (minted(expiresAt=1_750_000_000), "ECR's token expired at 2025-06-15T15:06:40+00:00"),
}


@pytest.mark.parametrize(("answer", "reason"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_answer_that_is_not_a_login_is_refused_and_not_written(
    aws: EmbeddedAws, refresh: Refresh, answer: dict[str, Any], reason: str
) -> None:
    with aws.fault(OPERATION, **answer):
        expect_failure(refresh, reason)
    expect_success(refresh)


def test_an_unreachable_endpoint_is_reported(refresh: Refresh) -> None:
    with a_closed_port() as port, refresh.configured(variables={"AWS_ENDPOINT_URL_ECR": f"https://127.0.0.1:{port}"}):
        expect_failure(refresh, "GetAuthorizationToken failed: EndpointConnectionError")
    expect_success(refresh)


@contextmanager
def a_closed_port() -> Iterator[int]:
    """Yield a loopback port that is bound, but on which no process listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
