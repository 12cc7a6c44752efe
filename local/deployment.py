"""From nothing to a deployed `local` environment on an embedded AWS, with its progress on the terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import cdk
from local.account import Account, create_account
from local.embedded_aws import EmbeddedAws


def assembly(aws: EmbeddedAws) -> Path:
    """Where the cloud assembly of an embedded AWS is."""
    return aws.state / "cdk.out"


def start_and_deploy(
    state: Path, *, keep_running: bool = False, environments: Path = cdk.ENVIRONMENTS
) -> tuple[EmbeddedAws, Account]:
    """Start an embedded AWS in an empty account, bootstrap it, and deploy the folder's local.toml to it.

    Raises:
        CdkFailed: the CDK CLI failed; what was started has been stopped.
    """
    with progress("Starting the embedded AWS"):
        aws = EmbeddedAws.start(state, keep_running=keep_running)
    try:
        synthesizing = cdk.synthesizing(assembly(aws), environments=environments)
        with progress("Synthesizing the templates and bootstrapping the account"), synthesizing:
            account = create_account(aws)
            cdk.bootstrap(aws)
        with progress("Deploying local-Registry, local-Access and local-DockerLogin"):
            cdk.deploy(aws, assembly(aws))
    except BaseException:
        aws.stop()
        raise
    return aws, account


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    started = time.monotonic()
    print(f"  {what} …", end=" ", flush=True)
    try:
        yield
    except BaseException:
        print("no")
        raise
    print(f"{time.monotonic() - started:.1f} s")
