"""Run the checks before a deployment in parallel, within a time limit, and print the results."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

import click
from rich.text import Text

from ops.clients import Clients, NoAnswer, RegionNotEnabled
from ops.fixes import aws_without_region, use_profile
from ops.preflight.checks import CHECKS, Find
from ops.preflight.findings import Finding, Planned
from ops.results import CannotTell, Check, State, console, end, print_checks
from ops.target import Target, for_environment
from tools.cdk_options import profile_of, qualifier_of

SECONDS = 12
"""How long a deployment waits for all checks together."""


@click.command(name="preflight")
@for_environment
@click.option("--skip", multiple=True, type=click.Choice(list(CHECKS)), metavar="CHECK", help="Do not run this check.")
@click.argument("cdk_options", nargs=-1, type=click.UNPROCESSED)
def command(target: Target, as_json: bool, skip: tuple[str, ...], cdk_options: tuple[str, ...]) -> None:
    """Check before a deployment of ENVIRONMENT what AWS would refuse.

    All requests to AWS are read-only. A check that AWS refuses or does not answer in time is "not tried" and does not
    stop a deployment. CDK_OPTIONS are the options of the CDK CLI, after --. The checks use the profile and the
    qualifier of the bootstrap in these options.

    \b
    Exit codes:
      0  no problem
      1  notices: the deployment succeeds, but something needs attention
      2  the deployment would fail or lose something
      3  the checks could not run, for example without credentials
    """
    environment, shell = target.environment, dict(os.environ)
    endpoint = shell.get("AWS_ENDPOINT_URL")
    where = f"the AWS at {endpoint} (AWS_ENDPOINT_URL)" if endpoint else "AWS"
    place = f"{where}, account {environment.account}, Region {environment.region}"
    click.echo(f"Checking {environment.name} before a deployment to {place}.", err=True)
    planned = Planned(environment, qualifier_of([*cdk_options], shell))
    profile = profile_of([*cdk_options], shell)
    if profile:
        use_profile(profile)
    checks = run_checks(target, planned, profile, skip)
    if not as_json:
        print_checks([check for check in checks if check.state in (State.BROKEN, State.DEGRADED)])
        _print_not_tried(checks)
    end(checks, as_json=as_json, verdict=_verdict(environment.name, checks))


def run_checks(
    target: Target,
    planned: Planned,
    profile: str | None = None,
    skip: Collection[str] = (),
    seconds: float = SECONDS,
) -> list[Check]:
    """Run all checks in parallel, within a time limit.

    Args:
        target: The environment, with the credentials for its account.
        planned: The deployment that is about to start.
        profile: A profile of the AWS CLI that is used instead of the target's profile.
        skip: The names of checks that do not run.
        seconds: The time limit for all checks together.

    Returns:
        One result for each finding, and one for each check without findings.

    Raises:
        CannotTell: There are no valid credentials for the account, or AWS does not answer.
    """
    deadline = monotonic() + seconds
    try:
        clients = _in_time(lambda: target.clients(profile, planned.qualifier), seconds)
    except CannotTell as error:
        if isinstance(error.__cause__, RegionNotEnabled):
            return _without_region(planned)
        raise
    wanted = {name: find for name, find in CHECKS.items() if name not in skip}
    findings, unanswered = ask(clients, planned, wanted, deadline)
    return [Check("region", State.OK, f"{planned.environment.region} is enabled"), *_results(findings, unanswered)]


def ask(
    clients: Clients, planned: Planned, checks: Mapping[str, Find], deadline: float
) -> tuple[dict[str, list[Finding]], dict[str, str]]:
    """Return the findings of each check that AWS answered, and the reason for each other check.

    Args:
        clients: The clients for the account and Region.
        planned: The deployment that is about to start.
        checks: The checks by name.
        deadline: The time of the monotonic clock at which the function returns at the latest.
    """
    answered: SimpleQueue[tuple[str, list[Finding] | NoAnswer]] = SimpleQueue()

    def run(name: str, find: Find) -> None:
        try:
            answered.put((name, list(find(clients, planned))))
        except NoAnswer as reason:
            answered.put((name, reason))
        except Exception as error:  # A bug in a check must not stop a deployment.
            answered.put((name, NoAnswer(repr(error))))

    # The threads are daemons, so the program does not wait for them at its end.
    for name, find in checks.items():
        Thread(target=run, args=(name, find), daemon=True).start()
    findings: dict[str, list[Finding]] = {}
    unanswered = dict.fromkeys(checks, "no answer in time")
    for _ in checks:
        try:
            name, answer = answered.get(timeout=max(0, deadline - monotonic()))
        except Empty:
            break
        if isinstance(answer, NoAnswer):
            unanswered[name] = str(answer)
        else:
            del unanswered[name]
            findings[name] = answer
    return findings, unanswered


def _in_time(create: Callable[[], Clients], seconds: float) -> Clients:
    """Return clients, within a time limit.

    The timeouts of botocore do not apply to a program that supplies credentials (`credential_process`).

    Raises:
        CannotTell: There are no valid credentials for the account, or AWS does not answer in time.
    """
    answered: SimpleQueue[Clients | Exception] = SimpleQueue()

    def run() -> None:
        try:
            answered.put(create())
        except Exception as error:
            answered.put(error)

    Thread(target=run, daemon=True).start()
    try:
        answer = answered.get(timeout=seconds)
    except Empty:
        problem = f"AWS did not answer within {seconds:g} seconds"
        raise CannotTell(f"{problem}. Check the network and the proxy settings") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _results(findings: Mapping[str, Sequence[Finding]], unanswered: Mapping[str, str]) -> list[Check]:
    """Return the results in the order of CHECKS. A check that is in neither argument was skipped."""
    results: list[Check] = []
    for name in CHECKS:
        if name in unanswered:
            results.append(Check(name, State.NOT_TRIED, unanswered[name]))
        elif name not in findings:
            results.append(Check(name, State.NOT_TRIED, "skipped with --skip"))
        elif not findings[name]:
            results.append(Check(name, State.OK, "no problem"))
        for finding in findings.get(name, ()):
            state = State.BROKEN if finding.stops else State.DEGRADED
            results.append(Check(name, state, finding.problem, finding.fix))
    return results


def _without_region(planned: Planned) -> list[Check]:
    region = planned.environment.region
    problem = f"The Region {region} is not enabled in the account. AWS would answer: InvalidClientTokenId."
    fix = "Run: " + aws_without_region(f"account enable-region --region-name {region}")
    others = [Check(name, State.NOT_TRIED, "the Region is not enabled") for name in CHECKS]
    return [Check("region", State.BROKEN, problem, fix), *others]


def _print_not_tried(checks: Sequence[Check]) -> None:
    """Print one line for each reason why checks were not tried."""
    by_reason: dict[str, list[str]] = {}
    for check in checks:
        if check.state is State.NOT_TRIED:
            by_reason.setdefault(check.detail, []).append(check.name)
    for reason, names in by_reason.items():
        console().print(Text(f"- not tried: {', '.join(names)} ({reason})", style="dim"))


def _verdict(name: str, checks: Sequence[Check]) -> str:
    counts = {state: sum(check.state is state for check in checks) for state in State}
    if stopping := counts[State.BROKEN]:
        problems = "1 problem" if stopping == 1 else f"{stopping} problems"
        return f"{name}: the deployment would fail or lose something, {problems}. To deploy anyway, add PREFLIGHT=off"
    parts = [f"{counts[State.OK]} checks without a problem"]
    parts += [f"{count} {'notice' if count == 1 else 'notices'}"] if (count := counts[State.DEGRADED]) else []
    parts += [f"{count} not tried"] if (count := counts[State.NOT_TRIED]) else []
    return f"{name}: {', '.join(parts)}"
