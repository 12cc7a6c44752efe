"""CloudWatch: metric math and the order of data points in GetMetricData.

AWS (API reference, GetMetricData):
- A query is a metric or an expression on the other queries of the request.
- ScanBy is TimestampDescending by default: the newest data point is the first.
- An expression that is not valid is refused with ValidationError.

MiniStack:
- Answers each expression with the status InternalError.
- Returns the oldest data point first.

The patch:
- Evaluates expressions with local/emulator/metric_math.py. An expression has the longest period of the metrics of the
  request. An expression that the emulator does not know is refused.
- Answers SDKs and version 2 of the AWS CLI, which do not send forms.
"""

import json
from typing import Any

from ministack.services import cloudwatch

from local.emulator import metric_math

_get_metric_data = cloudwatch._get_metric_data

Query = dict[str, Any]
Result = dict[str, Any]


def get_metric_data(form: Any, request: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
    if not is_cbor and not is_json:
        return _get_metric_data(form, request, is_cbor, is_json)
    queries = request.get("MetricDataQueries", [])
    metrics = [{**query, "ReturnData": True} for query in queries if not query.get("Expression")]
    answer = _get_metric_data(form, {**request, "MetricDataQueries": metrics}, False, True)
    if answer[0] != 200:
        return answer
    found: dict[str, Result] = {result["Id"]: result for result in json.loads(answer[2])["MetricDataResults"]}
    start, end = (cloudwatch._parse_ts(request.get(name)) for name in ("StartTime", "EndTime"))
    try:
        _add_expressions(found, queries, start, end)
    except ValueError as error:
        return cloudwatch._error("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
    results = [found[query["Id"]] for query in queries if query.get("ReturnData", True)]
    if request.get("ScanBy") != "TimestampAscending":
        for result in results:
            result |= {"Timestamps": result["Timestamps"][::-1], "Values": result["Values"][::-1]}
    if is_cbor:
        return cloudwatch._cbor_ok({"MetricDataResults": [cloudwatch._cbor_metric_data_result(r) for r in results]})
    return cloudwatch._json_ok({"MetricDataResults": results})


def _add_expressions(found: dict[str, Result], queries: list[Query], start: float, end: float) -> None:
    """Add the results of the expressions, each of which can use earlier ones."""
    period = max((int(query["MetricStat"]["Period"]) for query in queries if query.get("MetricStat")), default=60)
    periods = range(int(start // period) * period, int(-(-end // period)) * period, period)
    for query in queries:
        if query.get("Expression"):
            series = {name: _series(result) for name, result in found.items()}
            values = metric_math.evaluate(query["Expression"], series, periods)
            found[query["Id"]] = {
                "Id": query["Id"],
                "Label": query.get("Label", query["Id"]),
                "Timestamps": sorted(values),
                "Values": [values[at] for at in sorted(values)],
                "StatusCode": "Complete",
            }


def _series(result: Result) -> metric_math.Series:
    return dict(zip(result["Timestamps"], result["Values"], strict=True))


def apply() -> None:
    cloudwatch._get_metric_data = get_metric_data
