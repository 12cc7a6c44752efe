"""Checks of the strict backend without Secrets Manager. test_strict_backend_unit.py runs them with each Airflow."""

import importlib
import json
import logging
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from unittest import mock

import airflow
from airflow.providers.amazon.aws.secrets.secrets_manager import SecretsManagerBackend
from botocore.exceptions import ClientError
from botocore.stub import Stubber

import strict_secrets_manager as strict

TOKEN = "token-that-no-log-may-show"
NAME = "airflow/connections/docker_default"
LOGIN = {"conn_type": "docker", "host": "registry.example", "login": "AWS", "password": TOKEN}
SETTINGS = {"connections_prefix": "airflow/connections", "region_name": "eu-central-1"}


def backend(module: ModuleType = strict, **settings: Any) -> Any:
    return module.StrictSecretsManagerBackend(required_connections=["docker_default"], **SETTINGS | settings)


def login(minutes: float) -> str:
    """Return a docker login that expires in this many minutes."""
    expiry = datetime.now(UTC) + timedelta(minutes=minutes)
    return json.dumps(LOGIN | {"extra": json.dumps({"expires_at": expiry.isoformat()})})


def read(value: "str | None" = None, code: str = "") -> str:
    """Read the required connection. The answer of Secrets Manager is the value, or the error code."""
    reader = backend()
    with Stubber(reader._required_client) as answers:
        if code:
            answers.add_client_error("get_secret_value", code, f"may not read {value}")
        else:
            answers.add_response("get_secret_value", {"SecretString": value}, {"SecretId": NAME})
        return str(reader.get_conn_value("docker_default"))


def failure(**answer: str) -> BaseException:
    return raised_by(lambda: read(**answer))


def raised_by(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except strict.RequiredConnectionUnavailable as error:
        return error
    raise AssertionError("a value was returned")


def check_a_role_that_cannot_be_assumed_is_reported() -> None:
    refused = ClientError({"Error": {"Code": "AccessDenied", "Message": TOKEN}}, "AssumeRole")
    reader = backend(role_arn="arn:aws:iam::111111111111:role/airflow")
    with mock.patch("botocore.client.BaseClient._make_api_call", side_effect=refused):
        errors = [raised_by(lambda: reader.get_conn_value("docker_default")) for _ in range(2)]
    for error in errors:
        assert "the AWS credentials cannot be fetched (AccessDenied). Check role_arn" in str(error), error
        assert TOKEN not in "".join(traceback.format_exception(error))


def check_no_error_shows_the_value() -> None:
    numbers = json.dumps(LOGIN | {"password": 1, "login": TOKEN})
    answers = [
        *({"value": value} for value in (TOKEN, f'{{"password": "{TOKEN}"', f'["{TOKEN}"]', numbers, login(-60))),
        {"value": json.dumps(LOGIN | {"extra": f'{{"{TOKEN}'})},
        {"value": json.dumps(LOGIN | {"extra": {"expires_at": TOKEN}})},
        {"value": json.dumps(LOGIN | {"extra": {"expires_at": "2026-01-01T12:00:00"}})},
        *({"value": TOKEN, "code": code} for code in ("AccessDeniedException", "DecryptionFailure", "Unknown")),
    ]
    for answer in answers:
        error = failure(**answer)
        assert (error.__cause__, error.__context__) == (None, None), answer
        shown = "".join(traceback.format_exception(type(error), error, error.__traceback__)) + repr(error.args)
        assert TOKEN not in shown, shown
        assert len(str(error).splitlines()) == 1
        # Airflow 3 can log the local variables of each frame.
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        variables = [frame.f_locals for frame in frames if frame.f_code.co_filename == strict.__file__]
        assert variables
        assert TOKEN not in repr(variables)


def check_a_login_is_used_until_five_minutes_after_its_expiry() -> None:
    assert json.loads(read(login(-4)))["password"] == TOKEN
    assert "the docker login expired at" in str(failure(value=login(-6)))


def check_the_value_is_the_same_as_of_the_usual_backend() -> None:
    usual = SecretsManagerBackend(**SETTINGS)
    with mock.patch.object(usual, "_get_secret_value", return_value=login(60)) as answer:
        assert usual.get_conn_value("docker_default") == read(answer.return_value)


def check_other_connections_use_the_code_of_the_usual_backend() -> None:
    for pattern, expected in ((None, "value"), ("^other", "value"), ("^docker_", None)):
        reader = backend(connections_lookup_pattern=pattern)
        with (
            mock.patch.object(reader, "_read") as strict_read,
            mock.patch.object(SecretsManagerBackend, "_get_secret_value", return_value="value") as usual_read,
        ):
            assert reader.get_conn_value("other") == expected
        assert usual_read.called is (expected is not None)
        assert not strict_read.called


def check_the_team_of_other_connections_is_passed_on() -> None:
    with mock.patch.object(SecretsManagerBackend, "get_conn_value", return_value="value") as usual:
        assert backend().get_conn_value("other", team_name="blue") == "value"
        usual.assert_called_once_with("other", team_name="blue")


def check_the_required_connections_are_a_list_of_ids() -> None:
    for ids in ("docker_default", [], [""], [1], None, {"docker_default": True}):
        refusal = ""
        try:
            strict.StrictSecretsManagerBackend(required_connections=ids, **SETTINGS)  # type: ignore[arg-type]
        except ValueError as error:
            refusal = str(error)
        assert "required_connections must be a list" in refusal, ids


def check_an_airflow_that_ignores_exceptions_gets_the_usual_backend_and_one_warning() -> None:
    warnings: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger(strict.__name__).addHandler(handler)
    # Neither an old task SDK nor Airflow 3 without the class has an exception that reaches the task.
    with (
        mock.patch.dict(sys.modules, {"airflow.sdk.exceptions": None}),
        mock.patch.object(airflow, "__version__", "3.1.0"),
    ):
        importlib.reload(strict)
        readers = [backend(), backend()]
    for value in (TOKEN, None, login(-60)):
        with mock.patch.object(SecretsManagerBackend, "_get_secret_value", return_value=value):
            usual = SecretsManagerBackend(**SETTINGS).get_conn_value("docker_default")
            assert [reader.get_conn_value("docker_default") for reader in readers] == [usual, usual]
    assert len(warnings) == 1, warnings
    assert "cannot report failures with this version of Airflow" in warnings[0]
    importlib.reload(strict)


def check_a_read_takes_at_most_1_05_of_the_cpu_of_the_usual_backend() -> None:
    """Both backends read in turn, so that a busy machine does not change the ratio. The answer needs no network."""
    body = json.dumps({"SecretString": login(60)}).encode()
    answer = mock.Mock(status_code=200, headers={}, content=body)

    def cost(reader: Any) -> float:
        started = time.process_time()
        for _ in range(20):
            reader.get_conn_value("docker_default")
        return time.process_time() - started

    usual, required = SecretsManagerBackend(**SETTINGS), backend()
    with mock.patch("botocore.httpsession.URLLib3Session.send", return_value=answer):
        assert usual.get_conn_value("docker_default") == required.get_conn_value("docker_default")
        ratios = [cost(required) / cost(usual) for _ in range(21)]
    print(f"ratio {statistics.median(ratios):.3f}")
    assert statistics.median(ratios) <= 1.05


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            check()
            print(name)
