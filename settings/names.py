"""Names on AWS that do not depend on the environment.

`settings.environment.Environment` builds the names that depend on the environment, such as the names of secrets.
"""

import re
from enum import StrEnum

TEAM_TAG = "team"
"""The key of the tag with the team of a repository. The permissions on images have a condition on this tag."""


class RepositoryStatement(StrEnum):
    """The Sids of the statements in a repository policy. The checks before a deployment recognise them."""

    PUSH = "PushOnlyByTeam"
    CHANGE = "ChangeOnlyByDeployment"
    ACCOUNTS = "PullByOtherAccounts"
    ORGANIZATION = "PullByOrganization"


PULL_ACTIONS = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""The actions that pulling needs: in the policies of roles, and in a repository policy for other accounts."""


def pascal_case(name: str) -> str:
    """Return a name for CloudFormation, which has only letters and digits: `docker_default` becomes `DockerDefault`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def repository_name(team: str, name: str) -> str:
    """Return the full name of a team's repository in ECR.

    Args:
        team: The team's name in the settings.
        name: The repository's name in the settings, or `*` for a pattern that matches all of the team's repositories.
    """
    return f"{team}/{name}"
