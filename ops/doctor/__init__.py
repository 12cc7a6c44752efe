"""`ecr-login doctor`: check from outside whether a deployment is as deployed and works."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.text import Text

from ops.clients import NoAnswer
from ops.deployment import read_deployment
from ops.doctor.claims import Claim, Shown, judge_claims
from ops.doctor.findings import FILES, Result
from ops.doctor.report import write_report
from ops.doctor.run import GROUPS, examine
from ops.doctor.templates import read_templates
from ops.fixes import ecr_login
from ops.results import COLOURS, SIGNS, CannotTell, State, console, end, worst
from ops.target import Target, for_environment
from settings.environment import Environment

_PRINTED_PROBLEMS = 5
"""How many problems of a check are printed. The JSON has all of them."""


@click.command(name="doctor")
@click.option("--active", is_flag=True, help="Also invoke the functions, and let one alarm fire.")
@click.option(
    "--write-report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the results to a JSON file without account numbers, ARNs and names in the settings.",
)
@click.option("--force", is_flag=True, help="Replace the file of --write-report if it exists.")
@click.option(
    "--write-fixes",
    "fixes_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write the files that the fixes read, with the policies and settings of the template.",
)
@for_environment
def command(
    target: Target, as_json: bool, active: bool, report_file: Path | None, force: bool, fixes_folder: Path | None
) -> None:
    """Check whether ENVIRONMENT is as deployed and works, and how to fix it.

    The checks send read-only requests. The policy ReadOnlyAccess of AWS is enough. With --active, each function runs
    once, and one alarm sends two messages.
    """
    if report_file and report_file.exists() and not force:
        raise CannotTell(f"the file {report_file} exists. Choose another file, or replace it with --force")
    environment = target.environment
    clients = target.clients()
    deployment = read_deployment(clients, environment)
    try:
        examined = read_templates(clients, deployment)
    except NoAnswer as error:
        fix = "Use credentials that allow cloudformation:GetTemplate"
        raise CannotTell(f"the templates of {environment.name} cannot be read: {error}. {fix}") from None
    if sys.stderr.isatty():
        print("Checking. The drift detection of CloudFormation can take a minute.", file=sys.stderr)
    results = examine(examined, active=active)
    claims = judge_claims(examined, results)
    checks = [result.check() for result in results.values()]
    data = {"emulated": not examined.is_real_aws, "claims": [claim.as_json() for claim in claims]}
    if fixes_folder:
        _write_fixes(fixes_folder, results)
    if report_file:
        state = worst(checks)
        found = {"state": state, "checks": [vars(check) for check in checks], **data}
        write_report(report_file, found, environment, force=force)
        print(f"The report is in {report_file}. Read it before you send it.", file=sys.stderr)
    if not as_json:
        _print_results(results)
        _print_files(results, environment, fixes_folder)
        _print_claims(claims)
    end(checks, as_json=as_json, data=data, verdict=_verdict(environment, results))


def _verdict(environment: Environment, results: Mapping[str, Result]) -> str:
    state = worst(result.check() for result in results.values())
    names = ", ".join(result.name for result in results.values() if result.state is state)
    meaning = {
        State.OK: "everything is as deployed",
        State.DEGRADED: f"Airflow can pull images, but look at: {names}",
        State.BROKEN: f"Airflow cannot pull images: {names}",
        State.UNKNOWN: f"no answer about: {names}",
    }
    return f"{environment.name}: {meaning[state]}"


def _print_results(results: Mapping[str, Result]) -> None:
    out = console()
    width = max(map(len, results))
    for heading, group in GROUPS.items():
        out.print(Text(heading, style="bold"))
        for result in (results[name] for name in group):
            sign = Text(f"  {SIGNS[result.state]} ", style=COLOURS.get(result.state, ""))
            if not result.problems:
                out.print(sign.append(f"{result.name:<{width}}  {result.summary}", style="default"))
                _print_fix(result.fix)
                continue
            out.print(sign.append(result.name, style="bold"))
            for problem in result.problems[:_PRINTED_PROBLEMS]:
                out.print(Text(f"      {problem.text}"))
                _print_fix(problem.fix)
            if (more := len(result.problems) - _PRINTED_PROBLEMS) > 0:
                out.print(Text(f"      … and {more} more; --json prints all of them"))


def _print_fix(fix: str) -> None:
    if fix:
        console().print(Text(f"      → {fix}", style="dim"))


def _print_files(results: Mapping[str, Result], environment: Environment, folder: Path | None) -> None:
    if folder or not any(problem.files for result in results.values() for problem in result.problems):
        return
    write = ecr_login(f"doctor {environment.name} --write-fixes {FILES}")
    console().print(Text(f"\nWrite the files that the commands read: {write}"))


def _write_fixes(folder: Path, results: Mapping[str, Result]) -> None:
    """Write the files of all problems. They contain policies and settings, and no docker login."""
    files = {
        name: content
        for result in results.values()
        for problem in result.problems
        for name, content in problem.files.items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise CannotTell(f"the folder {folder} cannot be written: {error.strerror}") from None
    print(f"{folder} has {len(files)} files for the fixes.", file=sys.stderr)


def _print_claims(claims: Sequence[Claim]) -> None:
    out = console()
    out.print(Text("\nWhat only AWS can show", style="bold"))
    for shown in Shown:
        named = [claim for claim in claims if claim.shown is shown]
        if named:
            emulated = " (emulated)" if all(claim.detail.startswith("emulated") for claim in named) else ""
            out.print(Text(f"  {shown}{emulated}"))
        for claim in named:
            out.print(Text(f"    {claim.text}"))
    out.print()
