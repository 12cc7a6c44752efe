"""Run `ecr-login` in the process of the tests, which is faster than a process of its own."""

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from local.embedded_aws import EmbeddedAws
from ops.command_line import main
from tests.ops.ecr_login import Done
from tools import ROOT


def run(
    aws: EmbeddedAws,
    *arguments: str,
    credentials: dict[str, str] | None = None,
    folder: Path = ROOT / "environments",
    **others: str,
) -> Done:
    """Run a command against an AWS emulator.

    Args:
        aws: The emulator.
        arguments: The words of the command.
        credentials: Credentials as STS returns them; by default those of the account's root user.
        folder: The folder with the settings files.
        others: More environment variables.
    """
    variables = {"PATH": os.environ["PATH"], "HOME": str(aws.state), **aws.client_environment()}
    if credentials:
        variables |= {
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials.get("SessionToken", ""),
        }
    variables |= others
    out, error, code = io.StringIO(), io.StringIO(), 0
    words = ["ecr-login", *arguments, "--folder", str(folder)]
    with (
        patch.dict(os.environ, variables, clear=True),
        patch("sys.argv", words),
        redirect_stdout(out),
        redirect_stderr(error),
    ):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Done(code, out.getvalue(), error.getvalue())
