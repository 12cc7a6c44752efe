"""The checks before a deployment find problems. A check without an answer does not stop the deployment."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from local.account import Account
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from ops.clients import Clients
from ops.preflight.alerts import find_silent_topic
from ops.preflight.checks import ACTIONS, CHECKS
from ops.preflight.creation_templates import find_taken_creation_templates
from ops.preflight.deploy_role import find_denied_deploy_role
from ops.preflight.findings import Finding, Planned
from ops.preflight.oidc_providers import find_missing_oidc_providers
from ops.preflight.pushes import find_cut_off_pushers
from ops.preflight.repositories import (
    find_missing_repositories,
    find_policies_by_hand,
    find_removed_repositories,
    find_taken_repositories,
)
from ops.preflight.roles import find_missing_principals, find_push_role_conflicts
from ops.preflight.run import SECONDS, run_checks
from ops.preflight.secrets import find_removed_secrets, find_taken_secrets
from ops.preflight.stacks import find_stacks
from ops.results import CannotTell, Check, State
from ops.target import Target
from settings.environment import Environment, Team
from tests.ops.ecr_login import ecr_login
from tools import ROOT
from tools.cdk_options import QUALIFIER

ENVIRONMENT = Environment.model_validate(
    {
        "name": "flight",
        "account": ACCOUNT,
        "region": REGION,
        "connections_prefix": "flight/connections",
        "teams": {
            "pilots": {
                "repositories": ["map", "radio"],
                "push": {
                    "user_arns": [f"arn:aws:iam::{ACCOUNT}:user/analyst"],
                    "github": [{"repository": "acme/flights", "branch": "main"}],
                },
            }
        },
        "connections": {"docker_default": {"teams": ["pilots"]}, "docker_risk": {"teams": ["pilots"]}},
        "alerts": {"off_because": "a test"},
    }
)
PLANNED = Planned(ENVIRONMENT, qualifier="hnb659fds")
SECRET = "flight/connections/docker_default"
REPOSITORY = "pilots/map"
ROLE = "flight-ecr-push-pilots"
TRUST = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}}
POLICY = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "ecr:BatchGetImage"},
}


@pytest.fixture
def clients(aws: EmbeddedAws) -> Clients:
    return Clients(aws.client)


@pytest.fixture
def stack(aws: EmbeddedAws) -> Iterator[Any]:
    """Return a function that deploys a stack with one or two resources. The stack is deleted at the end."""
    cloudformation = aws.client("cloudformation")
    names = []

    def deploy(name: str, kind: str, second: dict[str, Any] | None = None, **properties: Any) -> None:
        names.append(name)
        resources = {"One": {"Type": kind, "Properties": properties}}
        if second:
            resources["Two"] = {"Type": kind, "Properties": second}
        template = {"Resources": resources}
        cloudformation.create_stack(
            StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})

    yield deploy
    for name in names:
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})


@pytest.fixture
def secret(aws: EmbeddedAws) -> Iterator[Any]:
    """Secrets Manager with a secret that has the name of our secret."""
    secretsmanager = aws.client("secretsmanager")
    secretsmanager.create_secret(Name=SECRET, SecretString="by hand")
    yield secretsmanager
    secretsmanager.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def repository(aws: EmbeddedAws) -> Iterator[Any]:
    """ECR with a repository that has the name of our repository."""
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName=REPOSITORY)
    yield ecr
    ecr.delete_repository(repositoryName=REPOSITORY)


@pytest.fixture
def templates(aws: EmbeddedAws) -> Iterator[Any]:
    """Return a function that creates repository creation templates by hand."""
    ecr, prefixes = aws.client("ecr"), []

    def create(prefix: str) -> None:
        prefixes.append(prefix)
        ecr.create_repository_creation_template(prefix=prefix, appliedFor=["CREATE_ON_PUSH"])

    yield create
    for prefix in prefixes:
        ecr.delete_repository_creation_template(prefix=prefix)


@pytest.fixture
def shell(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment variables of a shell that points at the emulator."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.client_environment().items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def only(findings: Iterator[Finding]) -> Finding:
    [finding] = findings
    return finding


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_clean_account_has_no_findings(check: Any, clients: Clients) -> None:
    assert list(check(clients, PLANNED)) == []


TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:flight"
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
    return _planned(alerts={"topic_arn": TOPIC, **alerts})


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


@pytest.mark.parametrize(
    ("prefix", "stops", "problem"),
    [
        ("pilots", [True], "the prefix pilots exists, and it is not part of the stack flight-Registry"),
        ("pilots/", [True], "the prefix pilots/ exists, and it is not part of the stack flight-Registry"),
        ("pilots/jets", [False], "a push to pilots/jets/<name> uses this template instead"),
        ("pilots-x", [], ""),
        ("ROOT", [], ""),
    ],
)
def test_a_creation_template_of_somebody_else_is_found(
    clients: Clients, templates: Any, prefix: str, stops: list[bool], problem: str
) -> None:
    templates(prefix)
    findings = list(find_taken_creation_templates(clients, creating()))
    assert [finding.stops for finding in findings] == stops
    assert all(problem in finding.problem for finding in findings)
    assert list(find_taken_creation_templates(clients, PLANNED)) == []


def test_the_creation_template_of_the_stack_is_not_found(clients: Clients, stack: Any) -> None:
    template = {"Prefix": "pilots", "AppliedFor": ["CREATE_ON_PUSH"]}
    stack("flight-Registry", "AWS::ECR::RepositoryCreationTemplate", **template)
    assert list(find_taken_creation_templates(clients, creating())) == []


def creating() -> Planned:
    """Return a deployment with a topic, an existing repository, and repositories that a push creates."""
    settings = ENVIRONMENT.model_dump(exclude_unset=True)
    settings["teams"]["pilots"]["create_on_push"] = True
    settings["teams"]["pilots"]["existing_repositories"] = ["map_old"]
    settings["alerts"] = {"topic_arn": TOPIC}
    return Planned(Environment.model_validate(settings), qualifier="hnb659fds")


def everything() -> Planned:
    """Return a deployment whose settings make every check send requests."""
    settings = creating().environment.model_dump(exclude_unset=True)
    settings["teams"]["pilots"]["push"]["permission_sets"] = ["Pilot"]
    settings["workers"] = {"role_arns": [f"arn:aws:iam::{ACCOUNT}:role/airflow-worker"]}
    settings["connections"]["docker_far"] = {"registry": {"region": "us-west-2"}, "teams": ["pilots"]}
    return Planned(Environment.model_validate(settings), qualifier="hnb659fds")


def test_a_secret_that_exists_is_found(clients: Clients, secret: Any) -> None:
    finding = only(find_taken_secrets(clients, PLANNED))
    assert finding.problem == (
        f"The secret {SECRET} exists, and it is not part of the stack flight-DockerLogin. "
        "CloudFormation would answer: already exists."
    )
    assert "docs/airflow/migrate.md" in finding.fix


def test_a_secret_that_is_scheduled_for_deletion_is_found_and_the_fix_works(clients: Clients, secret: Any) -> None:
    secret.delete_secret(SecretId=SECRET, RecoveryWindowInDays=7)
    finding = only(find_taken_secrets(clients, PLANNED))
    assert "is scheduled for deletion" in finding.problem
    assert f"restore-secret --secret-id {SECRET} --region {REGION} && " in finding.fix
    assert f"delete-secret --force-delete-without-recovery --secret-id {SECRET}" in finding.fix

    secret.restore_secret(SecretId=SECRET)
    secret.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    assert list(find_taken_secrets(clients, PLANNED)) == []
    secret.create_secret(Name=SECRET, SecretString="for the fixture")


def test_a_secret_of_the_stack_is_a_finding_only_if_it_is_scheduled_for_deletion(
    aws: EmbeddedAws, clients: Clients, stack: Any
) -> None:
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    assert list(find_taken_secrets(clients, PLANNED)) == []

    secretsmanager = aws.client("secretsmanager")
    secretsmanager.delete_secret(SecretId=SECRET)
    finding = only(find_taken_secrets(clients, PLANNED))
    assert finding.fix == f"Run: aws secretsmanager restore-secret --secret-id {SECRET} --region {REGION}"

    # The policy of the secret then denies the request to all other principals.
    break_glass = _planned(break_glass_role_arns=[f"arn:aws:iam::{ACCOUNT}:role/BreakGlass"])
    finding = only(find_taken_secrets(clients, break_glass))
    assert (
        finding.fix
        == f"Run with a break-glass role: aws secretsmanager restore-secret --secret-id {SECRET} --region {REGION}"
    )

    secretsmanager.restore_secret(SecretId=SECRET)
    assert list(find_taken_secrets(clients, PLANNED)) == []


def test_a_repository_that_a_deployment_can_adopt_is_no_finding(clients: Clients, repository: Any) -> None:
    assert list(find_taken_repositories(clients, PLANNED)) == []


def test_a_repository_with_a_policy_of_somebody_else_is_found(clients: Clients, repository: Any) -> None:
    repository.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps(POLICY))
    finding = only(find_taken_repositories(clients, PLANNED))
    assert finding.problem == (
        f"The repository {REPOSITORY} has a repository policy, which the deployment would replace."
    )
    assert f"delete-repository-policy --repository-name {REPOSITORY}" in finding.fix
    assert "pull_accounts" not in finding.fix


def test_a_repository_that_left_the_stack_with_our_policy_is_no_finding(
    aws: EmbeddedAws, clients: Clients, repository: Any
) -> None:
    ours = _our_policy(PLANNED.deploy_role_arn)
    repository.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps(ours))
    assert list(find_taken_repositories(clients, PLANNED)) == []

    ours["Statement"].append(READER)
    repository.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps(ours))
    assert "would replace" in only(find_taken_repositories(Clients(aws.client), PLANNED)).problem


def test_a_policy_by_hand_on_a_repository_of_the_stack_is_a_notice(
    aws: EmbeddedAws, clients: Clients, stack: Any
) -> None:
    stack("flight-Registry", "AWS::ECR::Repository", RepositoryName=REPOSITORY)
    ecr = aws.client("ecr")
    ours = _our_policy(PLANNED.deploy_role_arn)
    ecr.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps(ours))
    assert list(find_policies_by_hand(clients, PLANNED)) == []

    ours["Statement"].append(READER)
    ecr.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps(ours))
    again = Clients(aws.client)
    finding = only(find_policies_by_hand(again, PLANNED))
    assert not finding.stops
    assert f"The policy of {REPOSITORY} has statements that are not from this project." in finding.problem
    assert finding.fix.startswith("To let them pull, add 222222222222 to teams.pilots.pull_accounts. Save the policy")
    assert list(find_taken_repositories(again, PLANNED)) == []
    assert list(find_policies_by_hand(again, _with_team(pull_accounts=["222222222222"]))) == []


def test_readers_of_other_accounts_are_no_finding_if_the_settings_contain_them(
    aws: EmbeddedAws, clients: Clients, repository: Any
) -> None:
    repository.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps({"Statement": [READER]}))
    finding = only(find_taken_repositories(clients, PLANNED))
    assert finding.fix.startswith("To let them pull, add 222222222222 to teams.pilots.pull_accounts. ")

    assert list(find_taken_repositories(clients, _with_team(pull_accounts=["222222222222"]))) == []
    # A reader that can also push would lose a permission.
    pusher = {**READER, "Action": ["ecr:BatchGetImage", "ecr:PutImage"]}
    repository.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps({"Statement": [pusher]}))
    again = Clients(aws.client)
    assert "pull_accounts" not in only(find_taken_repositories(again, _with_team(pull_accounts=["222222222222"]))).fix


def test_a_principal_that_pushed_lately_and_would_be_cut_off_is_a_notice(clients: Clients, repository: Any) -> None:
    pushed = [
        _push(f"arn:aws:iam::{ACCOUNT}:role/ci/builder"),
        _push(f"arn:aws:iam::{ACCOUNT}:user/ben"),
        _push(f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"),
        _push(PLANNED.deploy_role_arn),
        _push(f"arn:aws:iam::{ACCOUNT}:root"),
        _push(f"arn:aws:iam::{ACCOUNT}:role/of-another-repository", "pilots/new"),
        _push(f"arn:aws:iam::{ACCOUNT}:role/refused", error="AccessDenied"),
    ]
    clients.__dict__["cloudtrail"] = CloudTrail(pushed)

    finding = only(find_cut_off_pushers(clients, PLANNED))

    assert finding.problem == (
        f"arn:aws:iam::{ACCOUNT}:role/ci/builder, arn:aws:iam::{ACCOUNT}:user/ben pushed to repositories of the team "
        "pilots lately. After the deployment, they cannot push any more."
    )
    assert not finding.stops
    assert list(find_cut_off_pushers(clients, _with_team(others_may_push_because="a test"))) == []


def test_an_adopted_repository_is_compared_with_its_own_policy(clients: Clients, repository: Any, stack: Any) -> None:
    ours = _our_policy(PLANNED.deploy_role_arn)
    stack("flight-Registry", "AWS::ECR::Repository", RepositoryName="pilots/aaa", RepositoryPolicyText=ours)
    clients.__dict__["cloudtrail"] = CloudTrail([_push(f"arn:aws:iam::{ACCOUNT}:user/ben")])

    findings = find_cut_off_pushers(clients, _with_team(repositories=["aaa", "map"]))

    assert f"arn:aws:iam::{ACCOUNT}:user/ben pushed" in only(findings).problem


def test_cloudtrail_is_asked_only_if_a_policy_changes_and_at_most_four_times(
    aws: EmbeddedAws, clients: Clients, stack: Any
) -> None:
    trail = CloudTrail([_push("arn:aws:iam::1:role/many")] * 1000)
    clients.__dict__["cloudtrail"] = trail
    ours = _our_policy(PLANNED.deploy_role_arn)
    stack("flight-Registry", "AWS::ECR::Repository", RepositoryName=REPOSITORY, RepositoryPolicyText=ours)
    assert list(find_cut_off_pushers(clients, PLANNED)) == []
    assert trail.requests == 0

    aws.client("ecr").delete_repository_policy(repositoryName=REPOSITORY)
    again = Clients(aws.client)
    again.__dict__["cloudtrail"] = trail
    assert "arn:aws:iam::1:role/many pushed" in only(find_cut_off_pushers(again, PLANNED)).problem
    assert trail.requests == 4


def test_a_repository_whose_policy_denies_the_role_of_the_deployment_is_found(
    clients: Clients, repository: Any
) -> None:
    another = PLANNED.deploy_role_arn.replace("hnb659fds", "other")
    repository.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps(_our_policy(another)), force=True)

    finding = only(find_denied_deploy_role(clients, PLANNED))

    assert f"The policy of the repository {REPOSITORY} denies the role of this deployment" in finding.problem
    assert f"The last deployment used {another}." in finding.problem
    assert "Change the qualifier of the bootstrap" in finding.fix


READER = {
    "Sid": "Readers",
    "Effect": "Allow",
    "Principal": {"AWS": ["arn:aws:iam::222222222222:role/reader"]},
    "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
}


def _our_policy(deploy_role_arn: str) -> dict[str, Any]:
    condition = {"ArnNotEquals": {"aws:PrincipalArn": [deploy_role_arn]}}
    actions = {"PushOnlyByTeam": "ecr:PutImage", "ChangeOnlyByDeployment": "ecr:BatchDeleteImage"}
    statements = [
        {"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": action, "Condition": condition}
        for sid, action in actions.items()
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _with_team(**settings: Any) -> Planned:
    pilots = ENVIRONMENT.teams["pilots"].model_dump()
    return _planned(teams={"pilots": {**pilots, **settings}})


def _push(arn: str, repository: str = REPOSITORY, error: str | None = None) -> dict[str, Any]:
    """Return an event as CloudTrail records it: the identity of a session contains the ARN of the role."""
    identity: dict[str, Any] = {"type": "IAMUser", "arn": arn}
    if ":role/" in arn:
        session = arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/session"
        issuer = {"type": "Role", "arn": arn}
        identity = {"type": "AssumedRole", "arn": session, "sessionContext": {"sessionIssuer": issuer}}
    details = {"userIdentity": identity, "requestParameters": {"repositoryName": repository}, "errorCode": error}
    return {"EventName": "PutImage", "CloudTrailEvent": json.dumps(details)}


class CloudTrail:
    """A client of CloudTrail that answers with these events, 50 at a time."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.events = events
        self.requests = 0

    def lookup_events(self, **request: Any) -> dict[str, Any]:
        assert request["LookupAttributes"] == [{"AttributeKey": "EventName", "AttributeValue": "PutImage"}]
        self.requests += 1
        start = int(request.get("NextToken", 0))
        end = start + request["MaxResults"]
        more = {"NextToken": str(end)} if end < len(self.events) else {}
        return {"Events": self.events[start:end], **more}


def test_an_existing_repository_that_does_not_exist_is_a_notice(clients: Clients, repository: Any) -> None:
    names = {"existing_repositories": ["map_old", REPOSITORY, "old/radio"]}
    team = {**names, "push": {"user_arns": [f"arn:aws:iam::{ACCOUNT}:user/analyst"]}}
    planned = Planned(
        ENVIRONMENT.model_copy(update={"teams": {"others": Team.model_validate(team)}}), qualifier="hnb659fds"
    )
    finding = only(find_missing_repositories(clients, planned))
    assert finding.problem == (
        "These names in existing_repositories of the team others do not exist in ECR: map_old, old/radio. "
        "The deployment does not create them."
    )
    assert not finding.stops


def test_a_repository_of_another_stack_is_found(clients: Clients, stack: Any) -> None:
    stack("other-team", "AWS::ECR::Repository", RepositoryName=REPOSITORY)
    finding = only(find_taken_repositories(clients, PLANNED))
    assert finding.problem == (
        f"The repository {REPOSITORY} belongs to the stack other-team, so flight-Registry cannot adopt it."
    )


def test_a_repository_of_the_stack_and_its_policy_are_no_finding(
    aws: EmbeddedAws, clients: Clients, stack: Any
) -> None:
    stack("flight-Registry", "AWS::ECR::Repository", RepositoryName=REPOSITORY)
    aws.client("ecr").set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps(POLICY))
    assert list(find_taken_repositories(clients, PLANNED)) == []


def test_a_push_role_name_that_is_taken_is_found(aws: EmbeddedAws, clients: Clients) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    try:
        finding = only(find_push_role_conflicts(clients, PLANNED))
    finally:
        iam.delete_role(RoleName=ROLE)
    assert finding.problem == (
        f"The role {ROLE} exists, and it is not part of the stack flight-Access. CloudFormation cannot create it."
    )


def test_a_push_role_of_another_stack_is_found(clients: Clients, stack: Any) -> None:
    stack("flight-Old", "AWS::IAM::Role", RoleName=ROLE, AssumeRolePolicyDocument=TRUST)
    assert "belongs to the stack flight-Old" in only(find_push_role_conflicts(clients, PLANNED)).problem


def test_a_push_role_of_the_stack_is_no_finding(clients: Clients, stack: Any) -> None:
    stack("flight-Access", "AWS::IAM::Role", RoleName=ROLE, AssumeRolePolicyDocument=TRUST)
    assert list(find_push_role_conflicts(clients, PLANNED)) == []


def test_a_secret_of_another_stack_is_found_with_the_name_of_the_stack(clients: Clients, stack: Any) -> None:
    stack("old-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    finding = only(find_taken_secrets(clients, PLANNED))
    assert "belongs to the stack old-DockerLogin. CloudFormation would answer: already exists." in finding.problem
    assert '"Rename an environment" in docs/changes.md' in finding.fix


def test_a_push_role_whose_path_the_settings_change_is_found(clients: Clients, stack: Any) -> None:
    stack("flight-Access", "AWS::IAM::Role", RoleName=ROLE, AssumeRolePolicyDocument=TRUST, Path="/old/")
    finding = only(find_push_role_conflicts(clients, PLANNED))
    assert finding.problem == (
        f"The path of {ROLE} is /old/, and role_path is /. CloudFormation would answer: "
        "cannot update a stack when a custom-named resource requires replacing."
    )
    assert finding.fix == 'See "Change role_path" in docs/changes.md.'


@pytest.mark.parametrize("role", ["cdk-other-cfn-exec-role", "someone"])
def test_a_secret_whose_policy_does_not_name_the_role_of_the_deployment_is_found(
    aws: EmbeddedAws, clients: Clients, stack: Any, role: str
) -> None:
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    assert list(find_denied_deploy_role(clients, PLANNED)) == []

    _allow_only(aws, f"arn:aws:iam::{ACCOUNT}:role/{role}-{ACCOUNT}-{REGION}")
    finding = only(find_denied_deploy_role(clients, PLANNED))
    denied = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
    assert f"The policy of {SECRET} denies the role of this deployment, {denied}." in finding.problem
    assert ("The last deployment used" in finding.problem) == (role != "someone")

    _allow_only(aws, denied)
    assert list(find_denied_deploy_role(clients, PLANNED)) == []


def test_the_policy_of_every_secret_of_the_stack_is_read(aws: EmbeddedAws, clients: Clients, stack: Any) -> None:
    other = "flight/connections/docker_risk"
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", second={"Name": other}, Name=SECRET)
    for secret, denied in ((SECRET, other), (other, SECRET)):
        _allow_only(aws, PLANNED.deploy_role_arn, secret)
        _allow_only(aws, f"arn:aws:iam::{ACCOUNT}:role/cdk-other-cfn-exec-role", denied)

        finding = only(find_denied_deploy_role(clients, PLANNED))
        assert f"The policy of {denied} denies the role" in finding.problem


def test_another_qualifier_is_another_role(aws: EmbeddedAws, clients: Clients, stack: Any) -> None:
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    _allow_only(aws, PLANNED.deploy_role_arn)
    finding = only(find_denied_deploy_role(clients, Planned(ENVIRONMENT, qualifier="other")))
    assert "/cdk-other-cfn-exec-role-" in finding.problem
    assert f"The last deployment used {PLANNED.deploy_role_arn}." in finding.problem


def _allow_only(aws: EmbeddedAws, role_arn: str, secret: str = SECRET) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:PutSecretValue",
        "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [role_arn]}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=policy)


def _planned(**changes: Any) -> Planned:
    settings = {**ENVIRONMENT.model_dump(exclude_unset=True), **changes}
    return Planned(Environment.model_validate(settings), qualifier="hnb659fds")


def test_a_principal_that_does_not_exist_is_found(clients: Clients) -> None:
    push = {
        "user_arns": [f"arn:aws:iam::{ACCOUNT}:user/nobody", "arn:aws:iam::999999999999:user/of-another-account"],
        "role_arns": [f"arn:aws:iam::{ACCOUNT}:role/ci/nothing"],
    }
    planned = _planned(
        teams={"pilots": {"repositories": ["map"], "push": push}},
        workers={"role_arns": [f"arn:aws:iam::{ACCOUNT}:role/no-worker"]},
        permissions_boundary_arn=f"arn:aws:iam::{ACCOUNT}:policy/no-boundary",
        break_glass_role_arns=[f"arn:aws:iam::{ACCOUNT}:role/no-break-glass"],
    )
    findings = list(find_missing_principals(clients, planned))
    start = f"arn:aws:iam::{ACCOUNT}"
    assert {finding.problem: finding.stops for finding in findings} == {
        f"The role {start}:role/ci/nothing does not exist. CloudFormation would answer: Invalid principal in policy.": (
            True
        ),
        f"The user {start}:user/nobody does not exist. CloudFormation would answer: Invalid principal in policy.": True,
        f"The role {start}:role/no-worker does not exist. CloudFormation would answer: NoSuchEntity.": True,
        f"The policy {start}:policy/no-boundary does not exist. CloudFormation would answer: NoSuchEntity.": True,
        f"The role {start}:role/no-break-glass does not exist. In an emergency, nobody can use it.": False,
    }
    assert {finding.fix.rpartition(" in ")[2] for finding in findings} == {
        "teams.pilots.push.role_arns.",
        "teams.pilots.push.user_arns.",
        "workers.role_arns.",
        "permissions_boundary_arn.",
        "break_glass_role_arns.",
    }


def test_a_missing_worker_stops_the_deployment_also_if_it_is_a_break_glass_role(clients: Clients) -> None:
    roles = [f"arn:aws:iam::{ACCOUNT}:role/no-worker"]
    finding = only(
        find_missing_principals(clients, _planned(workers={"role_arns": roles}, break_glass_role_arns=roles))
    )
    assert finding.stops
    assert "workers.role_arns" in finding.fix


def test_a_wrong_path_in_an_arn_is_found(clients: Clients) -> None:
    planned = _planned(workers={"role_arns": [f"arn:aws:iam::{ACCOUNT}:role/path/airflow-worker"]})
    finding = only(find_missing_principals(clients, planned))
    assert f"is arn:aws:iam::{ACCOUNT}:role/airflow-worker, and the settings have" in finding.problem
    assert finding.fix == "Correct the path in workers.role_arns."
    assert finding.stops


def test_a_missing_oidc_provider_or_audience_is_a_notice_and_the_command_in_it_works(
    shell: pytest.MonkeyPatch, clients: Clients
) -> None:
    jobs = [{"project": "acme/flights", "branch": "main", "url": "https://git.flight.example"}]
    jobs += [{**jobs[0], "branch": "night", "audience": "https://git.flight.example"}]
    planned = [
        _planned(teams={"pilots": {"repositories": ["map"], "push": {"gitlab": some}}}) for some in (jobs[:1], jobs)
    ]

    missing = only(find_missing_oidc_providers(clients, planned[0]))
    assert "has no OIDC provider for https://git.flight.example" in missing.problem
    assert not missing.stops
    run_aws_cli(missing.fix.removeprefix("Run: "))
    assert list(find_missing_oidc_providers(clients, planned[0])) == []

    lacking = only(find_missing_oidc_providers(clients, planned[1]))
    assert "lacks the audience https://git.flight.example" in lacking.problem
    run_aws_cli(lacking.fix.removeprefix("Run: "))
    assert list(find_missing_oidc_providers(clients, planned[1])) == []


def run_aws_cli(command: str) -> None:
    program, *words = command.split()
    assert program == "aws"
    subprocess.run([sys.executable, "-m", "tests.local.aws_cli", *words], cwd=ROOT, check=True)


def test_a_stack_that_the_settings_no_longer_contain_is_a_notice(clients: Clients, stack: Any) -> None:
    stack("flight-EcsTasks", "AWS::ECR::Repository", RepositoryName="pilots/other")
    finding = only(find_stacks(clients, PLANNED))
    assert not finding.stops
    assert "Remove Fargate tasks" in finding.fix

    tasks = _planned(
        ecs={"tasks": {"pilots/map": {"image_tag": "1"}}}, workers={"role_arns": [f"arn:aws:iam::{ACCOUNT}:role/w"]}
    )
    assert list(find_stacks(clients, tasks)) == []


def test_a_stack_whose_deletion_failed_is_found(aws: EmbeddedAws, clients: Clients, stack: Any) -> None:
    stack("flight-Access", "AWS::IAM::Role", RoleName=ROLE, AssumeRolePolicyDocument=TRUST)
    iam, policy_arn = aws.client("iam"), "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=policy_arn)
    aws.client("cloudformation").delete_stack(StackName="flight-Access")
    waiter = aws.client("cloudformation").get_waiter("stack_delete_complete")
    with pytest.raises(WaiterError):
        waiter.wait(StackName="flight-Access", WaiterConfig={"Delay": 0.1})
    finding = only(find_stacks(clients, PLANNED))
    iam.detach_role_policy(RoleName=ROLE, PolicyArn=policy_arn)
    assert finding.stops
    assert "The stack flight-Access is in DELETE_FAILED" in finding.problem


def test_a_secret_that_the_deployment_deletes_is_a_notice_with_the_date_of_its_last_read(
    aws: EmbeddedAws, clients: Clients, stack: Any
) -> None:
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name="flight/connections/docker_old")
    finding = only(find_removed_secrets(clients, PLANNED))
    assert not finding.stops
    assert finding.problem == (
        "The deployment deletes the secret flight/connections/docker_old, with its value. It was not read yet."
    )

    secretsmanager = aws.client("secretsmanager")
    secretsmanager.put_secret_value(SecretId="flight/connections/docker_old", SecretString="{}")
    secretsmanager.get_secret_value(SecretId="flight/connections/docker_old")
    assert (
        f"It was last read on {datetime.now(UTC):%Y-%m-%d} (UTC)."
        in only(find_removed_secrets(clients, PLANNED)).problem
    )


def test_a_secret_that_the_deployment_keeps_is_no_notice(clients: Clients, stack: Any) -> None:
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    assert list(find_removed_secrets(clients, PLANNED)) == []


def test_a_repository_that_leaves_the_settings_is_a_notice(clients: Clients, stack: Any) -> None:
    stack("flight-Registry", "AWS::ECR::Repository", RepositoryName="pilots/old")
    finding = only(find_removed_repositories(clients, PLANNED))
    assert not finding.stops
    assert "no longer contain pilots/old. The repositories and their images stay" in finding.problem


def run(planned: Planned, profile: str | None = None, seconds: float = SECONDS) -> tuple[list[Check], dict[str, str]]:
    """Run all checks with the credentials of the shell.

    Returns:
        The problems and notices, and the reason for each check that was not tried.
    """
    checks = run_checks(Target(planned.environment, Path(), profile), planned, seconds=seconds)
    found = [check for check in checks if check.state in (State.BROKEN, State.DEGRADED)]
    return found, {check.name: check.detail for check in checks if check.state is State.NOT_TRIED}


def test_all_checks_run_with_the_credentials_of_the_shell(shell: pytest.MonkeyPatch, secret: Any) -> None:
    [problem], not_tried = run(PLANNED)
    assert not_tried == {}
    assert (problem.name, problem.state) == ("secrets", State.BROKEN)
    assert SECRET in problem.detail


def test_the_checks_read_the_resources_of_each_stack_once(
    clients: Clients, stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    clients.cloudformation.meta.events.register(
        "provide-client-params.cloudformation.ListStackResources", lambda params, **_: read.append(params["StackName"])
    )
    monkeypatch.setattr("ops.target.make_clients", lambda *_: clients)
    stack("flight-DockerLogin", "AWS::SecretsManager::Secret", Name=SECRET)
    assert run(PLANNED) == ([], {})
    assert sorted(read) == ["flight-Access", "flight-DockerLogin", "flight-Registry"]


def test_a_request_that_aws_throttles_once_is_sent_again(
    aws: EmbeddedAws, shell: pytest.MonkeyPatch, secret: Any
) -> None:
    throttled = {"status": 400, "body": {"__type": "ThrottlingException"}}
    with aws.fault("DescribeSecret", times=1, **throttled):
        [problem], not_tried = run(PLANNED)
    assert not_tried == {}
    assert SECRET in problem.detail


def test_a_missing_permission_does_not_stop_the_deployment(
    shell: pytest.MonkeyPatch, secret: Any, account: Account
) -> None:
    shell.setenv("AWS_ACCESS_KEY_ID", account.operator["AccessKeyId"])
    shell.setenv("AWS_SECRET_ACCESS_KEY", account.operator["SecretAccessKey"])
    found, not_tried = run(everything())
    assert found == []
    assert set(not_tried) == set(CHECKS)
    actions = {name: {f"AWS denied {action}" for action in ACTIONS[name]} for name in CHECKS}
    assert {name: reason for name, reason in not_tried.items() if reason not in actions[name]} == {}


def test_credentials_of_another_account_are_an_error_with_a_fix(shell: pytest.MonkeyPatch, secret: Any) -> None:
    other = Planned(ENVIRONMENT.model_copy(update={"account": "999999999999"}), "hnb659fds")
    with pytest.raises(CannotTell, match=f"are of the account {ACCOUNT}, not 999999999999. Use credentials of 9999"):
        run(other)


def test_a_shell_without_credentials_is_an_error_with_a_fix(shell: pytest.MonkeyPatch) -> None:
    shell.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(CannotTell, match=r"Unable to locate credentials\. Sign in with"):
        run(PLANNED)


def test_an_unknown_profile_is_an_error_with_a_fix(shell: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotTell, match=r"profile \(nobody\) could not be found\. List the profiles"):
        run(PLANNED, profile="nobody")


def test_no_code_of_an_mfa_device_is_used(shell: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"[profile user]\naws_access_key_id = test\naws_secret_access_key = test\n"
        f"[profile admin]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/Admin\nsource_profile = user\n"
        f"mfa_serial = arn:aws:iam::{ACCOUNT}:mfa/ana\n"
    )
    shell.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(CannotTell, match="the profile asks for an MFA code"):
        run(PLANNED, profile="admin")


@pytest.mark.parametrize("answers", [True, False], ids=["silent", "closed"])
def test_an_endpoint_that_does_not_answer_stops_the_deployment_only_until_the_time_limit(
    shell: pytest.MonkeyPatch, answers: bool
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if answers:
            silent.listen()  # The server accepts connections and never sends an answer.
        shell.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(CannotTell, match="Check the network"):
            run(PLANNED, seconds=2)
    assert time.monotonic() - started < 4


def test_a_check_without_an_answer_in_time_is_not_tried(
    aws: EmbeddedAws, shell: pytest.MonkeyPatch, secret: Any
) -> None:
    with aws.fault("GetParameter", delay_seconds=30):
        [problem], not_tried = run(PLANNED, seconds=10)
    assert not_tried == {"bootstrap": "no answer in time"}
    assert problem.name == "secrets"


def test_a_bug_in_a_check_does_not_stop_the_deployment(shell: pytest.MonkeyPatch) -> None:
    def broken(clients: Clients, planned: Planned) -> list[Finding]:
        raise KeyError("defect")

    shell.setitem(CHECKS, "secrets", broken)
    assert run(PLANNED) == ([], {"secrets": "KeyError('defect')"})


@pytest.mark.parametrize("status", ["DISABLED", "ENABLED"])
def test_a_region_that_is_not_enabled_stops_the_deployment(
    shell: pytest.MonkeyPatch, clients: Clients, status: str
) -> None:
    class Answers:
        """The clients of STS and of account management."""

        def get_caller_identity(self) -> None:
            answer: Any = {"Error": {"Code": "InvalidClientTokenId"}}
            raise ClientError(answer, "GetCallerIdentity")

        def get_region_opt_status(self, RegionName: str) -> dict[str, str]:
            return {"RegionName": RegionName, "RegionOptStatus": status}

    shell.setattr("botocore.session.Session.create_client", lambda *_, **_options: Answers())
    if status == "ENABLED":
        with pytest.raises(CannotTell, match=r"InvalidClientTokenId\. Sign in again"):
            run(PLANNED)
        return
    [problem], not_tried = run(PLANNED)
    assert (problem.name, problem.state) == ("region", State.BROKEN)
    assert problem.fix == f"Run: aws account enable-region --region-name {REGION}"
    assert set(not_tried) == set(CHECKS)


# The command


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    """A folder with the settings of `flight`."""
    (tmp_path / "flight.toml").write_text(f"""
account = "{ACCOUNT}"
region = "{REGION}"
connections_prefix = "flight/connections"
[teams.pilots]
repositories = ["map", "radio"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/analyst"]
[connections.docker_default]
teams = ["pilots"]
[alerts]
off_because = "a test"
""")
    return tmp_path


def test_an_account_without_problems_ends_with_exit_code_0(aws: EmbeddedAws, environments: Path) -> None:
    done = ecr_login(aws, "preflight", "flight", folder=environments)
    assert (done.code, done.out) == (0, f"✔ flight: {len(CHECKS) + 1} checks without a problem\n")
    assert done.error == (
        f"Checking flight before a deployment to the AWS at {aws.endpoint_url} (AWS_ENDPOINT_URL), "
        f"account {ACCOUNT}, Region {REGION}.\n"
    )


def test_a_problem_ends_with_exit_code_2_and_a_notice_with_1(aws: EmbeddedAws, stack: Any, environments: Path) -> None:
    stack("flight-WorkerUpkeep", "AWS::ECR::Repository", RepositoryName="pilots/other")
    notice = ecr_login(aws, "preflight", "flight", folder=environments)
    iam = aws.client("iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    try:
        stopped = ecr_login(aws, "preflight", "flight", folder=environments)
        skipped = ecr_login(aws, "preflight", "flight", "--skip", "push_roles", folder=environments)
    finally:
        iam.delete_role(RoleName=ROLE)

    removed = [
        "! stacks: The settings no longer contain the stack flight-WorkerUpkeep. The deployment does not delete it.",
        '    To delete the stack, see "Remove the clean-up" in docs/changes.md.',
    ]
    assert notice.code == 1
    assert notice.out.splitlines() == [*removed, f"! flight: {len(CHECKS)} checks without a problem, 1 notice"]
    assert stopped.code == 2
    lines = stopped.out.splitlines()
    assert lines[:2] == removed
    assert lines[2].startswith(f"✗ push_roles: The role {ROLE} exists")
    assert lines[3].startswith("    Delete the role")
    assert lines[4:] == [
        "✗ flight: the deployment would fail or lose something, 1 problem. To deploy anyway, add PREFLIGHT=off"
    ]
    assert skipped.code == 1
    assert "- not tried: push_roles (skipped with --skip)" in skipped.out


def test_a_denied_check_is_not_tried_and_does_not_change_the_exit_code(
    aws: EmbeddedAws, environments: Path, account: Account
) -> None:
    done = ecr_login(aws, "preflight", "flight", folder=environments, credentials=account.operator)
    assert done.code == 0
    assert "- not tried: " in done.out
    assert done.out.splitlines()[-1].endswith("not tried")


def test_json_contains_every_check_with_its_stable_name(aws: EmbeddedAws, environments: Path) -> None:
    done = ecr_login(aws, "preflight", "flight", "--json", "--skip", "topic", folder=environments)
    assert done.code == 0
    assert list(done.checks) == ["region", *CHECKS]
    assert done.checks["topic"] == ("not tried", "skipped with --skip", "")
    assert done.checks["secrets"] == ("ok", "no problem", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["flight"], "Unable to locate credentials."),
        (["fligth"], "has no fligth.toml"),
        (["flight", "--skip", "x"], ""),
    ],
    ids=["no credentials", "unknown environment", "unknown check"],
)
def test_what_prevents_all_checks_is_an_error_with_exit_code_3(
    aws: EmbeddedAws, environments: Path, words: list[str], message: str
) -> None:
    done = ecr_login(aws, "preflight", *words, folder=environments, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert (done.code, done.out) == (3, "")
    assert message in done.error
    assert "Traceback" not in done.error


def test_the_options_of_the_cdk_choose_the_profile_and_the_qualifier(
    aws: EmbeddedAws, environments: Path, shell: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "ops", "preflight", "--folder", str(environments), "flight", "--"]
    qualifier = subprocess.run([*command, "-c", f"{QUALIFIER}=other"], cwd=ROOT, capture_output=True, text=True)
    assert qualifier.returncode == 2
    assert "no bootstrap with the qualifier other" in qualifier.stdout
    profile = subprocess.run([*command, "--profile", "nobody"], cwd=ROOT, capture_output=True, text=True)
    assert profile.returncode == 3
    assert "The config profile (nobody) could not be found" in profile.stderr


def test_invalid_settings_are_an_error(aws: EmbeddedAws, environments: Path) -> None:
    (environments / "flight.toml").write_text('account = "1"')
    done = ecr_login(aws, "preflight", "flight", folder=environments)
    assert done.code == 3
    assert done.error.startswith("Error: flight.toml: account: ")
