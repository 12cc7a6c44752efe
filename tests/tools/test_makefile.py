"""The targets of the Makefile, as a person calls them."""

import re
import subprocess
from pathlib import Path

import pytest

from tools import ROOT

DEPLOYING = ("bootstrap", "diff", "deploy", "destroy")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile, and with settings for `local` and `prod`."""
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "environments").mkdir()
    for name in ("local", "prod"):
        (tmp_path / "environments" / f"{name}.toml").touch()
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make without an `ENV` of the shell, and return what it printed."""
    command = ["env", "-u", "ENV", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_make_alone_explains_every_target(checkout: Path) -> None:
    phony = re.search(r"\.PHONY: ((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text())
    assert phony is not None
    targets = set(phony[1].replace("\\\n", " ").split()) - {"help", "set-up-to-deploy"}
    explained = re.findall(r"^  make (\S+)( ENV=prod)?  +[A-Z]", make(checkout).stdout, re.MULTILINE)
    assert {target for target, _ in explained} == targets
    assert {target for target, environment in explained if environment} == {*DEPLOYING, "settings"}


@pytest.mark.parametrize("target", DEPLOYING)
def test_deploying_sets_up_what_deploying_needs_only(checkout: Path, target: str) -> None:
    commands = make(checkout, "--dry-run", target, "ENV=prod").stdout.splitlines()
    assert commands[0] == "python3 -m tools.set_up deploy"
    assert len(commands) == 2
    assert commands[1].startswith(f"node_modules/.bin/cdk {target} ")


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
    assert [line.strip() for line in commands] == ["python3 -m tools.set_up deploy", command]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ("", "ENV is missing. Example: make deploy ENV=prod, for environments/prod.toml"),
        ("ENV=local", "ENV=local is for the AWS emulator. Use make demo or make up"),
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
