"""SNS: e-mail subscriptions wait for a confirmation.

AWS:
- A subscription with the protocol email or email-json receives messages only after the owner of the address confirms
  it (SNS developer guide, "Email notifications"). GetTopicAttributes counts it in SubscriptionsPending.
- Subscribe returns "pending confirmation" instead of the ARN. With ReturnSubscriptionArn, it returns the ARN, also
  before the confirmation (API reference, Subscribe).
- ListSubscriptions and ListSubscriptionsByTopic return PendingConfirmation instead of the ARN.
  GetSubscriptionAttributes has the attribute PendingConfirmation.
- ConfirmSubscription needs the token of the e-mail.

MiniStack:
- Confirms e-mail subscriptions at once, in the API and in templates. It knows pending HTTP subscriptions, but lists
  their ARNs.
- Ignores ReturnSubscriptionArn. Topics do not count the subscriptions of templates, and these subscriptions have no
  attributes such as TopicArn and PendingConfirmation.

The patch:
- Does what AWS does. `POST /_local/subscriptions?confirm=<address>` confirms the subscriptions of an address, as the
  owner of the address does with the link in the e-mails.
- A pending subscription is never deleted. AWS deletes it after some days.
"""

from collections.abc import Iterator
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import sns
from ministack.services.cloudformation import provisioners

PROTOCOLS = ("email", "email-json")

Subscription = dict[str, Any]

_subscribe = sns._subscribe
_list_subscriptions = sns._list_subscriptions
_list_subscriptions_by_topic = sns._list_subscriptions_by_topic
_create_subscription = provisioners._sns_sub_create
_delete_subscription = provisioners._sns_sub_delete


def subscribe(request: Any) -> Any:
    known = {subscription["arn"] for subscription in _subscriptions()}
    answer = _subscribe(request)
    if answer[0] != 200:
        return answer
    for subscription in list(_subscriptions()):
        if subscription["arn"] not in known:
            _wait_for_confirmation(subscription)
    if sns._p(request, "ReturnSubscriptionArn").lower() == "true":
        return answer
    return _without_pending_arns(answer, "pending confirmation")


def create_subscription(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
    arn, attributes = _create_subscription(logical_id, properties, stack_name)
    subscription = sns._find_subscription(properties["TopicArn"], arn)
    if subscription:
        subscription["attributes"] |= {
            "SubscriptionArn": arn,
            "TopicArn": subscription["topic_arn"],
            "Protocol": subscription["protocol"],
            "Endpoint": subscription["endpoint"],
            "Owner": subscription["owner"],
            "ConfirmationWasAuthenticated": "true",
            "PendingConfirmation": "false",
        }
        _wait_for_confirmation(subscription)
    return arn, attributes


def delete_subscription(arn: str, properties: dict[str, Any]) -> None:
    topic = sns._topics.get(sns._sub_arn_to_topic.get(arn))
    _delete_subscription(arn, properties)
    if topic:
        sns._refresh_subscription_counts(topic)


def _wait_for_confirmation(subscription: Subscription) -> None:
    if subscription["protocol"] in PROTOCOLS:
        subscription |= {"confirmed": False, "token": new_uuid()}
        subscription["attributes"] |= {"PendingConfirmation": "true", "ConfirmationWasAuthenticated": "false"}
    sns._refresh_subscription_counts(sns._topics[subscription["topic_arn"]])


def list_subscriptions(request: Any) -> Any:
    return _without_pending_arns(_list_subscriptions(request), "PendingConfirmation")


def list_subscriptions_by_topic(request: Any) -> Any:
    return _without_pending_arns(_list_subscriptions_by_topic(request), "PendingConfirmation")


def _without_pending_arns(answer: Any, replacement: str) -> Any:
    status, headers, body = answer
    for subscription in _subscriptions():
        if not subscription["confirmed"]:
            body = body.replace(f">{subscription['arn']}<".encode(), f">{replacement}<".encode())
    return status, headers, body


def _subscriptions() -> Iterator[Subscription]:
    """Yield the subscriptions of all topics of the current account and Region."""
    for topic in list(sns._topics.values()):
        yield from topic["subscriptions"]


def confirm(address: str) -> int:
    """Confirm all pending subscriptions of an e-mail address, and return their number."""
    pending = [each for each in _subscriptions() if each["endpoint"] == address and not each["confirmed"]]
    for each in pending:
        sns._confirm_subscription({"TopicArn": each["topic_arn"], "Token": each["token"]})
    return len(pending)


def apply() -> None:
    sns._subscribe = subscribe
    sns._list_subscriptions = list_subscriptions
    sns._list_subscriptions_by_topic = list_subscriptions_by_topic
    # MiniStack calls these functions by these names when an update replaces a subscription.
    provisioners._sns_sub_create = create_subscription
    provisioners._sns_sub_delete = delete_subscription
    provisioners._RESOURCE_HANDLERS["AWS::SNS::Subscription"].update(
        create=create_subscription, delete=delete_subscription
    )
