"""EventBridge: the permission of a rule to publish to an SNS topic, and events of AWS services.

AWS:
- A rule without a role publishes to a topic only if the topic's policy allows events.amazonaws.com the action
  sns:Publish. The condition key aws:SourceArn has the ARN of the rule (EventBridge user guide, "Using resource-based
  policies for Amazon EventBridge").
- PutEvents refuses a source that starts with `aws.`. Only AWS services send these events.

MiniStack:
- Does not look at the topic's policy.
- Sends no events about scans.

The patch:
- Asks the topic's policy as AWS does.
- Sends an event of an AWS service if `POST /_local/events` asks for it.
"""

import json
import logging
from typing import Any

import ministack.app
from ministack.services import eventbridge, sns

from local.emulator import authorization
from local.emulator.patches import image_listing

_invoke_target = eventbridge._invoke_target
_log = logging.getLogger(__name__)


def invoke_target(target: dict[str, Any], event: Any, rule: dict[str, Any], view: Any = None) -> None:
    """Invoke the target of a rule, unless the target is a topic that does not allow the rule to publish."""
    topic = sns._topics.get(target["Arn"])
    is_checked = topic and not target.get("RoleArn") and ministack.app.AUTH
    if is_checked and not authorization.topic_allows(topic, "events.amazonaws.com", rule["Arn"]):
        _log.warning("The policy of %s does not allow the rule %s to publish.", target["Arn"], rule["Arn"])
        return
    _invoke_target(target, event, rule, view)


def send(event: dict[str, Any]) -> None:
    """Send an event of an AWS service to the default event bus of the current account and Region.

    Args:
        event: The event with `source`, `detail-type`, `detail` and `resources`, as a rule sees it.
    """
    entry = {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Resources": event.get("resources", []),
    }
    image_listing.record_scan(event)
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def apply() -> None:
    eventbridge._invoke_target = invoke_target
