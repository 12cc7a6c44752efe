"""Run the shell commands of a documentation page against an AWS emulator."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from local.embedded_aws import EmbeddedAws
from tests.test_docs import blocks
from tools import ROOT

# `make` runs what the Makefile runs, except the set-up. The settings of the tests are beside the cloud assembly instead
# of in environments/. The file .cdk.json beside the assembly is the user's ~/.cdk.json, in which the checks find the
# qualifier. The CDK CLI reads the assembly from CDK_APP. Nobody can answer its questions.
_PROGRAMS = {
    "bin/make": f"""
set -e
options=${{3#CDK_OPTIONS=}}
check() {{
  HOME=$(dirname "$CDK_APP") PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} "$@"
}}
check -m tools.cdk_options "$1" $options
case $1 in
  deploy)
    check -m ops preflight --folder "$(dirname "$CDK_APP")" "${{2#ENV=}}" -- $options || test $? -ne 2
    unattended='--require-approval never --import-existing-resources' ;;
  destroy) unattended=--force ;;
  *) unattended= ;;
esac
exec {shlex.quote(str(ROOT / "node_modules/.bin/cdk"))} "$1" $unattended $options "${{2#ENV=}}/*"
""",
    "bin/aws": f"""
PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m tests.local.aws_cli "$@"
""",
    "node_modules/.bin/cdk": f"""
case $1 in destroy) set -- "$@" --force ;; esac
exec {shlex.quote(str(ROOT / "node_modules/.bin/cdk"))} "$@"
""",
}


def commands(page: Path, heading: str) -> list[str]:
    """Return the shell blocks below a heading of a page, up to the next heading of the same or of a higher level."""
    text = page.read_text()
    [start] = re.finditer(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{len(start[1])}}} ", rest, re.MULTILINE)
    return blocks(rest[: end.start()] if end else rest, "sh")


class Shell:
    """A shell whose commands use an AWS emulator.

    Attributes:
        names: a dict of placeholder to value, such as `{"<env>": "prod"}`.
        assembly: the cloud assembly that `make` and the CDK CLI deploy.
    """

    def __init__(
        self, aws: EmbeddedAws, folder: Path, names: dict[str, str], credentials: dict[str, str] | None = None
    ) -> None:
        self.names = names
        self.assembly: Path | None = None
        self._folder = folder
        for name, script in _PROGRAMS.items():
            program = folder / name
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(f"#!/bin/sh{script}")
            program.chmod(0o755)
        inherited = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        self._environment = {**inherited, **aws.client_environment(), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        if credentials:
            self._environment |= {
                "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            }
            if "SessionToken" in credentials:
                self._environment["AWS_SESSION_TOKEN"] = credentials["SessionToken"]

    def run(self, *blocks: str) -> str:
        """Run blocks in one shell, and return what they print.

        Raises:
            AssertionError: a command failed, or a check before a deployment was skipped. The message contains the
                output.
        """
        script = "\n".join(blocks)
        for placeholder, value in self.names.items():
            script = script.replace(placeholder, value)
        assert not re.search(r"<[a-z-]+>", script), f"a placeholder has no value: {script}"
        environment = dict(self._environment)
        if self.assembly:
            environment["CDK_APP"] = str(self.assembly)
        ended = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert ended.returncode == 0, ended.stdout
        assert "not tried" not in ended.stdout, ended.stdout
        return ended.stdout
