"""The names that settings become on AWS, each built in one place."""

import re

TEAM_TAG = "team"
"""The tag that says which team a repository belongs to. The permissions on images ask for it."""


def pascal_case(name: str) -> str:
    """Return the name in the letters and digits that CloudFormation accepts: `docker_default` is `DockerDefault`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def repository_name(team: str, name: str) -> str:
    """Return the full name of a team's repository in ECR.

    Args:
        team: The team's name in the settings.
        name: The repository's name in the settings, or `*` for a pattern that matches all of the team's repositories.
    """
    return f"{team}/{name}"
