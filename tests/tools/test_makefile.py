"""The targets of the Makefile, called as a user calls them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import ROOT

DEPLOYING = ("bootstrap", "diff", "deploy", "destroy")
OPERATING = ("preflight", "status", "doctor", "lifecycle")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile and its tools, and with settings for `local` and `prod`."""
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    (tmp_path / "environments").mkdir()
    for name in ("local", "prod"):
        (tmp_path / "environments" / f"{name}.toml").touch()
    return tmp_path


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make without the shell's `ENV` and with these environment variables, and return the output."""
    command = ["env", "-u", "ENV", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", *arguments]
    environment = {**os.environ, "AWS_ENDPOINT_URL": "", "HOME": str(folder), **variables}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def test_make_alone_explains_every_target(checkout: Path) -> None:
    phony = re.search(r"\.PHONY: ((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text())
    assert phony is not None
    targets = set(phony[1].replace("\\\n", " ").split()) - {
        "help",
        "set-up-to-deploy",
        "set-up-to-operate",
        "cdk-options",
    }
    explained = re.findall(r"^  make (\S+)( ENV=prod)?  +[A-Z]", make(checkout).stdout, re.MULTILINE)
    assert {target for target, _ in explained} == targets
    assert {target for target, environment in explained if environment} == {*DEPLOYING, "settings", *OPERATING}


@pytest.mark.parametrize("target", OPERATING)
def test_operating_sets_up_the_packages_of_the_command_line_only(checkout: Path, target: str) -> None:
    commands = make(checkout, "--dry-run", target, "ENV=prod", "OPTIONS=--json").stdout.splitlines()
    assert commands == ["python3 -m tools.set_up ops", f".venv/bin/ecr-login {target} --json 'prod'"]


@pytest.mark.parametrize("target", DEPLOYING)
def test_deploying_sets_up_what_deploying_needs_only(checkout: Path, target: str) -> None:
    commands = make(checkout, "--dry-run", target, "ENV=prod").stdout.splitlines()
    assert commands[:2] == [f"python3 -m tools.cdk_options '{target}' ", "python3 -m tools.set_up deploy"]
    assert len(commands) == (4 if target == "deploy" else 3)
    assert f"node_modules/.bin/cdk {target} " in commands[-1]


def test_a_deployment_asks_aws_first_what_would_stop_it(checkout: Path) -> None:
    asked = ".venv/bin/ecr-login preflight 'prod' -- --profile admin || test $? -ne 2"
    options = "CDK_OPTIONS=--profile admin"
    assert make(checkout, "--dry-run", "deploy", "ENV=prod", options).stdout.splitlines()[2] == asked
    assert asked not in make(checkout, "--dry-run", "deploy", "ENV=prod", options, "PREFLIGHT=off").stdout


@pytest.mark.parametrize("target", DEPLOYING)
def test_local_can_be_deployed_to_an_embedded_aws_that_runs(checkout: Path, target: str) -> None:
    made = make(checkout, "--dry-run", target, "ENV=local", AWS_ENDPOINT_URL="https://127.0.0.1:4566")
    assert made.returncode == 0
    refused = make(checkout, "--dry-run", target, "ENV=local", AWS_ENDPOINT_URL="https://vpce.amazonaws.com")
    assert refused.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], ".venv/bin/python -m settings"),
        (["ENV=prod"], ".venv/bin/python -m settings 'prod'"),
        (["ENV=local"], ".venv/bin/python -m settings 'local'"),
    ],
)
def test_settings_are_checked_for_one_environment_or_for_all(
    checkout: Path, arguments: list[str], command: str
) -> None:
    commands = make(checkout, "--dry-run", "settings", *arguments).stdout.splitlines()
    assert [line.strip() for line in commands[-2:]] == ["python3 -m tools.set_up deploy", command]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ("", "ENV is missing. Example: make deploy ENV=prod, for environments/prod.toml"),
        (
            "ENV=local",
            "ENV=local is for the AWS emulator. Use make demo or make up, or point AWS_ENDPOINT_URL at the emulator",
        ),
        ("ENV=stage", "environments/stage.toml does not exist. Copy a file from examples/ and edit it"),
        ("ENV=*", "environments/*.toml does not exist. Copy a file from examples/ and edit it"),
    ],
)
def test_a_wrong_environment_is_one_line_before_anything_is_installed(
    checkout: Path, environment: str, message: str
) -> None:
    refused = make(checkout, "deploy", *filter(None, [environment]))
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert re.fullmatch(r"Makefile:\d+: \*\*\* " + re.escape(message) + r"\.  Stop\.\n", refused.stderr)


@pytest.mark.parametrize(
    ("arguments", "variables", "option"),
    [
        (["CDK_OPTIONS=--express"], {}, "--express"),
        (["CDK_OPTIONS=--require-approval never -R"], {}, "-R"),
        (["CDK_ROLLBACK=false"], {}, "CDK_ROLLBACK"),
        ([], {"CDK_ROLE_ARN": "arn:aws:iam::123456789012:role/Other"}, "CDK_ROLE_ARN"),
        ([], {"CDK_OPTIONS": "--rollback=false"}, "--rollback=false"),
    ],
)
def test_an_option_that_breaks_the_promise_is_one_line_before_anything_is_installed(
    checkout: Path, arguments: list[str], variables: dict[str, str], option: str
) -> None:
    refused = make(checkout, "deploy", "ENV=prod", *arguments, **variables)
    assert refused.returncode == 2
    assert refused.stdout == ""
    message, failure = refused.stderr.splitlines()
    assert message.startswith(f"{option} is refused: ")
    assert re.fullmatch(r"make: \*\*\* \[Makefile:\d+: cdk-options\] Error 2", failure)
    assert not (checkout / ".venv").exists()
