"""Measure variants in turn: a busy machine is busy for all of them, and their ratios hold where seconds do not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.processes import Cost

MIN_ROUNDS = 5


@dataclass(frozen=True)
class Runs:
    """One variant's runs, in the order of the rounds."""

    costs: Sequence[Cost]

    def figures(self, name: str) -> list[float]:
        """One of Cost's figures, in each run."""
        return [getattr(cost, name) for cost in self.costs]

    def median(self, name: str) -> float:
        """The median of one of Cost's figures."""
        return median(self.figures(name))

    def ratio(self, baseline: "Runs", name: str) -> float:
        """The median of the rounds' ratios. A machine that slows down for some rounds does not move it."""
        rounds = zip(self.figures(name), baseline.figures(name), strict=True)
        return median(ours / theirs for ours, theirs in rounds)


def in_turn(variants: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, Runs]:
    """Run every variant once, then every variant again, and so on; the runs by variant."""
    if rounds < MIN_ROUNDS:
        raise ValueError(f"a median of fewer than {MIN_ROUNDS} runs says little")
    width = max(map(len, variants))
    costs: dict[str, list[Cost]] = {name: [] for name in variants}
    for round_ in range(rounds):
        for name, run in variants.items():
            print(f"\r  round {round_ + 1} of {rounds}: {name:{width}}", end="", flush=True)
            costs[name].append(run())
    print(f"\r{'':{width + 30}}\r", end="", flush=True)
    return {name: Runs(of_variant) for name, of_variant in costs.items()}
