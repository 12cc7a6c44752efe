"""No command prints a docker login. An error of every command is one line with the fix, and exit code 3."""

import io
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from local.account import Account
from local.embedded_aws import ACCOUNT, EmbeddedAws
from ops.command_line import COMMANDS
from ops.results import Check, State, print_checks
from tests.conftest import Deployed
from tests.local.emulator.patches.support import Credentials, trust
from tests.local.logins import places_with_a_login
from tests.ops.in_process import run
from tools import ROOT

OPTIONS = {
    "handoff": ["--for", "airflow"],
    "rollback": ["docker_default", "--yes"],
    "resume": ["docker_default"],
    "logs": ["docker_default"],
    "report": ["-o", "report.html"],
}
OTHER_ACCOUNT = "999999999999"
TOKEN = "QVdT" * 300


@pytest.fixture(scope="module")
def other_settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of `local` in another account, and of an environment that is not deployed."""
    folder = tmp_path_factory.mktemp("environments")
    settings = (ROOT / "environments/local.toml").read_text()
    (folder / "elsewhere.toml").write_text(settings.replace(ACCOUNT, OTHER_ACCOUNT))
    others = {"analytics": "physics", "risk": "chemistry"}
    for name, other in others.items():
        settings = settings.replace(f"teams.{name}", f"teams.{other}").replace(f'"{name}"', f'"{other}"')
    (folder / "future.toml").write_text(f'connections_prefix = "future/connections"\n{settings}')
    return folder


@pytest.fixture(scope="module")
def expired(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedAws, Credentials]]:
    """An emulator, and the credentials of a session that expired there."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("expired"), snapshot=deployed.snapshot) as aws:
        iam = aws.client("iam")
        document = json.dumps(trust(AWS=f"arn:aws:iam::{ACCOUNT}:root"))
        arn = iam.create_role(RoleName="short", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        session = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="short", DurationSeconds=900)
        aws.advance_clock(16)
        yield aws, session["Credentials"]


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """A port on which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def assert_one_line(done: Any, command: str, *parts: str) -> None:
    progress, error = done.error.splitlines()[:-1], done.error.splitlines()[-1]
    assert (done.code, done.out) == (3, "")
    assert all(line.startswith("Checking ") for line in progress) if command == "preflight" else progress == []
    for part in ("Error: ", *parts):
        assert part in error


@pytest.mark.parametrize("command", COMMANDS)
def test_without_credentials_the_error_says_how_to_sign_in(aws: EmbeddedAws, command: str) -> None:
    nobody = {"AccessKeyId": "", "SecretAccessKey": ""}
    done = run(aws, command, "local", *OPTIONS.get(command, []), credentials=nobody)
    assert_one_line(done, command, "Unable to locate credentials. Sign in with: aws sso login")


@pytest.mark.parametrize("command", COMMANDS)
def test_with_an_expired_session_the_error_says_to_sign_in_again(
    expired: tuple[EmbeddedAws, Credentials], command: str
) -> None:
    aws, credentials = expired
    done = run(aws, command, "local", *OPTIONS.get(command, []), credentials=credentials)
    assert_one_line(done, command, "Sign in again, for example with: aws sso login")


@pytest.mark.parametrize("command", COMMANDS)
def test_with_credentials_of_another_account_the_error_names_both_accounts(
    aws: EmbeddedAws, other_settings: Path, command: str
) -> None:
    done = run(aws, command, "elsewhere", *OPTIONS.get(command, []), folder=other_settings)
    assert_one_line(
        done, command, f"the credentials are of the account {ACCOUNT}, not {OTHER_ACCOUNT}. Use credentials"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_network_the_error_says_what_to_check(aws: EmbeddedAws, closed_port: int, command: str) -> None:
    done = run(aws, command, "local", *OPTIONS.get(command, []), AWS_ENDPOINT_URL=f"https://127.0.0.1:{closed_port}")
    assert_one_line(done, command, "Could not connect", "Check the network and the proxy settings")


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "preflight"])
def test_an_environment_that_is_not_deployed_is_named_with_the_command_that_deploys_it(
    aws: EmbeddedAws, other_settings: Path, command: str
) -> None:
    done = run(aws, command, "future", *OPTIONS.get(command, []), folder=other_settings)
    assert_one_line(done, command, "is not deployed", "Run: make deploy ENV=future")


@pytest.mark.parametrize("words", [[], ["local", "--no-such-option"], ["loacl"]], ids=["none", "option", "environment"])
@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_arguments_are_one_line(aws: EmbeddedAws, command: str, words: list[str]) -> None:
    done = run(aws, command, *words, *(OPTIONS.get(command, []) if words == ["loacl"] else []))
    assert_one_line(done, command)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "variables", "is_coloured"),
    [(Terminal(), {}, True), (Terminal(), {"NO_COLOR": "1"}, False), (io.StringIO(), {}, False)],
    ids=["terminal", "NO_COLOR", "pipe"],
)
def test_only_a_terminal_without_no_color_gets_colours(
    monkeypatch: pytest.MonkeyPatch, out: io.StringIO, variables: dict[str, str], is_coloured: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", **variables}.items():
        monkeypatch.setenv(name, value)
    with redirect_stdout(out):
        print_checks([Check("topic", State.BROKEN, "a problem", "a fix")])

    assert ("\x1b[31m" in out.getvalue()) == is_coloured
    assert out.getvalue().count("\x1b") == 0 or isinstance(out, Terminal)


def test_the_help_of_a_command_does_not_import_the_slow_parts_of_botocore() -> None:
    program = "import sys, ops.status, ops.doctor, ops.preflight; print('botocore.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("body", [{"__type": "InternalServiceError", "message": TOKEN}, TOKEN], ids=["json", "text"])
@pytest.mark.parametrize(
    ("command", "operation"),
    [
        ("preflight", "DescribeSecret"),
        ("status", "ListSecretVersionIds"),
        ("doctor", "GetResourcePolicy"),
        ("handoff", "ListImages"),
        ("refresh", "GetAuthorizationToken"),
        ("rollback", "ListSecretVersionIds"),
        ("logs", "FilterLogEvents"),
        ("lifecycle", "DescribeImages"),
        ("report", "DescribeSecret"),
    ],
)
def test_no_output_contains_a_token_that_is_in_an_answer_of_aws(
    expired: tuple[EmbeddedAws, Credentials], tmp_path: Path, command: str, operation: str, body: Any
) -> None:
    aws, _ = expired
    aws.advance_clock(30)
    words = ["-o", str(tmp_path / "report.html")] if command == "report" else OPTIONS.get(command, [])
    with aws.fault(operation, status=500, body=body):
        done = run(aws, command, "local", *words)

    assert "Traceback" not in done.error
    texts = {"out": done.out, "error": done.error, **{file.name: file.read_text() for file in tmp_path.iterdir()}}
    found = places_with_a_login(texts)
    assert found == []


def test_no_output_contains_a_docker_login(
    expired: tuple[EmbeddedAws, Credentials], account: Account, tmp_path: Path
) -> None:
    aws, _ = expired
    texts: dict[str, str] = {}
    for command in COMMANDS:
        words = ["-o", str(tmp_path / "report.html")] if command == "report" else OPTIONS.get(command, [])
        if command == "doctor":
            words = ["--active", "--write-report", str(tmp_path / "report.json")]
        done = run(aws, command, "local", *words)
        texts |= {f"{command} out": done.out, f"{command} error": done.error}
    texts |= {file.name: file.read_text() for file in tmp_path.iterdir()}
    found = places_with_a_login(texts)
    assert found == []
    assert len(texts) == 2 * len(COMMANDS) + 2
