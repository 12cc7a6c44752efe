"""Evaluate metric alarms as CloudWatch does.

Source: the CloudWatch user guide, "Evaluating an alarm", "Configuring how CloudWatch alarms treat missing data" and
"Using math expressions". Two facts are not in the guide, so they are parameters of `Evaluation`: how many periods
before the evaluation periods an alarm uses when data is missing, and whether FILL fills a metric that has no data.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Alarm = Mapping[str, Any]  # the properties of an alarm, as in PutMetricAlarm and in templates
Series = Mapping[int, float]  # minute to the metric's sum; minutes without data are absent
Metrics = Callable[[Alarm], Series]  # returns the series of a Namespace, MetricName and Dimensions

_BREACHES = {
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
}


@dataclass(frozen=True)
class Evaluation:
    """How CloudWatch evaluates alarms.

    Attributes:
        delay_minutes: the time until CloudWatch has a metric's data.
        looks_back: the number of periods before the evaluation periods that an alarm uses when data is missing.
        fills_emptiness: whether FILL fills a metric that has no data at all.
    """

    delay_minutes: int = 0
    looks_back: int = 2
    fills_emptiness: bool = True

    def state(self, alarm: Alarm, metrics: Metrics, minute: int) -> str:
        """Return the alarm's state at the end of a minute, ALARM or OK.

        Raises:
            NotImplementedError: the alarm uses a feature that the alarms of this project do not use.
        """
        wanted = alarm["EvaluationPeriods"]
        points = self._points(alarm, metrics, minute, wanted + self.looks_back)
        if None in points[-wanted:]:  # CloudWatch then uses earlier data points instead of missing ones.
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
            raise NotImplementedError(f"the metric math is not FILL(a, 0) - FILL(b, 0): {expression}")
        left, right = (self._fill(parts[name]) for name in difference.groups())
        return [None if a is None or b is None else a - b for a, b in zip(left, right, strict=True)]

    def _fill(self, points: list[float | None]) -> list[float | None]:
        if not self.fills_emptiness and all(point is None for point in points):
            return points
        return [0 if point is None else point for point in points]

    def _sums(
        self, metric: Alarm, statistic: str, period_seconds: int, metrics: Metrics, minute: int, count: int
    ) -> list[float | None]:
        """Return the sums of the last `count` periods, with None for no data. The last period ends with this minute."""
        if statistic != "Sum":
            raise NotImplementedError(f"the statistic is not Sum: {statistic}")
        period = period_seconds // 60
        first = minute - count * period + 1  # the first minute of the first period
        sums: list[float | None] = [None] * count
        for at, value in metrics(metric).items():
            if first <= at <= minute - self.delay_minutes:
                number = (at - first) // period
                sums[number] = (sums[number] or 0) + value
        return sums
