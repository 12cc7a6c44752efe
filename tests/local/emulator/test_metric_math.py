"""Metric math of CloudWatch."""

import pytest

from local.emulator.metric_math import evaluate

SERIES = {"runs": {0: 2.0, 60: 1.0, 180: 3.0}, "errors": {0: 1.0, 60: 1.0, 180: 0.0}, "none": {}}
PERIODS = range(0, 300, 60)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("runs - errors", {0: 1, 60: 0, 180: 3}),
        ("100 * errors / runs", {0: 50, 60: 100, 180: 0}),
        ("runs / errors", {0: 2, 60: 1}),
        ("-runs + 1", {0: -1, 60: 0, 180: -2}),
        ("FILL(runs, 0) - FILL(none, 0)", {0: 2, 60: 1, 120: 0, 180: 3, 240: 0}),
        ("FILL(runs, REPEAT)", {0: 2, 60: 1, 120: 1, 180: 3, 240: 3}),
        ("runs - none", {}),
        ("IF(runs - errors > 0, EPOCH(runs))", {0: 0, 180: 180}),
        ("IF(runs > 1, runs, 0)", {0: 2, 60: 0, 180: 3}),
        ("SUM([runs, errors])", {0: 3, 60: 2, 180: 3}),
        ("MAX(runs)", dict.fromkeys(PERIODS, 3)),
        ("1 + 1", dict.fromkeys(PERIODS, 2)),
    ],
)
def test_an_expression_has_these_values_in_each_period(expression: str, values: dict[int, float]) -> None:
    assert evaluate(expression, SERIES, PERIODS) == values


@pytest.mark.parametrize(
    "expression", ["runs -", "absent + 1", "SLICE(runs, 1)", "runs if runs else errors", "__import__('os')"]
)
def test_an_expression_that_is_not_known_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="Error in expression"):
        evaluate(expression, SERIES, PERIODS)
