"""Tests of docs/airflow/failures.md: the command on a worker tells the causes of a missing connection apart."""

import re
from pathlib import Path

import pytest

from local.account import WORKER_ROLE_ARN, Account, assume
from local.embedded_aws import EmbeddedAws
from tests.local.documented import Shell, commands
from tools import ROOT

PAGE = ROOT / "docs/airflow/failures.md"
RIGHT = r"arn:aws:secretsmanager:us-east-1:\d+:secret:airflow/connections/docker_default-\w{6}\s+[\w-]+"
DENIED = r".*AccessDeniedException.*on resource: arn:"
# AWS writes the name of the secret. The emulator writes no resource.
NOT_FOUND = r"(?!.*on resource: arn:).*AccessDeniedException"


@pytest.mark.parametrize(
    ("airflow", "first", "last"),
    [
        pytest.param({}, RIGHT, RIGHT, id="nothing is wrong"),
        pytest.param({"prefix": "airflow/wrong"}, NOT_FOUND, RIGHT, id="wrong prefix"),
        pytest.param({"region": "eu-west-1"}, NOT_FOUND, RIGHT, id="wrong Region"),
        pytest.param({"user": "analyst"}, DENIED, DENIED, id="denied"),
        pytest.param({"secret": "missing"}, NOT_FOUND, NOT_FOUND, id="missing"),
    ],
)
def test_the_command_on_a_worker_tells_the_causes_apart(
    aws: EmbeddedAws,
    local: dict[str, str],
    account: Account,
    tmp_path: Path,
    airflow: dict[str, str],
    first: str,
    last: str,
) -> None:
    prefix = "airflow/missing" if airflow.get("secret") else "airflow/connections"
    names = {
        "<region>": "us-east-1",
        "<prefix-in-airflow>": airflow.get("prefix", prefix),
        "<connections-prefix>": prefix,
    }
    credentials = account.analyst if airflow.get("user") else assume(aws, WORKER_ROLE_ARN, account.operator)
    [command] = commands(PAGE, "Find the reason with the AWS CLI")
    set_region = f"export AWS_DEFAULT_REGION={airflow.get('region', 'us-east-1')}"

    lines = Shell(aws, tmp_path, names, credentials).run(set_region, command).splitlines()

    answers = [line.partition(": ")[2] for line in lines]
    assert len(answers) == 4
    assert re.match(first, answers[0]), answers
    assert re.match(last, answers[-1]), answers
