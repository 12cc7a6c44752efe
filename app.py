"""The CDK app: one stage per settings file in environments/.

`make deploy` runs it through the CDK CLI. `.venv/bin/python app.py` writes the same cloud assembly to cdk.out.
"""

import gc

# A synth takes a second or two, of which collecting garbage is a seventh. The process ends soon anyway.
gc.disable()

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from settings.environment import Environment
from settings.files import SettingsError, load_environments
from settings.warnings import warnings_about
from stacks.access import AccessStack
from stacks.docker_login.stack import DockerLoginStack
from stacks.fargate.stack import EcsTasksStack
from stacks.registry import RegistryStack
from stacks.worker_upkeep import WorkerUpkeepStack

CDK_JSON = Path(__file__).with_name("cdk.json")

# What the CDK CLI adds to the context of an app by default.
CLI_CONTEXT = {
    "aws:cdk:enable-asset-metadata": True,
    "aws:cdk:enable-path-metadata": True,
    "aws:cdk:version-reporting": True,
}


def create_app(outdir: Path, context: Mapping[str, Any], *, validate: bool = True) -> cdk.App:
    """Create an app with the feature flags of cdk.json, which otherwise only the CDK CLI reads.

    Args:
        outdir: The folder for the cloud assembly.
        context: More context values.
        validate: Whether CDK's built-in validation checks the templates. It takes seconds.
    """
    flags = json.loads(CDK_JSON.read_text())["context"]
    return cdk.App(
        context={**flags, **context}, outdir=str(outdir), builtin_cloud_formation_validation=None if validate else False
    )


def add_stage(app: cdk.App, environment: Environment) -> None:
    """Add the stacks of an environment.

    The stacks share no references, so that each can be deployed and deleted on its own. They refer to each other's
    resources by name.
    """
    stage = cdk.Stage(
        app, environment.name, env=cdk.Environment(account=environment.account, region=environment.region)
    )
    RegistryStack(stage, "Registry", environment=environment)
    AccessStack(stage, "Access", environment=environment)
    DockerLoginStack(stage, "DockerLogin", environment=environment)
    if environment.workers.clean_up:
        WorkerUpkeepStack(stage, "WorkerUpkeep", clean_up=environment.workers.clean_up)
    if environment.ecs:
        EcsTasksStack(stage, "EcsTasks", environment=environment, tasks=environment.ecs.tasks)


def main() -> None:
    """Synthesize every environment. The context value `environments` can name another folder of settings files."""
    # The CDK CLI passes the output folder and the context, with cdk.json's flags, in environment variables.
    app = cdk.App() if "CDK_OUTDIR" in os.environ else create_app(Path("cdk.out"), CLI_CONTEXT)
    try:
        environments = load_environments(Path(app.node.try_get_context("environments") or "environments"))
    except SettingsError as error:
        sys.exit(str(error))
    for warning in warnings_about(environments):
        print(warning, file=sys.stderr)
    for environment in environments:
        add_stage(app, environment)
    app.synth()


if __name__ == "__main__":
    main()
