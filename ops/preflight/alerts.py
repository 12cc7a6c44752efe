"""The SNS topic that receives the alarms and the messages about scans."""

import json
from collections.abc import Iterator
from typing import Any

from ops.clients import Clients
from ops.preflight.findings import Finding, Planned
from ops.preflight.policies import lets_publish
from ops.preflight.requests import unless_missing
from settings.environment import Environment
from settings.regions import PARTITIONS


def find_silent_topic(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find a topic of the settings that does not exist, or that the messages about scans cannot reach."""
    environment = planned.environment
    topic_arn = environment.alerts.topic_arn
    # The policy of a topic of another account is usually not readable.
    if not topic_arn or topic_arn.split(":")[4] != environment.account:
        return
    topic = unless_missing("NotFound", clients.sns.get_topic_attributes, TopicArn=topic_arn)
    if not topic:
        problem = f"The topic {topic_arn} does not exist. The deployment succeeds, but no alarm reaches anybody."
        yield Finding(problem, "Create the topic, or correct the ARN in alerts.topic_arn.", stops=False)
        return
    attributes = topic["Attributes"]
    if attributes.get("KmsMasterKeyId") == "alias/aws/sns":
        yield Finding(
            f"The topic {topic_arn} is encrypted with the key alias/aws/sns, so no message reaches it.",
            'Use another key, or no encryption. See "Allow messages to an existing topic" in docs/deploy.md.',
            stops=False,
        )
    policy = json.loads(attributes.get("Policy", "{}"))
    # CloudFormation generates the names of the rules from the name of the stack. EventBridge does not send the owner.
    rule = _rule_arn(environment, f"{environment.name}-DockerLogin-ScanFindings")
    request = {"aws:sourcearn": rule, "aws:sourceaccount": environment.account, "aws:sourceowner": ""}
    if environment.reported_severities and not lets_publish(policy, "events.amazonaws.com", request):
        yield Finding(
            f"The policy of the topic {topic_arn} does not allow EventBridge to publish, so no message about findings "
            "of image scans arrives.",
            f"Add this statement: {json.dumps(_statement_for_rules(environment, topic_arn))}",
            stops=False,
        )


def _statement_for_rules(environment: Environment, topic_arn: str) -> dict[str, Any]:
    """Return the statement of a topic's policy that allows the rules of this account and Region to publish."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic_arn,
        "Condition": {"ArnLike": {"aws:SourceArn": _rule_arn(environment, "*")}},
    }


def _rule_arn(environment: Environment, name: str) -> str:
    partition = PARTITIONS[environment.region].name
    return f"arn:{partition}:events:{environment.region}:{environment.account}:rule/{name}"
