"""What CloudWatch makes of a metric alarm, as its User Guide has it; nothing of it runs outside AWS.

"Evaluating an alarm", "Configuring how CloudWatch alarms treat missing data" and "Using math expressions". Two things
it leaves open, and so callers try both: how far an alarm looks back beyond its evaluation periods when data is missing,
and whether FILL fills a metric that has no data at all.
"""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Series = Mapping[int, float]  # a metric's sum by minute; a minute without data is missing
_BREACHES = {"LessThanThreshold": operator.lt, "GreaterThanThreshold": operator.gt}


@dataclass(frozen=True)
class CloudWatch:
    """`delay_minutes`: how long a figure takes to arrive. `looks_back`: in periods."""

    delay_minutes: int = 2
    looks_back: int = 2
    fills_emptiness: bool = True

    def state(self, alarm: dict[str, Any], metrics: Mapping[str, Series], minute: int) -> str:
        """ALARM or OK at the end of a minute. `metrics` by their names, such as Errors."""
        wanted, enough = alarm["EvaluationPeriods"], alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
        points = self._points(alarm, metrics, minute, wanted + self.looks_back)
        real = [point for point in points if point is not None]
        if len(points[-wanted:]) > len([point for point in points[-wanted:] if point is not None]):
            points = [*real, *[None] * max(0, wanted - len(real))]  # as few missing ones as possible
        breaches, missing = _BREACHES[alarm["ComparisonOperator"]], alarm["TreatMissingData"]
        breaching = sum(
            missing == "breaching" if point is None else breaches(point, alarm["Threshold"])
            for point in points[-wanted:]
        )
        return "ALARM" if breaching >= enough else "OK"

    def rings(
        self, alarm: dict[str, Any], metrics: Mapping[str, Series], minutes: range, before: str = "OK"
    ) -> list[int]:
        """The minutes at whose end the alarm goes off."""
        rung = []
        for minute in minutes:
            before, was = self.state(alarm, metrics, minute), before
            if (was, before) == ("OK", "ALARM"):
                rung.append(minute)
        return rung

    def _points(
        self, alarm: dict[str, Any], metrics: Mapping[str, Series], minute: int, count: int
    ) -> list[float | None]:
        assert {
            alarm.get("Statistic", "Sum"),
            *(m["MetricStat"]["Stat"] for m in alarm.get("Metrics", []) if "MetricStat" in m),
        } == {"Sum"}
        if "MetricName" in alarm:
            return self._sums(metrics[alarm["MetricName"]], alarm["Period"], minute, count)
        [expression] = [m["Expression"] for m in alarm["Metrics"] if m["ReturnData"]]
        values = {
            m["Id"]: self._sums(
                metrics[m["MetricStat"]["Metric"]["MetricName"]], m["MetricStat"]["Period"], minute, count
            )
            for m in alarm["Metrics"]
            if "MetricStat" in m
        }
        parts = re.fullmatch(r"FILL\((\w+), 0\) - FILL\((\w+), 0\)", expression)
        assert parts, f"teach this to evaluate {expression}"
        filled = [self._fill(values[part]) for part in parts.groups()]
        return [None if None in pair else pair[0] - pair[1] for pair in zip(*filled, strict=True)]

    def _fill(self, points: list[float | None]) -> list[float | None]:
        if not self.fills_emptiness and all(point is None for point in points):
            return points
        return [0 if point is None else point for point in points]

    def _sums(self, series: Series, period_seconds: int, minute: int, count: int) -> list[float | None]:
        """The latest periods that end with this minute, the newest last."""
        period = period_seconds // 60
        sums: list[float | None] = []
        for end in range(minute - (count - 1) * period, minute + 1, period):
            there = [
                series[m] for m in range(end - period + 1, end + 1) if m in series and m <= minute - self.delay_minutes
            ]
            sums.append(sum(there) if there else None)
        return sums
