"""An Airflow installation with its settings. The tests run its commands and processes as a user does."""

import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from local.embedded_aws import EmbeddedAws
from tests.e2e import postgres
from tools import ROOT

VERSIONS = ("2", "3")
COMMAND_SECONDS = 120  # After a failed task, `dags test` waits some minutes for the retry, so it needs a time limit.
ANSWER = "exit code: "  # The same as in forked_cli.py, which this module cannot import, because it needs Airflow.


@dataclass(frozen=True)
class Ended:
    """The exit code and the output of a command. The output contains the log of the task."""

    version: str
    exit_code: int
    log: str = field(repr=False)

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0


class Airflow:
    """An installation of one Airflow version with its metadata database, on the machine of the Airflow worker."""

    def __init__(self, version: str, scratch: Path, dags: Path, docker_host: str) -> None:
        self.version = version
        self.database = f"airflow_{version}"
        self.folder = ROOT / f".venv-airflow-{version}" / "bin"
        self.home = scratch / f"airflow-{version}"
        self.home.mkdir(parents=True)
        self.environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "DOCKER_HOST": docker_host,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",  # Airflow 2 warns without it.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url(self.database),
        }
        self._outputs = 0
        self._one_at_a_time = threading.Lock()
        self._cli = subprocess.Popen(
            [str(self.folder / "python"), str(Path(__file__).with_name("forked_cli.py"))],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.home / "forked-cli.log").open("wb"),
            text=True,
        )

    def work_as(self, aws: EmbeddedAws, credentials: dict[str, str]) -> None:
        """Let every process that starts from now on read its connections from this emulator, with these credentials."""
        self.environment |= (
            aws.client_environment()
            | backend_settings()
            | {
                "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
                "AWS_SESSION_TOKEN": credentials["SessionToken"],
            }
        )

    def command(self, *arguments: str, **environment: str) -> Ended:
        """Run `airflow …` in a fork of a process that has already imported Airflow."""
        __tracebackhide__ = True  # An argument may be a password, which the traceback would show.
        with self._one_at_a_time:
            output = self._output(arguments)
            request = {"arguments": arguments, "environment": self.environment | environment, "output": str(output)}
            assert self._cli.stdin is not None
            assert self._cli.stdout is not None
            self._cli.stdin.write(f"{json.dumps(request)}\n")
            self._cli.stdin.flush()
            too_long = threading.Timer(COMMAND_SECONDS, self._cli.kill)
            too_long.start()
            try:
                for line in self._cli.stdout:
                    if line.startswith(ANSWER):
                        code = int(line.removeprefix(ANSWER))
                        return Ended(self.version, code, output.read_text(errors="replace"))
            finally:
                too_long.cancel()
        raise AssertionError(f"forked_cli.py ended: {(self.home / 'forked-cli.log').read_text()[-3000:]}")

    def start(self, *command: str) -> tuple[subprocess.Popen[bytes], Path]:
        """Start a program of this installation as a shell does. Return the process and the file with the output."""
        output = self._output(command)
        with output.open("wb") as file:
            process = subprocess.Popen(
                [str(self.folder / command[0]), *command[1:]],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        return process, output

    def program(self, *command: str) -> Ended:
        """Run a program of this installation as a shell does. Kill it after COMMAND_SECONDS."""
        __tracebackhide__ = True  # An argument may be a password, which the traceback would show.
        process, output = self.start(*command)
        try:
            process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return Ended(self.version, process.returncode, output.read_text(errors="replace"))

    def logs(self) -> dict[str, str]:
        """Return a dict of path to content with every file that this Airflow wrote."""
        files = [file for file in self.home.rglob("*") if file.is_file()]
        return {str(file.relative_to(self.home.parent)): file.read_text(errors="replace") for file in files}

    def _output(self, command: tuple[str, ...]) -> Path:
        self._outputs += 1
        name = re.sub(r"[^a-z0-9]+", "-", " ".join(command[:4]).lower()).strip("-")
        return self.home / f"output-{self._outputs:02d}-{name}.log"


def backend_settings() -> dict[str, str]:
    """Return the environment variables that docs/airflow/configure.md tells an operator to set."""
    page = (ROOT / "docs" / "airflow" / "configure.md").read_text()
    lines = re.findall(r"^export (AIRFLOW__SECRETS__\w+)=(.+)$", page, re.MULTILINE)
    return {name: value.strip("'") for name, value in lines}
