"""Measure variants in turn: a busy machine is busy for all of them, and their ratios hold where seconds do not."""

from collections.abc import Callable, Mapping
from statistics import median

from bench.processes import Cost

MIN_ROUNDS = 5


def medians(variants: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """Run every variant once, then every variant again, and so on; each figure's median, by variant."""
    if rounds < MIN_ROUNDS:
        raise ValueError(f"a median of fewer than {MIN_ROUNDS} runs says little")
    width = max(map(len, variants))
    costs: dict[str, list[Cost]] = {name: [] for name in variants}
    for round_ in range(rounds):
        for name, run in variants.items():
            print(f"\r  round {round_ + 1} of {rounds}: {name:{width}}", end="", flush=True)
            costs[name].append(run())
    print(f"\r{'':{width + 30}}\r", end="", flush=True)
    return {name: median_cost(runs) for name, runs in costs.items()}


def median_cost(runs: list[Cost]) -> Cost:
    """The median of each figure by itself."""
    return Cost(
        wall_seconds=median(run.wall_seconds for run in runs),
        cpu_milliseconds=median(run.cpu_milliseconds for run in runs),
        peak_mebibytes=median(run.peak_mebibytes for run in runs),
    )
