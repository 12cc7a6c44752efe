"""Run the checks in parallel, each within a time limit."""

from collections.abc import Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from ops.clients import Denied, NoAnswer, answers
from ops.doctor import active as active_checks
from ops.doctor import alerts, images, policies, refreshes, resource_policies, secrets, stacks
from ops.doctor.findings import Examine, NotTried, Result
from ops.doctor.templates import Examined
from ops.results import State

GROUPS: dict[str, dict[str, Examine]] = {
    "Deployment": stacks.CHECKS,
    "Docker logins": {**secrets.CHECKS, **refreshes.CHECKS},
    "Policies": {**policies.CHECKS, **resource_policies.CHECKS},
    "Images": images.CHECKS,
    "Alerts": alerts.CHECKS,
    "Active": active_checks.CHECKS,
}
"""The checks by the heading under which they are printed."""

_SECONDS = {
    "drift": stacks.DRIFT_SECONDS + 10,
    "function_answers": 150,  # the function's timeout is 2 minutes
    "alarm_arrives": 45,
}
_OTHER_SECONDS = 45
"""How long the command waits for a check that is not in _SECONDS."""


def examine(examined: Examined, *, active: bool) -> dict[str, Result]:
    """Run all checks.

    Args:
        examined: The environment.
        active: Whether to run the checks that change something for a moment.

    Returns:
        The results by name, in the order of GROUPS.
    """
    started, found = monotonic(), SimpleQueue[Result]()
    checks = dict(_checks(active=active))
    for name, check in checks.items():
        # The threads are daemons, because the timeouts of botocore do not apply to a program that supplies credentials.
        Thread(
            target=lambda name, check: found.put(run(name, check, examined)), args=(name, check), daemon=True
        ).start()
    results: dict[str, Result] = {}
    while missing := checks.keys() - results.keys():
        limit = max(_SECONDS.get(name, _OTHER_SECONDS) for name in missing)
        try:
            result = found.get(timeout=max(0.0, started + limit - monotonic()))
        except Empty:
            break
        results[result.name] = result
    all_results = {}
    for group in GROUPS.values():
        for name in group:
            if name in results:
                all_results[name] = results[name]
            elif name in checks:
                all_results[name] = Result(
                    name, State.UNKNOWN, "AWS did not answer in time", fix="Run the command again"
                )
            else:
                all_results[name] = Result(name, State.NOT_TRIED, "only with --active")
    return all_results


def _checks(*, active: bool) -> Iterator[tuple[str, Examine]]:
    for group in GROUPS.values():
        if active or group is not active_checks.CHECKS:
            yield from group.items()


def run(name: str, check: Examine, examined: Examined) -> Result:
    """Run one check, and return its result also if AWS refuses a request or does not answer."""
    try:
        with answers():
            return check(examined).result(name)
    except NotTried as reason:
        return Result(name, State.NOT_TRIED, str(reason))
    except Denied as error:
        fix = f"Use credentials that allow {error.action}. docs/operate.md lists the actions of each command"
        return Result(name, State.UNKNOWN, str(error), fix=fix)
    except NoAnswer as error:
        return Result(name, State.UNKNOWN, str(error), fix="Run the command again")
    except Exception as error:  # A defect of one check must not hide the results of the others.
        text = f"this check failed with {type(error).__name__}"
        return Result(name, State.UNKNOWN, text, fix="Report this as a defect, with the file of --write-report")
