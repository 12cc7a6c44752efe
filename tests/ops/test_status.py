"""`ecr-login status` on a deployed environment. Each test breaks one thing and asserts what turns."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from local.account import WORKER_ROLE_ARN, Account, assume, docker_login
from local.embedded_aws import ROOT_CREDENTIALS, EmbeddedAws
from ops.declared import check_stacks
from ops.deployment import Connection, Deployment, Stack
from ops.freshness import freshness
from ops.login_status import Login, Schedule, Secret, Version, checks
from ops.permissions import policy
from ops.refresh_log import parse
from ops.results import State
from settings.files import load_environments
from tests.conftest import Deployed
from tests.faults.refresh import Refresh, schedules_off
from tests.local.emulator.patches.support import eventually
from tests.local.logins import places_with_a_login
from tests.ops.ecr_login import Done
from tests.ops.in_process import run
from tools import ROOT

NAME = "docker_default"
IMAGE = "analytics/web-scraper:status"


@pytest.fixture(scope="module")
def aws(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """A copy of the deployed emulator for this module, because the tests break it and move its clock."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("status"), snapshot=deployed.snapshot) as running:
        docker_login(running, ROOT_CREDENTIALS).push(IMAGE, {"marker": "opened"})
        yield running


@pytest.fixture(scope="module")
def refresh(aws: EmbeddedAws, account: Account) -> Refresh:
    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for stack in aws.client("cloudformation").describe_stacks()["Stacks"]
        for output in stack.get("Outputs", [])
    }
    worker = aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))
    worker.get_secret_value(SecretId=outputs["SecretNameDockerDefault"])
    return Refresh(aws, outputs, worker)


def status(aws: EmbeddedAws, **options: Any) -> Done:
    """Run the command. The output contains no docker login."""
    done = run(aws, "status", "local", "--json", **options)
    assert places_with_a_login({"the output": done.out, "the errors": done.error}) == []
    return done


def turned(done: Done) -> dict[str, str]:
    """Return the checks that are not ok, and their states."""
    return {name: state for name, (state, _, _) in done.checks.items() if state != "ok"}


@contextmanager
def young_login(refresh: Refresh) -> Iterator[None]:
    """Write a new login at the end of the block."""
    try:
        yield
    finally:
        refresh.invoke(refresh.published_version())


def test_a_healthy_environment_has_the_exit_code_0(aws: EmbeddedAws, refresh: Refresh) -> None:
    done = status(aws)

    assert (done.code, turned(done)) == (0, {}), done.out
    connection, repository = done.json["connections"][NAME], done.json["repositories"]["analytics/web-scraper"]
    assert (connection["freshness"], connection["last_read_on"]) == ("fresh", f"{datetime.now(UTC):%Y-%m-%d}")
    lifetime = datetime.fromisoformat(connection["expires_at"]) - datetime.fromisoformat(connection["written_at"])
    assert lifetime == timedelta(hours=12)
    interval = datetime.fromisoformat(connection["next_run_at"]) - datetime.fromisoformat(connection["last_success_at"])
    assert interval == timedelta(minutes=30)
    assert (repository["images"], repository["lifecycle"]) == (1, "deletes nothing")
    assert repository["newest_push_at"]


def test_a_read_of_today_is_of_today_in_a_time_zone_west_of_utc(aws: EmbeddedAws, refresh: Refresh) -> None:
    with patch.dict(os.environ, {"TZ": "America/New_York"}):
        time.tzset()
        done = status(aws, TZ="America/New_York")
    time.tzset()

    assert done.json["connections"][NAME]["last_read_on"] == f"{datetime.now(UTC):%Y-%m-%d}"
    assert done.checks[f"read_{NAME}"][1] == "read today"


def test_the_last_line_for_people_is_the_verdict(aws: EmbeddedAws, refresh: Refresh) -> None:
    done = run(aws, "status", "local")

    assert places_with_a_login({"the output": done.out, "the errors": done.error}) == []
    assert done.out.rstrip().splitlines()[-1] == "✔ local works: 1 fresh"
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_disabled_schedule_and_old_logins_turn_one_check_after_the_other(aws: EmbeddedAws, refresh: Refresh) -> None:
    disabled = {f"schedule_{NAME}": "degraded"}
    stale = {**disabled, f"login_{NAME}": "degraded", f"alarm_not_refreshed_{NAME}": "degraded"}
    expired = {**stale, f"login_{NAME}": "broken", f"alarm_login_expires_{NAME}": "degraded"}
    seen = []
    with schedules_off(aws):
        refresh.invoke(refresh.published_version())
        for minutes, expected in ((80, disabled), (11, stale), (12 * 60 - 91, expired)):
            aws.advance_clock(minutes)
            done = eventually(lambda expected=expected: turned(done := status(aws)) == expected and done)  # type: ignore[misc]
            login = done.json["connections"][NAME]
            seen.append((done.code, login["freshness"], login["next_run_at"]))

    assert seen == [(1, "fresh", None), (1, "stale", None), (2, "expired", None)]
    eventually(lambda: turned(status(aws)) == {})  # The next run repairs everything.


def test_a_stopped_function_is_shown_with_the_command_that_starts_it(aws: EmbeddedAws, refresh: Refresh) -> None:
    with refresh.stopped():
        done = status(aws)

    assert (done.code, turned(done)) == (1, {f"schedule_{NAME}": "degraded"})
    assert done.checks[f"schedule_{NAME}"][2] == f".venv/bin/ecr-login resume local {NAME}"


def test_a_failed_refresh_is_shown_with_its_reason(aws: EmbeddedAws, refresh: Refresh) -> None:
    refused = {"status": 400, "body": {"__type": "LimitExceededException", "message": "too many versions"}}
    with young_login(refresh):
        # A run that somebody invokes and waits for is not retried, unlike a scheduled run.
        with aws.fault("PutSecretValue", **refused):
            run(aws, "refresh", "local", NAME, "--write")
        done = status(aws)

    assert (done.code, turned(done)) == (1, {f"refresh_{NAME}": "degraded"})
    connection = done.json["connections"][NAME]
    assert connection["last_failure_reason"] == "PutSecretValue failed: LimitExceededException"
    assert connection["freshness"] == "fresh"
    after = status(aws)
    assert (after.code, turned(after)) == (0, {})
    assert "LimitExceededException" in after.checks[f"refresh_{NAME}"][1]  # An old failure stays visible.


def user(aws: EmbeddedAws, name: str, *statements: dict[str, Any]) -> dict[str, str]:
    """Create a user with these permissions, and return an access key."""
    iam = aws.client("iam")
    iam.create_user(UserName=name)
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=name, PolicyName="Policy", PolicyDocument=text)
    key: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
    return key


def test_a_secret_that_may_not_be_read_about_is_unknown(aws: EmbeddedAws, refresh: Refresh) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    key = user(aws, "no-secrets", everything, {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*"})

    done = status(aws, credentials=key)

    assert (done.code, turned(done)) == (3, {f"login_{NAME}": "unknown", f"read_{NAME}": "unknown"})
    assert done.json["connections"][NAME]["freshness"] == "unknown"


def test_a_secret_that_is_scheduled_for_deletion_is_broken(aws: EmbeddedAws, refresh: Refresh) -> None:
    secrets = aws.client("secretsmanager")
    secrets.delete_secret(SecretId=refresh.secret, RecoveryWindowInDays=7)
    try:
        done = status(aws)
    finally:
        secrets.restore_secret(SecretId=refresh.secret)

    assert (done.code, turned(done)) == (2, {f"login_{NAME}": "broken"})
    assert done.checks[f"login_{NAME}"][2].endswith(f"--region {aws.region}")


def test_a_critical_finding_in_the_newest_image_is_shown(aws: EmbeddedAws, refresh: Refresh) -> None:
    ecr = aws.client("ecr")
    digest = ecr.describe_images(repositoryName="analytics/web-scraper")["imageDetails"][0]["imageDigest"]

    def scan(**counts: int) -> None:
        detail = {
            "scan-status": "COMPLETE",
            "repository-name": "analytics/web-scraper",
            "image-digest": digest,
            "image-tags": ["status"],
            "finding-severity-counts": counts,
        }
        arn = f"arn:aws:ecr:{aws.region}:{aws.account}:repository/analytics/web-scraper"
        aws.send_event({"source": "aws.ecr", "detail-type": "ECR Image Scan", "resources": [arn], "detail": detail})

    scan(CRITICAL=1, LOW=2)
    with_findings = status(aws)
    scan(LOW=2)
    without = status(aws)

    assert (with_findings.code, turned(with_findings)) == (1, {"scan_findings": "degraded"})
    assert with_findings.json["repositories"]["analytics/web-scraper"]["findings"] == {"CRITICAL": 1, "LOW": 2}
    assert (without.code, turned(without)) == (0, {})


def test_rules_that_a_person_changed_by_hand_are_shown(aws: EmbeddedAws, refresh: Refresh) -> None:
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 7}
    text = json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})
    aws.client("ecr").put_lifecycle_policy(repositoryName="risk/var", lifecyclePolicyText=text)
    done = status(aws)
    aws.client("ecr").delete_lifecycle_policy(repositoryName="risk/var")

    assert (done.code, turned(done)) == (1, {"settings": "degraded"})
    assert done.checks["settings"][2].endswith(".venv/bin/ecr-login lifecycle local")
    assert done.json["repositories"]["risk/var"]["lifecycle"] == "keeps newest 7"


def test_drift_is_shown_and_does_not_change_the_exit_code(aws: EmbeddedAws, refresh: Refresh) -> None:
    cloudformation = aws.client("cloudformation")
    describe = cloudformation.describe_stack_drift_detection_status
    with refresh.configured(variables={"ADDED": "by hand"}):
        detection = cloudformation.detect_stack_drift(StackName="local-DockerLogin")["StackDriftDetectionId"]
        eventually(lambda: describe(StackDriftDetectionId=detection)["DetectionStatus"] != "DETECTION_IN_PROGRESS")
        done = status(aws)

    assert (done.code, turned(done)) == (0, {})
    drift = done.json["drift"]
    assert drift["local-DockerLogin"]["status"] == "DRIFTED"
    assert any(each.startswith("DockerDefaultRefresh") for each in drift["local-DockerLogin"]["resources"])
    assert drift["local-Registry"]["status"] == "NOT_CHECKED"


def test_a_connection_that_is_only_in_the_settings_is_shown(aws: EmbeddedAws, refresh: Refresh, tmp_path: Path) -> None:
    settings = (ROOT / "environments/local.toml").read_text()
    (tmp_path / "local.toml").write_text(settings + '\n[connections.docker_new]\nteams = ["risk"]\n')
    added = status(aws, folder=tmp_path)
    (tmp_path / "local.toml").write_text(settings.replace("connections.docker_default", "connections.docker_other"))
    renamed = status(aws, folder=tmp_path)

    assert (added.code, turned(added)) == (1, {"settings": "degraded"})
    assert added.checks["settings"][1] == "the connection docker_new is not deployed"
    assert renamed.code == 1
    assert "airflow/connections/docker_default is deployed, but not in the settings" in renamed.checks["settings"][1]


def test_an_environment_that_is_not_deployed_is_one_line(aws: EmbeddedAws, tmp_path: Path) -> None:
    (tmp_path / "spare.toml").write_text((ROOT / "environments/local.toml").read_text())

    done = run(aws, "status", "spare", folder=tmp_path)

    assert (done.code, done.out) == (3, "")
    assert done.error.splitlines() == [
        "Error: spare is not deployed in the account 123456789012, Region us-east-1. Run: make deploy ENV=spare"
    ]


def test_the_images_in_another_region_of_the_account_are_shown(
    aws: EmbeddedAws, refresh: Refresh, tmp_path: Path
) -> None:
    registry = 'registry = { region = "eu-west-1" }\nteams = ["platform"]\nrepositories = ["tools/base"]'
    settings = (ROOT / "environments/local.toml").read_text()
    (tmp_path / "local.toml").write_text(settings.replace('teams = ["analytics"]', registry, 1))
    [environment] = load_environments(tmp_path)
    other = aws.elsewhere(region="eu-west-1")
    # MiniStack gives log groups other names than AWS.
    text = json.dumps(policy("status", environment)).replace("log-group:", "log-group:/aws/cloudformation/")
    allowed = json.loads(text)["Statement"]
    operator = user(aws, "every-region", *allowed)
    denial = {"Effect": "Deny", "Action": "ecr:*", "Resource": "arn:aws:ecr:eu-west-1:*:*"}
    limited = user(aws, "own-region", *allowed, denial)

    missing = status(aws, folder=tmp_path, credentials=operator)
    for name in ("tools/base", "unrelated/app"):
        other.client("ecr").create_repository(repositoryName=name)
    without_team = status(aws, folder=tmp_path, credentials=operator)
    other.client("ecr").create_repository(repositoryName="platform/app")
    docker_login(other, ROOT_CREDENTIALS).push("platform/app:1", {"marker": "elsewhere"})
    found = status(aws, folder=tmp_path, credentials=operator)
    denied = status(aws, folder=tmp_path, credentials=limited)

    check = f"images_{NAME}"
    assert missing.checks[check][:2] == (
        "broken",
        "tools/base: missing in ECR in eu-west-1, and Airflow cannot pull the images",
    )
    assert without_team.checks[check][:2] == ("degraded", "no repository platform/* in ECR in eu-west-1")
    assert found.checks[check][:2] == ("ok", "1 image in 2 repositories in ECR in eu-west-1")
    shown = found.json["connections"][NAME]["repositories"]
    assert {name: each["images"] for name, each in shown.items()} == {"platform/app": 1, "tools/base": 0}
    assert not found.json["repositories"].keys() & shown.keys()
    assert denied.checks[check] == (
        "not tried",
        "in 123456789012.dkr.ecr.eu-west-1.amazonaws.com: AWS denied ecr:DescribeRepositories",
        "",
    )
    assert (found.code, denied.code) == (0, 0)


def test_a_repository_that_a_person_deleted_is_broken(aws: EmbeddedAws, refresh: Refresh) -> None:
    aws.client("ecr").delete_repository(repositoryName="risk/var", force=True)
    done = status(aws)
    aws.client("ecr").create_repository(repositoryName="risk/var", imageTagMutability="IMMUTABLE")

    assert (done.code, turned(done)) == (2, {"repositories": "broken"})
    assert not done.json["repositories"]["risk/var"]["exists"]


def test_a_message_in_the_failure_queue_turns_two_checks(aws: EmbeddedAws, refresh: Refresh) -> None:
    queue = refresh.failure_queue()
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    expected = {"dead_letters": "degraded", "alarm_refresh_failed": "degraded"}
    done = eventually(lambda: turned(done := status(aws)) == expected and done)
    received = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    aws.client("sqs").purge_queue(QueueUrl=queue)

    assert (done.code, done.json["dead_letters"], len(received)) == (1, 1, 1)  # The command hid no message.


# Answers that the emulator does not give

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age_minutes", "read_days_ago", "word"),
    [
        (None, 0, "expired"),
        (12 * 60, 0, "expired"),
        (12 * 60 - 1, 0, "stale"),
        (91, None, "stale"),
        (90, 0, "fresh"),
        (90, 7, "fresh"),
        (90, 8, "unread"),
        (90, None, "unread"),
    ],
)
def test_the_words_of_the_freshness(age_minutes: int | None, read_days_ago: int | None, word: str) -> None:
    written_at = None if age_minutes is None else NOW - timedelta(minutes=age_minutes)
    read_at = None if read_days_ago is None else NOW - timedelta(days=read_days_ago)

    assert freshness(written_at, read_at, NOW, refresh_every_minutes=30) == word


@pytest.mark.parametrize(("age_days", "state"), [(6, State.OK), (7, State.DEGRADED)])
def test_a_secret_that_nobody_ever_read_degrades_after_a_week(age_days: int, state: State) -> None:
    secret = Secret(created_at=NOW - timedelta(days=age_days), read_at=None, deleted_at=None)
    connection = Connection(NAME, "arn", "name", "function", "role", "schedule", "log")
    login = Login(connection, 30, NOW, Version("1", NOW), secret, [], Schedule(True, "rate(30 minutes)"), False)

    found = {check.name: check.state for check in checks(login, load_environments(ROOT / "environments")[0])}

    assert found[f"read_{NAME}"] is state


def test_a_run_that_lambda_ended_is_a_failure_and_a_failed_run_counts_once() -> None:
    lines = [
        {"connection": NAME, "version_id": "1", "expires_at": "later", "requestId": "a"},
        {"connection": NAME, "reason": "PutSecretValue failed: ThrottlingException", "requestId": "b"},
        {"type": "platform.report", "record": {"requestId": "b", "status": "error"}},
        {"type": "platform.report", "record": {"requestId": "c", "status": "timeout"}},
        {"connection": NAME, "version_id": "1", "written_at": "earlier", "requestId": "d"},
    ]
    events = [{"timestamp": number, "message": json.dumps(line)} for number, line in enumerate(lines)]

    runs = parse([*events, {"timestamp": 9, "message": "not JSON"}])

    assert [(run.reason, run.is_write) for run in runs] == [
        ("", True),
        ("PutSecretValue failed: ThrottlingException", False),
        ("Lambda ended the run: timeout", False),
        ("", False),
    ]


@pytest.mark.parametrize(
    ("stack_status", "state"),
    [
        ("UPDATE_COMPLETE", State.OK),
        ("IMPORT_COMPLETE", State.OK),
        ("UPDATE_IN_PROGRESS", State.DEGRADED),
        ("UPDATE_ROLLBACK_COMPLETE", State.DEGRADED),
        ("UPDATE_ROLLBACK_FAILED", State.DEGRADED),
        ("ROLLBACK_COMPLETE", State.BROKEN),
        ("DELETE_FAILED", State.BROKEN),
    ],
)
def test_a_stack_whose_deployment_failed_is_shown(stack_status: str, state: State) -> None:
    environment = load_environments(ROOT / "environments")[0]
    stacks = {"DockerLogin": Stack("local-DockerLogin", stack_status, {}, {})}

    assert check_stacks(Deployment(environment, stacks)).state is state
