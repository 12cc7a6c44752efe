"""An embedded AWS that keeps running: start it, say how to use it, end it."""

import configparser
import os
import shutil
import sys

from local.account import BREAK_GLASS_ROLE_ARN, WORKER_ROLE_ARN, Account, outputs
from local.cdk import ROOT
from local.deployment import start_and_deploy
from local.embedded_aws import ROOT_CREDENTIALS, EmbeddedAws

STATE = ROOT / ".local" / "up"
PROFILES = ("root", "analyst", "push", "worker", "break-glass", "stranger")


def up() -> None:
    """Start it in an empty account, deploy `local`, and print what points tools at it."""
    aws = EmbeddedAws.running(STATE)
    if aws:
        print(f"It runs already, at {aws.endpoint_url}; `make down` ends it.")
    else:
        shutil.rmtree(STATE, ignore_errors=True)
        aws, account = start_and_deploy(STATE, outlives_us=True)
        _write_environment(aws)
        _write_profiles(aws, account)
    _explain(aws)


def down() -> None:
    """End it and forget all that was in it."""
    aws = EmbeddedAws.running(STATE)
    if not aws:
        sys.exit("It does not run. `make up` starts it.")
    aws.stop()
    shutil.rmtree(STATE)
    print("Ended.")


def _explain(aws: EmbeddedAws) -> None:
    print("\nWhat points the AWS CLI, boto3 and the CDK CLI at it, as the account's root:\n")
    print((STATE / "environment.sh").read_text())
    print(f"All at once:  source {os.path.relpath(STATE / 'environment.sh')}")
    print(f"As somebody:  aws --profile NAME …, one of {', '.join(PROFILES)}")
    print("What is deployed:")
    for name, value in sorted(outputs(aws).items()):
        print(f"  {name} = {value}")


def _write_environment(aws: EmbeddedAws) -> None:
    environment = {**aws.client_environment(), "AWS_CONFIG_FILE": str(STATE / "profiles")}
    lines = [f"export {name}='{value}'\n" for name, value in environment.items()]
    (STATE / "environment.sh").write_text("".join(lines))


def _write_profiles(aws: EmbeddedAws, account: Account) -> None:
    """The people and roles of the account as profiles of the AWS CLI."""
    profiles = configparser.ConfigParser()
    people = {"root": ROOT_CREDENTIALS, "analyst": account.analyst, "stranger": account.stranger}
    for name, credentials in people.items():
        profiles[f"profile {name}"] = {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
        }
    roles = {
        "push": (outputs(aws)["PushRoleArnAnalytics"], "analyst"),
        "worker": (WORKER_ROLE_ARN, "root"),
        "break-glass": (BREAK_GLASS_ROLE_ARN, "root"),
    }
    for name, (role_arn, source) in roles.items():
        profiles[f"profile {name}"] = {"role_arn": role_arn, "source_profile": source}
    with open(STATE / "profiles", "w", opener=_private) as file:
        profiles.write(file)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
