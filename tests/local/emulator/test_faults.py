"""Faults at the gateway of the embedded AWS: what they strike, and what they leave alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from local.embedded_aws import EmbeddedAws, EmbeddedAwsError
from tests.local.emulator.patches.support import eventually

DOWN = {"status": 503, "body": {"__type": "Unavailable", "message": "down"}}
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1})


def test_a_fault_strikes_one_operation_as_often_as_told(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager", config=ONE_ATTEMPT)
    with aws.fault("ListSecrets", times=2, **DOWN) as struck:
        for _ in range(2):
            with pytest.raises(ClientError, match="Unavailable"):
                secrets.list_secrets()
        secrets.list_secrets()
        aws.client("ecr").describe_repositories()
        assert struck() == 2


def test_a_fault_ends_with_its_block(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager", config=ONE_ATTEMPT)
    with pytest.raises(ClientError), aws.fault("ListSecrets", **DOWN):
        secrets.list_secrets()
    secrets.list_secrets()


def test_an_answer_that_is_cut_may_be_of_a_call_that_was_done(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager", config=ONE_ATTEMPT)
    with pytest.raises(ConnectionClosedError), aws.fault("CreateSecret", cut=True):
        secrets.create_secret(Name="faults/not-done")
    with pytest.raises(ConnectionClosedError), aws.fault("CreateSecret", cut=True, after=True):
        secrets.create_secret(Name="faults/done")

    listed = secrets.list_secrets(Filters=[{"Key": "name", "Values": ["faults/"]}])["SecretList"]
    assert [secret["Name"] for secret in listed] == ["faults/done"]


def test_what_hangs_goes_on_once_the_fault_is_cleared(aws: EmbeddedAws) -> None:
    with ThreadPoolExecutor() as threads:
        with aws.fault("ListSecrets", delay_seconds=600) as struck:
            call = threads.submit(aws.client("secretsmanager").list_secrets)
            eventually(lambda: struck() == 1)
            assert not call.done()
        assert "SecretList" in call.result()


def test_a_fault_that_strikes_nothing_is_an_error(aws: EmbeddedAws) -> None:
    with pytest.raises(EmbeddedAwsError, match="nobody called ListSecret"), aws.fault("ListSecret", **DOWN):
        aws.client("secretsmanager").list_secrets()


def test_what_is_no_fault_is_refused(aws: EmbeddedAws) -> None:
    with pytest.raises(ValueError, match=r"400 .*'colour'"), aws.fault("ListSecrets", colour="red"):
        pass
