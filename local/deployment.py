"""Start an embedded AWS and deploy the environment `local` to it, with progress on the terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import cdk
from local.account import Account, create_account
from local.embedded_aws import EmbeddedAws


def assembly(aws: EmbeddedAws) -> Path:
    """Return the folder of the cloud assembly that is deployed to an embedded AWS."""
    return aws.state / "cdk.out"


def start_and_deploy(
    state: Path, *, keep_running: bool = False, environments: Path = cdk.ENVIRONMENTS
) -> tuple[EmbeddedAws, Account]:
    """Start an embedded AWS, bootstrap its empty account, and deploy the environment `local` to it.

    Args:
        state: the folder for everything that the embedded AWS writes.
        keep_running: whether the embedded AWS keeps running when this process ends.
        environments: the folder with local.toml.

    Raises:
        CdkFailed: the CDK CLI failed. The embedded AWS has been stopped.
        EmbeddedAwsError: the embedded AWS did not start.
    """
    with progress("Starting the embedded AWS"):
        aws = EmbeddedAws.start(state, keep_running=keep_running)
    try:
        synthesizing = cdk.synthesizing(assembly(aws), environments=environments)
        with progress("Generating the CloudFormation templates and preparing the account for the CDK"), synthesizing:
            account = create_account(aws)
            cdk.bootstrap(aws)
        with progress("Deploying the three stacks local-Registry, local-Access and local-DockerLogin"):
            cdk.deploy(aws, assembly(aws))
    except BaseException:
        aws.stop()
        raise
    return aws, account


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
