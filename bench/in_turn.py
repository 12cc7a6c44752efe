"""Measure variants in turn. A busy machine then slows all variants down, and the ratios stay comparable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.processes import Cost

MIN_ROUNDS = 5


@dataclass(frozen=True)
class Runs:
    """The runs of one variant, in the order of the rounds."""

    costs: Sequence[Cost]

    def values(self, name: str) -> list[float]:
        """Return an attribute of Cost for each run."""
        return [getattr(cost, name) for cost in self.costs]

    def median(self, name: str) -> float:
        """Return the median of an attribute of Cost."""
        return median(self.values(name))

    def ratio(self, baseline: "Runs", name: str) -> float:
        """Return the median of the ratios in each round.

        A machine that is slow in some rounds does not change this median.
        """
        rounds = zip(self.values(name), baseline.values(name), strict=True)
        return median(ours / theirs for ours, theirs in rounds)


def in_turn(variants: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, Runs]:
    """Run every variant once in each round, and return a dict of variant to its runs.

    Raises:
        ValueError: There are fewer than MIN_ROUNDS rounds.
    """
    if rounds < MIN_ROUNDS:
        raise ValueError(f"{rounds} rounds are fewer than {MIN_ROUNDS}; run at least {MIN_ROUNDS} for a median")
    width = max(map(len, variants))
    costs: dict[str, list[Cost]] = {name: [] for name in variants}
    for round_ in range(rounds):
        for name, run in variants.items():
            print(f"\r  round {round_ + 1} of {rounds}: {name:{width}}", end="", flush=True)
            costs[name].append(run())
    print(f"\r{'':{width + 30}}\r", end="", flush=True)
    return {name: Runs(of_variant) for name, of_variant in costs.items()}
