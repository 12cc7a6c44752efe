"""`make up` and `make down`: start an AWS emulator that keeps running, print how to use it, and stop it.

`make up ENV=<name>` deploys environments/<name>.toml. The emulator has the account number and Region of this file.
"""

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

from local import cdk
from local.account import outputs
from local.deployment import start_and_deploy_environment
from local.embedded_aws import EmbeddedAws, EmbeddedAwsError
from local.principals import Profile, create_principals
from settings.environment import Environment
from settings.files import load_environments
from settings.names import pascal_case
from settings.regions import PARTITIONS
from tools import ROOT

STATE = ROOT / ".local" / "up"
ENVIRONMENTS = cdk.ENVIRONMENTS
# Older versions ignore AWS_ENDPOINT_URL and would send requests to the real AWS. Version 1 ignores it for `aws sqs`:
# https://github.com/aws/aws-cli/issues/8737
CLI_VERSIONS = "version 2.13 or later"

CLI_CHECK = """\
if command -v aws >/dev/null; then
  case "$(aws --version 2>&1)" in
    aws-cli/1.* | aws-cli/2.[0-9].* | aws-cli/2.1[0-2].*)
      echo "Warning: this AWS CLI can send commands to the real AWS. Install version 2.13 or later." >&2 ;;
  esac
fi
"""


def up(name: str = "local") -> None:
    """Start an AWS emulator, deploy an environment to its empty account, and print how to use it.

    Raises:
        EmbeddedAwsError: the environment cannot be deployed to an AWS emulator.
        SettingsError: the settings files cannot be deployed.
    """
    environment = _load(name)
    with _locked():
        aws = EmbeddedAws.running(STATE)
        if aws and _environment_file().exists():
            if (deployed := _name_file().read_text()) != name:
                raise EmbeddedAwsError(f"the emulator runs with {deployed}; stop it first with: make down")
            print("The emulator is already running.")
        else:
            if aws:  # The `make up` that started this emulator was interrupted.
                aws.stop()
            shutil.rmtree(STATE, ignore_errors=True)
            aws, profiles = start_and_deploy_environment(
                name,
                STATE,
                lambda aws: create_principals(aws, environment),
                account=environment.account,
                region=environment.region,
                keep_running=True,
                environments=ENVIRONMENTS,
            )
            _name_file().write_text(name)
            _write_profiles(aws, profiles)
            _write_environment(aws)
    _print_instructions(aws, environment)


def _load(name: str) -> Environment:
    if not (ENVIRONMENTS / f"{name}.toml").is_file():
        raise EmbeddedAwsError(f"environments/{name}.toml does not exist; copy a file from examples/ and edit it")
    environment = next(each for each in load_environments(ENVIRONMENTS) if each.name == name)
    if PARTITIONS[environment.region].name != "aws":
        raise EmbeddedAwsError(f"{name}.toml: region: the emulator has no Region {environment.region}")
    return environment


def down() -> None:
    """Stop the emulator and remove everything in it."""
    with _locked():
        aws = EmbeddedAws.running(STATE)
        if not aws:
            sys.exit("The emulator is not running. Start it with: make up")
        aws.stop()
        shutil.rmtree(STATE)
    print("The emulator has stopped.")


@contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock of this checkout, so that only one `make up` or `make down` runs at a time."""
    STATE.parent.mkdir(exist_ok=True)
    with STATE.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another `make up` or `make down` to end …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _print_instructions(aws: EmbeddedAws, environment: Environment) -> None:
    """Print how to use the emulator. It is not an error if the output is closed, as in `make up | head`."""
    try:
        print(_instructions(aws, environment), flush=True)
    except BrokenPipeError:
        # Python would report the error again when it flushes at exit:
        # https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _instructions(aws: EmbeddedAws, environment: Environment) -> str:
    fault = json.dumps({"operation": "PutSecretValue", "status": 503})
    deployed = outputs(aws, environment.name)
    connection = next(iter(environment.connections))
    reader = "worker" if environment.workers.role_arns else "break-glass"
    profiles = _profile_list().read_text().rstrip()
    values = "\n".join(f"  {name} = {value}" for name, value in sorted(deployed.items()))
    return f"""
The emulator is at {aws.endpoint_url} until you stop it with: make down
The environment {environment.name} is deployed to its account {aws.account} in {aws.region}.

Point the AWS CLI ({CLI_VERSIONS}), boto3 and the CDK CLI at it.
In this folder, run
  source {shlex.quote(os.path.relpath(_environment_file()))}
or paste these lines into any shell:

{_environment_file().read_text()}
The rest of this page needs these variables in the shell.

Choose who you are with --profile:
{profiles}

Read the docker login as an Airflow worker, without printing its password, and refresh it:
  aws secretsmanager get-secret-value --profile {reader} --query VersionId \\
    --secret-id {environment.secret_name(connection)}
  aws lambda invoke --function-name {deployed["RefreshFunctionName" + pascal_case(connection)]} /tmp/refresh.json \\
    && cat /tmp/refresh.json

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
    # Credentials and a profile in the shell take precedence over those in the file, so unset them.
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    lines = [f"unset {' '.join(keys)}\n"]
    lines += [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items() if name not in keys]
    _environment_file().write_text("".join(lines) + CLI_CHECK)


def _environment_file() -> Path:
    return STATE / "environment.sh"


def _name_file() -> Path:
    """Return the path of the file that contains the name of the deployed environment."""
    return STATE / "environment.name"


def _profile_list() -> Path:
    """Return the path of the file that describes each profile in one line."""
    return STATE / "profiles.txt"


def _write_profiles(aws: EmbeddedAws, profiles: dict[str, Profile]) -> None:
    """Write the users and roles of the account as profiles of the AWS CLI."""
    config = configparser.ConfigParser()
    for name, profile in profiles.items():
        if profile.role_arn:
            config[_section(name)] = {
                "role_arn": profile.role_arn,
                "source_profile": profile.source,
                # The AWS CLI caches credentials by these settings. Credentials of an earlier run are not valid.
                "role_session_name": f"local-{aws.pid}",
            }
        else:
            config[_section(name)] = {
                "aws_access_key_id": profile.credentials["AccessKeyId"],
                "aws_secret_access_key": profile.credentials["SecretAccessKey"],
            }
    with open(STATE / "profiles", "w", opener=_private) as file:
        config.write(file)
    width = max(map(len, profiles))
    _profile_list().write_text("".join(f"  {name:{width}} {each.who}\n" for name, each in profiles.items()))


def _section(name: str) -> str:
    return name if name == "default" else f"profile {name}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
