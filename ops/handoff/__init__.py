"""`ecr-login handoff`: print what analysts, Airflow operators, CI engineers and reviewers need from a deployment."""

from collections.abc import Iterable

import click

from ops.deployment import read_deployment
from ops.handoff.page import print_page, render, sections
from ops.handoff.values import AUDIENCES
from ops.results import CannotTell, end
from ops.target import Target, for_environment

WITH_TEAM = ("analyst", "ci")


@click.command(name="handoff")
@click.option("--for", "audience", type=click.Choice(list(AUDIENCES)), required=True, help="Who reads the page.")
@click.option("--team", help="The team of the analyst. For ci, the only team on the page.")
@for_environment
def command(target: Target, as_json: bool, audience: str, team: str | None) -> None:
    """Print a page with the values of ENVIRONMENT, to paste or to send.

    The page is Markdown. Each section has at most one block, which can be pasted as it is, except for values in <angle
    brackets>. The page contains no password and no token.

    \b
    analyst   AWS profiles, docker login, push
    airflow   the secrets backend, a DockerOperator, a check on a worker
    ci        jobs on GitHub, GitLab and other CI systems
    security  who may push, pull, read and change
    registry  for owners of other registries: the policy that lets us pull
    """
    _check_team(target, audience, team)
    clients = target.clients()
    deployment = read_deployment(clients, target.environment)
    page = render(audience, AUDIENCES[audience](deployment, clients, team))
    if not as_json:
        print_page(page)
    end([], as_json=as_json, data={"sections": sections(page)})


def _check_team(target: Target, audience: str, team: str | None) -> None:
    """Raise CannotTell unless the page can be about this team."""
    teams = target.environment.teams
    if audience not in WITH_TEAM:
        if team:
            raise CannotTell(f"--team is only for {' and '.join(WITH_TEAM)}; remove it")
    elif team is None and audience == "analyst":
        raise CannotTell(f"--team is missing; write {_one_of(teams)}")
    elif team is not None and team not in teams:
        raise CannotTell(f"{target.environment.name} has no team {team}; write {_one_of(teams)}")


def _one_of(teams: Iterable[str]) -> str:
    return "one of: " + ", ".join(f"--team {team}" for team in teams)
