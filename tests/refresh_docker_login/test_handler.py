"""One run of the function: what it writes, what it leaves alone, and that the token stays in the secret."""

import json
import logging
import traceback
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from tests.refresh_docker_login.conftest import HOST, PASSWORD, SECRET_NAME, Context


def denied(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": f"no {PASSWORD}"}}, operation)


def test_a_run_writes_a_fresh_login_and_answers_without_it(
    handler: ModuleType, ecr_answers: Any, current_login: Any, secrets: Any
) -> None:
    answer = handler.handle({}, Context())

    login = json.loads(current_login())
    assert (login["host"], login["login"], login["password"]) == (HOST, "AWS", PASSWORD)
    version = secrets.describe_secret(SecretId=SECRET_NAME)["VersionIdsToStages"][answer.pop("version_id")]
    assert version == ["AWSCURRENT"]
    assert answer == {"connection": "docker_default", "expires_at": login["extra"]["expires_at"]}


@pytest.mark.parametrize("event", [None, {}, {"SecretId": "another", "host": "evil.example.com"}, [1], "text"])
def test_no_event_can_change_what_is_written_or_where(
    handler: ModuleType, ecr_answers: Any, current_login: Any, event: Any
) -> None:
    handler.handle(event, Context())

    assert json.loads(current_login())["host"] == HOST


def test_the_login_before_stays_as_the_previous_version(handler: ModuleType, ecr_answers: Any, secrets: Any) -> None:
    handler.handle({}, Context())

    previous = secrets.get_secret_value(SecretId=SECRET_NAME, VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "old"


def test_an_unusable_answer_of_ecr_leaves_the_good_login(
    handler: ModuleType, ecr_answers: Any, current_login: Any
) -> None:
    ecr_answers({"proxyEndpoint": "https://999999999999.dkr.ecr.us-east-1.amazonaws.com"})

    with pytest.raises(Exception, match="another registry"):
        handler.handle({}, Context())

    assert current_login() == "old"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (denied("GetAuthorizationToken"), "GetAuthorizationToken failed: AccessDeniedException"),
        (
            EndpointConnectionError(endpoint_url="https://x"),
            "GetAuthorizationToken failed: EndpointConnectionError",
        ),
    ],
)
def test_a_failing_ecr_is_named_and_leaves_the_good_login(
    handler: ModuleType, ecr_answers: Any, current_login: Any, failure: Exception, reason: str
) -> None:
    ecr_answers(failure)

    with pytest.raises(handler.RefreshFailed, match=reason):
        handler.handle({}, Context())

    assert current_login() == "old"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (denied("PutSecretValue"), "PutSecretValue failed: AccessDeniedException"),
        # botocore quotes the value that it refuses.
        (
            ParamValidationError(report=f"Invalid value {PASSWORD}"),
            "PutSecretValue failed: ParamValidationError",
        ),
        (ValueError(PASSWORD), "PutSecretValue failed: ValueError"),
    ],
)
def test_a_failing_write_is_named_and_never_tells_the_token(
    handler: ModuleType,
    ecr_answers: Any,
    current_login: Any,
    failure: Exception,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def put_secret_value(**_: Any) -> None:
        raise failure

    monkeypatch.setattr(handler.secrets_manager, "put_secret_value", put_secret_value)

    with caplog.at_level(logging.DEBUG), pytest.raises(handler.RefreshFailed, match=reason) as refusal:
        handler.handle({}, Context())

    assert PASSWORD not in "".join(traceback.format_exception(refusal.value)) + caplog.text
    # Nothing of botocore's exception hangs on to ours, for a logger that walks the chain.
    assert refusal.value.__context__ is None
    [line] = [record.__dict__ for record in caplog.records if record.name == handler.logger.name]
    assert (line["levelname"], line["connection"], line["reason"]) == ("ERROR", "docker_default", reason)
    assert current_login() == "old"


def test_even_at_debug_no_log_line_holds_the_token(
    handler: ModuleType, ecr_answers: Any, secrets: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = handler.handle({}, Context())

    assert PASSWORD not in caplog.text
    assert not [record for record in caplog.records if PASSWORD in str(record.__dict__)]
    [line] = [record for record in caplog.records if record.name == handler.logger.name]
    assert answer.items() <= line.__dict__.items()


def test_a_deploy_waits_for_rights_that_are_on_their_way(
    handler: ModuleType, ecr_answers: Any, current_login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ecr_answers(denied("GetAuthorizationToken"))
    # The rights arrive during the first wait.
    monkeypatch.setattr(handler.time, "sleep", lambda _seconds: ecr_answers())

    handler.handle({}, Context(function_version="1"))

    assert json.loads(current_login())["password"] == PASSWORD


def test_a_deploy_gives_up_when_the_rights_do_not_arrive(
    handler: ModuleType, ecr_answers: Any, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(handler.time, "sleep", sleep)
    monkeypatch.setattr(handler.time, "monotonic", lambda: now)
    ecr_answers(denied("GetAuthorizationToken"))

    with pytest.raises(handler.RefreshFailed):
        handler.handle({}, Context(function_version="1"))

    assert 60 <= now - 1000 <= 65


@pytest.mark.parametrize(
    ("version", "failure"),
    [
        ("$LATEST", denied("GetAuthorizationToken")),
        ("1", ClientError({"Error": {"Code": "ThrottlingException"}}, "GetAuthorizationToken")),
    ],
    ids=["a scheduled run that is denied", "a deploy that is throttled"],
)
def test_any_other_failure_is_reported_at_once(
    handler: ModuleType,
    ecr_answers: Any,
    secrets: Any,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    failure: Exception,
) -> None:
    def sleep(_seconds: float) -> None:
        pytest.fail("waited")

    monkeypatch.setattr(handler.time, "sleep", sleep)
    ecr_answers(failure)

    with pytest.raises(handler.RefreshFailed):
        handler.handle({}, Context(function_version=version))
