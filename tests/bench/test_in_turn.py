"""The variants run in turn, and the result of a variant is a median."""

from collections.abc import Callable

import pytest

from bench.in_turn import Runs, in_turn
from bench.processes import Cost


def cost(wall: float = 1.0, cpu: float = 1.0, peak: float = 1.0) -> Cost:
    return Cost(wall_seconds=wall, cpu_milliseconds=cpu, peak_mebibytes=peak)


def test_the_variants_run_in_turn() -> None:
    ran = []

    def running(name: str) -> Callable[[], Cost]:
        def run() -> Cost:
            ran.append(name)
            return cost()

        return run

    in_turn({"a": running("a"), "b": running("b"), "c": running("c")}, rounds=5)

    assert ran == ["a", "b", "c"] * 5


def test_one_slow_run_does_not_change_the_median() -> None:
    costs = iter([cost(cpu=n) for n in (210, 9000, 200, 190, 205)])

    assert in_turn({"a": lambda: next(costs)}, rounds=5)["a"].median("cpu_milliseconds") == 205


def test_each_measured_value_has_a_separate_median() -> None:
    runs = Runs([cost(wall=1, cpu=30, peak=200), cost(wall=2, cpu=10, peak=300), cost(wall=3, cpu=20, peak=100)])

    assert (runs.median("wall_seconds"), runs.median("cpu_milliseconds"), runs.median("peak_mebibytes")) == (2, 20, 200)


def test_a_ratio_compares_runs_of_the_same_round() -> None:
    ours = Runs([cost(cpu=n) for n in (80, 80, 160, 160, 80)])
    # The machine becomes slow after our run in the second round. It stays slow until the end of the fourth round.
    theirs = Runs([cost(cpu=n) for n in (100, 200, 200, 200, 100)])

    assert ours.ratio(theirs, "cpu_milliseconds") == 0.8
    assert ours.median("cpu_milliseconds") / theirs.median("cpu_milliseconds") == 0.4


def test_fewer_than_five_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 5"):
        in_turn({"a": cost}, rounds=4)
