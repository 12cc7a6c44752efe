"""The checks read every page and every resource of AWS's answers. botocore's stubber gives the answers."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.session import Session
from botocore.stub import Stubber

from ops.clients import Clients
from ops.images import read_findings
from ops.preflight.findings import Planned
from ops.preflight.policies import removed_statements
from ops.preflight.repositories import find_taken_repositories
from ops.preflight.secrets import find_removed_secrets, find_taken_secrets
from ops.preflight.stacks import find_stacks
from ops.repository_status import Repository
from settings.environment import Environment

ACCOUNT = "111111111111"
ENVIRONMENT: dict[str, Any] = {
    "name": "many",
    "account": ACCOUNT,
    "region": "eu-west-1",
    "teams": {"red": {"repositories": ["app"], "push": {"user_arns": [f"arn:aws:iam::{ACCOUNT}:user/ana"]}}},
    "connections": {"docker_default": {"teams": ["red"]}},
    "alerts": {"off_because": "a test"},
    "workers": {
        "role_arns": [f"arn:aws:iam::{ACCOUNT}:role/worker"],
        "clean_up": {"tag_key": "role", "tag_value": "worker"},
    },
    "ecs": {"tasks": {"red/app": {"image_tag": "1"}}},
}
PLANNED = Planned(Environment.model_validate(ENVIRONMENT), qualifier="hnb659fds")
POLICY = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"ecr:PutImage"}]}'
)


# A session reads the description of each service once.
SESSION = Session()


class Stubs:
    """Clients whose answers are added in the order of the requests."""

    def __init__(self, exits: ExitStack) -> None:
        self._stubbers: dict[str, Stubber] = {}
        self._exits = exits
        self.clients = Clients(self._create)

    def _create(self, service: str) -> Any:
        client = SESSION.create_client(service, "eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
        self._stubbers[service] = self._exits.enter_context(Stubber(client))
        return client

    def answer(self, service: str, operation: str, answer: dict[str, Any]) -> None:
        getattr(self.clients, service)
        self._stubbers[service].add_response(operation, answer)


@pytest.fixture
def stubs() -> Iterator[Stubs]:
    with ExitStack() as exits:
        yield Stubs(exits)


def registry_resources(*statuses: str) -> dict[str, Any]:
    """Return an answer with the repository red/app once for each status."""
    return {
        "StackResourceSummaries": [
            {
                "LogicalResourceId": f"App{number}",
                "PhysicalResourceId": "red/app",
                "ResourceType": "AWS::ECR::Repository",
                "ResourceStatus": status,
                "LastUpdatedTimestamp": "2026-01-01",
            }
            for number, status in enumerate(statuses)
        ]
    }


def add_answers_about_the_owner(stubs: Stubs) -> None:
    """Answer that no stack has the repository, and that the repository has a policy."""
    stubs.answer("cloudformation", "describe_stack_resources", {"StackResources": []})
    stubs.answer("ecr", "get_repository_policy", {"policyText": POLICY})


def test_a_repository_after_the_first_thousand_is_found(stubs: Stubs) -> None:
    thousand = [{"repositoryName": f"other/{number}"} for number in range(1000)]
    stubs.answer("ecr", "describe_repositories", {"repositories": thousand, "nextToken": "more"})
    stubs.answer("ecr", "describe_repositories", {"repositories": [{"repositoryName": "red/app"}]})
    stubs.answer("cloudformation", "list_stack_resources", registry_resources())
    add_answers_about_the_owner(stubs)

    [finding] = find_taken_repositories(stubs.clients, PLANNED)

    assert "The repository red/app has a repository policy" in finding.problem


@pytest.mark.parametrize("status", ["DELETE_SKIPPED", "DELETE_COMPLETE"])
def test_a_repository_that_left_the_stack_does_not_belong_to_it(stubs: Stubs, status: str) -> None:
    stubs.answer("ecr", "describe_repositories", {"repositories": [{"repositoryName": "red/app"}]})
    stubs.answer("cloudformation", "list_stack_resources", registry_resources(status))
    add_answers_about_the_owner(stubs)

    [finding] = find_taken_repositories(stubs.clients, PLANNED)

    assert "The repository red/app has a repository policy" in finding.problem


@pytest.mark.parametrize("status", ["DELETE_FAILED", "UPDATE_ROLLBACK_FAILED", "UPDATE_IN_PROGRESS"])
def test_every_stack_that_cloudformation_cannot_update_is_found(stubs: Stubs, status: str) -> None:
    for _ in range(5):
        stack = {"StackName": "any", "CreationTime": "2026-01-01", "StackStatus": status}
        stubs.answer("cloudformation", "describe_stacks", {"Stacks": [stack]})

    findings = list(find_stacks(stubs.clients, PLANNED))

    assert all(finding.stops for finding in findings)
    assert [finding.problem.split(" is in ")[0] for finding in findings] == [
        f"The stack many-{stack}" for stack in ("Registry", "Access", "DockerLogin", "EcsTasks", "WorkerUpkeep")
    ]


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_a_deployment_can_update_is_no_finding(stubs: Stubs, status: str) -> None:
    for _ in range(5):
        stack = {"StackName": "any", "CreationTime": "2026-01-01", "StackStatus": status}
        stubs.answer("cloudformation", "describe_stacks", {"Stacks": [stack]})

    assert list(find_stacks(stubs.clients, PLANNED)) == []


def add_scans(stubs: Stubs, *statuses: str) -> None:
    """Answer with one scan for each status. Only a scan that ended has a finding."""
    for status in statuses:
        found = {"findingSeverityCounts": {"HIGH": 1}} if status in ("COMPLETE", "ACTIVE") else {}
        answer = {"imageScanStatus": {"status": status}, "imageScanFindings": found}
        stubs.answer("ecr", "describe_image_scan_findings", answer)


@pytest.mark.parametrize(
    ("statuses", "found"),
    [
        (["COMPLETE"], {"HIGH": 1}),
        (["ACTIVE"], {"HIGH": 1}),
        (["FAILED"], None),
        (["PENDING"], None),
        (["IN_PROGRESS"], None),
        (["SCAN_ELIGIBILITY_EXPIRED"], None),
        (["FINDINGS_UNAVAILABLE"], None),
        (["UNSUPPORTED_IMAGE", "COMPLETE"], {"HIGH": 1}),
        (["UNSUPPORTED_IMAGE", "FAILED"], None),
        (["UNSUPPORTED_IMAGE"] * 3, None),
    ],
)
def test_only_a_scan_that_ended_has_findings(stubs: Stubs, statuses: list[str], found: dict[str, int] | None) -> None:
    images = [
        {"imageDigest": f"sha256:{number:064}", "imagePushedAt": datetime(2026, 1, 1 + number, tzinfo=UTC)}
        for number in range(5)
    ]
    add_scans(stubs, *statuses)

    assert read_findings(stubs.clients, "red/app", images) == found


def test_dates_are_in_utc_in_every_time_zone(stubs: Stubs) -> None:
    local = datetime(2026, 3, 2, tzinfo=UTC).astimezone(ZoneInfo("America/New_York"))
    arn = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:airflow/connections/old-AbCdEf"
    resource = {
        "LogicalResourceId": "Secret",
        "PhysicalResourceId": arn,
        "ResourceType": "AWS::SecretsManager::Secret",
        "ResourceStatus": "CREATE_COMPLETE",
        "LastUpdatedTimestamp": "2026-01-01",
    }
    stubs.answer("cloudformation", "list_stack_resources", {"StackResourceSummaries": [resource]})
    stubs.answer("secretsmanager", "describe_secret", {"ARN": arn, "LastAccessedDate": local})
    repository = Repository("red/app", [{"imagePushedAt": local, "lastRecordedPullTime": local}], None, None)

    [finding] = find_removed_secrets(stubs.clients, PLANNED)

    assert "It was last read on 2026-03-02 (UTC)." in finding.problem
    assert [f"{each:%Y-%m-%d}" for each in (repository.pushed_at, repository.pulled_at) if each] == ["2026-03-02"] * 2


def test_a_secret_that_was_created_again_with_the_same_name_does_not_belong_to_the_stack(stubs: Stubs) -> None:
    arn = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:airflow/connections/docker_default"
    resource = {
        "LogicalResourceId": "Secret",
        "PhysicalResourceId": f"{arn}-AbCdEf",
        "ResourceType": "AWS::SecretsManager::Secret",
        "ResourceStatus": "CREATE_COMPLETE",
        "LastUpdatedTimestamp": "2026-01-01",
    }
    stubs.answer("cloudformation", "list_stack_resources", {"StackResourceSummaries": [resource]})
    stubs.answer("secretsmanager", "describe_secret", {"ARN": f"{arn}-GhIjKl"})
    stubs.answer("cloudformation", "describe_stack_resources", {"StackResources": []})

    [finding] = find_taken_secrets(stubs.clients, PLANNED)

    assert "The secret airflow/connections/docker_default exists, and it is not part of the stack" in finding.problem


@pytest.mark.parametrize("condition", [{}, {"StringEquals": {"aws:PrincipalOrgID": "o-abcd123456"}}])
def test_a_reader_with_a_condition_is_not_replaced_by_the_setting(condition: dict[str, Any]) -> None:
    teams = {"red": {**ENVIRONMENT["teams"]["red"], "pull_accounts": ["222222222222"]}}
    environment = Environment.model_validate({**ENVIRONMENT, "teams": teams})
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Action": "ecr:BatchGetImage",
        **({"Condition": condition} if condition else {}),
    }

    removed = removed_statements({"Statement": [statement]}, environment, "red")

    assert removed == ([statement] if condition else [])
