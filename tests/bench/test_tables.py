"""The tables of the benchmarks show ratios, shares, and whether a result meets a goal."""

import pytest

from bench.backend_reads import STRICT, USUAL
from bench.goals import backend_goal, goals, synthesis_goal
from bench.in_turn import Runs
from bench.processes import Cost
from bench.readers.reading import Reads
from bench.refresh import CRON_SCRIPT, PLAIN_BOTO3, THIS_HANDLER
from bench.rewriting import Result
from bench.synthesizing import FEW, MANY
from bench.tables import cpu_table, goals_table, readers_table, waiting_table


def runs(cpu: float, wall: float = 1.0) -> Runs:
    return Runs([Cost(wall_seconds=wall, cpu_milliseconds=cpu, peak_mebibytes=45.6)] * 5)


def test_ratios_compare_with_the_baseline_in_any_position() -> None:
    measured = {"this handler": runs(160), "plain boto3": runs(200), "cron script": runs(4000)}

    assert cpu_table(measured, "plain boto3", "one refresh, cold").splitlines() == [
        "| one refresh, cold | CPU, ms | ratio | peak memory, MiB |",
        "| ----------------- | ------: | ----: | ---------------: |",
        "| this handler      |     160 |  0.80 |               46 |",
        "| plain boto3       |     200 |  1.00 |               46 |",
        "| cron script       |    4000 | 20.00 |               46 |",
    ]


def test_waiting_times_are_elapsed_seconds() -> None:
    rows = waiting_table({"synth": runs(1800, wall=2.0), "clone": runs(50_000, wall=40.0)}, "synth").splitlines()

    assert rows[-1].split() == ["|", "clone", "|", "40.0", "|", "20.00", "|", "50.0", "|"]


def test_failed_reads_are_shown_as_a_share_of_all_reads() -> None:
    reads = Reads(reads=4000, failures={"NotFound": 1999, "unusable": 1}, longest_gap_seconds=3.72, logins=8)

    row = readers_table({"delete and add": Result(rewrites=8, reads=reads)}).splitlines()[-1]

    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "delete and add", "8", "4000", "2000", "50.0%", "3.7", "NotFound, unusable"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("this", "cron", "zip_bytes", "met"),
    [
        (170, 3400, 10_000, [True, True, True]),
        (171, 3419, 10_001, [False, False, False]),
    ],
    ids=["at the limit", "beyond the limit"],
)
def test_a_goal_is_met_at_its_limit_and_not_met_beyond_it(
    this: int, cron: int, zip_bytes: int, met: list[bool]
) -> None:
    measured = {THIS_HANDLER: runs(this), PLAIN_BOTO3: runs(200), CRON_SCRIPT: runs(cron)}

    results = goals(measured, zip_bytes=zip_bytes)

    assert [goal.met for goal in results] == met
    assert goals_table(results).count("not met") == met.count(False)


def test_the_goal_for_many_repositories_compares_cpu_time() -> None:
    assert [synthesis_goal({FEW: runs(100), MANY: runs(cpu)}).met for cpu in (250, 251)] == [True, False]


def test_the_goal_for_the_strict_backend_compares_cpu_time() -> None:
    assert [backend_goal({USUAL: runs(100), STRICT: runs(cpu)}).met for cpu in (105, 105.1)] == [True, False]
