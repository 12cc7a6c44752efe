"""The rules for findings of image scans: which events match, and how they publish to the topic."""

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template as SynthesizedTemplate

from app import CDK_JSON
from local.embedded_aws import EmbeddedAws
from stacks.docker_login.scan_findings import ScanFindings
from tests.local.test_scan_findings import BASIC, ENHANCED
from tests.stacks.conftest import PLAIN, of_type, statements, the_one
from tests.templates import Template, Templates, synthesize

ACCOUNT, REGION = "123456789012", "us-east-1"
OWN_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call"
PLAIN_TOPIC = "arn:aws:sns:eu-west-1:111111111111:on-call"
FOREIGN_TOPIC = f"arn:aws:sns:{REGION}:210987654321:on-call"
EXISTING = ["web_scraper", "legacy/jobs"]

Event = dict[str, Any]


def synthesized(
    severities: Sequence[str] = ("CRITICAL",),
    teams: Sequence[str] = ("analytics", "risk"),
    topic_arn: str | None = OWN_TOPIC,
) -> Template:
    """Return the template of a stack with the rules. The topic exists already, or the stack creates it."""
    app = cdk.App(context=json.loads(CDK_JSON.read_text())["context"], builtin_cloud_formation_validation=False)
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))
    ScanFindings(
        stack,
        "ScanFindings",
        topic=sns.Topic.from_topic_arn(stack, "Topic", topic_arn) if topic_arn else sns.Topic(stack, "Topic"),
        severities=severities,
        teams=teams,
        existing_repositories=EXISTING,
        environment_name="prod",
        runbook='https://example.com/<team>/<page>/"runbook"\\ü',
        role_path="/data/",
    )
    return dict(SynthesizedTemplate.from_stack(stack).to_json())


def matching(aws: EmbeddedAws, template: Template, event: Event) -> int:
    """Return how many rules of a template match an event. EventBridge's own operation matches the patterns."""
    events = aws.client("events")
    sent = {"id": "1", "time": "2026-11-26T00:00:00Z", "account": ACCOUNT, "region": REGION, **event}
    patterns = [rule["EventPattern"] for rule in of_type(template, "AWS::Events::Rule")]
    return sum(
        events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(sent))["Result"]
        for pattern in patterns
    )


def found(**counts: int) -> Callable[[Event], None]:
    def change(event: Event) -> None:
        event["detail"]["finding-severity-counts"] = counts

    return change


def scanned(repository: str, account: str = ACCOUNT, region: str = REGION) -> Callable[[Event], None]:
    def change(event: Event) -> None:
        event["account"], event["region"] = account, region
        event["resources"] = [f"arn:aws:ecr:{region}:{account}:repository/{repository}"]
        is_enhanced = event["source"] == "aws.inspector2"
        event["detail"]["repository-name"] = event["resources"][0] if is_enhanced else repository

    return change


CRITICAL, HIGH = ("CRITICAL",), ("CRITICAL", "HIGH")
EVENTS = [
    pytest.param(CRITICAL, found(CRITICAL=1), True, id="one critical finding"),
    pytest.param(CRITICAL, found(CRITICAL=0, HIGH=3), False, id="zero critical findings"),
    pytest.param(CRITICAL, found(HIGH=3), False, id="high findings, critical is watched"),
    pytest.param(CRITICAL, found(), False, id="no findings"),
    pytest.param(CRITICAL, lambda event: event["detail"].pop("finding-severity-counts"), False, id="no counts"),
    pytest.param(HIGH, found(HIGH=3), True, id="high findings"),
    pytest.param(HIGH, found(CRITICAL=3), True, id="critical findings, high is watched"),
    pytest.param(HIGH, found(CRITICAL=3, HIGH=3), True, id="critical and high findings"),
    pytest.param(HIGH, found(HIGH=0, MEDIUM=3), False, id="medium findings"),
    pytest.param(CRITICAL, scanned("risk/reports/daily"), True, id="a repository of the other team"),
    pytest.param(CRITICAL, scanned("web_scraper"), True, id="a repository that is not managed"),
    pytest.param(CRITICAL, scanned("legacy/jobs"), True, id="another repository that is not managed"),
    pytest.param(CRITICAL, scanned("web_scraper-x"), False, id="a repository that begins alike"),
    pytest.param(CRITICAL, scanned("legacy"), False, id="the start of the name of a repository"),
    pytest.param(CRITICAL, scanned("analytics-x/web-scraper"), False, id="a team that begins alike"),
    pytest.param(CRITICAL, scanned("x/analytics/web-scraper"), False, id="a team that ends alike"),
    pytest.param(CRITICAL, scanned("analytics"), False, id="a repository with the name of a team"),
    pytest.param(CRITICAL, scanned("analytics/x", account="210987654321"), False, id="another account"),
    pytest.param(CRITICAL, scanned("analytics/x", region="eu-west-1"), False, id="another Region"),
    pytest.param(CRITICAL, lambda event: event.update(source="tests"), False, id="another source"),
    pytest.param(CRITICAL, lambda event: event.update({"detail-type": "Inspector2 Finding"}), False, id="one finding"),
]


@pytest.fixture(scope="module")
def by_severity() -> dict[tuple[str, ...], Template]:
    return {severities: synthesized(severities) for severities in (CRITICAL, HIGH)}


@pytest.mark.parametrize("scan", [BASIC, ENHANCED], ids=["basic", "enhanced"])
@pytest.mark.parametrize(("severities", "change", "is_reported"), EVENTS)
def test_a_scan_sends_one_message_if_it_finds_enough_in_a_repository_of_the_environment(
    aws: EmbeddedAws,
    by_severity: dict[tuple[str, ...], Template],
    scan: Event,
    severities: tuple[str, ...],
    change: Callable[[Event], None],
    is_reported: bool,
) -> None:
    event = copy.deepcopy(scan)
    change(event)

    assert matching(aws, by_severity[severities], event) == int(is_reported)


def test_the_patterns_of_200_teams_fit_into_few_rules_that_may_all_publish() -> None:
    teams = [f"{number:03d}{'t' * 49}".replace("0", "o") for number in range(200)]
    template = synthesized(HIGH, teams, topic_arn=None)
    rules = of_type(template, "AWS::Events::Rule")
    publish = statements(the_one(template, "AWS::SNS::TopicPolicy")["PolicyDocument"])["FindingsPublish"]
    names = [name for name, each in template["Resources"].items() if each["Type"] == "AWS::Events::Rule"]
    assert publish["Condition"] == {
        "ArnEquals": {"aws:SourceArn": [{"Fn::GetAtt": [name, "Arn"]} for name in names]},
    }

    assert max(len(json.dumps(rule["EventPattern"])) for rule in rules) <= 2048
    watched = [each for rule in rules for each in rule["EventPattern"]["resources"]]
    start = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/"
    assert watched == [*({"prefix": f"{start}{team}/"} for team in teams), *(f"{start}{name}" for name in EXISTING)]
    assert len(rules) <= 16


def test_the_settings_reach_the_rule_and_repositories_of_a_team_without_a_connection_are_also_watched(
    tmp_path: Path,
) -> None:
    alerts = f'scan_findings = "high"\nrunbook = "https://git.example.com/runbook.md"\ntopic_arn = "{PLAIN_TOPIC}" #'
    team = '[teams.risk]\nexisting_repositories = ["var_old"]\npush.role_arns = ["arn:aws:iam::111111111111:role/ci"]\n'
    (tmp_path / "plain.toml").write_text(PLAIN.replace("off_because", alerts) + team)

    rule = the_one(synthesize(tmp_path, tmp_path / "cdk.out")["plain-DockerLogin"], "AWS::Events::Rule")

    assert rule["Targets"][0]["Arn"] == PLAIN_TOPIC
    counts = rule["EventPattern"]["detail"]["finding-severity-counts"]
    assert [[*each] for each in counts["$or"]] == [["CRITICAL"], ["HIGH"]]
    lines = [json.loads(line) for line in rule["Targets"][0]["InputTransformer"]["InputTemplate"].splitlines()]
    assert lines[0] == "A scan found vulnerabilities in an image of the environment plain."
    assert lines[-1] == "What to do: https://git.example.com/runbook.md#a-scan-found-a-vulnerability"
    names = [str(each).rpartition(":repository/")[2].strip("'}") for each in rule["EventPattern"]["resources"]]
    assert names == ["analytics/", "risk/", "var_old"]


def test_only_the_rules_may_publish_to_a_new_topic_for_eventbridge(templates: Templates) -> None:
    template = templates["rich-DockerLogin"]
    [rule] = [name for name, each in template["Resources"].items() if each["Type"] == "AWS::Events::Rule"]
    [topic] = [name for name, each in template["Resources"].items() if each["Type"] == "AWS::SNS::Topic"]
    publish = statements(the_one(template, "AWS::SNS::TopicPolicy")["PolicyDocument"])["FindingsPublish"]

    assert publish["Effect"] == "Allow"
    assert publish["Principal"] == {"Service": "events.amazonaws.com"}
    assert publish["Action"] == "sns:Publish"
    assert publish["Condition"] == {"ArnEquals": {"aws:SourceArn": [{"Fn::GetAtt": [rule, "Arn"]}]}}
    [target] = the_one(template, "AWS::Events::Rule")["Targets"]
    assert target["Arn"] == {"Ref": topic}
    assert "RoleArn" not in target


def test_the_policy_of_an_existing_topic_is_not_changed() -> None:
    template = synthesized()

    assert {each["Type"] for each in template["Resources"].values()} == {"AWS::Events::Rule"}


@pytest.mark.parametrize("teams", [1, 50])
def test_all_rules_publish_to_a_topic_of_another_account_with_a_role(teams: int) -> None:
    template = synthesized(teams=[f"team-{number}" for number in range(teams)], topic_arn=FOREIGN_TOPIC)
    [role_id] = [name for name, each in template["Resources"].items() if each["Type"] == "AWS::IAM::Role"]
    role = the_one(template, "AWS::IAM::Role")
    [statement] = role["Policies"][0]["PolicyDocument"]["Statement"]

    assert (statement["Action"], statement["Resource"], role["Path"]) == ("sns:Publish", FOREIGN_TOPIC, "/data/")
    targets = [rule["Targets"][0] for rule in of_type(template, "AWS::Events::Rule")]
    assert len(targets) == (1 if teams == 1 else 2)
    for target in targets:
        assert (target["Arn"], target["RoleArn"]) == (FOREIGN_TOPIC, {"Fn::GetAtt": [role_id, "Arn"]})


def test_every_placeholder_of_a_message_has_a_value_of_the_event() -> None:
    """EventBridge refuses a message with a placeholder that has no path, and each line must be a JSON string."""
    transformer = the_one(synthesized(), "AWS::Events::Rule")["Targets"][0]["InputTransformer"]
    lines = [json.loads(line) for line in transformer["InputTemplate"].splitlines()]
    placeholders = {part.partition(">")[0] for line in lines for part in line.split("<")[1:]}

    assert placeholders == set(transformer["InputPathsMap"])
    link = 'https://example.com/%3Cteam%3E/%3Cpage%3E/"runbook"\\ü'
    assert lines[-1] == f"What to do: {link}#a-scan-found-a-vulnerability"


def test_an_environment_without_alerts_has_no_rules(templates: Templates) -> None:
    assert not of_type(templates["plain-DockerLogin"], "AWS::Events::Rule")
