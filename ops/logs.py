"""`ecr-login logs`: the last runs of a connection's function, with the reasons of failures."""

from datetime import timedelta

import click
from rich.text import Text

from ops.clients import NoAnswer
from ops.deployment import read_deployment
from ops.refresh_log import Run, read_runs
from ops.results import COLOURS, SIGNS, CannotTell, Check, State, console, end
from ops.target import Target, for_environment
from ops.times import iso


@click.command(name="logs")
@for_environment
@click.argument("connection")
@click.option("--hours", type=click.IntRange(1, 24 * 90), default=24, show_default=True, help="How far to look back.")
def command(target: Target, connection: str, hours: int, as_json: bool) -> None:
    """Show the last runs of the function of CONNECTION, newest first."""
    clients = target.clients()
    found = read_deployment(clients, target.environment).connection(connection)
    try:
        runs = read_runs(clients, found, timedelta(hours=hours))[::-1]
    except NoAnswer as error:
        raise CannotTell(f"the log of {connection} cannot be read: {error}") from None
    if not as_json:
        for run in runs:
            state = State.OK if run.succeeded else State.DEGRADED
            line = Text(f"{SIGNS[state]} ", style=COLOURS[state])
            console().print(line.append(f"{run.at:%Y-%m-%d %H:%M:%S} UTC  {_in_words(run)}", style="default"))
    data = {"runs": [{"at": iso(run.at), "result": _result(run), "reason": run.reason} for run in runs]}
    check = _check(connection, runs, hours)
    end([check], as_json=as_json, data=data, verdict=check.detail)


def _check(connection: str, runs: list[Run], hours: int) -> Check:
    name, fix = f"refresh_{connection}", "See docs/runbook.md"
    if not runs:
        return Check(name, State.DEGRADED, f"{connection}: no run in the last {hours} hours", f"{fix}#not-refreshed")
    if not runs[0].succeeded:
        return Check(name, State.DEGRADED, f"{connection}: the last run failed: {runs[0].reason}", fix)
    failed = sum(not run.succeeded for run in runs)
    return Check(name, State.OK, f"{connection}: the last run succeeded, {failed} of {len(runs)} failed")


def _result(run: Run) -> str:
    if not run.succeeded:
        return "failed"
    return "wrote" if run.is_write else "kept"


def _in_words(run: Run) -> str:
    words = {"wrote": "wrote a new login", "kept": "kept the login", "failed": f"failed: {run.reason}"}
    return words[_result(run)]
