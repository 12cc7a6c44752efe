"""Every command needs exactly the permissions in docs/operate.md."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.client import BaseClient

from local.account import BREAK_GLASS_ROLE_ARN, Account, outputs
from local.embedded_aws import EmbeddedAws
from local.iam_policies import name_of
from ops.clients import action_of
from ops.doctor.permissions import ACTIONS as DOCTOR
from ops.permissions import ACTIONS, OPTIONAL, PAGE, READ_ONLY, page_with_tables, policy
from ops.preflight.checks import ACTIONS as PREFLIGHT
from settings.environment import Environment
from settings.files import load_environments
from tests.conftest import Deployed
from tests.faults.refresh import published_version
from tests.local.emulator.patches.support import allow, session_of_a_role
from tests.ops.ecr_login import Done
from tests.ops.in_process import run
from tools import ROOT

ROLE = "ecr-login-operator"
REPOSITORY = "analytics/web-scraper"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BREAK_GLASS = "rollback (break-glass)"
STACKS = ("cloudformation:DescribeStacks", "cloudformation:ListStackResources")
RUNS = {
    "preflight": ["preflight", "local"],
    "status": ["status", "local"],
    "doctor": ["doctor", "local"],
    "doctor --active": ["doctor", "local", "--active"],
    "handoff": ["handoff", "local", "--for", "security"],
    "handoff --for airflow": ["handoff", "local", "--for", "airflow"],
    "refresh": ["refresh", "local"],
    "refresh --write": ["refresh", "local", "--write"],
    "rollback": ["rollback", "local", "docker_default", "--yes", "--break-glass-profile", "break-glass"],
    "resume": ["resume", "local", "docker_default"],
    "logs": ["logs", "local", "docker_default"],
    "lifecycle": ["lifecycle", "local"],
    "lifecycle --preview": ["lifecycle", "local", "--preview"],
    "report": ["report", "local"],
}
"""The words of each command. The commands that change something come in an order in which each one has an effect."""


class Operator:
    """A person with a role whose permissions the tests choose.

    Attributes:
        sent: The IAM actions of the requests of the last command.
    """

    def __init__(self, aws: EmbeddedAws, folder: Path, environment: Environment) -> None:
        self.aws, self.folder, self.environment = aws, folder, environment
        self.sent: set[str] = set()
        self._credentials = session_of_a_role(aws, ROLE, allow("sts:GetCallerIdentity"))
        self._config = folder / "config"

    def may(self, document: dict[str, Any], role: str = ROLE) -> None:
        """Replace the permissions of a role."""
        text = json.dumps(document)
        name = "permissions" if role == ROLE else "Emergency"
        self.aws.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=text)

    def profile(self, account: Account) -> None:
        """Write a profile that assumes the break-glass role."""
        self._config.write_text(
            f"[profile operator]\naws_access_key_id = {account.operator['AccessKeyId']}\n"
            f"aws_secret_access_key = {account.operator['SecretAccessKey']}\n"
            f"[profile break-glass]\nrole_arn = {BREAK_GLASS_ROLE_ARN}\nsource_profile = operator\n"
        )

    def run(self, command: str, *options: str) -> Done:
        """Run a command and record the IAM actions of its requests."""
        self.sent = set()
        sent, send = self.sent, BaseClient._make_api_call

        def record(client: Any, operation: str, request: Any) -> Any:
            sent.add(action_of(client.meta.service_model.operation_model(operation)))
            return send(client, operation, request)

        output = ["-o", str(self.folder / "report.html")] if command == "report" else []
        with patch.object(BaseClient, "_make_api_call", record):
            return run(
                self.aws,
                *RUNS[command],
                *output,
                *options,
                credentials=self._credentials,
                folder=self.folder / "environments",
                AWS_CONFIG_FILE=str(self._config),
            )


@pytest.fixture(scope="module")
def operator(deployed: Deployed, account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """A deployment for which the commands send all of their requests."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / "environments").mkdir()
    settings = (ROOT / "environments/local.toml").read_text()
    settings = settings.replace("[teams.risk]\n", "[teams.risk]\ncreate_on_push = true\n")
    settings += "\n[teams.analytics.lifecycle]\nkeep_images = 50\n"
    (folder / "environments/local.toml").write_text(settings)
    with EmbeddedAws.start(tmp_path_factory.mktemp("operated"), snapshot=deployed.snapshot) as aws:
        aws.confirm_subscriptions("data-platform@example.com")
        ecr, cloudformation = aws.client("ecr"), aws.client("cloudformation")
        for media_type, tag in ((INDEX, "index"), (MANIFEST, "1")):
            manifest = {"schemaVersion": 2, "mediaType": media_type, "manifests": [], "layers": []}
            ecr.put_image(
                repositoryName=REPOSITORY,
                imageManifest=json.dumps(manifest),
                imageManifestMediaType=media_type,
                imageTag=tag,
            )
        function = outputs(aws)["RefreshFunctionNameDockerDefault"]
        # A second login, so that there is a previous one.
        aws.client("lambda").invoke(FunctionName=function, Qualifier=published_version(aws, function))
        aws.client("lambda").update_function_configuration(FunctionName=function, Timeout=100)
        cloudformation.detect_stack_drift(StackName="local-DockerLogin")
        found = Operator(aws, folder, load_environments(folder / "environments")[0])
        found.profile(account)
        yield found


def give_exactly(operator: Operator, command: str, except_for: str | None = None) -> None:
    """Give the operator's roles the permissions of a command, except for one action."""
    denied = [{"Effect": "Deny", "Action": except_for, "Resource": "*"}] if except_for else []
    for role, needed in ((ROLE, command), (name_of(BREAK_GLASS_ROLE_ARN), BREAK_GLASS)):
        text = json.dumps(policy(needed, operator.environment))
        # On AWS, a log group of a stack has the name <stack>-<logical id>-<random>. MiniStack uses another name.
        document = json.loads(text.replace("log-group:", "log-group:/aws/cloudformation/"))
        operator.may({**document, "Statement": [*document["Statement"], *denied]}, role)
    if command == "resume":
        function = outputs(operator.aws)["RefreshFunctionNameDockerDefault"]
        operator.aws.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)


@pytest.mark.parametrize("command", RUNS)
def test_the_actions_of_a_command_are_enough_and_it_uses_all_of_them(operator: Operator, command: str) -> None:
    give_exactly(operator, command)

    done = operator.run(command)

    assert done.code in (0, 1), done.out + done.error
    assert "denied" not in done.out + done.error
    listed = {*ACTIONS[command], *(ACTIONS[BREAK_GLASS] if command == "rollback" else ())}
    sent = {action for action in operator.sent if not action.startswith("sts:")}
    # tests/ops/preflight/test_breakages.py shows that the checks of preflight use all of their actions.
    assert sent <= listed if command == "preflight" else sent == listed


SINGLE = [
    *((command, action) for command in RUNS for action in ACTIONS[command] if action not in STACKS),
    *(("logs", action) for action in STACKS),
    ("rollback", *ACTIONS[BREAK_GLASS]),
]


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (command, action)
        for command, action in SINGLE
        if not command.startswith(("preflight", "doctor", "report"))
        and f"{command} --" not in command
        and (command, action) not in OPTIONAL
    ],
)
def test_a_command_names_the_action_that_is_missing(operator: Operator, command: str, action: str) -> None:
    give_exactly(operator, command, except_for=action)

    done = operator.run(command)

    assert f"AWS denied {action}" in done.out + done.error
    assert "Traceback" not in done.error
    assert done.error.count("\n") <= 3


@pytest.mark.parametrize(("command", "action"), OPTIONAL)
def test_a_command_works_without_an_optional_action(operator: Operator, command: str, action: str) -> None:
    give_exactly(operator, command, except_for=action)
    # Other tests of this file stop the function.
    function = outputs(operator.aws)["RefreshFunctionNameDockerDefault"]
    operator.aws.client("lambda").delete_function_concurrency(FunctionName=function)

    done = operator.run(command)

    assert done.code == 0, done.out + done.error
    assert action in operator.sent


@pytest.mark.parametrize(
    ("action", "check"),
    [
        ("secretsmanager:ListSecretVersionIds", "login_docker_default"),
        ("secretsmanager:DescribeSecret", "read_docker_default"),
        ("logs:FilterLogEvents", "refresh_docker_default"),
        ("scheduler:GetSchedule", "schedule_docker_default"),
        ("lambda:GetFunctionConcurrency", "schedule_docker_default"),
        ("cloudwatch:DescribeAlarms", "alarms"),
        ("sqs:GetQueueAttributes", "dead_letters"),
        ("ecr:DescribeRepositories", "repositories"),
        ("ecr:DescribeImages", "repositories"),
        ("ecr:DescribeImages", "scan_findings"),
        ("ecr:DescribeImageScanFindings", "scan_findings"),
        ("ecr:GetLifecyclePolicy", "settings"),
    ],
)
def test_a_check_of_status_is_unknown_without_an_action_that_it_needs(
    operator: Operator, action: str, check: str
) -> None:
    give_exactly(operator, "status", except_for=action)

    done = operator.run("status", "--json")

    assert (done.code, done.checks[check][0]) == (3, "unknown")
    assert f"AWS denied {action}" in done.checks[check][1]


@pytest.mark.parametrize(("command", "actions"), [("preflight", PREFLIGHT), ("doctor", DOCTOR)])
def test_each_check_names_a_missing_action(
    operator: Operator, command: str, actions: Mapping[str, tuple[str, ...]]
) -> None:
    operator.may({"Version": "2012-10-17", "Statement": [allow(*STACKS, "cloudformation:GetTemplate")]})

    done = operator.run(command, "--json")

    assert done.code == {"preflight": 0, "doctor": 3}[command]
    named = {name: detail for name, (_, detail, _) in done.checks.items() if "denied" in detail}
    assert {name for name in named if named[name].removeprefix("AWS denied ") not in actions[name]} == set()
    assert len(named) >= 10


@pytest.mark.parametrize("command", READ_ONLY)
def test_the_policy_read_only_access_is_enough_for_the_commands_that_read(operator: Operator, command: str) -> None:
    iam = operator.aws.client("iam")
    operator.may({"Version": "2012-10-17", "Statement": [allow("sts:GetCallerIdentity")]})
    iam.attach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    try:
        done = operator.run(command)
    finally:
        iam.detach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")

    assert done.code in (0, 1), done.out
    assert "denied" not in done.out + done.error


def test_the_page_about_the_command_line_contains_the_current_tables() -> None:
    assert PAGE.read_text() == page_with_tables(), "run `make generate`"
