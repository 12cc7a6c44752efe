"""The commands that checks print as fixes."""

import shlex

from settings.environment import Environment

_options = ""


def use_profile(profile: str | None) -> None:
    """Add the option --profile to all commands that are printed from now on.

    A program runs one command, so this value is global. Checks run in several threads.

    Args:
        profile: The profile that the command was run with, or None for the credentials of the shell.
    """
    global _options
    _options = f" --profile {shlex.quote(profile)}" if profile else ""


def aws(environment: Environment, words: str) -> str:
    """Return an AWS CLI command for the Region of the settings.

    The commands of this package always use the Region of the settings. A command that is pasted into a shell uses the
    Region of the shell, which can be another one.

    Args:
        environment: The environment that the command is for.
        words: The command without `aws`, such as `sns list-topics`.
    """
    return f"aws {words} --region {environment.region}{_options}"


def iam(words: str) -> str:
    """Return an AWS CLI command for IAM, which has no Regions.

    Args:
        words: The command without `aws iam`, such as `get-role --role-name <name>`.
    """
    return aws_without_region(f"iam {words}")


def aws_without_region(words: str) -> str:
    """Return an AWS CLI command that works if the Region of the settings is not enabled.

    Args:
        words: The command without `aws`, such as `sso login`.
    """
    return f"aws {words}{_options}"


def make(words: str) -> str:
    """Return a command of the Makefile that runs the CDK CLI.

    Args:
        words: The command without `make`, such as `bootstrap ENV=prod`.
    """
    return f"make {words} CDK_OPTIONS={shlex.quote(_options.strip())}" if _options else f"make {words}"


def ecr_login(words: str) -> str:
    """Return a command of this package.

    Args:
        words: The command without `ecr-login`, such as `status prod`.
    """
    return f".venv/bin/ecr-login {words}{_options}"
