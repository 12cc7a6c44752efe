"""`ecr-login doctor` as a user runs it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from local.embedded_aws import ACCOUNT, EmbeddedAws
from ops.doctor.permissions import ACTIONS, ACTIVE, EVERY_RUN
from ops.doctor.run import GROUPS
from tests.ops.doctor.breakages import SECRET, Broken
from tests.ops.ecr_login import Done, ecr_login


@pytest.fixture(scope="module")
def healthy_run(healthy: EmbeddedAws) -> Done:
    return ecr_login(healthy, "doctor", "local")


@contextmanager
def stopped(aws: EmbeddedAws) -> Iterator[None]:
    """Stop the function, as a person does during a roll-back."""
    name = Broken(aws).function
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        aws.client("lambda").delete_function_concurrency(FunctionName=name)


def test_a_healthy_environment_ends_with_the_claims_and_a_verdict(healthy_run: Done) -> None:
    assert (healthy_run.code, healthy_run.error) == (0, "")
    assert healthy_run.out.splitlines()[-1] == "✔ local: everything is as deployed"
    _, claims = healthy_run.out.split("What only AWS can show")
    assert "not tried (emulated)" in claims
    assert "Secrets Manager accepts the secret's policy with NotAction." in claims
    assert "\x1b" not in healthy_run.out


def test_the_active_checks_invoke_the_function_and_let_an_alarm_fire(healthy: EmbeddedAws) -> None:
    done = ecr_login(healthy, "doctor", "local", "--active", "--json")

    assert done.code == 0, done.out
    assert done.json["ok"]
    assert done.checks["function_answers"][0] == "ok"
    assert done.checks["alarm_arrives"][1].startswith("CloudWatch published. Look for two messages")
    [alarm] = healthy.client("cloudwatch").describe_alarms(AlarmNames=[Broken(healthy).alarm])["MetricAlarms"]
    assert alarm["StateValue"] == "OK"


def test_a_stopped_function_is_never_invoked(healthy: EmbeddedAws) -> None:
    with stopped(healthy):
        done = ecr_login(healthy, "doctor", "local", "--active", "--json")

    assert done.code == 1
    assert done.checks["functions_run"][0] == "degraded"
    assert done.checks["function_answers"][:2] == (
        "not tried",
        "every function is stopped, and this command does not start a stopped function",
    )


def test_the_report_hides_names_and_is_not_overwritten(healthy: EmbeddedAws, tmp_path: Path) -> None:
    file, fixes = tmp_path / "report.json", tmp_path / "fixes"
    iam = healthy.client("iam")
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="local-ecr-push-analytics", PolicyName="ByHand", PolicyDocument=document)
    healthy.client("ecr").delete_repository_policy(repositoryName="risk/var")
    arguments = ("doctor", "local", "--write-report", str(file), "--write-fixes", str(fixes))
    try:
        done = ecr_login(healthy, *arguments)
        again = ecr_login(healthy, *arguments)
    finally:
        iam.delete_role_policy(RoleName="local-ecr-push-analytics", PolicyName="ByHand")
        [policy] = fixes.iterdir()
        healthy.client("ecr").set_repository_policy(repositoryName="risk/var", policyText=policy.read_text())

    text = file.read_text()
    assert done.code == 1
    assert (again.code, again.out) == (3, "")
    assert again.error == f"Error: the file {file} exists. Choose another file, or replace it with --force\n"
    assert file.stat().st_mode & 0o777 == 0o600
    for hidden in (
        ACCOUNT,
        "arn:aws",
        "@example.com",
        "dkr.ecr",
        "127.0.0.1",
        "analytics",
        "var",
        "scraper",
        "worker-",
        "docker_default",
        "DockerDefault",
        "local",
    ):
        assert hidden not in re.sub(r'"(name|source)": ".*"', "", text), hidden
    report = json.loads(text)
    details = {check["name"]: check["detail"] for check in report["checks"]}
    assert details["repository_policies"] == "The policy of the repository <repository-1> does not exist."
    assert "<environment-1>-ecr-push-<team-1>" in details["role_policies"]
    assert {claim["shown"] for claim in report["claims"]} == {"not tried"}


def test_no_output_contains_a_password(healthy: EmbeddedAws, healthy_run: Done, tmp_path: Path) -> None:
    password = json.loads(healthy.client("secretsmanager").get_secret_value(SecretId=SECRET)["SecretString"])[
        "password"
    ]
    report = tmp_path / "report.json"
    active = ecr_login(healthy, "doctor", "local", "--active", "--json", "--write-report", str(report))
    for text in (healthy_run.out, active.out, active.error, report.read_text()):
        assert password[:40] not in text


def test_every_check_has_its_actions() -> None:
    assert set(ACTIONS) == {name for group in GROUPS.values() for name in group}
    assert set(ACTIVE) == set(GROUPS["Active"])


def test_read_only_access_allows_every_action_except_those_of_the_active_checks() -> None:
    policy: Any = json.loads(aws_managed_policies_data)["ReadOnlyAccess"]["Document"]
    patterns = [
        re.compile(re.escape(action).replace(r"\*", ".*"), re.IGNORECASE)
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]
    needed = {*EVERY_RUN, *(action for actions in ACTIONS.values() for action in actions)}
    denied = {action for action in needed if not any(pattern.fullmatch(action) for pattern in patterns)}
    assert denied == {"lambda:InvokeFunction", "cloudwatch:SetAlarmState"}
