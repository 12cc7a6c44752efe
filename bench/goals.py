"""What this project promises of its refresh, and whether the figures keep it."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.processes import Cost
from bench.refresh import CRON_SCRIPT, PLAIN_BOTO3, THIS_HANDLER


@dataclass(frozen=True)
class Goal:
    """One promise."""

    promise: str
    measured: str
    kept: bool


def goals(costs: Mapping[str, Cost], *, handler_lines: int, zip_bytes: int) -> list[Goal]:
    """Every promise, held against the figures of one run."""
    this, plain, cron = (costs[name].cpu_milliseconds for name in (THIS_HANDLER, PLAIN_BOTO3, CRON_SCRIPT))
    return [
        Goal("the cron script takes 20 times this handler's CPU, or more", f"{cron / this:.1f}", cron >= 20 * this),
        Goal("this handler takes 0.85 of plain boto3's CPU, or less", f"{this / plain:.2f}", this <= 0.85 * plain),
        Goal("handler.py has fewer than 80 lines", f"{handler_lines}", handler_lines < 80),
        Goal("the function's zip has 10 kB or less", f"{zip_bytes / 1000:.1f} kB", zip_bytes <= 10_000),
    ]
