"""`make up` and `make down`: start an embedded AWS that keeps running, print how to use it, and stop it."""

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
# The profiles of the AWS CLI, and who acts in each.
PROFILES = {
    "default": "the account's root, also without --profile",
    "analyst": "an analyst of the team analytics",
    "push": "the analyst in the push role of the team, which may push images",
    "operator": "the user who may assume the next two roles",
    "worker": "an Airflow worker",
    "break-glass": "the role that may read and roll back the login in an emergency",
    "other-admin": "an administrator who is not in the settings",
}


def up() -> None:
    """Start an embedded AWS, deploy the environment `local` to its empty account, and print how to use it."""
    with _locked():
        aws = EmbeddedAws.running(STATE)
        if aws and _environment_file().exists():
            print("The embedded AWS is already running.")
        else:
            if aws:  # The `make up` that started it was interrupted.
                aws.stop()
            shutil.rmtree(STATE, ignore_errors=True)
            aws, account = start_and_deploy(STATE, keep_running=True)
            _write_profiles(aws, account)
            _write_environment(aws)
    _print_instructions(aws)


def down() -> None:
    """Stop the embedded AWS and remove everything in it."""
    with _locked():
        aws = EmbeddedAws.running(STATE)
        if not aws:
            sys.exit("The embedded AWS is not running. Start it with: make up")
        aws.stop()
        shutil.rmtree(STATE)
    print("The embedded AWS has stopped.")


@contextmanager
def _locked() -> Iterator[None]:
    """Wait until no other `make up` or `make down` of this checkout runs, and keep others waiting."""
    STATE.parent.mkdir(exist_ok=True)
    with STATE.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another `make up` or `make down` to end …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _print_instructions(aws: EmbeddedAws) -> None:
    """Print how to use the embedded AWS; a reader that has ended, as in `make up | head`, is not an error."""
    try:
        print(_instructions(aws), flush=True)
    except BrokenPipeError:
        # Python would report the error again when it flushes at exit:
        # https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _instructions(aws: EmbeddedAws) -> str:
    fault = json.dumps({"operation": "PutSecretValue", "status": 503})
    deployed = outputs(aws)
    profiles = "\n".join(f"  {name:12} {who}" for name, who in PROFILES.items())
    values = "\n".join(f"  {name} = {value}" for name, value in sorted(deployed.items()))
    return f"""
The embedded AWS is at {aws.endpoint_url} until you stop it with: make down

Point the AWS CLI 2, boto3 and the CDK CLI at it. In this folder, run
  source {shlex.quote(os.path.relpath(_environment_file()))}
or paste these lines into any shell:

{_environment_file().read_text()}
The rest of this page needs these variables in the shell.

Choose who you are with --profile:
{profiles}

Read the docker login as an Airflow worker, and refresh it:
  aws secretsmanager get-secret-value --profile worker --secret-id {deployed["SecretNameDockerDefault"]}
  aws lambda invoke --function-name {deployed["RefreshFunctionNameDockerDefault"]} /dev/stdout

Move the clock forward by 30 minutes, so that the schedule starts the function:
  curl --cacert "$AWS_CA_BUNDLE" -X POST "$AWS_ENDPOINT_URL/_local/advance?minutes=30"

Make requests fail: answer PutSecretValue with the HTTP status 503, until you remove the fault.
Other faults are described in local/emulator/faults.py.
  curl --cacert "$AWS_CA_BUNDLE" "$AWS_ENDPOINT_URL/_local/faults" -d {shlex.quote(fault)}
  curl --cacert "$AWS_CA_BUNDLE" "$AWS_ENDPOINT_URL/_local/faults" -X DELETE

Push and pull images with RegistryClient in local/registry_client.py. A docker client would connect
to the real ECR, whose host name is part of every image name.

Outputs of the deployed stacks:
{values}"""


def _write_environment(aws: EmbeddedAws) -> None:
    environment = {**aws.client_environment(), "AWS_CONFIG_FILE": str(STATE / "profiles")}
    # Tools use the credentials or the profile of the shell before those of the file, so unset them.
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    lines = [f"unset {' '.join(keys)}\n"]
    lines += [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items() if name not in keys]
    _environment_file().write_text("".join(lines))


def _environment_file() -> Path:
    return STATE / "environment.sh"


def _write_profiles(aws: EmbeddedAws, account: Account) -> None:
    """Write the users and roles of the account as profiles of the AWS CLI."""
    profiles = configparser.ConfigParser()
    users = {"default": ROOT_CREDENTIALS, "analyst": account.analyst, "operator": account.operator}
    users["other-admin"] = account.other_admin
    for name, credentials in users.items():
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
        profiles[_section(name)] = {
            "role_arn": role_arn,
            "source_profile": source,
            # The AWS CLI caches a role's credentials by these settings. Those of an earlier run are not valid here.
            "role_session_name": f"local-{aws.pid}",
        }
    with open(STATE / "profiles", "w", opener=_private) as file:
        profiles.write(file)


def _section(name: str) -> str:
    return name if name == "default" else f"profile {name}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
