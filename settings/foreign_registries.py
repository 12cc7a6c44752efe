"""Checks of the connections that are for the registry of another account or Region."""

import re
from collections.abc import Iterator, Sequence

from settings.environment import Connection, Environment
from settings.names import repository_name
from settings.problem import Problem, did_you_mean
from settings.regions import PARTITIONS
from settings.value_types import REPOSITORY_NAME


def problems(environment: Environment) -> Iterator[Problem]:
    """Return a problem for each connection whose registry or team cannot be used."""
    for name, connection in environment.connections.items():
        if not connection.registry:
            continue
        key, registry = f"connections.{name}.registry", environment.registry_of(name)
        if registry == environment.registry:
            yield Problem(key, "is this environment's own registry; remove registry")
        elif PARTITIONS[registry.region].name != PARTITIONS[environment.region].name:
            what = f"{registry.region} is not in the AWS partition of {environment.region}"
            yield Problem(key, f"{what}; write a Region of the partition {PARTITIONS[environment.region].name}")
        for team in connection.teams:
            # The text becomes a part of an ARN in the policy of the pull role.
            if not re.fullmatch(REPOSITORY_NAME.regex, team):
                what = f"{team!r} is not the start of a repository's name"
                yield Problem(f"connections.{name}.teams", f"{what}; {REPOSITORY_NAME.advice}")


def problems_between(environments: Sequence[Environment]) -> Iterator[tuple[Environment, Problem]]:
    """Return a problem for each connection that pulls from a registry of another file that does not list the reader.

    A settings file must not give permissions on images whose own file does not mention the reader.
    """
    for owner in environments:
        known = [each.name for each in environments if each.account == owner.account and each.region != owner.region]
        for name, settings in owner.teams.items():
            for listed in settings.pull_environments:
                if listed not in known:
                    otherwise = f"write one of {', '.join(known)}" if known else "remove it"
                    what = f"{listed!r} is not an environment of account {owner.account} in another Region"
                    fix = did_you_mean(listed, known, otherwise)
                    yield owner, Problem(f"teams.{name}.pull_environments", f"{what}; {fix}")
    for reader in environments:
        for connection_id, connection in reader.connections.items():
            registry = reader.registry_of(connection_id)
            owners = [each for each in environments if each.registry == registry]
            if registry != reader.registry and owners:
                for key, problem in _unlisted(reader, connection, owners):
                    yield reader, Problem(f"connections.{connection_id}.{key}", problem)


def _unlisted(reader: Environment, connection: Connection, owners: Sequence[Environment]) -> Iterator[tuple[str, str]]:
    """Return the setting and the problem for each team and repository whose owner does not list the reader."""
    teams = {name: each for each in owners for name in each.teams}
    for team in connection.teams:
        if team not in teams:
            files = " or ".join(f"{each.name}.toml" for each in owners)
            fix = did_you_mean(team, teams, f"write one of {', '.join(teams)}")
            yield "teams", f"{team!r} is not a team of {files}; {fix}"
        elif fix := _how_to_list(reader, teams[team], team):
            yield "teams", f"{teams[team].name}.toml does not list this reader of the team {team}; {fix}"
    for repository in connection.repositories:
        for name, owner in teams.items():
            is_managed = repository.startswith(repository_name(name, ""))
            # In another account, these settings do not manage the policy of an existing repository.
            is_existing = repository in owner.teams[name].existing_repositories and owner.account == reader.account
            fix = _how_to_list(reader, owner, name)
            if fix and (is_managed or is_existing):
                what = f"{repository!r} belongs to the team {name} of {owner.name}.toml"
                yield "repositories", f"{what}, which does not list this reader; {fix}"


def _how_to_list(reader: Environment, owner: Environment, team: str) -> str:
    """Return how to list the reader of a team's images in the owner's file. Empty if the file lists the reader."""
    settings = owner.teams[team]
    if reader.account == owner.account:
        is_listed, key, value = reader.name in settings.pull_environments, "pull_environments", reader.name
    else:
        # Only AWS knows the accounts of an organization.
        is_listed = reader.account in settings.pull_accounts or settings.pull_organization is not None
        key, value = "pull_accounts", reader.account
    return "" if is_listed else f"add {value!r} to teams.{team}.{key} of {owner.name}.toml"
