"""What this project promises of its refresh, and whether the figures keep it."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.in_turn import Runs
from bench.refresh import CRON_SCRIPT, PLAIN_BOTO3, THIS_HANDLER


@dataclass(frozen=True)
class Goal:
    """One promise."""

    promise: str
    measured: str
    kept: bool


def goals(runs: Mapping[str, Runs], *, handler_lines: int, zip_bytes: int) -> list[Goal]:
    """Every promise, held against the figures of one bench."""
    cron_to_this = runs[CRON_SCRIPT].ratio(runs[THIS_HANDLER], "cpu_milliseconds")
    this_to_plain = runs[THIS_HANDLER].ratio(runs[PLAIN_BOTO3], "cpu_milliseconds")
    return [
        Goal("the cron script takes 20 times this handler's CPU, or more", f"{cron_to_this:.1f}", cron_to_this >= 20),
        Goal("this handler takes 0.85 of plain boto3's CPU, or less", f"{this_to_plain:.2f}", this_to_plain <= 0.85),
        Goal("handler.py has fewer than 80 lines", f"{handler_lines}", handler_lines < 80),
        Goal("the function's zip has 10 kB or less", f"{zip_bytes / 1000:.1f} kB", zip_bytes <= 10_000),
    ]
