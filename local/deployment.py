"""Start an AWS emulator and deploy an environment to it, with progress on the terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from local import cdk
from local.account import Account, create_account
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws

T = TypeVar("T")


def assembly(aws: EmbeddedAws) -> Path:
    """Return the folder of the cloud assembly that is deployed to an AWS emulator."""
    return aws.state / "cdk.out"


def start_and_deploy(
    state: Path, *, keep_running: bool = False, environments: Path = cdk.ENVIRONMENTS
) -> tuple[EmbeddedAws, Account]:
    """Call `start_and_deploy_environment` for the environment `local`. Also return the principals of its account."""
    return start_and_deploy_environment(
        "local", state, create_account, keep_running=keep_running, environments=environments
    )


def start_and_deploy_environment(
    name: str,
    state: Path,
    prepare: Callable[[EmbeddedAws], T],
    *,
    account: str = ACCOUNT,
    region: str = REGION,
    keep_running: bool = False,
    environments: Path = cdk.ENVIRONMENTS,
) -> tuple[EmbeddedAws, T]:
    """Start an AWS emulator, bootstrap its empty account, and deploy an environment to it.

    Args:
        name: the name of the environment.
        state: the folder for everything that the emulator writes.
        prepare: the function that creates the principals in the settings. Its result is returned.
        account: the account of the environment.
        region: the Region of the environment.
        keep_running: whether the emulator keeps running when this process ends.
        environments: the folder with the settings files.

    Raises:
        CdkFailed: the CDK CLI failed. The emulator has been stopped.
        EmbeddedAwsError: the emulator did not start.
    """
    with progress("Starting the emulator"):
        aws = EmbeddedAws.start(state, keep_running=keep_running, account=account, region=region)
    try:
        synthesizing = cdk.synthesizing(assembly(aws), environments=environments)
        with progress("Synthesizing the CloudFormation templates and preparing the account for the CDK"), synthesizing:
            prepared = prepare(aws)
            cdk.bootstrap(aws)
        with progress(f"Deploying the stacks of {name}"):
            cdk.deploy(aws, assembly(aws), f"{name}/*")
    except BaseException:
        aws.stop()
        raise
    return aws, prepared


@contextmanager
def progress(task: str) -> Iterator[None]:
    """Print the name of a task while it runs, and its duration when it ends."""
    started = time.monotonic()
    print(f"  {task} …", end=" ", flush=True)
    try:
        yield
    except BaseException:
        print("not finished")
        raise
    print(f"{time.monotonic() - started:.1f} s")
