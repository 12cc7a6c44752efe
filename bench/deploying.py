"""The waiting times of a synthesis, of a deployment that changes nothing, and of a deployment from a new clone."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.processes import BenchFailed, Cost, cost_of
from local.embedded_aws import EmbeddedAws
from tools import ROOT

BASELINE = "synth, one environment"


def variants(aws: EmbeddedAws, folder: Path) -> dict[str, Callable[[], Cost]]:
    """Return a dict of a variant's name to a function that runs the variant.

    Args:
        aws: An AWS emulator in which the environment `local` is deployed.
        folder: The folder for the files of the variants.
    """
    one = folder / "one-environment"
    one.mkdir()
    shutil.copy(ROOT / "environments" / "local.toml", one)
    return {
        BASELINE: partial(synth, folder, one, validation=False),
        "synth, two environments": partial(synth, folder, ROOT / "examples", validation=False),
        "synth, two environments, validated": partial(synth, folder, ROOT / "examples", validation=True),
        "`make deploy`, no change": partial(_redeploy, aws, folder),
        "`git clone`, `make up`": _clone_and_deploy,
    }


def synth(folder: Path, environments: Path, *, validation: bool) -> Cost:
    """Synthesize all settings files of a folder.

    Args:
        folder: The folder for the cloud assembly.
        environments: The folder with the settings files.
        validation: Whether CDK's built-in validation checks the templates.
    """
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    environment = {
        **_own_environment(),
        "CDK_OUTDIR": str(folder / "synth"),
        "CDK_CONTEXT_JSON": json.dumps({**context, "environments": str(environments)}),
        **({} if validation else {"CDK_VALIDATION": "false"}),
    }
    return cost_of([sys.executable, "app.py"], environment, ROOT)


def _redeploy(aws: EmbeddedAws, folder: Path) -> Cost:
    """Run the command of `make deploy`.

    Raises:
        BenchFailed: The command failed, or the deployment changed a stack.
    """
    cdk = ROOT / "node_modules" / ".bin" / "cdk"
    options = ["--import-existing-resources", "--require-approval", "never", "--output", str(folder / "deploy")]
    before = _stack_events(aws)
    cost = cost_of([cdk, "deploy", *options, "local/*"], {**_own_environment(), **aws.client_environment()}, ROOT)
    if _stack_events(aws) != before:
        raise BenchFailed("a deployment without a change changed a stack")
    return cost


def _stack_events(aws: EmbeddedAws) -> int:
    events = aws.client("cloudformation").get_paginator("describe_stack_events")
    stacks = [f"local-{name}" for name in ("Registry", "Access", "DockerLogin")]
    return sum(len(page["StackEvents"]) for stack in stacks for page in events.paginate(StackName=stack))


def _clone_and_deploy() -> Cost:
    """Clone the repository and run `make up` in the clone. Only the caches of pip, uv and npm are warm."""
    with TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        try:
            program = f"git clone --quiet '{ROOT}' '{clone}' && make --directory '{clone}' up"
            return cost_of(["sh", "-c", program], _own_environment(), ROOT)
        finally:
            down = ["make", "--directory", str(clone), "down"]
            subprocess.run(down, env=_own_environment(), capture_output=True)


def _own_environment() -> dict[str, str]:
    """Return this process's environment without the variables of make and without PYTHONDONTWRITEBYTECODE."""
    unwanted = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHONDONTWRITEBYTECODE")
    silence = {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20"}
    return {name: value for name, value in os.environ.items() if name not in unwanted} | silence
