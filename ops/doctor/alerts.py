"""Check that an alarm reaches the people in the settings."""

import json
from collections.abc import Mapping
from typing import Any

from ops.clients import unless_missing
from ops.doctor.findings import FILES, Examine, Found, NotTried, Problem, count
from ops.doctor.templates import Declared, Examined
from ops.fixes import aws
from ops.preflight.alerts import Sender, find_unusable_key, senders
from ops.preflight.policies import Policy, allows, statements_of

NOT_FOUND = ("NotFound", "NotFoundException")


def topic_arn(examined: Examined) -> str:
    """Return the topic of the alarms.

    Raises:
        NotTried: The settings have no alerts.
    """
    alerts = examined.environment.alerts
    if alerts.off_because:
        raise NotTried(f"the settings have no alerts: {alerts.off_because}")
    if alerts.topic_arn:
        return alerts.topic_arn
    topics = [topic.physical_id for topic in examined.declared("AWS::SNS::Topic")]
    if not topics:
        raise NotTried("the deployed stacks have no topic")
    return topics[0]


def alarms(examined: Examined) -> dict[str, tuple[Declared, Mapping[str, Any] | None]]:
    """Return the alarms in the template, by name, with CloudWatch's description or None."""
    declared = {alarm.physical_id: alarm for alarm in examined.declared("AWS::CloudWatch::Alarm")}
    names = list(declared)
    found: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(names), 100):  # the maximum of DescribeAlarms
        answer = examined.clients.cloudwatch.describe_alarms(AlarmNames=names[start : start + 100], MaxRecords=100)
        found |= {alarm["AlarmName"]: alarm for alarm in answer["MetricAlarms"]}
    return {name: (alarm, found.get(name)) for name, alarm in declared.items()}


def check_alarms(examined: Examined) -> Found:
    """Find alarms that do not exist."""
    topic_arn(examined)
    found = alarms(examined)
    problems = []
    for name, (declared, actual) in found.items():
        if not actual:
            file = f"{declared.logical_id}.json"
            problems.append(
                Problem(
                    f"The alarm {name} does not exist.",
                    aws(examined.environment, f"cloudwatch put-metric-alarm --cli-input-json file://{FILES}/{file}"),
                    files={file: {"AlarmName": name, **declared.properties}},
                )
            )
    return Found(f"found {count(len(found), 'alarm')}", problems)


def check_alarm_actions(examined: Examined) -> Found:
    """Check that each alarm publishes to the topic of the settings when it fires and when it ends."""
    topic_arn(examined)
    found = alarms(examined)
    problems = []
    for name, (declared, actual) in found.items():
        if not actual:  # check_alarms reports a missing alarm
            continue
        if not actual["ActionsEnabled"]:
            problems.append(
                Problem(
                    f"The actions of the alarm {name} are off, so the alarm reaches nobody.",
                    aws(examined.environment, f"cloudwatch enable-alarm-actions --alarm-names {name}"),
                )
            )
        kinds = ("AlarmActions", "OKActions")
        lost = [kind for kind in kinds if not set(declared.properties.get(kind, [])).issubset(actual.get(kind, []))]
        if lost:
            file = f"{declared.logical_id}.json"
            problems.append(
                Problem(
                    f"The alarm {name} does not publish to the topic in the template ({', '.join(lost)}).",
                    aws(examined.environment, f"cloudwatch put-metric-alarm --cli-input-json file://{FILES}/{file}"),
                    files={file: {"AlarmName": name, **declared.properties}},
                )
            )
    return Found(f"{count(len(found), 'alarm')} with the topic", problems)


def check_topic(examined: Examined) -> Found:
    """Check that the topic exists, and that alarms and messages about scans may publish to it."""
    arn = topic_arn(examined)
    attributes = _topic_attributes(examined, arn)
    if attributes is None:
        return Found(
            "", [Problem(f"The topic {arn} does not exist, so no alarm reaches anybody.", _topic_fix(examined))]
        )
    problems = []
    if key := attributes.get("KmsMasterKeyId"):
        without = f"sns set-topic-attributes --topic-arn {arn} --attribute-name KmsMasterKeyId --attribute-value ''"
        for finding in find_unusable_key(examined.clients, examined.environment, arn, key):
            fix = finding.fix if examined.environment.alerts.topic_arn else aws(examined.environment, without)
            problems.append(Problem(finding.problem, fix))
    for sender in _refused_senders(json.loads(attributes.get("Policy", "{}")), examined):
        problems.append(
            Problem(
                f"The policy of the topic {arn} does not allow {sender.name} to publish, so {sender.lost}.",
                'Add the statement of "Allow messages to an existing topic" in docs/deploy.md'
                if examined.environment.alerts.topic_arn
                else "Set the policy of the template: see topic_policies",
            )
        )
    return Found("the topic exists, and alarms may publish to it", problems)


def check_subscriptions(examined: Examined) -> Found:
    """Check that the e-mail addresses of the settings have confirmed their subscriptions."""
    arn = topic_arn(examined)
    if _topic_attributes(examined, arn) is None:
        raise NotTried("the topic does not exist")
    pages = examined.clients.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    subscriptions = [each for page in pages for each in page["Subscriptions"]]
    confirmed = {each["Endpoint"] for each in subscriptions if each["SubscriptionArn"].startswith("arn:")}
    known = {each["Endpoint"] for each in subscriptions}
    problems = []
    for email in examined.environment.alerts.emails:
        again = aws(
            examined.environment, f"sns subscribe --topic-arn {arn} --protocol email --notification-endpoint {email}"
        )
        if email not in known:
            problems.append(Problem(f"The topic has no subscription of {email}.", again))
        elif email not in confirmed:
            problems.append(
                Problem(
                    f"{email} has not confirmed the subscription, so no message arrives there.",
                    f'Follow the link in the e-mail "AWS Notification". To get a new e-mail: {again}',
                )
            )
    if not confirmed and not problems:
        subscribe = aws(
            examined.environment, f"sns subscribe --topic-arn {arn} --protocol email --notification-endpoint <address>"
        )
        problems.append(Problem(f"The topic {arn} has no confirmed subscription.", subscribe))
    return Found(f"{count(len(confirmed), 'subscription')} confirmed", problems)


def check_scan_rules(examined: Examined) -> Found:
    """Check that the rules that report the findings of image scans are enabled and publish to the topic."""
    rules = examined.declared("AWS::Events::Rule")
    if not rules:
        raise NotTried("the settings report no findings of image scans")
    problems = []
    for rule in rules:
        name = rule.physical_id.rpartition("|")[2]  # the bus comes first, unless it is the default bus
        found = unless_missing(examined.clients.events.describe_rule, "ResourceNotFoundException", Name=name)
        if not found:
            fix = "Change alerts.scan_findings to off, deploy, and change it back"
            problems.append(Problem(f"The rule {name} does not exist.", fix))
            continue
        if found["State"] != "ENABLED":
            fix = aws(examined.environment, f"events enable-rule --name {name}")
            problems.append(Problem(f"The rule {name} is disabled, so no finding is reported.", fix))
        targets = {each["Arn"] for each in examined.clients.events.list_targets_by_rule(Rule=name)["Targets"]}
        wanted = rule.properties["Targets"]
        if not {target["Arn"] for target in wanted} <= targets:
            file = f"{rule.logical_id}.json"
            problems.append(
                Problem(
                    f"The rule {name} does not publish to the topic.",
                    aws(examined.environment, f"events put-targets --cli-input-json file://{FILES}/{file}"),
                    files={file: {"Rule": name, "Targets": wanted}},
                )
            )
    return Found(f"{count(len(rules), 'rule')} enabled", problems)


CHECKS: dict[str, Examine] = {
    "alarms": check_alarms,
    "alarm_actions": check_alarm_actions,
    "alarm_topic": check_topic,
    "subscriptions": check_subscriptions,
    "scan_rules": check_scan_rules,
}


def _topic_attributes(examined: Examined, arn: str) -> Mapping[str, Any] | None:
    if arn.split(":")[4] != examined.environment.account:
        raise NotTried(f"the topic {arn} belongs to another account, which this command cannot read")
    found = unless_missing(examined.clients.sns.get_topic_attributes, *NOT_FOUND, TopicArn=arn)
    attributes: Mapping[str, Any] | None = found and found["Attributes"]
    return attributes


def _topic_fix(examined: Examined) -> str:
    if examined.environment.alerts.topic_arn:
        return "Create the topic, or correct alerts.topic_arn and deploy"
    name = examined.environment.name
    return f"Set alerts.off_because, deploy, change it back, and deploy again: make deploy ENV={name}"


def _refused_senders(policy: Policy, examined: Examined) -> list[Sender]:
    """Return the AWS services that may not publish to the topic.

    A Deny statement with a condition may not apply to the message, so only a Deny statement without one counts.
    """
    found = list(senders(examined.environment))
    if not examined.environment.alerts.topic_arn:
        # The policy in the template names the rules by their generated names. check_topic_policies compares it.
        found = [sender for sender in found if sender.service == "cloudwatch.amazonaws.com"]
    statements = statements_of(policy)
    denied = [
        each | {"Effect": "Allow"} for each in statements if each["Effect"] == "Deny" and not each.get("Condition")
    ]
    return [
        sender
        for sender in found
        if allows({"Statement": denied}, sender.service, "sns:Publish", {})
        or not allows(policy, sender.service, "sns:Publish", sender.request)
    ]
