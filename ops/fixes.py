"""The commands that checks print as fixes."""

from settings.environment import Environment


def aws(environment: Environment, words: str) -> str:
    """Return an AWS CLI command for the Region of the settings.

    The commands of this package always use the Region of the settings. A command that is pasted into a shell uses the
    Region of the shell, which can be another one.

    Args:
        environment: The environment that the command is for.
        words: The command without `aws`, such as `sns list-topics`.
    """
    return f"aws {words} --region {environment.region}"
