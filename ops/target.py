"""The environment that a command is about, with AWS clients for its account. Also the options of every command."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from ops.clients import Clients, NoAnswer, make_clients
from ops.fixes import aws_without_region, use_profile
from ops.results import CannotTell
from settings.environment import Environment
from settings.files import SettingsError, load_environments
from settings.problem import did_you_mean
from tools import ROOT
from tools.cdk_options import qualifier_of

ENVIRONMENTS = ROOT / "environments"


@dataclass(frozen=True)
class Target:
    """An environment and its account.

    Attributes:
        environment: The settings.
        folder: The folder of the settings files.
        profile: A profile of the AWS CLI, or None for the credentials of the shell.
    """

    environment: Environment
    folder: Path
    profile: str | None

    def clients(self, profile: str | None = None, qualifier: str | None = None) -> Clients:
        """Return clients for the account and Region of the settings.

        Args:
            profile: A profile that is used instead of the command's profile.
            qualifier: The qualifier of the CDK's bootstrap; by default that of cdk.json.

        Raises:
            CannotTell: There are no valid credentials for the account, or AWS does not answer.
        """
        account, region = self.environment.account, self.environment.region
        try:
            return make_clients(
                account, region, profile or self.profile, qualifier or qualifier_of([], dict(os.environ))
            )
        except NoAnswer as error:
            raise CannotTell(f"{error}. {_fix(str(error), self.environment)}") from error


def for_environment(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument ENVIRONMENT and the options --profile, --folder and --json.

    The function receives a `Target` as its first argument, and `as_json`.
    """

    @click.argument("environment")
    @click.option("--profile", help="A profile of the AWS CLI. By default, the credentials of the shell.")
    @click.option(
        "--folder",
        type=click.Path(path_type=Path),
        default=ENVIRONMENTS,
        help="The folder of the settings files. By default, environments/ of the checkout.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON with stable names.")
    @wraps(function)
    def command(environment: str, profile: str | None, folder: Path, **options: Any) -> Any:
        use_profile(profile)
        return function(find_target(environment, folder, profile), **options)

    return command


def find_target(name: str, folder: Path, profile: str | None) -> Target:
    """Return the target of a command.

    Raises:
        CannotTell: The settings cannot be read, or have no such environment.
    """
    try:
        by_name = {each.name: each for each in load_environments(folder)}
    except SettingsError as error:
        raise CannotTell(str(error)) from None
    if name not in by_name:
        fix = did_you_mean(name, by_name, f"write one of {', '.join(by_name)}")
        raise CannotTell(f"{folder} has no {name}.toml; {fix}")
    return Target(by_name[name], folder, profile)


def _fix(problem: str, environment: Environment) -> str:
    """Return what to do if there are no clients for the account."""
    lowered = problem.lower()
    if "is not enabled in the account" in lowered:
        return "Run: " + aws_without_region(f"account enable-region --region-name {environment.region}")
    if "expired" in lowered or "invalidclienttoken" in lowered or "unrecognizedclient" in lowered:
        return "Sign in again, for example with: " + aws_without_region("sso login")
    if "could not be found" in lowered and "profile" in lowered:
        return "List the profiles with: aws configure list-profiles"
    if "credentials are of the account" in lowered:
        return f"Use credentials of {environment.account}, or --profile <profile>"
    if "mfa code" in lowered:
        return "Enter a code with: aws sts get-caller-identity --profile <profile>. Then run this command again"
    if "ssl validation" in lowered:
        return "If a proxy inspects TLS, set AWS_CA_BUNDLE to the file with its certificate"
    if "proxy" in lowered:
        return "Check HTTPS_PROXY and NO_PROXY"
    if "could not connect" in lowered or "timeout" in lowered or "timed out" in lowered:
        return "Check the network and the proxy settings"
    return "Sign in with: aws sso login, or choose a profile with --profile <profile>"
