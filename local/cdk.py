"""The real CDK CLI, pointed at an embedded AWS."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tools import ROOT

ENVIRONMENTS = ROOT / "environments"
_CLI = ROOT / "node_modules" / ".bin" / "cdk"
_PARALLEL = ("--concurrency", "3")


class CdkFailed(Exception):
    """The CDK CLI ended with an error; the message is all that it printed."""


@contextmanager
def synthesizing(assembly: Path, *, environments: Path = ENVIRONMENTS) -> Iterator[None]:
    """Write the cloud assembly of a folder's environments while the body runs; at its end it is complete."""
    process = _start(
        ["synth", "--quiet", "--output", str(assembly), "--app", shlex.join([sys.executable, "app.py"])]
        + ["--context", f"environments={environments}"],
        # The built-in validation has its own run in the tests; here it would only cost two seconds.
        {"CDK_VALIDATION": "false", "CDK_DISABLE_CLI_TELEMETRY": "1"},
    )
    try:
        yield
        _finish(process)
    finally:
        process.kill()


def bootstrap(aws: EmbeddedAws) -> None:
    """Make what every CDK deploy needs in an account and region."""
    # Away from the project's cdk.json, whose app the CLI would synthesize first.
    _run(["bootstrap", f"aws://{ACCOUNT}/{REGION}"], aws.client_environment(), folder=aws.state)


def deploy(aws: EmbeddedAws, assembly: Path, *stacks: str) -> str:
    """Deploy stacks of an assembly, by default all of `local`, as `make deploy` does; returns what the CLI printed."""
    options = ("--require-approval", "never", "--import-existing-resources", *_PARALLEL)
    return _on(aws, assembly, "deploy", stacks, *options)


def diff(aws: EmbeddedAws, assembly: Path, *stacks: str) -> str:
    """Compare stacks of an assembly, by default all of `local`, with what is deployed; returns what the CLI printed."""
    return _on(aws, assembly, "diff", stacks, "--method", "template")


def destroy(aws: EmbeddedAws, assembly: Path, *stacks: str) -> str:
    """Destroy stacks of an assembly, by default all of `local`; returns what the CLI printed."""
    return _on(aws, assembly, "destroy", stacks, "--force", *_PARALLEL)


def _on(aws: EmbeddedAws, assembly: Path, command: str, stacks: tuple[str, ...], *options: str) -> str:
    chosen = stacks or ("local/*",)
    return _run([command, *chosen, *options, "--app", str(assembly)], aws.client_environment())


def _run(arguments: list[str], environment: dict[str, str], folder: Path = ROOT) -> str:
    process = _start(arguments, environment, folder)
    try:
        return _finish(process)
    finally:
        process.kill()


def _start(arguments: list[str], environment: dict[str, str], folder: Path = ROOT) -> subprocess.Popen[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.Popen(
        [str(_CLI), "--no-notices", "--no-color", *arguments],
        cwd=folder,
        env={**kept, "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _finish(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate()
    if process.returncode:
        raise CdkFailed(printed)
    return printed
