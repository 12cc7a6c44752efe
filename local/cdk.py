"""Run the real CDK CLI against an AWS emulator."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.embedded_aws import EmbeddedAws
from tools import ROOT

ENVIRONMENTS = ROOT / "environments"
_CLI = ROOT / "node_modules" / ".bin" / "cdk"
_IN_PARALLEL = ("--concurrency", "3")


class CdkFailed(Exception):
    """The CDK CLI failed. The message is the whole output of the CLI."""


@contextmanager
def synthesizing(assembly: Path, *, environments: Path = ENVIRONMENTS) -> Iterator[None]:
    """Synthesize the environments of a folder in a process that runs beside the body of the `with` statement.

    Args:
        assembly: the folder for the cloud assembly. The assembly is complete when the `with` statement ends.
        environments: the folder of settings files.

    Raises:
        CdkFailed: the CDK CLI failed.
    """
    process = _start(
        ["synth", "--quiet", "--output", str(assembly), "--app", shlex.join([sys.executable, "app.py"])]
        + ["--context", f"environments={environments}"],
        # The built-in validation would add two seconds here. The tests run the validation separately.
        {"CDK_VALIDATION": "false", "CDK_DISABLE_CLI_TELEMETRY": "1"},
    )
    try:
        yield
        _wait(process)
    finally:
        process.kill()


def bootstrap(aws: EmbeddedAws) -> None:
    """Bootstrap the account and Region of the emulator. Every CDK deployment needs the bootstrap stack.

    Raises:
        CdkFailed: the CDK CLI failed.
    """
    # In the project's folder, the CLI would read cdk.json and synthesize the app first.
    _run(["bootstrap", f"aws://{aws.account}/{aws.region}"], aws.client_environment(), folder=aws.state)


def deploy(aws: EmbeddedAws, assembly: Path, *stacks: str) -> str:
    """Deploy stacks of an assembly as `make deploy` does, by default all of `local`, and return the CLI's output.

    Raises:
        CdkFailed: the CDK CLI failed.
    """
    options = ("--require-approval", "never", "--import-existing-resources", *_IN_PARALLEL)
    return _run_on_stacks(aws, assembly, "deploy", stacks, *options)


def diff(aws: EmbeddedAws, assembly: Path, *stacks: str) -> str:
    """Compare stacks of an assembly, by default all of `local`, with the deployed stacks. Return the CLI's output.

    Raises:
        CdkFailed: the CDK CLI failed.
    """
    return _run_on_stacks(aws, assembly, "diff", stacks, "--method", "template")


def drift(aws: EmbeddedAws, assembly: Path, *stacks: str) -> str:
    """Compare deployed resources of an assembly's stacks with their templates, and return the CLI's output.

    Raises:
        CdkFailed: the CDK CLI failed.
    """
    return _run_on_stacks(aws, assembly, "drift", stacks)


def destroy(aws: EmbeddedAws, assembly: Path, *stacks: str) -> str:
    """Destroy stacks of an assembly, by default all of `local`, and return the CLI's output.

    Raises:
        CdkFailed: the CDK CLI failed.
    """
    return _run_on_stacks(aws, assembly, "destroy", stacks, "--force", *_IN_PARALLEL)


def _run_on_stacks(aws: EmbeddedAws, assembly: Path, command: str, stacks: tuple[str, ...], *options: str) -> str:
    patterns = stacks or ("local/*",)
    return _run([command, *patterns, *options, "--app", str(assembly)], aws.client_environment())


def _run(arguments: list[str], environment: dict[str, str], folder: Path = ROOT) -> str:
    process = _start(arguments, environment, folder)
    try:
        return _wait(process)
    finally:
        process.kill()


def _start(arguments: list[str], environment: dict[str, str], folder: Path = ROOT) -> subprocess.Popen[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.Popen(
        [str(_CLI), "--no-notices", "--no-color", *arguments],
        cwd=folder,
        env={**inherited, "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate()
    if process.returncode:
        raise CdkFailed(printed)
    return printed
