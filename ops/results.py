"""The results of checks, and how a command prints them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.text import Text

COULD_NOT_TELL = 3
"""The exit code if a command could not tell whether the deployment works."""


class State(StrEnum):
    """The result of a check."""

    OK = "ok"
    DEGRADED = "degraded"
    """Something needs attention. Airflow still works."""
    BROKEN = "broken"
    """Airflow cannot pull images now, a docker login can do more than it may, or a deployment would fail."""
    UNKNOWN = "unknown"
    """AWS refused or did not answer a request that the result needs."""
    NOT_TRIED = "not tried"
    """The check did not run. It never changes the exit code."""


EXIT_CODES = {State.OK: 0, State.DEGRADED: 1, State.BROKEN: 2, State.UNKNOWN: COULD_NOT_TELL, State.NOT_TRIED: 0}
WORST_FIRST = [State.BROKEN, State.UNKNOWN, State.DEGRADED, State.OK]
SIGNS = {State.OK: "✔", State.DEGRADED: "!", State.BROKEN: "✗", State.UNKNOWN: "?", State.NOT_TRIED: "-"}
COLOURS = {State.OK: "green", State.DEGRADED: "yellow", State.BROKEN: "red", State.UNKNOWN: "magenta"}


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: The stable name of the check, in snake_case.
        state: The result.
        detail: What was found, in one or more sentences.
        fix: What to do, often a command. Empty if nothing is to be done.
    """

    name: str
    state: State
    detail: str
    fix: str = ""


class CannotTell(click.ClickException):
    """The command cannot answer. The error message is one line with the fix."""


def worst(checks: Iterable[Check]) -> State:
    """Return the state that decides the exit code."""
    found = {check.state for check in checks}
    return next((state for state in WORST_FIRST if state in found), State.OK)


def console() -> Console:
    """Return the console for results. It honours NO_COLOR, and prints no colours and no animation into a pipe."""
    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def print_checks(checks: Sequence[Check]) -> None:
    """Print one line per check, followed by its fix."""
    out = console()
    for check in checks:
        sign = Text(f"{SIGNS[check.state]} ", style=COLOURS.get(check.state, ""))
        out.print(sign.append(f"{check.name}: {check.detail}", style="default"))
        if check.fix:
            out.print(Text(f"    {check.fix}", style="dim"))


def end(
    checks: Sequence[Check], *, as_json: bool, data: Mapping[str, Any] | None = None, verdict: str = ""
) -> NoReturn:
    """Print the verdict, or everything as JSON, and end the program with the exit code of the checks.

    Args:
        checks: The results of all checks.
        as_json: Whether to print JSON. Otherwise, the caller has already printed the checks.
        data: What the JSON also contains. The keys are stable names in snake_case.
        verdict: The last line of the output.
    """
    state = worst(checks)
    if as_json:
        found = {"ok": state is State.OK, "state": state, "checks": [asdict(check) for check in checks], **(data or {})}
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif verdict:
        console().print(Text(f"{SIGNS[state]} {verdict}", style=COLOURS[state]))
    raise click.exceptions.Exit(EXIT_CODES[state])
