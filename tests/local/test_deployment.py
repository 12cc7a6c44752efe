"""The real templates, deployed by the real CDK CLI: what a deploy makes, changes, rolls back and leaves behind."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from local import cdk
from local.account import WORKER_ROLE_ARN, Account, assume, create_account, docker_login, outputs
from local.cdk import ROOT, CdkFailed
from local.demo import FILES, claims, log_in, read
from local.embedded_aws import ACCOUNT, EmbeddedAws

# Environments beside `local`, for what `local` must not suffer.
BESIDE = f"""
account = "{ACCOUNT}"
region = "us-east-1"
connections_prefix = "NAME/connections"
[teams.NAME]
repositories = ["repository"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/analyst"]
[connections.docker_NAME]
teams = ["NAME"]
[workers]
role_arns = ["{WORKER_ROLE_ARN}"]
"""
TOKEN_LIKE = re.compile(r"[A-Za-z0-9+/=]{600,}")  # A token is 2,000 characters of base64; nothing else here is.

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def assembly(aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of `local`, `fragile` and `broken`, in a bootstrapped account."""
    settings = tmp_path_factory.mktemp("environments")
    shutil.copy(ROOT / "environments" / "local.toml", settings)
    made = tmp_path_factory.mktemp("assembly") / "cdk.out"
    for name in ("fragile", "broken"):
        (settings / f"{name}.toml").write_text(BESIDE.replace("NAME", name))
    with cdk.synthesizing(made, environments=settings):
        cdk.bootstrap(aws)
    for name in ("fragile", "broken"):
        # Rights are there at once here: a refresh without one need not wait a minute for it.
        _edit(made, name, lambda template: _variables(template).update(NEW_RIGHTS_WAIT_SECONDS="1"))
    _edit(made, "broken", _remove_the_right_to_write)
    return made


@pytest.fixture(scope="module")
def account(aws: EmbeddedAws) -> Account:
    return create_account(aws)


@pytest.fixture(scope="module")
def local(aws: EmbeddedAws, assembly: Path, account: Account) -> dict[str, str]:
    """`local`, deployed; its outputs."""
    cdk.deploy(aws, assembly)
    return outputs(aws)


@pytest.fixture(scope="module")
def without_fragile(aws: EmbeddedAws, assembly: Path, account: Account) -> set[str]:
    """What was in the account before `fragile` was deployed to it, which it now is."""
    before = _inventory(aws)
    cdk.deploy(aws, assembly, "fragile/*")
    return before


@pytest.fixture
def worker(aws: EmbeddedAws, account: Account) -> Any:
    """Secrets Manager as an Airflow worker may use it."""
    return aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN))


def test_a_deploy_ends_with_everything_that_the_demo_claims(
    aws: EmbeddedAws, local: dict[str, str], account: Account
) -> None:
    assert len(list(claims(aws, account))) == 7


def test_a_second_deploy_changes_nothing(aws: EmbeddedAws, local: dict[str, str], tmp_path: Path) -> None:
    # Synthesized anew, after other tests have run the function's code where it lies.
    with cdk.synthesizing(tmp_path / "cdk.out"):
        pass

    printed = cdk.deploy(aws, tmp_path / "cdk.out")

    assert _unchanged(printed) == {"local-Registry", "local-Access", "local-DockerLogin"}


def test_a_new_repository_changes_its_stack_alone(aws: EmbeddedAws, local: dict[str, str], tmp_path: Path) -> None:
    settings = (ROOT / "environments" / "local.toml").read_text()
    (tmp_path / "local.toml").write_text(settings.replace('"churn-model"]', '"churn-model", "new"]'))
    with cdk.synthesizing(tmp_path / "cdk.out", environments=tmp_path):
        pass

    printed = cdk.deploy(aws, tmp_path / "cdk.out")

    assert _unchanged(printed) == {"local-Access", "local-DockerLogin"}
    assert "analytics/new" in [r["repositoryName"] for r in aws.client("ecr").describe_repositories()["repositories"]]


def test_a_first_deploy_whose_refresh_lacks_a_right_fails_and_leaves_nothing(
    aws: EmbeddedAws, assembly: Path, account: Account
) -> None:
    before = _inventory(aws)

    with pytest.raises(CdkFailed) as failure:
        cdk.deploy(aws, assembly, "broken/DockerLogin")

    assert "PutSecretValue failed: AccessDeniedException" in str(failure.value)
    assert not TOKEN_LIKE.search(str(failure.value))
    assert _status(aws, "broken-DockerLogin") == "ROLLBACK_COMPLETE"
    assert _inventory(aws) - before == set()


def test_an_update_that_removes_a_right_fails_and_rolls_back_to_a_working_login(
    aws: EmbeddedAws, assembly: Path, without_fragile: set[str], worker: Any
) -> None:
    good_version, _ = read(worker, "fragile/connections/docker_fragile")
    changed = shutil.copytree(assembly, assembly.parent / "changed.out")
    _edit(changed, "fragile", _remove_the_right_to_write)

    with pytest.raises(CdkFailed) as failure:
        cdk.deploy(aws, changed, "fragile/DockerLogin")

    assert "PutSecretValue failed: AccessDeniedException" in str(failure.value)
    assert _status(aws, "fragile-DockerLogin") == "UPDATE_ROLLBACK_COMPLETE"
    function = outputs(aws, "fragile")["RefreshFunctionNameDockerFragile"]
    assert "FunctionError" not in aws.client("lambda").invoke(FunctionName=function)
    version, _ = read(worker, "fragile/connections/docker_fragile")
    assert version != good_version


def test_destroy_leaves_the_repositories_alone_and_a_new_deploy_adopts_them(
    aws: EmbeddedAws, assembly: Path, without_fragile: set[str], account: Account, worker: Any
) -> None:
    push_role = assume(aws, outputs(aws, "fragile")["PushRoleArnFragile"], account.analyst)
    docker_login(aws, push_role).push("fragile/repository:1", FILES)

    cdk.destroy(aws, assembly, "fragile/*")

    left = {arn for arn in _inventory(aws) - without_fragile if "fragile" in arn}
    assert left == {f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/fragile/repository"}

    cdk.deploy(aws, assembly, "fragile/*")

    _, connection = read(worker, "fragile/connections/docker_fragile")
    assert log_in(aws, connection).pull("fragile/repository:1") == FILES


def test_the_token_is_in_no_answer_no_log_and_no_file(aws: EmbeddedAws, local: dict[str, str], worker: Any) -> None:
    run = partial(aws.client("lambda").invoke, FunctionName=local["RefreshFunctionNameDockerDefault"])
    written = run()["Payload"].read().decode()
    pull_role = local["PullRoleArnDockerDefault"].rsplit("/", 1)[-1]
    deny = {"Effect": "Deny", "Action": "secretsmanager:PutSecretValue", "Resource": "*"}
    policy = {"RoleName": pull_role, "PolicyName": "Deny"}
    iam = aws.client("iam")
    iam.put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    failed = run()["Payload"].read().decode()
    iam.delete_role_policy(**policy)

    assert json.loads(written).keys() == {"host", "expires_at", "version_id"}
    assert "PutSecretValue failed: AccessDeniedException" in failed
    logs = _logs(aws)
    assert "The docker login is fresh" in "".join(logs.values()), "this looked at the wrong logs"
    assert "PutSecretValue failed" in "".join(logs.values()), "this looked at the wrong logs"
    _, connection = read(worker, local["SecretNameDockerDefault"])
    files = {str(file): file.read_text(errors="replace") for file in _text_files(aws.state)}
    for place, text in {"an answer": written + failed, **logs, **files}.items():
        assert connection["password"] not in text, place
        assert not TOKEN_LIKE.search(text), place


def _edit(assembly: Path, environment: str, edit: Edit) -> None:
    """Change an environment's DockerLogin template where it lies in an assembly."""
    [file] = assembly.glob(f"assembly-{environment}/{environment}DockerLogin*.template.json")
    template = json.loads(file.read_text())
    edit(template)
    file.write_text(json.dumps(template))
    # The CLI uploads a template under the hash that its list of assets says, once for each hash.
    assets = json.loads((file.parent / file.name.replace(".template.", ".assets.")).read_text())["files"]
    [old] = [name for name, asset in assets.items() if asset["source"]["path"] == file.name]
    new = hashlib.sha256(file.read_bytes()).hexdigest()
    for listing in file.parent.glob("*.json"):
        listing.write_text(listing.read_text().replace(old, new))


def _variables(template: dict[str, Any]) -> dict[str, Any]:
    [variables] = [
        r["Properties"]["Environment"]["Variables"]
        for r in template["Resources"].values()
        if r["Type"] == "AWS::Lambda::Function" and "Environment" in r["Properties"]
    ]
    found: dict[str, Any] = variables
    return found


def _remove_the_right_to_write(template: dict[str, Any]) -> None:
    """As if the statement were not in the code: gone from the policy, and so from what the first refresh carries."""
    resources = template["Resources"].values()
    policies = [r["Properties"]["PolicyDocument"] for r in resources if r["Type"] == "AWS::IAM::Policy"]
    carried = [r["Properties"]["Rights"]["PullPolicy"] for r in resources if r["Type"] == "Custom::Trigger"]
    for document in policies + carried:
        document["Statement"] = [s for s in document["Statement"] if s["Sid"] != "WriteLogin"]


def _unchanged(printed: str) -> set[str]:
    return set(re.findall(r"\((\S+)\) \(no changes\)", printed))


def _status(aws: EmbeddedAws, stack: str) -> str:
    [described] = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return str(described["StackStatus"])


def _inventory(aws: EmbeddedAws) -> set[str]:
    """All in the account of the kinds that the templates make; keys only while they are not on their way out."""
    found = {
        *(r["repositoryArn"] for r in aws.client("ecr").describe_repositories()["repositories"]),
        *(s["ARN"] for s in aws.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]),
        *(f["FunctionArn"] for f in aws.client("lambda").list_functions()["Functions"]),
        *(s["Arn"] for s in aws.client("scheduler").list_schedules()["Schedules"]),
        *(g["Arn"] for g in aws.client("scheduler").list_schedule_groups()["ScheduleGroups"]),
        *aws.client("sqs").list_queues().get("QueueUrls", []),
        *(t["TopicArn"] for t in aws.client("sns").list_topics()["Topics"]),
        *(a["AlarmArn"] for a in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]),
        *(g["arn"] for g in aws.client("logs").describe_log_groups()["logGroups"]),
    }
    iam, kms = aws.client("iam"), aws.client("kms")
    found |= {r["Arn"] for r in iam.list_roles()["Roles"]}
    found |= {p["Arn"] for p in iam.list_policies(Scope="Local")["Policies"]}
    found |= {p["Arn"] for p in iam.list_instance_profiles()["InstanceProfiles"]}
    keys = [kms.describe_key(KeyId=k["KeyId"])["KeyMetadata"] for k in kms.list_keys()["Keys"]]
    return found | {k["Arn"] for k in keys if k["KeyState"] != "PendingDeletion"}


def _logs(aws: EmbeddedAws) -> dict[str, str]:
    logs = aws.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    return {
        group: "\n".join(event["message"] for event in logs.filter_log_events(logGroupName=group)["events"])
        for group in groups
    }


def _text_files(folder: Path) -> list[Path]:
    """Every file but compiled code and the functions' own sources."""
    return [file for file in folder.rglob("*") if file.is_file() and file.suffix not in {".pyc", ".js", ".zip"}]
