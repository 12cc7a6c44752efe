"""The checks of repositories, their policies, their creation templates and the principals that push."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, EmbeddedAws
from ops.clients import Clients
from ops.preflight.creation_templates import find_taken_creation_templates
from ops.preflight.deploy_role import find_denied_deploy_role
from ops.preflight.findings import Planned
from ops.preflight.pushes import find_cut_off_pushers
from ops.preflight.repositories import (
    find_missing_repositories,
    find_policies_by_hand,
    find_removed_repositories,
    find_taken_repositories,
)
from settings.environment import Team
from tests.ops.preflight.planned import ENVIRONMENT, PLANNED, REPOSITORY, ROLE, creating, only, planned_with_team

POLICY = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "ecr:BatchGetImage"},
}


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
    assert list(find_policies_by_hand(again, planned_with_team(pull_accounts=["222222222222"]))) == []


def test_readers_of_other_accounts_are_no_finding_if_the_settings_contain_them(
    aws: EmbeddedAws, clients: Clients, repository: Any
) -> None:
    repository.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps({"Statement": [READER]}))
    finding = only(find_taken_repositories(clients, PLANNED))
    assert finding.fix.startswith("To let them pull, add 222222222222 to teams.pilots.pull_accounts. ")

    assert list(find_taken_repositories(clients, planned_with_team(pull_accounts=["222222222222"]))) == []
    # A reader that can also push would lose a permission.
    pusher = {**READER, "Action": ["ecr:BatchGetImage", "ecr:PutImage"]}
    repository.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps({"Statement": [pusher]}))
    finding = only(find_taken_repositories(Clients(aws.client), planned_with_team(pull_accounts=["222222222222"])))
    assert "pull_accounts" not in finding.fix


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
    assert list(find_cut_off_pushers(clients, planned_with_team(others_may_push_because="a test"))) == []


def test_an_adopted_repository_is_compared_with_its_own_policy(clients: Clients, repository: Any, stack: Any) -> None:
    ours = _our_policy(PLANNED.deploy_role_arn)
    stack("flight-Registry", "AWS::ECR::Repository", RepositoryName="pilots/aaa", RepositoryPolicyText=ours)
    clients.__dict__["cloudtrail"] = CloudTrail([_push(f"arn:aws:iam::{ACCOUNT}:user/ben")])

    findings = find_cut_off_pushers(clients, planned_with_team(repositories=["aaa", "map"]))

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


def test_a_repository_that_leaves_the_settings_is_a_notice(clients: Clients, stack: Any) -> None:
    stack("flight-Registry", "AWS::ECR::Repository", RepositoryName="pilots/old")
    finding = only(find_removed_repositories(clients, PLANNED))
    assert not finding.stops
    assert "no longer contain pilots/old. The repositories and their images stay" in finding.problem
