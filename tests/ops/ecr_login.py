"""Run `ecr-login` as a user's shell runs it."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.embedded_aws import EmbeddedAws
from tools import ROOT


@dataclass(frozen=True)
class Done:
    """A command that ended.

    Attributes:
        code: The exit code.
        out: The standard output.
        error: The standard error.
    """

    code: int
    out: str
    error: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def checks(self) -> dict[str, tuple[str, str, str]]:
        """The state, detail and fix of each check, by name."""
        return {check["name"]: (check["state"], check["detail"], check["fix"]) for check in self.json["checks"]}


def ecr_login(
    aws: EmbeddedAws,
    *arguments: str,
    credentials: dict[str, str] | None = None,
    folder: Path = ROOT / "environments",
    typed: str | None = None,
    **variables: str,
) -> Done:
    """Run a command against an AWS emulator.

    Args:
        aws: The emulator.
        arguments: The words of the command.
        credentials: Credentials as STS returns them; by default those of the account's root user.
        folder: The folder with the settings files.
        typed: What a person types at a terminal. By default, the standard input is not a terminal.
        variables: More environment variables.
    """
    environment = {"PATH": os.environ["PATH"], "HOME": str(aws.state), **aws.client_environment(), **variables}
    if credentials:
        environment |= {
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials.get("SessionToken", ""),
        }
    command = [str(ROOT / ".venv/bin/ecr-login"), *arguments, "--folder", str(folder)]
    run: dict[str, Any] = {"capture_output": True, "text": True, "env": environment, "cwd": "/"}
    if typed is None:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, **run)
    else:
        keyboard, terminal = os.openpty()
        with open(keyboard, "wb", buffering=0) as writer, open(terminal, "rb") as reader:
            writer.write(typed.encode())
            done = subprocess.run(command, stdin=reader, **run)
    return Done(done.returncode, done.stdout, done.stderr)
