"""A variant has no result if it does not write the docker login that it requested."""

import base64
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
import pytest

from bench import functions
from bench.aws_stub import REGISTRY_HOST, AwsStub, NotWritten, aws_stub
from bench.functions import THIS_HANDLER, VARIANTS, Function, cold_run
from bench.processes import BenchFailed
from tools import ROOT

needs_the_runtime_client = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None, reason="awslambdaric is not installed"
)


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStub]:
    # The development environment (.venv) contains the packages that these functions need.
    monkeypatch.setattr(functions, "LAMBDA", ROOT / ".venv")
    with aws_stub(tmp_path / "stub", Path(botocore.__file__).with_name("cacert.pem")) as stub:
        yield stub


@needs_the_runtime_client
@pytest.mark.parametrize(
    "function",
    [THIS_HANDLER, functions.PLAIN_BOTO3, functions.ROTATION_TEMPLATE],
    ids=["this handler", "plain boto3", "AWS's rotation template"],
)
def test_a_function_that_writes_has_a_cost(stub: AwsStub, function: Function) -> None:
    assert cold_run(function, stub).cpu_milliseconds > 0


@needs_the_runtime_client
def test_a_function_that_does_not_write_the_secret_has_no_cost(stub: AwsStub) -> None:
    with pytest.raises(NotWritten):
        cold_run(Function(VARIANTS / "empty_handler.py", "empty_handler.handle"), stub)


@needs_the_runtime_client
@pytest.mark.parametrize("program", ["raise OSError", "def handle(event, context): raise OSError"])
def test_a_function_that_fails_has_no_cost(stub: AwsStub, tmp_path: Path, program: str) -> None:
    (tmp_path / "failing.py").write_text(program)

    with pytest.raises(BenchFailed):
        cold_run(Function(tmp_path / "failing.py", "failing.handle"), stub)


def issued(stub: AwsStub) -> dict[str, Any]:
    """Request a token from the stub and return the connection that a function makes from it."""
    _, answer = stub.call("GetAuthorizationToken", {})
    password = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode().removeprefix("AWS:")
    return {
        "conn_type": "docker",
        "host": REGISTRY_HOST,
        "login": "AWS",
        "password": password,
        "extra": {"expires_at": "2030-01-01T00:00:00+00:00"},
    }


def test_the_secret_must_have_the_login_that_was_issued_last(stub: AwsStub) -> None:
    stub.call("PutSecretValue", {"SecretString": json.dumps(issued(stub))})

    stub.check_written()

    issued(stub)
    with pytest.raises(NotWritten):
        stub.check_written()


@pytest.mark.parametrize(
    "change", [{"host": f"https://{REGISTRY_HOST}"}, {"login": "aws"}, {"port": 443}, {"extra": {}}, {"password": "x"}]
)
def test_a_secret_value_that_differs_from_the_login_is_refused(stub: AwsStub, change: dict[str, Any]) -> None:
    stub.call("PutSecretValue", {"SecretString": json.dumps(issued(stub) | change)})

    with pytest.raises(NotWritten) as refusal:
        stub.check_written()
    assert "password" not in str(refusal.value)


def test_a_login_with_the_staging_label_awspending_is_refused(stub: AwsStub) -> None:
    stub.call("PutSecretValue", {"SecretString": json.dumps(issued(stub)), "VersionStages": ["AWSPENDING"]})

    with pytest.raises(NotWritten):
        stub.check_written()
