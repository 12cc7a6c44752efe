"""An embedded AWS that keeps running: start it, say how to use it, end it."""

import configparser
import fcntl
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.account import BREAK_GLASS_ROLE_ARN, WORKER_ROLE_ARN, Account, outputs
from local.deployment import start_and_deploy
from local.embedded_aws import ROOT_CREDENTIALS, EmbeddedAws
from tools import ROOT

STATE = ROOT / ".local" / "up"
PROFILES = ("default", "analyst", "push", "operator", "worker", "break-glass", "other-admin")


def up() -> None:
    """Start it in an empty account, deploy `local`, and print what points tools at it."""
    with _alone():
        aws = EmbeddedAws.running(STATE)
        if aws and _environment_file().exists():
            print(f"The embedded AWS is already running at {aws.endpoint_url}. Stop it with: make down")
        else:
            if aws:  # Somebody ended the `make up` that started it, before it was done.
                aws.stop()
            shutil.rmtree(STATE, ignore_errors=True)
            aws, account = start_and_deploy(STATE, keep_running=True)
            _write_profiles(aws, account)
            _write_environment(aws)
    _explain(aws)


def down() -> None:
    """End it and forget all that was in it."""
    with _alone():
        aws = EmbeddedAws.running(STATE)
        if not aws:
            sys.exit("The embedded AWS is not running. Start it with: make up")
        aws.stop()
        shutil.rmtree(STATE)
    print("Ended.")


@contextmanager
def _alone() -> Iterator[None]:
    """Let one `make up` or `make down` of this checkout run at a time; a second one waits, and says so."""
    STATE.parent.mkdir(exist_ok=True)
    with STATE.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another `make up` or `make down` is at work; waiting for it …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _explain(aws: EmbeddedAws) -> None:
    print("\nWhat points the AWS CLI 2, boto3 and the CDK CLI at it, as the account's root:\n")
    print(_environment_file().read_text())
    print(f"All at once:  source {shlex.quote(os.path.relpath(_environment_file()))}")
    print(f"As somebody:  aws --profile NAME …, one of {', '.join(PROFILES)}")
    advance = f"-X POST '{aws.endpoint_url}/_local/advance?minutes=30'"
    curl = f"curl --cacert {shlex.quote(str(aws.ca_bundle))}"
    print(f"Time passes:  {curl} {advance}")
    fault = shlex.quote(json.dumps({"operation": "PutSecretValue", "status": 503}))
    print(
        f"AWS fails:    {curl} {aws.endpoint_url}/_local/faults -d {fault}"
        " (-X DELETE ends it; see local/emulator/faults.py)"
    )
    print(
        "Images:       docker would ask the real registry of that name; local/registry_client.py pushes and pulls here"
    )
    print("What is deployed:")
    for name, value in sorted(outputs(aws).items()):
        print(f"  {name} = {value}")


def _write_environment(aws: EmbeddedAws) -> None:
    environment = {**aws.client_environment(), "AWS_CONFIG_FILE": str(STATE / "profiles")}
    # Credentials or a profile of the shell would be obeyed before those of the file.
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    lines = [f"unset {' '.join(keys)}\n"]
    lines += [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items() if name not in keys]
    _environment_file().write_text("".join(lines))


def _environment_file() -> Path:
    return STATE / "environment.sh"


def _write_profiles(aws: EmbeddedAws, account: Account) -> None:
    """The people and roles of the account as profiles of the AWS CLI."""
    profiles = configparser.ConfigParser()
    people = {"default": ROOT_CREDENTIALS, "analyst": account.analyst, "other-admin": account.other_admin}
    people["operator"] = account.operator
    for name, credentials in people.items():
        profiles[_section(name)] = {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
        }
    roles = {
        "push": (outputs(aws)["PushRoleArnAnalytics"], "analyst"),
        "worker": (WORKER_ROLE_ARN, "operator"),
        "break-glass": (BREAK_GLASS_ROLE_ARN, "operator"),
    }
    for name, (role_arn, source) in roles.items():
        profiles[_section(name)] = {"role_arn": role_arn, "source_profile": source}
    with open(STATE / "profiles", "w", opener=_private) as file:
        profiles.write(file)


def _section(name: str) -> str:
    return name if name == "default" else f"profile {name}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
