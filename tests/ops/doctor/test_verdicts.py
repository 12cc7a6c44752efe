"""`doctor` gives no false alarm, and the same verdict as `status` where both have a check of the same name."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import current_thread
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, EmbeddedAws
from ops.clients import Clients
from ops.doctor import active
from ops.doctor.claims import CLAIMS, Shown, judge_claims
from ops.doctor.findings import Result, each
from ops.doctor.run import GROUPS, examine, run
from ops.doctor.templates import Examined
from ops.overview import read_overview
from ops.results import State
from settings.environment import Environment
from tests.ops.doctor.breakages import Broken

SHARED = ("stacks", "settings", "repositories")
CHECKS = {name: check for group in GROUPS.values() for name, check in group.items()}
PUBLISH = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish"}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "sns:*"}


def verdicts_of_both(examined: Examined) -> tuple[dict[str, State], dict[str, State]]:
    """Return the states of the shared checks in `status` and in `doctor`."""
    overview = read_overview(examined.clients, examined.deployment)
    status = {check.name: check.state for check in overview.checks if check.name in SHARED}
    return status, {name: run(name, CHECKS[name], examined).state for name in SHARED}


def with_stack_status(examined: Examined, status: str) -> Examined:
    stacks = examined.deployment.stacks
    changed = {**stacks, "DockerLogin": replace(stacks["DockerLogin"], status=status)}
    return replace(examined, deployment=replace(examined.deployment, stacks=changed))


def test_status_and_doctor_agree_about_a_healthy_deployment(examined: Callable[[], Examined]) -> None:
    status, doctor = verdicts_of_both(examined())
    assert status == doctor == dict.fromkeys(SHARED, State.OK)


def test_status_and_doctor_agree_about_a_broken_deployment(
    healthy: EmbeddedAws, examined: Callable[[], Examined], settings: Environment
) -> None:
    ecr, name = healthy.client("ecr"), "risk/var"
    policy = ecr.get_repository_policy(repositoryName=name)["policyText"]
    [found] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    tags = ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
    kept = ("repositoryName", "imageTagMutability", "imageScanningConfiguration", "encryptionConfiguration")
    teams = settings.model_dump()["teams"]
    teams["risk"]["repositories"] = ["var", "new"]
    changed = Environment.model_validate({**settings.model_dump(), "teams": teams})
    ecr.delete_repository(repositoryName=name)
    try:
        broken = with_stack_status(examined(), "UPDATE_ROLLBACK_FAILED")
        broken = replace(broken, deployment=replace(broken.deployment, environment=changed))
        status, doctor = verdicts_of_both(broken)
    finally:
        ecr.create_repository(**{key: found[key] for key in kept if key in found}, tags=tags)
        ecr.set_repository_policy(repositoryName=name, policyText=policy)

    assert status == doctor == {"stacks": State.DEGRADED, "settings": State.DEGRADED, "repositories": State.BROKEN}


def test_status_and_doctor_agree_about_a_deployment_that_is_running(examined: Callable[[], Examined]) -> None:
    status, doctor = verdicts_of_both(with_stack_status(examined(), "UPDATE_IN_PROGRESS"))
    assert status == doctor


@pytest.fixture
def topic(clients: Clients, examined: Callable[[], Examined], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that checks a topic with these statements and attributes."""

    def check(*statements: dict[str, Any], **attributes: str) -> Result:
        answer = {"Attributes": {"Policy": json.dumps({"Statement": statements}), **attributes}}
        monkeypatch.setattr(clients.sns, "get_topic_attributes", lambda **_: answer)
        return run("alarm_topic", CHECKS["alarm_topic"], examined())

    return check


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        ({"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}, State.OK),
        ({"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}, State.OK),
        ({"Bool": {"aws:SecureTransport": "false"}}, State.OK),
        ({}, State.DEGRADED),
    ],
)
def test_only_a_denial_without_a_condition_stops_the_alarms(
    topic: Callable[..., Result], condition: dict[str, Any], state: State
) -> None:
    assert topic(PUBLISH, {**DENY, "Condition": condition}).state is state


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        ({"StringNotEquals": {"aws:SourceAccount": "210987654321"}}, State.OK),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, State.OK),
        ({"StringEquals": {"aws:SourceAccount": "210987654321"}}, State.DEGRADED),
    ],
)
def test_the_operator_of_a_condition_counts(
    topic: Callable[..., Result], condition: dict[str, Any], state: State
) -> None:
    assert topic({**PUBLISH, "Condition": condition}).state is state


def test_a_key_of_the_topic_that_cloudwatch_may_not_use_is_found(
    healthy: EmbeddedAws, topic: Callable[..., Result]
) -> None:
    found = topic(PUBLISH, KmsMasterKeyId=Broken(healthy).find("Key"))
    assert found.state is State.DEGRADED
    assert "does not allow CloudWatch to use the key" in found.problems[0].text


@pytest.mark.parametrize(
    ("message", "state"),
    [("AccessDeniedException: sts", State.DEGRADED), ("DecryptionFailure: the key is disabled", State.BROKEN)],
)
def test_a_failed_run_is_broken_if_airflow_cannot_read_the_secret(
    examined: Callable[[], Examined], monkeypatch: pytest.MonkeyPatch, message: str, state: State
) -> None:
    class Lambda:
        def invoke(self, **_: str) -> dict[str, Any]:
            payload = json.dumps({"errorType": "RefreshFailed", "errorMessage": message}).encode()
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(payload)}

    found = examined()
    monkeypatch.setattr(found.clients, "patient", lambda *_: Lambda())
    assert run("function_answers", CHECKS["function_answers"], found).state is state


def test_a_local_clock_that_is_fast_does_not_hide_the_action_of_the_alarm(
    examined: Callable[[], Examined], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fast(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime(2100, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(active, "datetime", Fast)
    monkeypatch.setattr(active, "_HISTORY_SECONDS", 1)
    result = run("alarm_arrives", CHECKS["alarm_arrives"], examined())
    assert result.state is State.OK
    assert "two messages" in result.summary


def test_a_refresh_by_hand_does_not_show_that_the_schedule_starts_the_function(
    clients: Clients, examined: Callable[[], Examined], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand = {"VersionId": "0" * 36, "VersionStages": ["AWSCURRENT"], "CreatedDate": datetime.now(UTC)}
    monkeypatch.setattr(clients.secretsmanager, "list_secret_version_ids", lambda **_: {"Versions": [by_hand]})
    monkeypatch.setattr(Examined, "is_real_aws", True)
    found = examined()
    shown = {claim.name: claim.shown for claim in judge_claims(found, examine(found, active=False))}
    assert "schedule_starts_function" in CLAIMS
    assert shown["schedule_starts_function"] is Shown.NOT_TRIED


def test_a_check_that_hangs_does_not_keep_the_command_from_ending() -> None:
    assert each(lambda _: [current_thread().daemon], [1, 2]) == [True, True]
