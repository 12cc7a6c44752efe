"""Format the results as Markdown tables, which are also readable in a terminal."""

from collections.abc import Mapping, Sequence

from bench.goals import Goal
from bench.in_turn import Runs
from bench.rewriting import Result


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table. The first column is aligned to the left. The other columns are aligned to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join([first, *rest])} |"

    rule = [("-" * width) if column == 0 else ("-" * (width - 1) + ":") for column, width in enumerate(widths)]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def cpu_table(runs: Mapping[str, Runs], baseline: str, first_column: str) -> str:
    """Return a table with the CPU time and the memory of each variant. The ratio of the baseline is 1.00."""
    rows = [
        [
            name,
            f"{one.median('cpu_milliseconds'):.0f}",
            f"{one.ratio(runs[baseline], 'cpu_milliseconds'):.2f}",
            f"{one.median('peak_mebibytes'):.0f}",
        ]
        for name, one in runs.items()
    ]
    return table([first_column, "CPU, ms", "ratio", "peak memory, MiB"], rows)


def waiting_table(runs: Mapping[str, Runs], baseline: str) -> str:
    """Return a table with the elapsed time of each variant. The ratio of the baseline is 1.00."""
    rows = [
        [
            name,
            f"{one.median('wall_seconds'):.1f}",
            f"{one.ratio(runs[baseline], 'wall_seconds'):.2f}",
            f"{one.median('cpu_milliseconds') / 1000:.1f}",
        ]
        for name, one in runs.items()
    ]
    return table(["from start to end", "seconds", "ratio", "CPU, s"], rows)


def readers_table(results: Mapping[str, Result]) -> str:
    """Return a table with the failed reads for each way to rewrite the docker login."""
    rows = [
        [
            name,
            str(one.rewrites),
            str(one.reads.reads),
            str(one.reads.failed),
            f"{one.reads.failed / one.reads.reads:.1%}",
            f"{one.reads.longest_gap_seconds:.1f}",
            ", ".join(one.reads.failures) or "-",
        ]
        for name, one in results.items()
    ]
    head = ["login rewritten by", "rewrites", "reads", "failed", "share", "longest gap, s", "reason"]
    return table(head, rows)


def goals_table(goals: Sequence[Goal]) -> str:
    """Return a table with each goal, its result, and whether the result meets the goal."""
    return table(
        ["goal", "measured", ""], [[goal.goal, goal.measured, "met" if goal.met else "not met"] for goal in goals]
    )
