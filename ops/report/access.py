"""Who may push and pull which images, as rows of tables."""

from collections.abc import Iterator
from dataclasses import dataclass

from settings.environment import Environment
from settings.names import repository_name
from settings.summary import other_readers, pushers, workers_of


@dataclass(frozen=True)
class TeamAccess:
    """Who may push to and pull from a team's repositories."""

    team: str
    repositories: list[str]
    pushers: list[str]
    logins: list[str]
    others: list[str]


@dataclass(frozen=True)
class Access:
    """Who may push, pull and read.

    Attributes:
        teams: One row per team.
        readers: Who reads the docker logins.
        break_glass: Who may read and roll back the docker logins in an emergency.
    """

    teams: list[TeamAccess]
    readers: list[str]
    break_glass: list[str]


def access(environment: Environment) -> Access:
    """Return who may do what in an environment."""
    return Access(list(_teams(environment)), list(workers_of(environment)), list(environment.break_glass_role_arns))


def _teams(environment: Environment) -> Iterator[TeamAccess]:
    for name, team in environment.teams.items():
        yield TeamAccess(
            team=name,
            repositories=[*(repository_name(name, each) for each in team.repositories), *team.existing_repositories],
            pushers=list(pushers(environment, team.push)),
            logins=[
                each
                for each, connection in environment.connections.items()
                if name in connection.teams and not connection.registry
            ],
            others=list(other_readers(team)),
        )
