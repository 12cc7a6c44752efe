"""A batch of reads has no cost if a read is no request, or if the reads do not return the docker login."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import botocore
import pytest

from bench.aws_stub import AwsStub, aws_stub
from bench.backend_reads import reader
from bench.processes import BenchFailed, Cost
from local.embedded_aws import REGION

PROGRAM = """
import functools
import boto3
from bench.readers.secrets_backend import read_in_batches

client = boto3.client("secretsmanager")

{decorator}
def read():
    return client.get_secret_value(SecretId="airflow/connections/docker_default")["SecretString"]

print("a line that is no result")
read_in_batches(read, 3)
"""


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[AwsStub]:
    with aws_stub(tmp_path / "stub", Path(botocore.__file__).with_name("cacert.pem")) as stub:
        yield stub


def reading(stub: AwsStub, tmp_path: Path, decorator: str = "") -> AbstractContextManager[Callable[[], Cost]]:
    environment = {
        **os.environ,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": stub.url,
        "AWS_CA_BUNDLE": str(stub.ca_bundle),
    }
    command = [sys.executable, "-c", PROGRAM.format(decorator=decorator)]
    return reader(command, environment, tmp_path / "log", stub, reads=3)


def test_each_batch_of_reads_has_a_cost(stub: AwsStub, tmp_path: Path) -> None:
    stub.write_login()
    with reading(stub, tmp_path) as run:
        costs = [run(), run()]
    assert all(cost.cpu_milliseconds > 0 for cost in costs)
    assert stub.calls == ["GetSecretValue"] * (1 + 2 * 3)


def test_reads_from_a_cache_have_no_cost(stub: AwsStub, tmp_path: Path) -> None:
    stub.write_login()
    with (
        reading(stub, tmp_path, "@functools.cache") as run,
        pytest.raises(BenchFailed, match="3 reads made 0 requests"),
    ):
        run()


def test_reads_that_return_no_docker_login_have_no_cost(stub: AwsStub, tmp_path: Path) -> None:
    with reading(stub, tmp_path) as run, pytest.raises(BenchFailed, match="did not return a usable docker login"):
        run()
