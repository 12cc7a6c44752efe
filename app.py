"""The CDK app: one stage per settings file in environments/.

`make deploy` runs the app through the CDK CLI. `.venv/bin/python app.py` runs the app without the CDK CLI and writes
the same cloud assembly to cdk.out.
"""

import gc

# A synthesis takes one or two seconds, and garbage collection takes a seventh of this time. The process ends so soon
# that it does not need the freed memory.
gc.disable()

import json
import os
import sys
from collections.abc import Mapping, Sequence
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
from stacks.tags import tag_stage
from stacks.worker_upkeep import WorkerUpkeepStack

CDK_JSON = Path(__file__).with_name("cdk.json")

# The context values that the CDK CLI adds by default.
CLI_CONTEXT = {
    "aws:cdk:enable-asset-metadata": True,
    "aws:cdk:enable-path-metadata": True,
    "aws:cdk:version-reporting": True,
}


def create_app(outdir: Path, context: Mapping[str, Any], *, validate: bool = True) -> cdk.App:
    """Create an app with the feature flags of cdk.json.

    Only the CDK CLI reads cdk.json by itself, so this function reads the file for an app that runs without the CLI.

    Args:
        outdir: The folder for the cloud assembly.
        context: Additional context values.
        validate: Whether CDK's built-in validation checks the templates. The validation takes seconds.
    """
    flags = json.loads(CDK_JSON.read_text())["context"]
    return cdk.App(
        context={**flags, **context}, outdir=str(outdir), builtin_cloud_formation_validation=None if validate else False
    )


def add_stages(app: cdk.App, environments: Sequence[Environment]) -> None:
    """Add a stage for each environment.

    A stack refers to the resources of other stacks by name and imports no CloudFormation exports. Therefore, each
    stack can be deployed and deleted separately.

    Args:
        app: The app.
        environments: All environments in the folder of settings. A docker login may pull from the registry of another
            environment.
    """
    registries = {environment.registry for environment in environments}
    for environment in environments:
        place = cdk.Environment(account=environment.account, region=environment.region)
        stage = cdk.Stage(app, environment.name, env=place)
        RegistryStack(stage, "Registry", environment=environment)
        AccessStack(stage, "Access", environment=environment)
        DockerLoginStack(stage, "DockerLogin", environment=environment, deployed_registries=registries)
        if environment.workers.clean_up:
            WorkerUpkeepStack(stage, "WorkerUpkeep", clean_up=environment.workers.clean_up)
        if environment.ecs:
            EcsTasksStack(stage, "EcsTasks", environment=environment, tasks=environment.ecs.tasks)
        tag_stage(stage, environment.tags)


def main() -> None:
    """Synthesize every environment.

    The settings files are in the folder `environments`. The context value `environments` selects another folder.
    """
    # The CDK CLI passes the output folder and the context in environment variables. The context includes the flags of
    # cdk.json.
    app = cdk.App() if "CDK_OUTDIR" in os.environ else create_app(Path("cdk.out"), CLI_CONTEXT)
    try:
        environments = load_environments(Path(app.node.try_get_context("environments") or "environments"))
    except SettingsError as error:
        sys.exit(str(error))
    for warning in warnings_about(environments):
        print(warning, file=sys.stderr)
    add_stages(app, environments)
    app.synth()


if __name__ == "__main__":
    main()
