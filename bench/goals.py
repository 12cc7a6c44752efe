"""The goals, and whether the results meet them."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.backend_reads import STRICT, USUAL
from bench.in_turn import Runs
from bench.refresh import CRON_SCRIPT, PLAIN_BOTO3, THIS_HANDLER
from bench.synthesizing import FEW, MANY


@dataclass(frozen=True)
class Goal:
    """One goal with its result."""

    goal: str
    measured: str
    met: bool


def goals(runs: Mapping[str, Runs], *, zip_bytes: int) -> list[Goal]:
    """Compare the results with every goal.

    Args:
        runs: A dict of variant to its runs of one refresh.
        zip_bytes: The size of the function's deployment package.
    """
    cron_to_this = runs[CRON_SCRIPT].ratio(runs[THIS_HANDLER], "cpu_milliseconds")
    this_to_plain = runs[THIS_HANDLER].ratio(runs[PLAIN_BOTO3], "cpu_milliseconds")
    return [
        Goal(
            "the cron script takes at least 20 times the CPU of this handler", f"{cron_to_this:.1f}", cron_to_this >= 20
        ),
        Goal("this handler takes at most 0.85 of plain boto3's CPU", f"{this_to_plain:.2f}", this_to_plain <= 0.85),
        Goal("the function's package has at most 10 kB", f"{zip_bytes / 1000:.1f} kB", zip_bytes <= 10_000),
    ]


def synthesis_goal(runs: Mapping[str, Runs]) -> Goal:
    """Compare a synthesis of many repositories with the goal.

    Args:
        runs: A dict of variant to its runs of one synthesis.
    """
    ratio = runs[MANY].ratio(runs[FEW], "cpu_milliseconds")
    return Goal("490 repositories take at most 2.5 times the CPU of 10 repositories", f"{ratio:.2f}", ratio <= 2.5)


def backend_goal(runs: Mapping[str, Runs]) -> Goal:
    """Compare the reads of the strict backend with the goal.

    Args:
        runs: A dict of variant to its runs. Each run is a batch of reads.
    """
    ratio = runs[STRICT].ratio(runs[USUAL], "cpu_milliseconds")
    return Goal("a strict read takes at most 1.05 of SecretsManagerBackend's CPU", f"{ratio:.3f}", ratio <= 1.05)
