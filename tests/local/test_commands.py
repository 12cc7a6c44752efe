"""`make demo`, `make up` and `make down`, run as a person runs them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local import up
from local.account import WORKER_ROLE_ARN, docker_login, outputs
from local.demo import log_in, read
from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.local.logins import places_with_a_login
from tools import ROOT


def start_demo() -> subprocess.Popen[str]:
    """Start a demo in a separate process group, as a terminal does. Ctrl-C then reaches all processes of the demo."""
    return subprocess.Popen(
        [sys.executable, "-m", "local", "demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], word: str) -> None:
    """Read the process's output until the word appears. There is no timeout here; the test runner has one."""
    printed = ""
    while word not in printed:
        character = process.stdout.read(1) if process.stdout else ""
        assert character, f"the process ended before it printed {word!r}: {printed}"
        printed += character


def processes_in(state: Path) -> list[str]:
    """Return the command lines of the processes whose environment names this state folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(state) in (process / "environ").read_text(errors="replace"):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # The process ended, or belongs to another user.
    return found


def test_two_demos_run_side_by_side_and_ctrl_c_ends_all_of_one() -> None:
    first, second = start_demo(), start_demo()
    states = [ROOT / ".local" / f"demo-{demo.pid}" for demo in (first, second)]
    read_until(second, "preparing the account")
    assert processes_in(states[1])

    os.killpg(second.pid, signal.SIGINT)
    printed_by_second, _ = second.communicate()
    printed, _ = first.communicate()

    assert second.returncode == 130
    assert printed_by_second.splitlines()[-1] == "Stopped."
    assert first.returncode == 0, printed
    assert len(re.findall("^  ✓ ", printed, re.MULTILINE)) == 8
    leaks = places_with_a_login({"the demo that finished": printed, "the demo that was stopped": printed_by_second})
    assert leaks == []
    for state in states:
        assert not state.exists()
        assert not processes_in(state)


def test_a_demo_stops_without_a_traceback_when_the_reader_of_its_output_ends() -> None:
    command = [sys.executable, "-m", "local", "demo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        demo.stdout.readline()
        demo.stdout.close()
        errors = demo.stderr.read()

    assert (demo.returncode, errors) == (-signal.SIGPIPE, "")
    state = ROOT / ".local" / f"demo-{demo.pid}"
    assert not state.exists()
    assert not processes_in(state)


@pytest.mark.parametrize("arguments", [[], ["dmo"], ["demo", "now"]])
def test_an_unknown_command_prints_one_usage_line(arguments: list[str]) -> None:
    finished = subprocess.run([sys.executable, "-m", "local", *arguments], cwd=ROOT, capture_output=True, text=True)

    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr == "usage: python -m local {demo,up [<environment>],down}\n"


def test_up_starts_an_aws_that_tools_can_use_until_down(tmp_path: Path) -> None:
    state = tmp_path / "up"

    first = run(state, "up")
    try:
        second = run(state, "up")
        other = run(state, "up", "prod", environments=folder_with_prod(tmp_path))
        identities = identities_in(state)
    finally:
        down = run(state, "down")
    second_down = run(state, "down")

    assert (first.returncode, second.returncode, down.returncode) == (0, 0, 0)
    assert "is already running" in second.stdout
    assert (other.returncode, other.stderr) == (
        1,
        "\n  ✗ the emulator runs with local; stop it first with: make down\n",
    )
    assert "SecretNameDockerDefault = airflow/connections/docker_default" in second.stdout
    assert identities == {
        "default": f"arn:aws:iam::{ACCOUNT}:root",
        "operator": f"arn:aws:iam::{ACCOUNT}:user/operator",
        "other-admin": f"arn:aws:iam::{ACCOUNT}:user/other-admin",
        "worker": WORKER_ROLE_ARN.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/"),
        "break-glass": f"arn:aws:sts::{ACCOUNT}:assumed-role/BreakGlass",
        "analyst": f"arn:aws:iam::{ACCOUNT}:user/analyst",
        "push": f"arn:aws:sts::{ACCOUNT}:assumed-role/local-ecr-push-analytics",
        "push-analytics": f"arn:aws:sts::{ACCOUNT}:assumed-role/local-ecr-push-analytics",
        "risk-ci": f"arn:aws:sts::{ACCOUNT}:assumed-role/risk-ci",
        "push-risk": f"arn:aws:sts::{ACCOUNT}:assumed-role/local-ecr-push-risk",
    }
    assert not processes_in(state)
    assert (second_down.returncode, second_down.stderr) == (
        1,
        "The emulator is not running. Start it with: make up\n",
    )


def test_up_deploys_a_real_file_in_its_own_account_and_region(tmp_path: Path) -> None:
    state = tmp_path / "up"
    environments = folder_with_prod(tmp_path)

    started = run(state, "up", "prod", environments=environments)
    try:
        assert started.returncode == 0, started.stderr
        profiles = profiles_in(state)
        aws = EmbeddedAws.running(state)
        assert aws is not None
        # The AWS CLI keeps role sessions in a cache, and a session of an earlier start is not valid. Each start has
        # another process id.
        session_names = set(re.findall("^role_session_name = (.+)$", (state / "profiles").read_text(), re.MULTILINE))
        assert session_names == {f"local-{aws.pid}"}
        deployed = outputs(aws, "prod")
        docker_login(aws, profiles["push-analytics"][1]).push("analytics/web-scraper:1", {"marker": "prod"})
        worker = aws.client("secretsmanager", profiles["worker"][1])
        _, connection = read(worker, "airflow/connections/docker_default")
        pulled = log_in(aws, connection).pull("analytics/web-scraper:1")
    finally:
        run(state, "down")

    assert "The environment prod is deployed to its account 210987654321 in eu-west-1." in started.stdout
    assert deployed["RegistryHost"] == "210987654321.dkr.ecr.eu-west-1.amazonaws.com"
    assert pulled == {"marker": "prod"}
    assert {name: re.sub("^arn:aws:(sts::210987654321:)?", "", arn) for name, (arn, _) in profiles.items()} == {
        "default": "iam::210987654321:root",
        "operator": "iam::210987654321:user/operator",
        "other-admin": "iam::210987654321:user/other-admin",
        "worker": "assumed-role/airflow-worker",
        "break-glass": "assumed-role/BreakGlass",
        "analytics-ci": "assumed-role/analytics-ci",
        "DataAnalyst": "assumed-role/AWSReservedSSO_DataAnalyst_0123456789abcdef",
        "push-analytics": "assumed-role/prod-ecr-push-analytics",
        "push": "assumed-role/prod-ecr-push-analytics",
        "ana": "iam::210987654321:user/ana",
        "push-risk": "AccessDenied",  # The role requires MFA, which the emulator does not have.
    }
    assert not processes_in(state)


@pytest.mark.parametrize(
    ("name", "region", "message"),
    [
        ("stage", "eu-west-1", "environments/stage.toml does not exist; copy a file from examples/ and edit it"),
        ("prod", "cn-north-1", "prod.toml: region: the emulator has no Region cn-north-1"),
        ("prod", "mars-1", "prod.toml: region: 'mars-1' is not an AWS Region"),
    ],
)
def test_an_environment_that_cannot_be_rehearsed_is_refused_in_one_line(
    tmp_path: Path, name: str, region: str, message: str
) -> None:
    environments = folder_with_prod(tmp_path)
    prod = environments / "prod.toml"
    text = prod.read_text().replace('region = "eu-west-1"', f'region = "{region}"')
    if region == "cn-north-1":
        text = text.replace("arn:aws:", "arn:aws-cn:").replace('secret_key = "customer"', 'secret_key = "aws"')
    prod.write_text(text)

    refused = run(tmp_path / "up", "up", name, environments=environments)

    assert refused.returncode == 1
    assert refused.stderr.strip().startswith(f"✗ {message}")
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "up").exists()


@pytest.mark.parametrize(
    ("version", "warns"),
    [
        ("aws-cli/2.9.19 Python/3.11.2", True),
        ("aws-cli/2.12.7 Python/3.11.2", True),
        ("aws-cli/2.13.0 Python/3.11.2", False),
        ("aws-cli/2.31.1 Python/3.13.7", False),
        ("aws-cli/1.22.34 Python/3.10.6", True),
        ("aws-cli/1.28.85 Python/3.10.6", True),
        ("aws-cli/1.29.0 Python/3.10.6", True),
        ("aws-cli/1.45.11 Python/3.11.7", True),
        (None, False),
    ],
)
def test_the_environment_file_warns_of_an_aws_cli_that_would_ask_the_real_aws(
    tmp_path: Path, version: str | None, warns: bool
) -> None:
    if version:
        (tmp_path / "aws").write_text(f"#!/bin/sh\necho '{version}'\n")
        (tmp_path / "aws").chmod(0o755)
    shell = subprocess.run(["/bin/sh", "-c", up.CLI_CHECK], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert (shell.returncode, shell.stdout, len(shell.stderr.splitlines())) == (0, "", int(warns))


def folder_with_prod(tmp_path: Path) -> Path:
    """Return a folder of settings with copies of local.toml and examples/prod.toml."""
    folder = tmp_path / "environments"
    folder.mkdir()
    for file in ("environments/local.toml", "examples/prod.toml"):
        shutil.copy(ROOT / file, folder)
    return folder


def run(state: Path, *arguments: str, environments: Path = ROOT / "environments") -> subprocess.CompletedProcess[str]:
    """Run `make up` or `make down` with a separate state folder, because an emulator of the developer may run."""
    program = (
        "import pathlib, sys; from local import __main__, up; "
        f"up.STATE = pathlib.Path({str(state)!r}); up.ENVIRONMENTS = pathlib.Path({str(environments)!r}); "
        "__main__.main()"
    )
    return subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)


PROFILES = """
import boto3, json
from botocore.exceptions import ClientError
found = {}
for name in boto3.Session().available_profiles:
    session = boto3.Session(profile_name=name)
    try:
        key = session.get_credentials().get_frozen_credentials()
        arn = session.client("sts").get_caller_identity()["Arn"]
        found[name] = [arn, {"AccessKeyId": key[0], "SecretAccessKey": key[1], "SessionToken": key[2]}]
    except ClientError as error:
        found[name] = [error.response["Error"]["Code"], {}]
print(json.dumps(found))
"""


def profiles_in(state: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """Source the environment file as a user does, and return the identity and the credentials of each profile.

    The identity is the ARN without the name of a role session. If the request fails, the identity is the error code.
    """
    script = f'. {state}/environment.sh && exec "$0" -c "$1"'
    printed = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, PROFILES],
        env={"PATH": "/nonexistent"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {
        name: (re.sub(r"(assumed-role/[^/]+)/.*", r"\1", identity), credentials)
        for name, (identity, credentials) in json.loads(printed).items()
    }


def identities_in(state: Path) -> dict[str, str]:
    return {name: identity for name, (identity, _) in profiles_in(state).items()}
