"""A run of the function writes a docker login or keeps the current login. It never logs or returns the token."""

import gc
import json
import logging
import traceback
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from refresh_docker_login.write_limit import plan_write
from stacks.docker_login import timings
from tests.refresh_docker_login.conftest import HOST, PASSWORD, SECRET_NAME, Context, version


def denied(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": f"no {PASSWORD}"}}, operation)


def test_a_run_writes_a_fresh_login_and_returns_no_token(
    handler: ModuleType, ecr_answers: Any, current_login: Any, secrets: Any
) -> None:
    result = handler.handle({}, Context())

    login = json.loads(current_login())
    assert (login["host"], login["login"], login["password"]) == (HOST, "AWS", PASSWORD)
    version = secrets.describe_secret(SecretId=SECRET_NAME)["VersionIdsToStages"][result.pop("version_id")]
    assert version == ["AWSCURRENT"]
    assert result == {"connection": "docker_default", "expires_at": login["extra"]["expires_at"]}


@pytest.mark.parametrize("event", [None, {}, {"SecretId": "another", "host": "evil.example.com"}, [1], "text"])
def test_an_event_does_not_change_the_login_that_is_written(
    handler: ModuleType, ecr_answers: Any, current_login: Any, event: Any
) -> None:
    handler.handle(event, Context())

    assert json.loads(current_login())["host"] == HOST


def test_the_previous_version_of_the_secret_contains_the_replaced_login(
    handler: ModuleType, ecr_answers: Any, secrets: Any
) -> None:
    handler.handle({}, Context())

    previous = secrets.get_secret_value(SecretId=SECRET_NAME, VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "old"


def test_a_refresh_uses_only_the_clients_and_settings_that_it_gets(handler: ModuleType) -> None:
    written = {}

    def put_secret_value(**request: str) -> dict[str, str]:
        written.update(request)
        return {"VersionId": "v1"}

    settings = handler.Settings(
        connection_id="docker_risk",
        secret_arn="another-secret",
        registry_host="another.example.com",
        registry_region="us-east-1",
        token_endpoint_host="own.example.com",
        new_permissions_wait_seconds=0.0,
        shortest_interval=timedelta(0),
    )
    data = {
        "authorizationToken": "QVdTOng=",  # AWS:x
        "expiresAt": datetime.now(UTC) + timedelta(hours=12),
        "proxyEndpoint": "https://own.example.com",
    }
    clients = handler.Clients(
        ecr=SimpleNamespace(get_authorization_token=lambda: {"authorizationData": [data]}),
        secrets_manager=SimpleNamespace(put_secret_value=put_secret_value),
    )

    result = handler.refresh(clients, settings, "token-of-the-request")

    assert (result["connection"], result["version_id"]) == ("docker_risk", "v1")
    assert written["SecretId"] == "another-secret"
    assert written["ClientRequestToken"] == "token-of-the-request"
    assert json.loads(written["SecretString"])["host"] == "another.example.com"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"proxyEndpoint": "https://999999999999.dkr.ecr.eu-central-1.amazonaws.com"}, "another registry"),
        ({"expiresAt": datetime.now(UTC) - timedelta(seconds=1)}, "expired"),
    ],
    ids=["another registry", "expired"],
)
def test_an_unusable_answer_of_ecr_leaves_the_current_login(
    handler: ModuleType, ecr_answers: Any, current_login: Any, changes: dict[str, Any], problem: str
) -> None:
    ecr_answers(changes)

    with pytest.raises(handler.UnusableLogin, match=problem):
        handler.handle({}, Context())

    assert current_login() == "old"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (denied("GetAuthorizationToken"), "AccessDeniedException"),
        (EndpointConnectionError(endpoint_url="https://x"), "EndpointConnectionError"),
    ],
    ids=["denied", "unreachable"],
)
def test_the_error_contains_the_failure_of_ecr_and_the_current_login_stays(
    handler: ModuleType, ecr_answers: Any, current_login: Any, failure: Exception, code: str
) -> None:
    ecr_answers(failure)

    with pytest.raises(handler.RefreshFailed) as refusal:
        handler.handle({}, Context())

    assert (refusal.value.operation, refusal.value.code) == ("GetAuthorizationToken", code)
    # The runbook lists the failures by their messages.
    assert str(refusal.value) == f"GetAuthorizationToken failed: {code}"
    assert current_login() == "old"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (denied("PutSecretValue"), "AccessDeniedException"),
        # The secret has too many versions. Only ResourceExistsException means that another run has written a login.
        (ClientError({"Error": {"Code": "LimitExceededException"}}, "PutSecretValue"), "LimitExceededException"),
        (ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "PutSecretValue"), "ResourceNotFoundException"),
        # The message of botocore's ParamValidationError contains the invalid value.
        (ParamValidationError(report=f"Invalid value {PASSWORD}"), "ParamValidationError"),
        (ValueError(PASSWORD), "ValueError"),
    ],
    ids=["denied", "too many versions", "no secret", "a request that botocore refuses", "another exception"],
)
def test_the_error_contains_the_failure_of_a_write_but_not_the_token(
    handler: ModuleType,
    ecr_answers: Any,
    current_login: Any,
    failure: Exception,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def put_secret_value(**_: Any) -> None:
        raise failure

    monkeypatch.setattr(handler.CLIENTS.secrets_manager, "put_secret_value", put_secret_value)

    with caplog.at_level(logging.DEBUG), pytest.raises(handler.RefreshFailed) as refusal:
        handler.handle({}, Context())

    assert (refusal.value.operation, refusal.value.code) == ("PutSecretValue", code)
    reason = f"PutSecretValue failed: {code}"
    assert str(refusal.value) == reason
    assert PASSWORD not in "".join(traceback.format_exception(refusal.value)) + caplog.text
    # A logger that prints chained exceptions would print the token, so botocore's exception is not chained.
    assert refusal.value.__context__ is None
    assert PASSWORD not in repr(vars(refusal.value)) + repr(refusal.value.args)
    [line] = [record.__dict__ for record in caplog.records if record.name == handler.logger.name]
    assert (line["levelname"], line["connection"], line["reason"]) == ("ERROR", "docker_default", reason)
    assert current_login() == "old"


@pytest.mark.parametrize("version", ["$LATEST", "1"])
def test_no_error_of_a_write_counts_as_a_success_except_that_the_version_exists(
    handler: ModuleType, ecr_answers: Any, secrets: Any, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    # For example, PutSecretValue answers InvalidRequestException if the secret is scheduled for deletion.
    write = secrets.meta.service_model.operation_model("PutSecretValue")
    codes = {shape.error_code or shape.name for shape in write.error_shapes}
    succeeds = set()
    for code in codes:
        answer = Mock(side_effect=ClientError({"Error": {"Code": code}}, "PutSecretValue"))
        monkeypatch.setattr(handler.CLIENTS.secrets_manager, "put_secret_value", answer)
        try:
            handler.handle({}, Context(function_version=version))
        except handler.RefreshFailed:
            continue
        succeeds.add(code)

    assert len(codes) > 5
    assert succeeds == {"ResourceExistsException"}


def test_no_log_line_contains_the_token_even_at_debug_level(
    handler: ModuleType, ecr_answers: Any, secrets: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        result = handler.handle({}, Context())
        # botocore's loggers write whole requests and answers. Here, most answers do not come from botocore.
        loggers = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "botocore"]
        assert "botocore.parsers" in loggers
        assert not [name for name in loggers if logging.getLogger(name).isEnabledFor(logging.DEBUG)]

    token = handler.CLIENTS.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    for secret in (PASSWORD, token):
        # Parts of the token are not logged either.
        parts = {secret[start : start + 8] for start in range(len(secret) - 7)}
        assert not [part for part in parts if part in caplog.text]
        assert not [r for r in caplog.records if any(part in str(r.__dict__) for part in parts)]
    [line] = [record for record in caplog.records if record.name == handler.logger.name]
    assert result.items() <= line.__dict__.items()


def test_a_deployment_waits_for_new_permissions(
    handler: ModuleType, ecr_answers: Any, current_login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ecr_answers(denied("GetAuthorizationToken"))
    # IAM applies the permissions during the first wait.
    monkeypatch.setattr(handler.time, "sleep", lambda _seconds: ecr_answers())

    handler.handle({}, Context(function_version="1"))

    assert json.loads(current_login())["password"] == PASSWORD


def test_a_deployment_fails_if_the_permissions_are_still_missing_after_the_wait(
    handler: ModuleType, ecr_answers: Any, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(handler.time, "sleep", waits.append)
    monkeypatch.setattr(handler.time, "monotonic", lambda: 1000.0 + sum(waits))
    ecr_answers(denied("GetAuthorizationToken"))

    with pytest.raises(handler.RefreshFailed):
        handler.handle({}, Context(function_version="1"))

    assert waits == [2] * 30


@pytest.mark.parametrize(
    ("version", "failure"),
    [
        ("$LATEST", denied("GetAuthorizationToken")),
        ("1", ClientError({"Error": {"Code": "ThrottlingException"}}, "GetAuthorizationToken")),
        # The function must compare the whole code, and not only its end.
        ("1", ClientError({"Error": {"Code": "NotAnAccessDeniedException"}}, "GetAuthorizationToken")),
    ],
    ids=["a scheduled run that is denied", "a deployment that is throttled", "a code with the same end"],
)
def test_every_other_failure_is_reported_without_a_wait(
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


def test_a_deployment_waits_after_no_other_error_of_aws(
    handler: ModuleType, ecr_answers: Any, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler.time, "sleep", lambda _seconds: pytest.fail("waited"))
    clients = {"GetAuthorizationToken": handler.CLIENTS.ecr, "PutSecretValue": handler.CLIENTS.secrets_manager}
    for operation, client in clients.items():
        shapes = client.meta.service_model.operation_model(operation).error_shapes
        for code in {"ExpiredTokenException", *(shape.error_code or shape.name for shape in shapes)}:
            failure = ClientError({"Error": {"Code": code}}, operation)
            if operation == "PutSecretValue":
                ecr_answers()
                monkeypatch.setattr(client, "put_secret_value", Mock(side_effect=failure))
            else:
                ecr_answers(failure)
            if code != "ResourceExistsException":
                with pytest.raises(handler.RefreshFailed, match=code):
                    handler.handle({}, Context(function_version="1"))


def test_a_deployment_does_not_wait_after_an_unusable_answer(
    handler: ModuleType, ecr_answers: Any, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler.time, "sleep", lambda _seconds: pytest.fail("waited"))
    ecr_answers({"expiresAt": datetime.now(UTC) - timedelta(seconds=1)})

    with pytest.raises(handler.UnusableLogin):
        handler.handle({}, Context(function_version="1"))


def test_the_clients_have_the_timeouts_of_the_module_timings(handler: ModuleType) -> None:
    for client in handler.CLIENTS:
        config = client.meta.config
        assert config.connect_timeout == timings.CONNECT_TIMEOUT_SECONDS
        assert config.read_timeout == timings.READ_TIMEOUT_SECONDS
        assert config.retries == {"mode": "standard", "total_max_attempts": timings.ATTEMPTS_PER_CALL}
    assert handler.SECONDS_UNTIL_THE_LAST_PAGE == timings.CALL_SECONDS


def test_the_function_gets_the_token_in_the_region_of_the_registry_and_writes_in_its_own_region(
    handler: ModuleType,
) -> None:
    assert handler.CLIENTS.ecr.meta.region_name == "eu-central-1"
    assert handler.CLIENTS.secrets_manager.meta.region_name == "us-east-1"


def test_garbage_is_collected_after_the_cold_start(handler: ModuleType) -> None:
    # Otherwise the memory of a warm function grows.
    assert gc.isenabled()


def test_the_clients_verify_the_certificates_of_aws(handler: ModuleType) -> None:
    for client in handler.CLIENTS:
        assert client.meta.endpoint_url.startswith("https://")
        # True, or the path of the certificates. botocore has no public attribute for this setting.
        assert client._endpoint.http_session._verify


# Runs that keep the login


def test_a_run_that_keeps_a_young_login_does_not_call_ecr_and_writes_nothing(
    handler: ModuleType,
    ecr_answers: Any,
    versions_are: Any,
    current_login: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ecr_answers(ValueError("called"))
    young = version("young", minutes=10)
    versions_are([young])

    result = handler.handle({}, Context())

    assert result == {
        "connection": "docker_default",
        "version_id": "young",
        "written_at": young["CreatedDate"].isoformat(),
    }
    assert current_login() == "old"
    [line] = [record.__dict__ for record in caplog.records if record.name == handler.logger.name]
    assert line["levelname"] == "INFO"
    assert result.items() <= line.items()


def test_a_deployment_replaces_a_young_login_with_a_marked_version(
    handler: ModuleType, ecr_answers: Any, versions_are: Any, current_login: Any
) -> None:
    versions_are([version(minutes=0)])

    result = handler.handle({}, Context("1"))

    assert result["version_id"].startswith("deploy-1-")
    assert json.loads(current_login())["password"] == PASSWORD


def test_after_many_deployments_a_deployment_checks_its_permissions_and_keeps_the_login(
    handler: ModuleType,
    ecr_answers: Any,
    versions_are: Any,
    secrets: Any,
    current_login: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = [version(f"deploy-1-{number}", minutes=600, labels=()) for number in range(20)]
    versions_are([version("young", minutes=1), *written])
    exists = ClientError({"Error": {"Code": "ResourceExistsException"}}, "PutSecretValue")
    put = Mock(side_effect=exists)
    monkeypatch.setattr(handler.CLIENTS.secrets_manager, "put_secret_value", put)

    result = handler.handle({}, Context("1"))

    assert result == {"connection": "docker_default", "version_id": "deploy-1-0"}
    assert put.call_args.kwargs["ClientRequestToken"] == "deploy-1-0"
    assert current_login() == "old"

    ecr_answers(denied("GetAuthorizationToken"))
    monkeypatch.setattr(handler, "SETTINGS", handler.SETTINGS._replace(new_permissions_wait_seconds=0))
    with pytest.raises(handler.RefreshFailed):
        handler.handle({}, Context("1"))


def test_a_new_version_of_the_function_writes_although_the_versions_cannot_be_listed(
    handler: ModuleType, ecr_answers: Any, versions_are: Any, secrets: Any
) -> None:
    versions_are(denied("ListSecretVersionIds"))

    results = [handler.handle({}, Context(function_version)) for function_version in ("1", "2")]

    assert all("expires_at" in result for result in results)


def test_a_deployment_counts_the_versions_without_labels_on_all_pages(
    handler: ModuleType, ecr_answers: Any, secrets: Any, versions_are: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [[version(f"deploy-1-{page}{number}", minutes=600, labels=()) for number in range(10)] for page in range(2)]
    requests = versions_are(*pages, [version("young", minutes=1)])
    exists = ClientError({"Error": {"Code": "ResourceExistsException"}}, "PutSecretValue")
    monkeypatch.setattr(handler.CLIENTS.secrets_manager, "put_secret_value", Mock(side_effect=exists))

    assert handler.handle({}, Context("1"))["version_id"] == "deploy-1-00"

    assert [request.get("NextToken") for request in requests] == [None, "1", "2"]
    assert all(request["IncludeDeprecated"] for request in requests)


def test_an_empty_page_is_not_the_end_of_the_versions(
    handler: ModuleType, ecr_answers: Any, secrets: Any, versions_are: Any
) -> None:
    requests = versions_are([], [version("young", minutes=1)])

    assert handler.handle({}, Context())["version_id"] == "young"
    assert len(requests) == 2


def test_a_scheduled_run_requests_only_the_versions_with_labels(
    handler: ModuleType, ecr_answers: Any, secrets: Any, versions_are: Any
) -> None:
    requests = versions_are([version(minutes=60)])

    handler.handle({}, Context())

    assert requests == [{"SecretId": SECRET_NAME, "IncludeDeprecated": False, "MaxResults": 100}]


@pytest.mark.parametrize("function_version", ["$LATEST", "1"])
@pytest.mark.parametrize(
    ("page", "code"),
    [
        (denied("ListSecretVersionIds"), "AccessDeniedException"),
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "ListSecretVersionIds"), "ThrottlingException"),
        (EndpointConnectionError(endpoint_url=f"https://{PASSWORD}"), "EndpointConnectionError"),
        ({}, "KeyError"),
        ({"Versions": None}, "TypeError"),
        ({"Versions": [{"VersionId": PASSWORD}]}, "KeyError"),
        ({"Versions": [{"VersionId": "v", "CreatedDate": PASSWORD}]}, "AttributeError"),
        ({"Versions": [PASSWORD]}, "AttributeError"),
        (None, "TypeError"),
    ],
    ids=["denied", "throttled", "unreachable", "empty", "no list", "no date", "wrong date", "no version", "no answer"],
)
def test_a_run_that_cannot_list_the_versions_warns_once_and_writes(
    handler: ModuleType,
    ecr_answers: Any,
    versions_are: Any,
    current_login: Any,
    caplog: pytest.LogCaptureFixture,
    function_version: str,
    page: Any,
    code: str,
) -> None:
    versions_are(page)

    with caplog.at_level(logging.DEBUG):
        handler.handle({}, Context(function_version))

    assert json.loads(current_login())["password"] == PASSWORD
    warning, _ = [record.__dict__ for record in caplog.records if record.name == handler.logger.name]
    assert (warning["levelname"], warning["connection"]) == ("WARNING", "docker_default")
    assert (warning["operation"], warning["code"]) == ("ListSecretVersionIds", code)
    assert not [record for record in caplog.records if PASSWORD in str(record.__dict__)]


def test_a_published_version_that_cannot_list_the_versions_writes_only_once(
    handler: ModuleType, ecr_answers: Any, secrets: Any, versions_are: Any
) -> None:
    versions_are(denied("ListSecretVersionIds"))
    earlier = plan_write(
        None, published_version="1", now=datetime(2026, 1, 1, tzinfo=UTC), shortest_interval=timedelta(minutes=25)
    )

    # Secrets Manager accepts the id of a version only once.
    assert handler.handle({}, Context("1"))["version_id"] == earlier


def test_a_version_id_that_is_not_a_text_does_not_keep_a_deployment_from_writing(
    handler: ModuleType, ecr_answers: Any, versions_are: Any, current_login: Any
) -> None:
    versions_are([{**version(minutes=1), "VersionId": 5}])

    handler.handle({}, Context("1"))

    assert json.loads(current_login())["password"] == PASSWORD


def test_a_list_of_versions_without_an_end_does_not_keep_a_run_from_writing(
    handler: ModuleType,
    ecr_answers: Any,
    current_login: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 1000.0

    def list_secret_version_ids(**_: Any) -> Any:
        nonlocal now
        now += timings.CALL_SECONDS - 1
        if now > 2000:
            pytest.fail("the run requests pages without an end")
        return {"Versions": [version(minutes=1)], "NextToken": "the same"}

    monkeypatch.setattr(handler.CLIENTS.secrets_manager, "list_secret_version_ids", list_secret_version_ids)
    monkeypatch.setattr(handler.time, "monotonic", lambda: now)

    handler.handle({}, Context())

    assert json.loads(current_login())["password"] == PASSWORD
    assert now - 1000 <= timings.LISTING_SECONDS
    assert [record.__dict__.get("code") for record in caplog.records if record.levelname == "WARNING"] == [
        "TimeoutError"
    ]


def test_the_wait_for_new_permissions_includes_the_time_in_which_the_versions_are_listed(
    handler: ModuleType, ecr_answers: Any, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0

    def take(seconds: float) -> None:
        nonlocal now
        now += seconds

    def list_secret_version_ids(**_: Any) -> Any:
        take(timings.LISTING_SECONDS)
        raise TimeoutError

    monkeypatch.setattr(handler.CLIENTS.secrets_manager, "list_secret_version_ids", list_secret_version_ids)
    monkeypatch.setattr(handler.time, "sleep", take)
    monkeypatch.setattr(handler.time, "monotonic", lambda: now)
    ecr_answers(denied("GetAuthorizationToken"))

    with pytest.raises(handler.RefreshFailed):
        handler.handle({}, Context(function_version="1"))

    assert now - 1000 + timings.REFRESH_SECONDS < 60 * timings.FUNCTION_TIMEOUT_MINUTES


@pytest.mark.parametrize("function_version", ["$LATEST", "1"])
def test_only_one_of_several_runs_that_see_the_same_login_writes(
    handler: ModuleType,
    ecr_answers: Any,
    secrets: Any,
    versions_are: Any,
    caplog: pytest.LogCaptureFixture,
    function_version: str,
) -> None:
    versions_are([version(minutes=60)])
    first = handler.handle({}, Context(function_version))
    ecr_answers({"authorizationToken": "QVdTOmFub3RoZXI="})  # AWS:another

    second = handler.handle({}, Context(function_version))

    assert second == {"connection": "docker_default", "version_id": first["version_id"]}
    assert json.loads(secrets.get_secret_value(SecretId=SECRET_NAME)["SecretString"])["password"] == PASSWORD
    assert {record.levelname for record in caplog.records if record.name == handler.logger.name} == {"INFO"}


def test_a_run_after_a_write_whose_answer_was_lost_keeps_the_written_login(
    handler: ModuleType, ecr_answers: Any, secrets: Any, versions_are: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = secrets.put_secret_value

    def write_and_lose_the_answer(**request: Any) -> None:
        write(**request)
        versions_are([version(request["ClientRequestToken"], minutes=0)])
        raise EndpointConnectionError(endpoint_url=PASSWORD)

    monkeypatch.setattr(secrets, "put_secret_value", write_and_lose_the_answer)
    with pytest.raises(handler.RefreshFailed):
        handler.handle({}, Context())
    written = secrets.get_secret_value(SecretId=SECRET_NAME)

    # Lambda retries the run.
    assert handler.handle({}, Context())["version_id"] == written["VersionId"]
