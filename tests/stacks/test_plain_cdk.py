"""The commands of the CDK CLI in the documentation, for users who do not use make."""

import os
import re
import shlex
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from local import cdk
from local.embedded_aws import EmbeddedAws
from tools import ROOT

CLI = ROOT / "node_modules" / ".bin" / "cdk"
PAGES = [*ROOT.glob("*.md"), *(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)]
COMMAND = re.compile(r"^ *(?:node_modules/\.bin/|npx )cdk (.*(?:\\\n.*)*)$", re.MULTILINE)
DOCUMENTED = sorted({command for page in PAGES for command in COMMAND.findall(page.read_text())})
# test_drift.py and test_locked_out.py in tests/local/ run these commands.
TESTED_ELSEWHERE = {"drift", "rollback"}
STACKS = ["Registry", "Access", "DockerLogin"]


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of the environments `dev` and `plain`. `plain` is in the account of the AWS emulator."""
    folder = tmp_path_factory.mktemp("plain-cdk")
    shutil.copy(cdk.ENVIRONMENTS / "local.toml", folder / "plain.toml")
    shutil.copy(ROOT / "examples" / "dev.toml", folder)
    with cdk.synthesizing(folder / "cdk.out", environments=folder):
        pass
    return folder / "cdk.out"


def run(assembly: Path, *arguments: str, **environment: str) -> str:
    """Run the CDK CLI with the working directory of a user, and return the output."""
    command = [str(CLI), "--no-notices", "--no-color", *arguments, "--app", str(assembly)]
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(command, cwd=ROOT, env={**inherited, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_every_documented_command_with_stacks_has_a_pattern_for_stacks() -> None:
    """Without a pattern, the CLI finds no stacks, because all stacks are in stages."""
    words = [shlex.split(command.replace("\\\n", " ")) for command in DOCUMENTED]
    taking = [
        command for command in words if command[0] in ("diff", "deploy", "destroy", "drift", "rollback", "import")
    ]

    assert {command[0] for command in taking} >= {"diff", "deploy", "destroy"}
    assert [command for command in taking if not any("/" in word for word in command[1:])] == []
    assert {command[0] for command in words} <= {"list", "diff", "deploy", "destroy"} | TESTED_ELSEWHERE


def test_list_shows_the_stacks_of_all_environments(assembly: Path) -> None:
    listed = [line.split()[0] for line in run(assembly, "list").splitlines()]

    assert sorted(listed) == sorted(f"{environment}/{stack}" for environment in ("dev", "plain") for stack in STACKS)


def test_diff_compares_only_the_stacks_that_match_the_pattern(aws: EmbeddedAws, assembly: Path) -> None:
    diff = partial(run, assembly, "diff", "--method", "template", **aws.client_environment())

    assert "Number of stacks with differences: 0" in diff()
    printed = diff("plain/*")
    assert f"Number of stacks with differences: {len(STACKS)}" in printed
    assert [stack for stack in STACKS if f"Stack plain/{stack}" not in printed] == []
    assert "Stack dev/" not in printed
