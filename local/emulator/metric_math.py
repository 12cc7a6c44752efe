"""Metric math of CloudWatch. This module has no state and calls no service.

Source: the CloudWatch user guide, "Using math expressions with CloudWatch metrics". Supported are the operators + - * /
and comparisons, and the functions EPOCH, FILL with a number or REPEAT, IF, MAX, MIN and SUM.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Series = dict[int, float]  # the start of a period, in seconds since the epoch, to the value
Value = Series | float

_OPERATORS: dict[type, Callable[[float, float], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_REDUCTIONS: dict[str, Callable[[Sequence[float]], float]] = {"MAX": max, "MIN": min, "SUM": sum}


def evaluate(expression: str, series: Mapping[str, Series], periods: Sequence[int]) -> Series:
    """Return the series of an expression.

    Args:
        expression: The expression, such as `FILL(runs, 0) - FILL(errors, 0)`.
        series: A dict of id to the series of the other queries of the request.
        periods: The starts of all periods of the request, oldest first.

    Raises:
        ValueError: The expression is not valid or not supported.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError:
        raise ValueError(f"Error in expression: {expression}") from None
    value = _Evaluation(series, periods).value(tree.body)
    return value if isinstance(value, dict) else dict.fromkeys(periods, value)


class _Evaluation:
    def __init__(self, series: Mapping[str, Series], periods: Sequence[int]) -> None:
        self._series = series
        self._periods = periods

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in self._series:
                return self._series[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _combined(operator.sub, 0.0, self.value(operand))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
                return _combined(_OPERATORS[type(sign)], self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _OPERATORS:
                return _combined(_OPERATORS[type(sign)], self.value(left), self.value(right))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, arguments)
        raise ValueError(f"Error in expression: the emulator does not know {ast.unparse(node)}")

    def _call(self, name: str, arguments: list[ast.expr]) -> Value:
        match name, arguments:
            case "FILL", [metric, ast.Name(id="REPEAT")]:
                return self._repeated(_as_series(self.value(metric)))
            case "FILL", [metric, filling]:
                return self._filled(_as_series(self.value(metric)), self.value(filling))
            case "EPOCH", [metric]:
                return {at: float(at) for at in _as_series(self.value(metric))}
            case "IF", [condition, *choices] if len(choices) in (1, 2):
                return self._chosen(_as_series(self.value(condition)), [self.value(choice) for choice in choices])
            case (("MAX" | "MIN" | "SUM"), [ast.List(elts=metrics)]):
                return self._across([_as_series(self.value(metric)) for metric in metrics], _REDUCTIONS[name])
            case (("MAX" | "MIN" | "SUM"), [metric]):
                values = list(_as_series(self.value(metric)).values())
                return _REDUCTIONS[name](values) if values else {}
        raise ValueError(f"Error in expression: the emulator does not know {name} with {len(arguments)} arguments")

    def _filled(self, series: Series, filling: Value) -> Series:
        other = dict.fromkeys(self._periods, filling) if isinstance(filling, float) else filling
        return {**other, **series}

    def _repeated(self, series: Series) -> Series:
        filled: Series = {}
        latest = None
        for at in self._periods:
            latest = series.get(at, latest)
            if latest is not None:
                filled[at] = latest
        return filled

    def _chosen(self, condition: Series, choices: list[Value]) -> Series:
        chosen: Series = {}
        for at, is_true in condition.items():
            index = 0 if is_true else 1
            if index < len(choices):
                choice = choices[index]
                value = choice.get(at) if isinstance(choice, dict) else choice
                if value is not None:
                    chosen[at] = value
        return chosen

    def _across(self, series: list[Series], reduce: Callable[[Sequence[float]], float]) -> Series:
        values = {at: [each[at] for each in series if at in each] for at in self._periods}
        return {at: reduce(present) for at, present in values.items() if present}


def _combined(combine: Callable[[float, float], Any], left: Value, right: Value) -> Value:
    """Combine two values. A period without data in one of them, or with a division by zero, has no data."""
    if not isinstance(left, dict) and not isinstance(right, dict):
        return float(combine(left, right))
    periods = [at for each in (left, right) if isinstance(each, dict) for at in each]
    result: Series = {}
    for at in sorted(set(periods)):
        one, other = (each.get(at) if isinstance(each, dict) else each for each in (left, right))
        if one is not None and other is not None and not (combine is operator.truediv and other == 0):
            result[at] = float(combine(one, other))
    return result


def _as_series(value: Value) -> Series:
    if not isinstance(value, dict):
        raise ValueError(f"Error in expression: {value} is not a metric")
    return value
