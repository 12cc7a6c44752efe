"""The CDK app: one stage per file in environments/."""

import gc

gc.disable()  # For the second or two of a synth, collecting garbage would only cost time: a seventh of it.

import sys
from pathlib import Path

import aws_cdk as cdk

from settings.environment import Environment
from settings.files import SettingsError, load_environments
from stacks.access import AccessStack
from stacks.docker_login.stack import DockerLoginStack
from stacks.fargate.stack import EcsTasksStack
from stacks.registry import RegistryStack
from stacks.worker_upkeep import WorkerUpkeepStack


def add_stage(app: cdk.App, environment: Environment) -> None:
    """Add the stacks of an environment. They share no reference: what one needs of another, it names."""
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


if __name__ == "__main__":
    app = cdk.App()
    try:
        environments = load_environments(Path(app.node.try_get_context("environments") or "environments"))
    except SettingsError as error:
        sys.exit(str(error))
    for environment in environments:
        add_stage(app, environment)
    app.synth()
