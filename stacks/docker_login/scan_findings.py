"""The rules that send a message if a scan of an image finds a vulnerability.

ECR sends one event for each basic scan ("Amazon ECR User Guide", "Amazon ECR events and EventBridge"). With enhanced
scanning, Amazon Inspector sends one event when the first scan of an image ends ("EventBridge events sent for enhanced
scanning in Amazon ECR"). Amazon Inspector also sends an event for each finding. The rules do not use these events, so
that a scan sends one message.
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
    """The EventBridge rules that publish to the topic of the alarms.

    There are one or more rules for basic scanning and one or more for enhanced scanning. A registry has one of these
    kinds of scanning at a time.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        topic: sns.ITopic,
        severities: Sequence[str],
        teams: Sequence[str],
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
            environment_name: The name of the environment, for the message.
            runbook: The URL or path of the runbook. The message links to its heading.
            role_path: The path of the role that publishes to a topic of another account.
        """
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        arn = stack.format_arn(service="ecr", resource="repository", resource_name="")
        kinds = {
            "Basic": ("aws.ecr", "ECR Image Scan", "", _SHOW_BASIC_FINDINGS),
            "Enhanced": ("aws.inspector2", "Inspector2 Scan", arn, _SHOW_ENHANCED_FINDINGS),
        }

        # Permissions
        role = None
        if topic.env.account != stack.account:
            # EventBridge needs a role for a target in another account ("Sending events to an AWS service in another
            # account in EventBridge").
            role = iam.Role(
                self,
                "Role",
                path=role_path,
                description="Publishes the findings of image scans",
                assumed_by=iam.ServicePrincipal("events.amazonaws.com"),
                inline_policies={
                    "Publish": iam.PolicyDocument(
                        statements=[
                            iam.PolicyStatement(
                                sid="PublishFindings", actions=["sns:Publish"], resources=[topic.topic_arn]
                            )
                        ]
                    )
                },
            )

        # Rules
        rules = []
        for kind, (source, detail_type, name_start, command) in kinds.items():
            pattern = {
                "source": [source],
                "detail-type": [detail_type],
                "account": [stack.account],
                "region": [stack.region],
                "detail": {"finding-severity-counts": _at_least_one(severities), "repository-name": []},
            }
            names: list[Any] = [{"prefix": f"{name_start}{team}/"} for team in teams]
            for number, each in enumerate(_short_patterns(pattern, names), 1):
                rule = events.CfnRule(
                    self,
                    f"{kind}{number}",
                    description=f"Sends a message if a scan of an image of {environment_name} finds a vulnerability",
                    event_pattern=each,
                    targets=[
                        events.CfnRule.TargetProperty(
                            id="Topic",
                            arn=topic.topic_arn,
                            role_arn=role.role_arn if role else None,
                            input_transformer=events.CfnRule.InputTransformerProperty(
                                input_paths_map=_EVENT_PATHS,
                                input_template=_template(environment_name, command, runbook),
                            ),
                        )
                    ],
                )
                rules.append(rule)

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


def _at_least_one(severities: Sequence[str]) -> Pattern:
    """Return a pattern for the numbers of findings. A severity without findings is missing in the event."""
    found: list[Pattern] = [{severity: [{"numeric": [">", 0]}]} for severity in severities]
    return found[0] if len(found) == 1 else {"$or": found}


def _short_patterns(pattern: Pattern, names: Sequence[Any]) -> Iterator[Pattern]:
    """Distribute names of repositories over as few patterns as possible, so that no pattern is too long.

    Args:
        pattern: The pattern without names.
        names: The names, as values of a pattern.
    """
    length = len(json.dumps(pattern))
    chosen: list[Any] = []
    used = length
    for name in names:
        added = len(json.dumps(name)) + len(", ")
        if chosen and used + added > _LONGEST_PATTERN:
            yield _with_names(pattern, chosen)
            chosen, used = [], length
        chosen.append(name)
        used += added
    yield _with_names(pattern, chosen)


def _with_names(pattern: Pattern, names: Sequence[Any]) -> Pattern:
    return {**pattern, "detail": {**pattern["detail"], "repository-name": list(names)}}


_EVENT_PATHS = {
    "account": "$.account",
    "counts": "$.detail.finding-severity-counts",
    "digest": "$.detail.image-digest",
    "region": "$.region",
    "repository": "$.detail.repository-name",
    "tags": "$.detail.image-tags",
}


_SHOW_BASIC_FINDINGS = (
    "aws ecr describe-image-scan-findings --region <region> --repository-name <repository> "
    "--image-id imageDigest=<digest>"
)
# The name of the repository is an ARN in this event, and describe-image-scan-findings does not accept an ARN.
_SHOW_ENHANCED_FINDINGS = (
    "aws inspector2 list-findings --region <region> "
    "--filter-criteria 'ecrImageHash=[{comparison=EQUALS,value=<digest>}]'"
)


def _template(environment_name: str, command: str, runbook: str) -> str:
    """Return a template of EventBridge for a text of several lines. Each line is a JSON string."""
    # The characters < and > would start the name of a variable.
    link = runbook.replace("<", "%3C").replace(">", "%3E")
    lines = [
        f"A scan found vulnerabilities in an image of the environment {environment_name}.",
        "Findings: <counts>",
        "Repository: <repository>",
        "Image tags: <tags>",
        "Image digest: <digest>",
        "Account <account>, Region <region>",
        f"Show the findings: {command}",
        f"What to do: {link}#{_RUNBOOK_HEADING}",
    ]
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
