"""The SNS topic that receives the alarms and the messages about scans."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ops.clients import Clients, answers, unless_missing
from ops.preflight.findings import Finding, Planned
from ops.preflight.policies import allows
from settings.environment import Environment
from settings.regions import PARTITIONS

_HEADING = '"Allow messages to an existing topic" in docs/deploy.md'


@dataclass(frozen=True)
class Sender:
    """An AWS service that publishes to the topic.

    Attributes:
        service: The service's principal.
        name: The service's name in a sentence.
        lost: The messages that do not arrive if the service cannot publish.
        request: The condition keys that the service sends to SNS, in lower case.
        condition: The condition of the statement that a finding proposes.
    """

    service: str
    name: str
    lost: str
    request: dict[str, str]
    condition: dict[str, Any]


def senders(environment: Environment) -> Iterator[Sender]:
    partition, region, account = PARTITIONS[environment.region].name, environment.region, environment.account
    # CloudFormation generates the names of the alarms and rules from the name of the stack.
    start = f"{environment.name}-DockerLogin"
    yield Sender(
        "cloudwatch.amazonaws.com",
        "CloudWatch",
        "no alarm reaches anybody",
        {
            "aws:sourcearn": f"arn:{partition}:cloudwatch:{region}:{account}:alarm:{start}-Alarm",
            "aws:sourceaccount": account,
            "aws:sourceowner": account,  # The default policy of a topic has a condition on it.
        },
        {"StringEquals": {"aws:SourceAccount": account}},
    )
    if environment.reported_severities:
        rules = f"arn:{partition}:events:{region}:{account}:rule/"
        yield Sender(
            "events.amazonaws.com",
            "EventBridge",
            "no message about findings of image scans arrives",
            {
                "aws:sourcearn": f"{rules}{start}-ScanFindings",
                "aws:sourceaccount": account,
                "aws:sourceowner": "",  # EventBridge does not send it.
            },
            {"ArnLike": {"aws:SourceArn": f"{rules}*"}},
        )


def find_silent_topic(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find a topic of the settings that does not exist, or that alarms and messages about scans cannot reach."""
    environment = planned.environment
    topic_arn = environment.alerts.topic_arn
    # The policy of a topic of another account is usually not readable.
    if not topic_arn or topic_arn.split(":")[4] != environment.account:
        return
    topic = unless_missing(clients.sns.get_topic_attributes, "NotFound", TopicArn=topic_arn)
    if not topic:
        problem = f"The topic {topic_arn} does not exist. The deployment succeeds, but no alarm reaches anybody."
        yield Finding(problem, "Create the topic, or correct the ARN in alerts.topic_arn.", stops=False)
        return
    attributes = topic["Attributes"]
    policy = json.loads(attributes.get("Policy", "{}"))
    for sender in senders(environment):
        if not allows(policy, sender.service, "sns:Publish", sender.request):
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": sender.service},
                "Action": "sns:Publish",
                "Resource": topic_arn,
                "Condition": sender.condition,
            }
            yield Finding(
                f"The policy of the topic {topic_arn} does not allow {sender.name} to publish, so {sender.lost}.",
                f"Add this statement: {json.dumps(statement)}",
                stops=False,
            )
    if key := attributes.get("KmsMasterKeyId"):
        yield from find_unusable_key(clients, environment, topic_arn, key)


def find_unusable_key(clients: Clients, environment: Environment, topic_arn: str, key: str) -> Iterator[Finding]:
    """Find a key that alarms and rules cannot use to publish to an encrypted topic."""
    if key == "alias/aws/sns":
        yield Finding(
            f"The topic {topic_arn} is encrypted with the key {key}, so no message reaches it.",
            f"Use another key, or no encryption. See {_HEADING}.",
            stops=False,
        )
        return
    found = unless_missing(clients.kms.describe_key, "NotFoundException", KeyId=key)
    metadata = (found or {}).get("KeyMetadata", {})
    if metadata.get("KeyState") != "Enabled":
        state = f"is in the state {metadata['KeyState']}" if metadata else "does not exist"
        yield Finding(
            f"The key {key} of the topic {topic_arn} {state}, so no message reaches the topic.",
            f"Enable the key, or use another key for the topic. See {_HEADING}.",
            stops=False,
        )
        return
    with answers():
        policy = json.loads(clients.kms.get_key_policy(KeyId=metadata["Arn"], PolicyName="default")["Policy"])
    refused = [
        sender
        for sender in senders(environment)
        if not all(allows(policy, sender.service, action, {}) for action in ("kms:Decrypt", "kms:GenerateDataKey"))
    ]
    for sender in refused:
        yield Finding(
            f"The policy of the key {key} of the topic {topic_arn} does not allow {sender.name} to use the key, so "
            f"{sender.lost}.",
            f"Allow {sender.service} the actions kms:Decrypt and kms:GenerateDataKey* in the key policy. "
            f"See {_HEADING}.",
            stops=False,
        )
