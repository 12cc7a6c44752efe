"""CloudWatch: metric alarms, and the metrics of functions and queues that our alarms use.

AWS:
- An alarm may use metric math. CloudWatch evaluates each alarm every minute, also when no data arrives. A metric is
  identified by its name and its dimensions (CloudWatch user guide, alarm evaluation and metrics concepts).
- Lambda counts each run in the metric AWS/Lambda Invocations, regardless of what started the run. Lambda does not count
  throttled runs (Lambda developer guide, function metrics).
- SQS counts the messages that arrive in a queue in AWS/SQS NumberOfMessagesSent (SQS developer guide, CloudWatch
  metrics).

MiniStack:
- Refuses metric math in templates.
- Evaluates an alarm only when a metric is put. It combines the data of all dimensions, and does not evaluate alarms
  without data.
- Counts throttled runs, and does not count runs that a schedule started. Queues have no metrics.

The patch:
- Accepts metric math in templates.
- Evaluates every alarm each second, with local/emulator/alarm_evaluation.py.
- Counts runs and messages as AWS does.
- Makes metrics, alarms and their history older when the clock is moved, because clients compare their times with the
  computer's clock.
"""

import threading
import time
from contextlib import suppress
from typing import Any

from ministack.services import cloudwatch, lambda_svc, sqs
from ministack.services.cloudformation import provisioners

from local.emulator.alarm_evaluation import Alarm, Evaluation, Series
from local.emulator.patches import clock

_alarm_record = provisioners._cw_metric_alarm_record
_run = lambda_svc._execute_function_dispatch
_evaluation = Evaluation()
_counted_messages: set[str] = set()  # by message id
_moving = threading.RLock()  # held while metrics become older, and while alarms are evaluated
_minutes_older = 0


def alarm_record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return MiniStack's record of an alarm of a template, which may use metric math."""
    metrics = properties.get("Metrics")
    if not metrics:
        return dict(_alarm_record(name, properties))
    one_metric = {key: value for key, value in properties.items() if key != "Metrics"}
    record = _alarm_record(name, {**one_metric, "MetricName": "-", "Namespace": "-"})
    for key in ("MetricName", "Namespace", "Statistic", "Period", "Dimensions"):
        del record[key]
    return {**record, "Metrics": metrics}


def evaluate_alarm(alarm: dict[str, Any]) -> None:
    """Evaluate one alarm, and run its actions if its state changes."""
    old, new = alarm["StateValue"], _evaluation.state(alarm, _series, int(time.time() // 60))
    if new != old:
        reason = f"Evaluated {alarm['EvaluationPeriods']} periods with the threshold {alarm['Threshold']}"
        alarm |= {"StateValue": new, "StateReason": reason, "StateUpdatedTimestamp": int(time.time())}
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
    """Run a function, and count the run at its start time. Every run that is not throttled calls this function."""
    began, minutes_before = time.time(), _minutes_older
    result = _run(function, config, event, request_id, started)
    dimensions = {"FunctionName": config["FunctionName"]}
    with _moving:
        began -= 60 * (_minutes_older - minutes_before)  # The clock can be moved during the run.
        for name, value in (("Invocations", 1.0), ("Errors", float(bool(result.get("error"))))):
            point = {"Timestamp": began, "Value": value, "Unit": "Count", "Dimensions": dimensions}
            cloudwatch._metric_bucket(("AWS/Lambda", name, cloudwatch._dims_key(dimensions))).append(point)
    return result


def count_nothing(*_: Any, **__: Any) -> None:
    """Count nothing: this function replaces MiniStack's count, which depends on what started a run."""


def evaluate() -> None:
    """Count the messages that arrived in the queues, and evaluate every alarm."""
    for queue in list(sqs._queues.values()):
        arrived = {message["id"] for message in list(queue["messages"])} - _counted_messages
        if arrived:
            _counted_messages.update(arrived)
            cloudwatch.record_metric(
                "AWS/SQS", "NumberOfMessagesSent", len(arrived), "Count", {"QueueName": queue["name"]}
            )
    for alarm in list(cloudwatch._alarms.values()):
        with suppress(KeyError, NotImplementedError):  # The alarm uses a feature that our alarms do not use.
            evaluate_alarm(alarm)


def _evaluate_every_second() -> None:
    while True:
        time.sleep(1)
        with _moving:
            evaluate()


def make_older(minutes: int) -> None:
    """Move the times of all metrics and alarms back, because the clock was moved forward."""
    global _minutes_older
    with _moving:
        _minutes_older += minutes
        for points in list(cloudwatch._metrics._data.values()):
            for point in list(points):
                point["Timestamp"] -= 60 * minutes
        for alarm in list(cloudwatch._alarms._data.values()):
            alarm |= {key: alarm[key] - 60 * minutes for key in _TIMES_OF_AN_ALARM if key in alarm}
        for item in [item for entries in list(cloudwatch._alarm_history._data.values()) for item in entries]:
            item["Timestamp"] = cloudwatch._ts_iso(cloudwatch._parse_ts(item["Timestamp"]) - 60 * minutes)


_TIMES_OF_AN_ALARM = (
    "AlarmConfigurationUpdatedTimestamp",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
)


def apply() -> None:
    provisioners._cw_metric_alarm_record = alarm_record
    cloudwatch._evaluate_alarm = evaluate_alarm
    lambda_svc._execute_function_dispatch = run
    lambda_svc._emit_lambda_metrics = count_nothing
    clock.when_moved(make_older)
    threading.Thread(target=_evaluate_every_second, daemon=True).start()
