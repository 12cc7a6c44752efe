"""`make demo`, `make up` and `make down`, run as a person runs them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local import up
from local.account import WORKER_ROLE_ARN
from local.embedded_aws import ACCOUNT
from tests.local.logins import places_with_a_login
from tools import ROOT


def start_demo() -> subprocess.Popen[str]:
    """Start a demo in its own process group, as a terminal does, so that Ctrl-C reaches all of its processes."""
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
    read_until(second, "Synthesizing")
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
    assert finished.stderr == "usage: python -m local {demo,up,down}\n"


def test_up_starts_an_aws_that_tools_can_use_until_down(tmp_path: Path) -> None:
    state = tmp_path / "up"

    first = run("up", state)
    try:
        second = run("up", state)
        identities = identities_of_profiles(dict(re.findall(r"^export (\w+)=(.*)$", first.stdout, re.MULTILINE)))
    finally:
        down = run("down", state)
    second_down = run("down", state)

    assert (first.returncode, second.returncode, down.returncode) == (0, 0, 0)
    assert "is already running" in second.stdout
    assert "SecretNameDockerDefault = airflow/connections/docker_default" in second.stdout
    assert identities == [
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:iam::{ACCOUNT}:user/analyst",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/local-ecr-push-analytics",
        f"arn:aws:iam::{ACCOUNT}:user/operator",
        WORKER_ROLE_ARN.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/"),
        f"arn:aws:sts::{ACCOUNT}:assumed-role/BreakGlass",
        f"arn:aws:iam::{ACCOUNT}:user/other-admin",
    ]
    assert not processes_in(state)
    assert (second_down.returncode, second_down.stderr) == (
        1,
        "The embedded AWS is not running. Start it with: make up\n",
    )


def run(command: str, state: Path) -> subprocess.CompletedProcess[str]:
    """Run `make up` or `make down` with another state folder: the developer may have one running."""
    program = f"import pathlib; from local import up; up.STATE = pathlib.Path({str(state)!r}); up.{command}()"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)


def identities_of_profiles(variables: dict[str, str]) -> list[str]:
    """Return the identity that boto3 has in each profile under these variables; a role session without its name."""
    identity = "boto3.Session(profile_name=name).client('sts').get_caller_identity()['Arn']"
    program = f"import boto3, sys\nfor name in sys.argv[1:]: print({identity})"
    finished = subprocess.run(
        [sys.executable, "-c", program, *up.PROFILES],
        env={"PATH": os.environ["PATH"], **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    return [re.sub(r"(assumed-role/[^/]+)/.*", r"\1", arn) for arn in finished.stdout.split()]
