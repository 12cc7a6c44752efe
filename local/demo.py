"""`make demo`: deploy to an AWS emulator, check what each user can do, and print one claim for each check."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
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
WAIT_SECONDS = 20

INTRODUCTION = """\
airflow-ecr-login keeps Apache Airflow logged in to Amazon ECR, so that its tasks can pull private
images. This demo starts an AWS emulator on this computer. It deploys the project to the emulator,
checks what each user can do, and removes everything at the end.
You need no AWS account.
"""
NEXT_STEPS = """\
What to try next:
  make up            start an emulator that keeps running, and use it with the AWS CLI and boto3
  docs/deploy.md     how to deploy to your own AWS account"""


class ClaimFailed(Exception):
    """A claim of the demo is not true. The message says what happened instead."""


def main() -> None:
    """Run the demo in a separate folder, so that several demos can run at once, and stop everything at the end."""
    remove_state_of_failed_demos()
    state = ROOT / ".local" / f"demo-{os.getpid()}"
    print(INTRODUCTION)
    print("1. Deploy the project", flush=True)
    started = time.monotonic()
    try:
        aws, account = start_and_deploy(state)
        with aws:
            print("\n2. Check what each user can do, with real calls to the emulator")
            count = print_claims(claims(aws, account))
    except (KeyboardInterrupt, BrokenPipeError):
        shutil.rmtree(state, ignore_errors=True)
        raise
    except Exception:
        print(f"\nThe logs of this demo are in {state.relative_to(ROOT)}", file=sys.stderr)
        raise
    shutil.rmtree(state)
    print(f"\nAll {count} checks passed, {time.monotonic() - started:.0f} seconds after the start.\n")
    print(NEXT_STEPS)


def print_claims(texts: Iterator[str]) -> int:
    """Print each claim when it is proven, with a tick before its first line. Return the number of claims."""
    count = 0
    for text in texts:
        print("  ✓ " + text.replace("\n", "\n    "), flush=True)
        count += 1
    return count


def remove_state_of_failed_demos() -> None:
    """Remove the folders of demos that have ended. A demo that failed does not remove its folder."""
    for state in (ROOT / ".local").glob("demo-*"):
        try:
            os.kill(int(state.name.removeprefix("demo-")), 0)
        except ProcessLookupError:
            shutil.rmtree(state, ignore_errors=True)


def claims(aws: EmbeddedAws, account: Account) -> Iterator[str]:
    """Check one claim after the other. Yield the text of a claim when it is proven.

    Raises:
        ClaimFailed: a claim is not true.
    """
    deployed = outputs(aws)
    secret_name = deployed["SecretNameDockerDefault"]
    airflow = aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))

    analyst = docker_login(aws, assume(aws, deployed["PushRoleArnAnalytics"], account.analyst))
    digest = analyst.push(IMAGE, FILES)
    yield (
        f"An analyst of the team analytics pushed the image {IMAGE}.\n"
        f"The analyst used the push role of the team. The image's digest is {digest[:19]}…"
    )

    refusal = refused(lambda: analyst.push("risk/var:1", FILES))
    yield f"The same analyst cannot push to risk/var, a repository of the team risk.\n{refusal}"

    version, connection = read(airflow, secret_name)
    expires_at = datetime.fromisoformat(connection["extra"]["expires_at"])
    yield (
        "An Airflow worker read the connection docker_default, and found a docker login in it.\n"
        f"Registry {connection['host']}, user {connection['login']}, expires {expires_at:%Y-%m-%d %H:%M} UTC.\n"
        "A Lambda function got the login from ECR during the deployment, and saved it in Secrets Manager."
    )

    refusal = refused(lambda: read(aws.client("secretsmanager", account.other_admin), secret_name))
    yield f"An administrator of the AWS account who is not in the settings cannot read the login.\n{refusal}"

    docker = log_in(aws, connection)
    expect(docker.pull(IMAGE) == FILES, "the pulled image is not the image that was pushed")
    yield (
        f"The worker logged in to the registry with this login, and pulled {IMAGE}.\n"
        "Airflow's DockerOperator does the same."
    )

    refusal = refused(lambda: docker.push("analytics/web-scraper:2", FILES))
    yield (
        f"The login cannot push images.\n{refusal}\n"
        "A leaked login can pull the team's images until it expires, and nothing else."
    )

    aws.advance_clock(minutes=30)
    newer_version, newer = wait_for_newer(airflow, secret_name, version)
    expect(newer["password"] != connection["password"], "the new version contains the same login")
    expect(log_in(aws, newer).pull(IMAGE) == FILES, "the new login cannot pull the image")
    expect(docker.pull(IMAGE) == FILES, "the old login stopped working")
    yield (
        "The clock moved forward by 30 minutes, and the schedule replaced the login.\n"
        f"The new login (version {newer_version[:8]}…) and the old one ({version[:8]}…) both pull the image,\n"
        "so tasks that read the old login are not interrupted."
    )

    deny = {"Effect": "Deny", "Action": "secretsmanager:PutSecretValue", "Resource": "*"}
    policy = {"RoleName": deployed["PullRoleArnDockerDefault"].rsplit("/", 1)[-1], "PolicyName": "Deny"}
    aws.client("iam").put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": deny}))
    aws.advance_clock(minutes=91)
    try:
        alarm = wait_for_alarm(aws)
    finally:
        aws.client("iam").delete_role_policy(**policy)
    yield (
        "The function lost the permission to save logins, and 91 minutes later an alarm fired.\n"
        f"Its name is {alarm.partition('NotRefreshed')[0]}NotRefreshed…\n"
        "A login is valid for 12 hours: Airflow still pulls images while an operator fixes the problem."
    )


def read(secrets_manager: Any, secret_name: str) -> tuple[str, dict[str, Any]]:
    """Read a secret as Airflow's Secrets Manager backend does. Return the current version id and the connection."""
    value = secrets_manager.get_secret_value(SecretId=secret_name)
    return value["VersionId"], json.loads(value["SecretString"])


def log_in(aws: EmbeddedAws, connection: dict[str, Any]) -> RegistryClient:
    """Log in with a connection, as DockerOperator does."""
    return registry_client(aws, connection["host"], connection["login"], connection["password"])


def wait_for_newer(secrets_manager: Any, secret_name: str, version: str) -> tuple[str, dict[str, Any]]:
    """Wait until the secret has another current version. Return the new version id and its connection."""

    def newer() -> tuple[str, dict[str, Any]] | None:
        current, connection = read(secrets_manager, secret_name)
        return (current, connection) if current != version else None

    return wait_for(newer, otherwise="the schedule did not refresh the login")


def wait_for_alarm(aws: EmbeddedAws) -> str:
    """Wait until the alarm for a login that is not refreshed fires. Return the alarm's name."""

    def firing() -> str | None:
        alarms = aws.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
        return next((str(alarm["AlarmName"]) for alarm in alarms if "NotRefreshed" in alarm["AlarmName"]), None)

    return wait_for(firing, otherwise="no alarm fired")


def wait_for(look: Callable[[], T | None], otherwise: str) -> T:
    """Call `look` until it returns a value, and return that value.

    Raises:
        ClaimFailed: `look` returned no value for 20 seconds. The message starts with `otherwise`.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.1)
    raise ClaimFailed(f"{otherwise} within {WAIT_SECONDS} seconds")


def refused(attempt: Callable[[], object]) -> str:
    """Make an attempt that must be refused because a permission is missing. Return the refusal in one sentence.

    Raises:
        ClaimFailed: the attempt was allowed, or it was refused for another reason.
    """
    try:
        attempt()
    except (RegistryRefused, ClientError) as refusal:
        # The registry and the API return the same error message of IAM.
        found = re.search(
            r"not authorized to perform: (\S+) on resource: arn(?::[^:]*){4}:(repository/|secret:)(\S+)", str(refusal)
        )
        if not found:
            raise ClaimFailed(f"an attempt was refused for another reason than expected: {refusal}") from refusal
        action, kind, name = found.groups()
        if kind == "secret:":
            name = name.rpartition("-")[0]  # A secret's ARN ends with six random characters.
        return f"Refused: {action} on the {kind[:-1]} {name}."
    raise ClaimFailed("an attempt was allowed that must be refused")


def expect(condition: bool, otherwise: str) -> None:
    """Raise ClaimFailed with the message `otherwise` unless the condition is true."""
    if not condition:
        raise ClaimFailed(otherwise)
