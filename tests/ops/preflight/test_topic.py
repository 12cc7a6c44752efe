"""The check of the topic that alarms and messages about findings go to."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from ops.clients import Clients
from ops.preflight.alerts import find_silent_topic
from ops.preflight.findings import Planned
from tests.ops.preflight.planned import TOPIC, only, planned_with

RULES = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/"


@pytest.fixture
def topic(aws: EmbeddedAws) -> Iterator[Any]:
    """Return a function that sets the policy of the topic of the settings."""
    sns = aws.client("sns")
    sns.create_topic(Name="flight")

    def allow(principal: Any, condition: Any, action: Any = "sns:Publish", *, alarms: bool = True) -> None:
        statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": TOPIC}
        if condition:
            statement["Condition"] = condition
        # The default policy of a topic allows CloudWatch to publish, because CloudWatch sends the owner.
        owner = {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}
        default = {**statement, "Principal": {"AWS": "*"}, "Action": "sns:Publish", "Condition": owner}
        policy = {"Version": "2012-10-17", "Statement": [statement, *([default] if alarms else [])]}
        sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="Policy", AttributeValue=json.dumps(policy))

    yield allow
    sns.delete_topic(TopicArn=TOPIC)


def with_topic(**alerts: Any) -> Planned:
    return planned_with(alerts={"topic_arn": TOPIC, **alerts})


def test_a_topic_that_does_not_exist_is_a_notice(clients: Clients) -> None:
    finding = only(find_silent_topic(clients, with_topic()))

    assert (finding.problem.partition(".")[0], finding.stops) == (f"The topic {TOPIC} does not exist", False)


def test_a_new_topic_does_not_allow_rules_until_its_policy_has_the_statement_of_the_notice(
    aws: EmbeddedAws, clients: Clients, topic: Any
) -> None:
    finding = only(find_silent_topic(clients, with_topic()))
    assert ("does not allow EventBridge to publish" in finding.problem, finding.stops) == (True, False)

    statement = json.loads(finding.fix.removeprefix("Add this statement: "))
    topic(statement["Principal"], statement["Condition"], statement["Action"])
    assert list(find_silent_topic(clients, with_topic())) == []


EVENTS = {"Service": "events.amazonaws.com"}
CLOUDWATCH = {"Service": "cloudwatch.amazonaws.com"}
POLICIES = [
    (EVENTS, None, True),
    ({"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]}, None, True),
    ("*", {"StringEquals": {"AWS:SourceAccount": ACCOUNT}}, True),
    (EVENTS, {"ArnLike": {"aws:SourceArn": [f"{RULES}other", f"{RULES}flight-DockerLogin-*"]}}, True),
    (EVENTS, {"StringEquals": {"aws:SourceOrgID": "o-abcd123456"}}, True),  # cannot be evaluated here
    (EVENTS, {"ArnLike": {"aws:SourceArn": f"{RULES}prod-*"}}, False),
    (EVENTS, {"StringEquals": {"aws:SourceAccount": "210987654321"}}, False),
    ("*", {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}, False),
    ({"Service": "cloudwatch.amazonaws.com"}, None, False),
    ({"AWS": "*"}, None, True),
    ({"AWS": "*"}, {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}, False),
    ({"AWS": ACCOUNT}, None, False),
]


@pytest.mark.parametrize(("principal", "condition", "is_allowed"), POLICIES)
def test_the_policy_of_a_topic_is_read_as_aws_reads_it(
    clients: Clients, topic: Any, principal: Any, condition: Any, is_allowed: bool
) -> None:
    topic(principal, condition)

    assert [*find_silent_topic(clients, with_topic())] == [] or not is_allowed
    assert is_allowed or "does not allow EventBridge" in only(find_silent_topic(clients, with_topic())).problem


@pytest.mark.parametrize(
    ("principal", "condition", "is_allowed"),
    [
        (CLOUDWATCH, None, True),
        (CLOUDWATCH, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        (CLOUDWATCH, {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"}}, True),
        (CLOUDWATCH, {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:*"}}, False),
        (CLOUDWATCH, {"StringEquals": {"aws:SourceAccount": "210987654321"}}, False),
        (EVENTS, None, False),
    ],
)
def test_a_topic_that_alarms_cannot_reach_is_a_notice_with_a_statement_that_works(
    clients: Clients, topic: Any, principal: Any, condition: Any, is_allowed: bool
) -> None:
    planned = with_topic(scan_findings="off")
    topic(principal, condition, alarms=False)
    findings = list(find_silent_topic(clients, planned))
    assert [finding.stops for finding in findings] == ([] if is_allowed else [False])
    if not is_allowed:
        assert "does not allow CloudWatch to publish, so no alarm reaches anybody" in findings[0].problem
        statement = json.loads(findings[0].fix.removeprefix("Add this statement: "))
        topic(statement["Principal"], statement["Condition"], statement["Action"], alarms=False)
        assert list(find_silent_topic(clients, planned)) == []


@pytest.fixture
def encrypted(aws: EmbeddedAws, topic: Any) -> Any:
    """Return a function that encrypts the topic with a customer managed key, and returns the id of the key."""
    topic(EVENTS, None)
    kms, sns = aws.client("kms"), aws.client("sns")

    def encrypt(*services: str) -> str:
        key_id: str = kms.create_key()["KeyMetadata"]["KeyId"]
        actions = ["kms:Decrypt", "kms:GenerateDataKey*"]
        root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
        users = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": actions}
        statements = [{**each, "Resource": "*"} for each in ([root, users] if services else [root])]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=policy)
        sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="KmsMasterKeyId", AttributeValue=key_id)
        return key_id

    return encrypt


def test_the_policy_of_the_key_of_a_topic_must_allow_both_services(clients: Clients, encrypted: Any) -> None:
    encrypted("cloudwatch.amazonaws.com", "events.amazonaws.com")
    assert list(find_silent_topic(clients, with_topic())) == []

    encrypted("events.amazonaws.com")
    finding = only(find_silent_topic(clients, with_topic()))
    assert "does not allow CloudWatch to use the key, so no alarm reaches anybody" in finding.problem
    assert "cloudwatch.amazonaws.com the actions kms:Decrypt and kms:GenerateDataKey*" in finding.fix

    encrypted()
    assert len(list(find_silent_topic(clients, with_topic()))) == 2
    assert len(list(find_silent_topic(clients, with_topic(scan_findings="off")))) == 1


def test_a_key_that_is_disabled_or_does_not_exist_is_a_notice(
    aws: EmbeddedAws, clients: Clients, encrypted: Any
) -> None:
    key = encrypted("cloudwatch.amazonaws.com", "events.amazonaws.com")
    aws.client("kms").disable_key(KeyId=key)
    finding = only(find_silent_topic(clients, with_topic()))
    assert f"The key {key} of the topic {TOPIC} is in the state Disabled" in finding.problem
    aws.client("sns").set_topic_attributes(
        TopicArn=TOPIC, AttributeName="KmsMasterKeyId", AttributeValue="00000000-0000-0000-0000-000000000000"
    )
    assert "does not exist, so no message reaches the topic" in only(find_silent_topic(clients, with_topic())).problem


def test_a_topic_needs_no_statement_for_rules_if_no_findings_are_reported(clients: Clients, topic: Any) -> None:
    assert list(find_silent_topic(clients, with_topic(scan_findings="off"))) == []


def test_a_topic_with_the_key_of_sns_is_a_notice(aws: EmbeddedAws, clients: Clients, topic: Any) -> None:
    topic(EVENTS, None)
    aws.client("sns").set_topic_attributes(
        TopicArn=TOPIC, AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns"
    )

    assert "is encrypted with the key alias/aws/sns" in only(find_silent_topic(clients, with_topic())).problem
