"""`make demo`, `make up` and `make down` as a person meets them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from local import up
from local.account import WORKER_ROLE_ARN
from local.embedded_aws import ACCOUNT
from tests.local.logins import places_with_a_login
from tools import ROOT


def start_demo() -> subprocess.Popen[str]:
    """As in a terminal: a process group of its own, which Ctrl-C reaches whole."""
    return subprocess.Popen(
        [sys.executable, "-m", "local", "demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], word: str) -> None:
    """Read what the process prints until the word is there. The test's own timeout is the runner's."""
    printed = ""
    while word not in printed:
        character = process.stdout.read(1) if process.stdout else ""
        assert character, f"ended before {word!r}: {printed}"
        printed += character


def processes_in(state: Path) -> list[str]:
    """The processes that were given a state folder in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(state) in (process / "environ").read_text(errors="replace"):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # It ended, or is not ours to look at.
    return found


def test_two_demos_at_once_do_not_meet_and_ctrl_c_ends_one_whole() -> None:
    first, second = start_demo(), start_demo()
    states = [ROOT / ".local" / f"demo-{demo.pid}" for demo in (first, second)]
    read_until(second, "Synthesizing")
    assert processes_in(states[1])

    os.killpg(second.pid, signal.SIGINT)
    told, _ = second.communicate()
    printed, _ = first.communicate()

    assert second.returncode == 130
    assert told.splitlines()[-1] == "Stopped."
    assert first.returncode == 0, printed
    assert len(re.findall("^  ✓ ", printed, re.MULTILINE)) == 8
    leaks = places_with_a_login({"the one that ran to its end": printed, "the one that was stopped": told})
    assert leaks == []
    for state in states:
        assert not state.exists()
        assert not processes_in(state)


def test_up_keeps_an_aws_that_tools_can_use_until_down(tmp_path: Path) -> None:
    state = tmp_path / "up"

    first = run("up", state)
    try:
        second = run("up", state)
        used = use(dict(re.findall(r"^export (\w+)=(.*)$", first.stdout, re.MULTILINE)))
    finally:
        down = run("down", state)
    once_more = run("down", state)

    assert (first.returncode, second.returncode, down.returncode) == (0, 0, 0)
    assert "It runs already" in second.stdout
    assert "SecretNameDockerDefault = airflow/connections/docker_default" in second.stdout
    assert used == [
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:iam::{ACCOUNT}:user/analyst",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/local-ecr-push-analytics",
        f"arn:aws:iam::{ACCOUNT}:user/operator",
        WORKER_ROLE_ARN.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/"),
        f"arn:aws:sts::{ACCOUNT}:assumed-role/BreakGlass",
        f"arn:aws:iam::{ACCOUNT}:user/stranger",
    ]
    assert not processes_in(state)
    assert (once_more.returncode, once_more.stderr) == (1, "It does not run. `make up` starts it.\n")


def run(command: str, state: Path) -> subprocess.CompletedProcess[str]:
    """`make up` or `make down`, with its state elsewhere: a developer may have one running."""
    program = f"import pathlib; from local import up; up.STATE = pathlib.Path({str(state)!r}); up.{command}()"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)


def use(variables: dict[str, str]) -> list[str]:
    """Who one is in each profile, for a tool with these variables; of a role's session, the role."""
    who = "boto3.Session(profile_name=name).client('sts').get_caller_identity()['Arn']"
    program = f"import boto3, sys\nfor name in sys.argv[1:]: print({who})"
    told = subprocess.run(
        [sys.executable, "-c", program, *up.PROFILES],
        env={"PATH": os.environ["PATH"], **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    return [re.sub(r"(assumed-role/[^/]+)/.*", r"\1", arn) for arn in told.stdout.split()]
