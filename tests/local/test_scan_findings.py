"""The deployed rules send a readable message if a scan of an image finds a vulnerability."""

import json
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws

DIGEST = f"sha256:{'7f' * 32}"
BASIC: dict[str, Any] = {
    "source": "aws.ecr",
    "detail-type": "ECR Image Scan",
    "resources": [f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/analytics/web-scraper"],
    "detail": {
        "scan-status": "COMPLETE",
        "repository-name": "analytics/web-scraper",
        "finding-severity-counts": {"CRITICAL": 10, "MEDIUM": 9},
        "image-digest": DIGEST,
        "image-tags": ["7", "latest"],
    },
}
ENHANCED: dict[str, Any] = {
    "source": "aws.inspector2",
    "detail-type": "Inspector2 Scan",
    "resources": BASIC["resources"],
    "detail": {
        **BASIC["detail"],
        "scan-status": "INITIAL_SCAN_COMPLETE",
        "repository-name": BASIC["resources"][0],
        "finding-severity-counts": {"CRITICAL": 7, "HIGH": 61, "TOTAL": 68},
        "image-tags": [],
    },
}


@pytest.fixture(scope="module")
def topic(aws: EmbeddedAws) -> str:
    """The topic of the alarms."""
    resources = aws.client("cloudformation").list_stack_resources(StackName="local-DockerLogin")
    [arn] = [
        each["PhysicalResourceId"]
        for each in resources["StackResourceSummaries"]
        if each["ResourceType"] == "AWS::SNS::Topic"
    ]
    return str(arn)


@pytest.fixture(scope="module")
def mailbox(aws: EmbeddedAws, topic: str) -> str:
    """A queue that receives the messages of the topic."""
    sqs = aws.client("sqs")
    let_in = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [let_in]})
    url: str = sqs.create_queue(QueueName="findings", Attributes={"Policy": policy})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return url


def mails(aws: EmbeddedAws, mailbox: str, event: dict[str, Any]) -> list[str]:
    """Send an event, and return the messages that arrive, without the quotes around each line."""
    aws.send_event(event)
    sqs = aws.client("sqs")
    found = sqs.receive_message(QueueUrl=mailbox, MaxNumberOfMessages=10).get("Messages", [])
    for each in found:
        sqs.delete_message(QueueUrl=mailbox, ReceiptHandle=each["ReceiptHandle"])
    return ["\n".join(json.loads(line) for line in each["Body"].splitlines()) for each in found]


def test_a_basic_scan_sends_one_readable_message(aws: EmbeddedAws, mailbox: str) -> None:
    assert mails(aws, mailbox, BASIC) == [
        f"""\
A scan found vulnerabilities in an image of the environment local.
Findings: {{CRITICAL: 10, MEDIUM: 9}}
Repository: analytics/web-scraper
Image tags: [7, latest]
Image digest: {DIGEST}
Account {ACCOUNT}, Region {REGION}, event ECR Image Scan
Show the findings of an ECR Image Scan: aws ecr describe-image-scan-findings --region {REGION} \
--repository-name analytics/web-scraper --image-id imageDigest={DIGEST}
Show the findings of an Inspector2 Scan: aws inspector2 list-findings --region {REGION} \
--filter-criteria 'ecrImageHash=[{{comparison=EQUALS,value={DIGEST}}}]'
What to do: docs/runbook.md#a-scan-found-a-vulnerability"""
    ]


def test_an_enhanced_scan_sends_one_readable_message(aws: EmbeddedAws, mailbox: str) -> None:
    [mail] = mails(aws, mailbox, ENHANCED)

    assert "Findings: {CRITICAL: 7, HIGH: 61, TOTAL: 68}\n" in mail
    assert f"Repository: arn:aws:ecr:{REGION}:{ACCOUNT}:repository/analytics/web-scraper\nImage tags: []\n" in mail
    assert "event Inspector2 Scan\n" in mail


def test_the_rules_may_not_publish_without_the_statement_in_the_policy_of_the_topic(
    aws: EmbeddedAws, topic: str, mailbox: str
) -> None:
    sns = aws.client("sns")
    policy = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    statements = [each for each in json.loads(policy)["Statement"] if each["Sid"] != "FindingsPublish"]
    less = json.dumps({"Version": "2012-10-17", "Statement": statements})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=less)
    try:
        assert mails(aws, mailbox, BASIC) == []
    finally:
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    assert len(mails(aws, mailbox, BASIC)) == 1


def test_put_events_refuses_the_event_of_a_scan(aws: EmbeddedAws) -> None:
    entry = {"Source": "aws.ecr", "DetailType": "ECR Image Scan", "Detail": json.dumps(BASIC["detail"])}
    answer = aws.client("events").put_events(Entries=[entry])
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
