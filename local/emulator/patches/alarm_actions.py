"""CloudWatch: the actions of alarms and the history of alarms.

AWS:
- An alarm publishes to a topic only if the topic's policy allows cloudwatch.amazonaws.com the action sns:Publish. The
  condition keys aws:SourceArn and aws:SourceAccount have the ARN of the alarm and its account (CloudWatch user guide,
  "Setting up Amazon SNS notifications").
- DescribeAlarmHistory has an item with the type Action for each action, "Successfully executed action <ARN>" or
  "Failed to execute action <ARN>". A new alarm has an item with the type ConfigurationUpdate (API reference).
- DescribeAlarms has the time of the last transition in StateTransitionedTimestamp.

MiniStack:
- Publishes without a look at the topic's policy, also when a topic does not exist.
- Records no actions. The history of a new alarm begins with a transition from INSUFFICIENT_DATA to INSUFFICIENT_DATA.
- Sets StateTransitionedTimestamp for composite alarms only.

The patch:
- Does what AWS does. We do not know the exact text of `error` in the history of a failed action.
- Does not check the key of an encrypted topic.
"""

import json
from typing import Any

from ministack.services import cloudwatch, sns

from local.emulator import authorization

_run_actions = cloudwatch._dispatch_alarm_actions
_record_history = cloudwatch._record_history

_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def run_actions(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
    """Run the actions of an alarm whose state has changed, and record their results."""
    alarm["StateTransitionedTimestamp"] = alarm["StateUpdatedTimestamp"]
    if not alarm.get("ActionsEnabled", True):
        return
    for arn in alarm.get(_ACTIONS[new]) or []:
        error = _publishing_error(alarm["AlarmArn"], arn)
        if not error:
            _run_actions({**alarm, _ACTIONS[new]: [arn]}, old, new, reason)
        summary = f"Failed to execute action {arn}" if error else f"Successfully executed action {arn}"
        data = {"actionState": "Failed" if error else "Succeeded", "notificationResource": arn, "error": error}
        _record(alarm["AlarmName"], "Action", summary, data)


def _publishing_error(alarm_arn: str, topic_arn: str) -> str | None:
    """Return why an alarm cannot publish to a topic, or None if it can, or if the action is not a topic."""
    if not cloudwatch._is_sns_action_arn(topic_arn):
        return None
    topic = sns._topics.get(topic_arn)
    if topic is None:
        return f"Topic {topic_arn} does not exist"
    if authorization.topic_allows(topic, "cloudwatch.amazonaws.com", alarm_arn):
        return None
    return f"Resource: {alarm_arn} is not authorized to perform: SNS:Publish on resource: {topic_arn}"


def record_history(name: str, old: str, new: str, reason: str, *rest: Any) -> None:
    if old == new:
        _record(name, "ConfigurationUpdate", f'Alarm "{name}" created', {"type": "Create"})
    else:
        _record_history(name, old, new, reason, *rest)


def _record(name: str, kind: str, summary: str, data: dict[str, Any]) -> None:
    _record_history(name, "", "", "")  # This gives the new item the alarm's type and the time.
    item = cloudwatch._history_entries()[-1]
    item |= {"HistoryItemType": kind, "HistorySummary": summary, "HistoryData": json.dumps({"version": "1.0", **data})}


def apply() -> None:
    cloudwatch._dispatch_alarm_actions = run_actions
    cloudwatch._record_history = record_history
