"""Tests of fault injection at the gateway of the AWS emulator: which requests fail, how, and for how long."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from local.embedded_aws import EmbeddedAws, EmbeddedAwsError
from local.emulator import faults
from tests.local.emulator.patches.support import eventually

DOWN = {"status": 503, "body": {"__type": "Unavailable", "message": "down"}}
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1})


def test_a_fault_applies_to_one_operation_as_many_times_as_it_says(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager", config=ONE_ATTEMPT)
    with aws.fault("ListSecrets", times=2, **DOWN) as hits:
        for _ in range(2):
            with pytest.raises(ClientError, match="Unavailable"):
                secrets.list_secrets()
        secrets.list_secrets()
        aws.client("ecr").describe_repositories()
        assert hits() == 2


def test_a_fault_ends_with_its_with_block(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager", config=ONE_ATTEMPT)
    with pytest.raises(ClientError), aws.fault("ListSecrets", **DOWN):
        secrets.list_secrets()
    secrets.list_secrets()


def test_the_field_after_decides_whether_a_request_without_an_answer_is_performed(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager", config=ONE_ATTEMPT)
    with pytest.raises(ConnectionClosedError), aws.fault("CreateSecret", cut=True):
        secrets.create_secret(Name="faults/not-done")
    with pytest.raises(ConnectionClosedError), aws.fault("CreateSecret", cut=True, after=True):
        secrets.create_secret(Name="faults/done")

    listed = secrets.list_secrets(Filters=[{"Key": "name", "Values": ["faults/"]}])["SecretList"]
    assert [secret["Name"] for secret in listed] == ["faults/done"]


def test_a_delayed_request_continues_when_the_fault_is_removed(aws: EmbeddedAws) -> None:
    with ThreadPoolExecutor() as threads:
        with aws.fault("ListSecrets", delay_seconds=600) as hits:
            call = threads.submit(aws.client("secretsmanager").list_secrets)
            eventually(lambda: hits() == 1)
            assert not call.done()
        assert "SecretList" in call.result()


def test_a_fault_that_applied_to_no_request_is_an_error(aws: EmbeddedAws) -> None:
    with pytest.raises(EmbeddedAwsError, match="nothing called DeleteSecret"), aws.fault("DeleteSecret", **DOWN):
        aws.client("secretsmanager").list_secrets()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"operation": "ListSecrets", "colour": "red"}, "'colour' is not a field. Fields: operation, times, "),
        ({"operation": "ListSecrets", "statuss": 503}, "'statuss' is not a field. Did you mean status?"),
        ({"operation": "ListSecrets", "hits": 1}, "'hits' is not a field."),
        ({"operation": "ListSecrets", "times": "2"}, 'times is "2", and must be a whole number'),
        ({"operation": "ListSecrets", "times": True}, "times is true, and must be a whole number"),
        ({"operation": "ListSecrets", "cut": 1}, "cut is 1, and must be true or false"),
        ({"operation": "ListSecrets", "delay_seconds": None}, "delay_seconds is null, and must be a number"),
        ({"operation": "ListSecret"}, "'ListSecret' is not an operation. Did you mean ListSecrets?"),
        ({"operation": "AssumeRole"}, "'AssumeRole' is not an operation. "),
        ({"operation": None}, "operation is null, and must be a string"),
        ({"status": 503}, "write a JSON object with an operation"),
        ([], "write a JSON object with an operation"),
    ],
)
def test_an_invalid_fault_is_refused_with_an_error_of_one_line(fault: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as refusal:
        faults.add(fault)
    assert "\n" not in str(refusal.value)
    assert faults.current() == []


def test_the_error_for_an_unsupported_operation_lists_the_supported_services(aws: EmbeddedAws) -> None:
    with pytest.raises(EmbeddedAwsError) as refusal, aws.fault("AssumeRole", **DOWN):
        pass
    assert str(refusal.value).startswith("This fault is not valid: 'AssumeRole' is not an operation. ")
    assert str(refusal.value).endswith(
        "Faults apply to operations of secretsmanager, ecr, kms, sqs, events, ecs, logs, ssm"
    )


def test_an_unknown_command_and_a_wrong_number_of_minutes_are_refused(aws: EmbeddedAws) -> None:
    with pytest.raises(EmbeddedAwsError, match=re.escape("GET /_local/fault is not a command.")):
        aws._control("GET", "/_local/fault")
    with pytest.raises(EmbeddedAwsError, match="minutes=-1: write a whole number of minutes"):
        aws.advance_clock(-1)
