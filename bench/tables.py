"""Figures as tables that read well on a terminal and as Markdown."""

from collections.abc import Mapping, Sequence

from bench.goals import Goal
from bench.in_turn import Runs
from bench.rewriting import Met


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the figures to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join([first, *rest])} |"

    rule = [("-" * width) if column == 0 else ("-" * (width - 1) + ":") for column, width in enumerate(widths)]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def refresh_table(runs: Mapping[str, Runs], baseline: str) -> str:
    """CPU and memory of each variant; the baseline's ratio is 1.00."""
    rows = [
        [
            name,
            f"{one.median('cpu_milliseconds'):.0f}",
            f"{one.ratio(runs[baseline], 'cpu_milliseconds'):.2f}",
            f"{one.median('peak_mebibytes'):.0f}",
        ]
        for name, one in runs.items()
    ]
    return table(["one refresh, cold", "CPU, ms", "ratio", "peak memory, MiB"], rows)


def waiting_table(runs: Mapping[str, Runs], baseline: str) -> str:
    """How long one waits for each variant; the baseline's ratio is 1.00."""
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


def readers_table(met: Mapping[str, Met]) -> str:
    """What readers met, by how the login was rewritten."""
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
        for name, one in met.items()
    ]
    head = ["login rewritten by", "rewrites", "reads", "failed", "share", "longest gap, s", "readers saw"]
    return table(head, rows)


def goals_table(goals: Sequence[Goal]) -> str:
    """Each promise, and whether it was kept."""
    return table(
        ["goal", "measured", ""], [[goal.promise, goal.measured, "kept" if goal.kept else "not kept"] for goal in goals]
    )
