"""The whole product in one go: deploy to an embedded AWS, push, pull, refuse, refresh. One line for each claim."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from local.account import WORKER_ROLE_ARN, Account, assume, docker_login, outputs, registry_client
from local.deployment import start_and_deploy
from local.embedded_aws import EmbeddedAws
from local.registry_client import RegistryClient, RegistryRefused
from tools import ROOT

T = TypeVar("T")
IMAGE = "analytics/web-scraper:1"
FILES = {"marker": "private image of the team analytics"}


class ClaimFailed(Exception):
    """What the demo shows did not happen."""


def main() -> None:
    """Run in a state of its own, so that two at once do not meet; stop all that was started, however it ends."""
    forget_earlier_failures()
    state = ROOT / ".local" / f"demo-{os.getpid()}"
    print("airflow-ecr-login on an embedded AWS: real templates, real CDK CLI, real function, IAM enforced\n")
    try:
        aws, account = start_and_deploy(state)
        with aws:
            print()
            for claim in claims(aws, account):
                print(f"  ✓ {claim}", flush=True)
    except Exception:
        print(f"\nThe logs of this run are in {state.relative_to(ROOT)}", file=sys.stderr)
        raise
    except KeyboardInterrupt:
        shutil.rmtree(state, ignore_errors=True)
        raise
    shutil.rmtree(state)
    print("\nAll of it held. `make up` keeps such an AWS running, to try things yourself.")


def forget_earlier_failures() -> None:
    """Remove the logs of demos that failed; a demo that still runs keeps what it has."""
    for state in (ROOT / ".local").glob("demo-*"):
        try:
            os.kill(int(state.name.removeprefix("demo-")), 0)
        except ProcessLookupError:
            shutil.rmtree(state, ignore_errors=True)


def claims(aws: EmbeddedAws, account: Account) -> Iterator[str]:
    """Show one claim after the other; each is yielded once it held.

    Raises:
        ClaimFailed: something was allowed that must be refused, or is not as it should be.
    """
    deployed = outputs(aws)
    pusher = docker_login(aws, assume(aws, deployed["PushRoleArnAnalytics"], account.analyst))
    digest = pusher.push(IMAGE, FILES)
    yield f"The analyst, in the push role of the team analytics, pushed {IMAGE} ({digest[:19]}…)"

    refusal = refused(lambda: pusher.push("risk/var:1", FILES))
    yield f"The same analyst may not push to another team's risk/var: {refusal}"

    secret_name = deployed["SecretNameDockerDefault"]
    secrets_manager = aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))
    version, connection = read(secrets_manager, secret_name)
    expires_at = connection["extra"]["expires_at"]
    yield (
        f"An Airflow worker reads the connection docker_default: host {connection['host']}, "
        f"login {connection['login']}, expires {expires_at}"
    )

    refusal = refused(lambda: read(aws.client("secretsmanager", account.other_admin), secret_name))
    yield f"A stranger may not read it, even as an administrator: {refusal}"

    worker = log_in(aws, connection)
    expect(worker.pull(IMAGE) == FILES, "the pulled image is not the pushed one")
    yield f"The worker's docker pulled {IMAGE} with that login"

    refusal = refused(lambda: worker.push("analytics/web-scraper:2", FILES))
    yield f"That login may not push: {refusal}"

    aws.advance_clock(minutes=30)
    newer_version, newer = wait_for_newer(secrets_manager, secret_name, version)
    expect(newer["password"] != connection["password"], "the newer version holds the same login")
    expect(log_in(aws, newer).pull(IMAGE) == FILES, "the newer login does not pull")
    expect(worker.pull(IMAGE) == FILES, "the earlier login stopped working")
    yield (
        f"30 minutes on, the schedule fired and the secret holds a newer login (version {newer_version[:8]}… "
        f"after {version[:8]}…); both pull"
    )

    deny = {"Effect": "Deny", "Action": "secretsmanager:PutSecretValue", "Resource": "*"}
    policy = {"RoleName": deployed["PullRoleArnDockerDefault"].rsplit("/", 1)[-1], "PolicyName": "Deny"}
    aws.client("iam").put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": deny}))
    aws.advance_clock(minutes=91)
    try:
        description = wait_for_alarm(aws)
    finally:
        aws.client("iam").delete_role_policy(**policy)
    yield f"Once the function may not write any more, an alarm rings, 91 minutes after its last success: {description}"


def read(secrets_manager: Any, secret_name: str) -> tuple[str, dict[str, Any]]:
    """The secret's current version and the connection in it, as Airflow's Secrets Manager backend reads it."""
    value = secrets_manager.get_secret_value(SecretId=secret_name)
    return value["VersionId"], json.loads(value["SecretString"])


def log_in(aws: EmbeddedAws, connection: dict[str, Any]) -> RegistryClient:
    """Log in as DockerOperator does with the connection."""
    return registry_client(aws, connection["host"], connection["login"], connection["password"])


def wait_for_newer(secrets_manager: Any, secret_name: str, version: str) -> tuple[str, dict[str, Any]]:
    """The first version that differs from the given one."""

    def newer() -> tuple[str, dict[str, Any]] | None:
        current, connection = read(secrets_manager, secret_name)
        return (current, connection) if current != version else None

    return wait_for(newer, otherwise="the schedule did not refresh the login")


def wait_for_alarm(aws: EmbeddedAws) -> str:
    """What the first alarm says that rings for a login that is not refreshed."""

    def ringing() -> str | None:
        alarms = aws.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
        return next((str(a["AlarmDescription"]) for a in alarms if "NotRefreshed" in a["AlarmName"]), None)

    return wait_for(ringing, otherwise="no alarm rang")


def wait_for(look: Callable[[], T | None], otherwise: str) -> T:
    """What is seen, once there is something to see; ClaimFailed if there is nothing for 20 s."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if (seen := look()) is not None:
            return seen
        time.sleep(0.1)
    raise ClaimFailed(f"{otherwise} within 20 s")


def refused(attempt: Callable[[], object]) -> str:
    """Make an attempt that must be refused for lack of rights; returns the refusal."""
    try:
        attempt()
    except (RegistryRefused, ClientError) as refusal:
        # The registry and the API both say it in IAM's words.
        found = re.search(r"not authorized to perform: (\S+) on resource: arn(?::[^:]*){4}:(\S+)", str(refusal))
        if not found:
            raise ClaimFailed(f"refused for another reason: {refusal}") from refusal
        return f"not authorized to perform {found[1]} on {found[2]}"
    raise ClaimFailed("it was allowed and must be refused")


def expect(held: bool, otherwise: str) -> None:
    """Raise ClaimFailed unless it held."""
    if not held:
        raise ClaimFailed(otherwise)
