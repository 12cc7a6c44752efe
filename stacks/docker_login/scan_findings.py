"""The rules that send a message if a scan of an image finds a vulnerability.

ECR sends one event for each basic scan (Amazon ECR user guide, "Amazon ECR events and EventBridge"). With enhanced
scanning, Amazon Inspector sends one event when the first scan of an image ends (the same guide, "EventBridge events
sent for enhanced scanning in Amazon ECR"). Amazon Inspector also sends an event for each finding. The rules do not use
these events, so that a scan sends one message.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

# The default of the quota "Event pattern size" in EventBridge, in characters. The patterns are counted with spaces.
_LONGEST_PATTERN = 2048
_RUNBOOK_HEADING = "a-scan-found-a-vulnerability"

Pattern = dict[str, Any]


class ScanFindings(Construct):
    """The EventBridge rules that publish to the topic of the alarms. Most environments need one rule."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        topic: sns.ITopic,
        severities: Sequence[str],
        teams: Sequence[str],
        existing_repositories: Sequence[str],
        environment_name: str,
        runbook: str,
        role_path: str,
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            topic: The topic that the rules publish to.
            severities: A scan sends a message if it finds a vulnerability of one of these severities, such as `HIGH`.
            teams: The teams whose repositories are watched.
            existing_repositories: The full names of other repositories that are watched.
            environment_name: The name of the environment, for the message.
            runbook: The URL or path of the runbook. The message links to its heading.
            role_path: The path of the role that publishes to a topic of another account.
        """
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        repositories: list[Any] = [{"prefix": _repository_arn(stack, f"{team}/")} for team in teams]
        repositories += [_repository_arn(stack, name) for name in existing_repositories]
        role = None
        if topic.env.account != stack.account:
            role = _publisher(self, topic, role_path)
        rules = [
            events.CfnRule(
                self,
                f"Rule{number}",
                description=f"Sends a message if a scan of an image of {environment_name} finds a vulnerability",
                event_pattern=pattern,
                targets=[
                    events.CfnRule.TargetProperty(
                        id="Topic",
                        arn=topic.topic_arn,
                        role_arn=role.role_arn if role else None,
                        input_transformer=events.CfnRule.InputTransformerProperty(
                            input_paths_map=_EVENT_PATHS, input_template=_message(environment_name, runbook)
                        ),
                    )
                ],
            )
            for number, pattern in enumerate(_patterns(severities, repositories), 1)
        ]
        # A topic that exists already keeps its policy. docs/deploy.md has the statement for it.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="FindingsPublish",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"ArnEquals": {"aws:SourceArn": [rule.attr_arn for rule in rules]}},
            )
        )


def _repository_arn(stack: Stack, name: str) -> str:
    return stack.format_arn(service="ecr", resource="repository", resource_name=name)


def _publisher(scope: Construct, topic: sns.ITopic, path: str) -> iam.Role:
    """Create a role that may publish to a topic.

    EventBridge needs a role for a target in another account (EventBridge user guide, "Sending events to an AWS service
    in another account in EventBridge").
    """
    publish = iam.PolicyStatement(sid="PublishFindings", actions=["sns:Publish"], resources=[topic.topic_arn])
    return iam.Role(
        scope,
        "Role",
        path=path,
        description="Publishes the findings of image scans",
        assumed_by=iam.ServicePrincipal("events.amazonaws.com"),
        inline_policies={"Publish": iam.PolicyDocument(statements=[publish])},
    )


def _patterns(severities: Sequence[str], repositories: Sequence[Any]) -> Iterator[Pattern]:
    """Return patterns for the events. The repositories are distributed over as few patterns as possible.

    Args:
        severities: The severities of which an event must have at least one finding.
        repositories: The ARNs of the repositories, as values of a pattern.
    """
    # A severity without findings is missing in the event.
    found: list[Pattern] = [{severity: [{"numeric": [">", 0]}]} for severity in severities]

    def pattern(chosen: Sequence[Any]) -> Pattern:
        return {
            "source": ["aws.ecr", "aws.inspector2"],
            "detail-type": ["ECR Image Scan", "Inspector2 Scan"],
            "resources": list(chosen),
            "detail": {"finding-severity-counts": found[0] if len(found) == 1 else {"$or": found}},
        }

    chosen: list[Any] = []
    for each in repositories:
        if len(json.dumps(pattern([*chosen, each]))) > _LONGEST_PATTERN:
            yield pattern(chosen)
            chosen = []
        chosen.append(each)
    yield pattern(chosen)


_EVENT_PATHS = {
    "account": "$.account",
    "counts": "$.detail.finding-severity-counts",
    "digest": "$.detail.image-digest",
    "kind": "$.detail-type",
    "region": "$.region",
    "repository": "$.detail.repository-name",
    "tags": "$.detail.image-tags",
}


def _message(environment_name: str, runbook: str) -> str:
    """Return a template of EventBridge for a text of several lines. Each line is a JSON string."""
    # The characters < and > would start and end the name of a variable.
    link = runbook.replace("<", "%3C").replace(">", "%3E")
    lines = [
        f"A scan found vulnerabilities in an image of the environment {environment_name}.",
        "Findings: <counts>",
        "Repository: <repository>",
        "Image tags: <tags>",
        "Image digest: <digest>",
        "Account <account>, Region <region>, event <kind>",
        # In the event of an enhanced scan, the name of the repository is its ARN, which the first command does not
        # accept.
        "Show the findings of an ECR Image Scan: aws ecr describe-image-scan-findings --region <region> "
        "--repository-name <repository> --image-id imageDigest=<digest>",
        "Show the findings of an Inspector2 Scan: aws inspector2 list-findings --region <region> "
        "--filter-criteria 'ecrImageHash=[{comparison=EQUALS,value=<digest>}]'",
        f"What to do: {link}#{_RUNBOOK_HEADING}",
    ]
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
