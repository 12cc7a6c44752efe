"""The run of all checks, and `ecr-login preflight`. A check without an answer does not stop the deployment."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.account import Account
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from ops.clients import Clients
from ops.preflight.checks import ACTIONS, CHECKS
from ops.preflight.findings import Finding, Planned
from ops.preflight.run import SECONDS, run_checks
from ops.results import CannotTell, Check, State
from ops.target import Target
from settings.environment import Environment
from tests.ops import in_process
from tests.ops.preflight.planned import ENVIRONMENT, PLANNED, ROLE, SECRET, TRUST, creating
from tools import ROOT
from tools.cdk_options import QUALIFIER


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_clean_account_has_no_findings(check: Any, clients: Clients) -> None:
    assert list(check(clients, PLANNED)) == []


def everything() -> Planned:
    """Return a deployment whose settings make every check send requests."""
    settings = creating().environment.model_dump(exclude_unset=True)
    settings["teams"]["pilots"]["push"]["permission_sets"] = ["Pilot"]
    settings["workers"] = {"role_arns": [f"arn:aws:iam::{ACCOUNT}:role/airflow-worker"]}
    settings["connections"]["docker_far"] = {"registry": {"region": "us-west-2"}, "teams": ["pilots"]}
    return Planned(Environment.model_validate(settings), qualifier="hnb659fds")


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
    done = in_process.run(aws, "preflight", "flight", folder=environments)
    assert (done.code, done.out) == (0, f"✔ flight: {len(CHECKS) + 1} checks without a problem\n")
    assert done.error == (
        f"Checking flight before a deployment to the AWS at {aws.endpoint_url} (AWS_ENDPOINT_URL), "
        f"account {ACCOUNT}, Region {REGION}.\n"
    )


def test_a_problem_ends_with_exit_code_2_and_a_notice_with_1(aws: EmbeddedAws, stack: Any, environments: Path) -> None:
    stack("flight-WorkerUpkeep", "AWS::ECR::Repository", RepositoryName="pilots/other")
    notice = in_process.run(aws, "preflight", "flight", folder=environments)
    iam = aws.client("iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    try:
        stopped = in_process.run(aws, "preflight", "flight", folder=environments)
        skipped = in_process.run(aws, "preflight", "flight", "--skip", "push_roles", folder=environments)
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
    done = in_process.run(aws, "preflight", "flight", folder=environments, credentials=account.operator)
    assert done.code == 0
    assert "- not tried: " in done.out
    assert done.out.splitlines()[-1].endswith("not tried")


def test_json_contains_every_check_with_its_stable_name(aws: EmbeddedAws, environments: Path) -> None:
    done = in_process.run(aws, "preflight", "flight", "--json", "--skip", "topic", folder=environments)
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
    done = in_process.run(aws, "preflight", *words, folder=environments, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
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


def test_the_printed_fixes_have_the_profile_of_the_options_of_the_cdk(
    environments: Path, shell: pytest.MonkeyPatch, secret: Any, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[profile deployer]\naws_access_key_id = test\naws_secret_access_key = test\n")
    shell.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    secret.delete_secret(SecretId=SECRET, RecoveryWindowInDays=7)
    options = ["--profile", "deployer", "-c", f"{QUALIFIER}=other"]
    command = [sys.executable, "-m", "ops", "preflight", "--folder", str(environments), "flight", "--", *options]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    finally:
        secret.restore_secret(SecretId=SECRET)

    assert "Run: make bootstrap ENV=flight CDK_OPTIONS='--profile deployer'\n" in done.stdout
    assert f"restore-secret --secret-id {SECRET} --region {REGION} --profile deployer && " in done.stdout


def test_invalid_settings_are_an_error(aws: EmbeddedAws, environments: Path) -> None:
    (environments / "flight.toml").write_text('account = "1"')
    done = in_process.run(aws, "preflight", "flight", folder=environments)
    assert done.code == 3
    assert done.error.startswith("Error: flight.toml: account: ")
