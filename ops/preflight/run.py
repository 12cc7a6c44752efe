"""Find problems before a deployment: `python -m ops.preflight <environment> [CDK options]`.

All requests to AWS are read-only. `ops.preflight.checks` lists the checks. If AWS does not answer a request in time, or
refuses the request, the deployment continues, because many pipelines may only assume the CDK's roles.
"""

import os
import sys
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from ops.clients import Clients, NoAnswer, make_clients
from ops.preflight.checks import CHECKS, Check
from ops.preflight.findings import Finding, Planned
from settings.files import SettingsError, load_environments
from tools import ROOT
from tools.cdk_options import profile_of, qualifier_of

ENVIRONMENTS = ROOT / "environments"

SECONDS = 12
"""How long a deployment waits for all checks together."""


def ask(planned: Planned, profile: str | None = None, seconds: float = SECONDS) -> tuple[list[Finding], dict[str, str]]:
    """Run all checks in parallel, within a time limit.

    Args:
        planned: The deployment that is about to start.
        profile: A profile of the AWS CLI; by default the credentials of the shell.
        seconds: The time limit for all checks together.

    Returns:
        The findings, and the reason for each check that was skipped.
    """
    answered: SimpleQueue[tuple[str, list[Finding] | NoAnswer]] = SimpleQueue()

    def run(name: str, check: Check, clients: Clients) -> None:
        try:
            answered.put((name, list(check(clients, planned))))
        except NoAnswer as reason:
            answered.put((name, reason))
        except Exception as error:  # A bug in a check must not stop a deployment.
            answered.put((name, NoAnswer(repr(error))))

    def start() -> None:
        try:
            environment = planned.environment
            clients = make_clients(environment.account, environment.region, profile, planned.qualifier)
        except Exception as error:
            reason = error if isinstance(error, NoAnswer) else NoAnswer(repr(error))
            for name in CHECKS:
                answered.put((name, reason))
            return
        for name, check in CHECKS.items():
            Thread(target=run, args=(name, check, clients), daemon=True).start()

    # The checks run in threads, so that each check has a time limit. The timeouts of botocore do not apply to a program
    # that supplies credentials (`credential_process`).
    Thread(target=start, daemon=True).start()
    findings: dict[str, list[Finding]] = {}
    unanswered = dict.fromkeys(CHECKS, f"no answer within {seconds:g} seconds")
    deadline = monotonic() + seconds
    for _ in CHECKS:
        try:
            name, answer = answered.get(timeout=max(0, deadline - monotonic()))
        except Empty:
            break
        if isinstance(answer, NoAnswer):
            unanswered[name] = str(answer)
        else:
            del unanswered[name]
            findings[name] = answer
    return [finding for name in CHECKS for finding in findings.get(name, [])], unanswered


def main() -> None:
    """Print the account and the findings. The exit status is 1 if a finding stops the deployment."""
    name, *options = sys.argv[1:]
    try:
        by_name = {each.name: each for each in load_environments(ENVIRONMENTS)}
    except SettingsError as error:
        sys.exit(str(error))
    if name not in by_name:
        sys.exit(f"environments/{name}.toml does not exist. Copy a file from examples/ and edit it")
    environment, shell = by_name[name], dict(os.environ)
    endpoint = shell.get("AWS_ENDPOINT_URL")
    where = f"the AWS at {endpoint} (AWS_ENDPOINT_URL)" if endpoint else "AWS"
    print(f"Deploying {name} to {where}, account {environment.account}, Region {environment.region}.", file=sys.stderr)
    findings, unanswered = ask(Planned(environment, qualifier_of(options, shell)), profile_of(options, shell))
    if unanswered:
        reasons = "; ".join(dict.fromkeys(unanswered.values()))
        print(f"Not checked before the deployment: {', '.join(unanswered)} ({reasons}).", file=sys.stderr)
    notices = [finding for finding in findings if not finding.stops]
    problems = [finding for finding in findings if finding.stops]
    if notices:
        print("Notices, which do not stop the deployment:", *notices, sep="\n", file=sys.stderr)
    if problems:
        print("The deployment would fail or lose something:", *problems, sep="\n", file=sys.stderr)
        print("To deploy without these checks, add PREFLIGHT=off.", file=sys.stderr)
    sys.stderr.flush()
    os._exit(1 if problems else 0)  # Python would wait for threads that still wait for an answer.
