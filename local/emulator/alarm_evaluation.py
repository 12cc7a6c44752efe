"""What CloudWatch makes of a metric alarm, as its User Guide has it.

"Evaluating an alarm", "Configuring how CloudWatch alarms treat missing data", "Using math expressions". Two things are
not said there, and so are parameters: how far an alarm looks back beyond its evaluation periods when data is missing,
and whether FILL fills a metric that has no data at all.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Alarm = Mapping[str, Any]  # as PutMetricAlarm and a template have it
Series = Mapping[int, float]  # a metric's sum by minute; a minute without data is missing
Metrics = Callable[[Alarm], Series]  # the series of what has Namespace, MetricName and Dimensions

_BREACHES = {
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
}


@dataclass(frozen=True)
class Evaluation:
    """`delay_minutes`: how long a figure takes to arrive. `looks_back`: in periods."""

    delay_minutes: int = 0
    looks_back: int = 2
    fills_emptiness: bool = True

    def state(self, alarm: Alarm, metrics: Metrics, minute: int) -> str:
        """ALARM or OK at the end of a minute. Raises NotImplementedError for an alarm of another make than ours."""
        wanted = alarm["EvaluationPeriods"]
        points = self._points(alarm, metrics, minute, wanted + self.looks_back)
        if None in points[-wanted:]:  # then as few missing ones count as possible
            real = [point for point in points if point is not None]
            points = [*real, *[None] * (wanted - len(real))]
        breaches, missing_breaches = _BREACHES[alarm["ComparisonOperator"]], alarm["TreatMissingData"] == "breaching"
        breaching = [
            missing_breaches if point is None else breaches(point, alarm["Threshold"]) for point in points[-wanted:]
        ]
        return "ALARM" if sum(breaching) >= alarm.get("DatapointsToAlarm", wanted) else "OK"

    def _points(self, alarm: Alarm, metrics: Metrics, minute: int, count: int) -> list[float | None]:
        if "Metrics" not in alarm:
            return self._sums(alarm, alarm["Statistic"], alarm["Period"], metrics, minute, count)
        parts = {
            part["Id"]: self._sums(stat["Metric"], stat["Stat"], stat["Period"], metrics, minute, count)
            for part in alarm["Metrics"]
            if (stat := part.get("MetricStat"))
        }
        [expression] = [part["Expression"] for part in alarm["Metrics"] if part["ReturnData"]]
        difference = re.fullmatch(r"FILL\((\w+), 0\) - FILL\((\w+), 0\)", expression)
        if not difference:
            raise NotImplementedError(f"no other metric math than a difference of filled metrics: {expression}")
        left, right = (self._fill(parts[name]) for name in difference.groups())
        return [None if a is None or b is None else a - b for a, b in zip(left, right, strict=True)]

    def _fill(self, points: list[float | None]) -> list[float | None]:
        if not self.fills_emptiness and all(point is None for point in points):
            return points
        return [0 if point is None else point for point in points]

    def _sums(
        self, metric: Alarm, statistic: str, period_seconds: int, metrics: Metrics, minute: int, count: int
    ) -> list[float | None]:
        """The latest periods, the newest last: it ends with this minute."""
        if statistic != "Sum":
            raise NotImplementedError(f"no other statistic than Sum: {statistic}")
        series, period = metrics(metric), period_seconds // 60
        sums: list[float | None] = []
        for end in range(minute - (count - 1) * period, minute + 1, period):
            arrived = range(end - period + 1, min(end, minute - self.delay_minutes) + 1)
            there = [series[m] for m in arrived if m in series]
            sums.append(sum(there) if there else None)
        return sums
