"""E-mail subscriptions of topics."""

import pytest

from local.embedded_aws import EmbeddedAws, EmbeddedAwsError
from tests.local.emulator.patches.support import deploy, resource


def pending_and_confirmed(aws: EmbeddedAws, topic: str) -> tuple[str, str]:
    attributes = aws.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    return attributes["SubscriptionsPending"], attributes["SubscriptionsConfirmed"]


def test_an_email_subscription_of_a_template_is_pending_until_its_owner_confirms_it(aws: EmbeddedAws) -> None:
    sns, address = aws.client("sns"), "template+owner@example.com"
    properties = {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": address}
    resources = {"Topic": resource("SNS::Topic", {}), "Mail": resource("SNS::Subscription", properties)}
    topic, arn = deploy(aws, "subscribes", **resources).refs.values()

    def listed() -> list[str]:
        found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert [each for each in sns.list_subscriptions()["Subscriptions"] if each["TopicArn"] == topic] == found
        return [each["SubscriptionArn"] for each in found]

    def is_pending() -> str:
        return str(sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"])

    assert (listed(), is_pending(), pending_and_confirmed(aws, topic)) == (["PendingConfirmation"], "true", ("1", "0"))
    aws.confirm_subscriptions(address)
    assert (listed(), is_pending(), pending_and_confirmed(aws, topic)) == ([arn], "false", ("0", "1"))
    with pytest.raises(EmbeddedAwsError, match="no pending subscription"):
        aws.confirm_subscriptions(address)

    del resources["Mail"]
    deploy(aws, "subscribes", **resources)
    assert (listed(), pending_and_confirmed(aws, topic)) == ([], ("0", "0"))


def test_subscribe_returns_the_arn_of_a_pending_subscription_only_if_the_request_asks_for_it(aws: EmbeddedAws) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="subscribed")["TopicArn"]

    def subscribed(protocol: str, endpoint: str, **request: bool) -> str:
        return str(sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint, **request)["SubscriptionArn"])

    assert subscribed("email", "one@example.com") == "pending confirmation"
    assert subscribed("email-json", "two@example.com", ReturnSubscriptionArn=True).startswith(topic)
    assert subscribed("sqs", topic.replace(":sns:", ":sqs:")).startswith(topic)
    assert pending_and_confirmed(aws, topic) == ("2", "1")
