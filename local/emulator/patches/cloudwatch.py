"""Metric alarms, and the metrics of functions and queues that ours watch.

AWS: an alarm may watch metric math. Each is looked at every minute, also when no data comes; it is of the metric with
its dimensions. Lambda counts each run as AWS/Lambda Invocations, whoever started it, and none that was throttled. SQS
counts the messages that arrive in a queue as AWS/SQS NumberOfMessagesSent.

MiniStack: refuses metric math in a template; looks at an alarm only when somebody puts a metric, at all of its range
at once, whatever the dimensions, and leaves it alone when there is no data; counts what is throttled, and no run that
a schedule starts; queues count nothing. Time is the wall clock's, here it is the one that can be moved on.
"""

import threading
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from ministack.services import cloudwatch, lambda_svc, sqs
from ministack.services.cloudformation import provisioners

from local.emulator.alarm_evaluation import Alarm, Evaluation, Series
from local.emulator.patches import clock

_alarm_record = provisioners._cw_metric_alarm_record
_run = lambda_svc._execute_function_dispatch
_evaluation = Evaluation()
_counted: set[str] = set()  # ids of messages


def alarm_record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    metrics = properties.get("Metrics")
    if not metrics:
        return dict(_alarm_record(name, properties))
    one_metric = {key: value for key, value in properties.items() if key != "Metrics"}
    record = _alarm_record(name, {**one_metric, "MetricName": "-", "Namespace": "-"})
    for key in ("MetricName", "Namespace", "Statistic", "Period", "Dimensions"):
        del record[key]
    return {**record, "Metrics": metrics}


def evaluate_alarm(alarm: dict[str, Any]) -> None:
    old, new = alarm["StateValue"], _evaluation.state(alarm, _series, int(clock.now() // 60))
    if new != old:
        reason = f"Looked at {alarm['EvaluationPeriods']} periods, threshold {alarm['Threshold']}"
        alarm |= {"StateValue": new, "StateReason": reason, "StateUpdatedTimestamp": int(clock.now())}
        cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
        cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)


def _series(metric: Alarm) -> Series:
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
    key = (metric["Namespace"], metric["MetricName"], cloudwatch._dims_key(dimensions))
    series: dict[int, float] = {}
    for point in list(cloudwatch._metrics.get(key, [])):
        minute = int(point["Timestamp"] // 60)
        series[minute] = series.get(minute, 0) + point["Value"]
    return series


def run(function: dict[str, Any], config: dict[str, Any], event: Any, request_id: str, started: float) -> Any:
    """The place that every run passes which was not throttled; it counts for the time at which it began."""
    began = clock.now()
    result = _run(function, config, event, request_id, started)
    dimensions = {"FunctionName": config["FunctionName"]}
    for name, value in (("Invocations", 1.0), ("Errors", float(bool(result.get("error"))))):
        point = {"Timestamp": began, "Value": value, "Unit": "Count", "Dimensions": dimensions}
        cloudwatch._metric_bucket(("AWS/Lambda", name, cloudwatch._dims_key(dimensions))).append(point)
    return result


def count_nothing(*_: Any, **__: Any) -> None:
    """In place of what counts by who started a run."""


def look() -> None:
    """Count what arrived in the queues, then look at every alarm."""
    for queue in list(sqs._queues.values()):
        arrived = {message["id"] for message in list(queue["messages"])} - _counted
        if arrived:
            _counted.update(arrived)
            cloudwatch.record_metric(
                "AWS/SQS", "NumberOfMessagesSent", len(arrived), "Count", {"QueueName": queue["name"]}
            )
    for alarm in list(cloudwatch._alarms.values()):
        with suppress(KeyError, NotImplementedError):  # Of another make than ours; whoever put it has been told.
            evaluate_alarm(alarm)


def _look_every_second() -> None:
    while True:
        time.sleep(1)
        look()


def apply() -> None:
    provisioners._cw_metric_alarm_record = alarm_record
    cloudwatch._evaluate_alarm = evaluate_alarm
    lambda_svc._execute_function_dispatch = run
    lambda_svc._emit_lambda_metrics = count_nothing
    cloudwatch.time = SimpleNamespace(time=clock.now)
    threading.Thread(target=_look_every_second, daemon=True).start()
