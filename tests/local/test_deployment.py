"""Tests of the environment `local`, which the CDK CLI deploys: the results of a first and of a second deployment."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from local import cdk
from local.account import Account
from local.demo import claims, read
from local.embedded_aws import EmbeddedAws
from tests.conftest import Deployed
from tests.faults.refresh import published_version
from tests.local.logins import places_with_a_login
from tools import ROOT


def test_everything_that_the_demo_claims_is_true_after_a_deploy(
    aws: EmbeddedAws, local: dict[str, str], account: Account
) -> None:
    assert len(list(claims(aws, account))) == 8


def test_a_second_deploy_changes_nothing(aws: EmbeddedAws, local: dict[str, str], tmp_path: Path) -> None:
    # Synthesize again, because other tests have run the function's code in its folder since the first deployment.
    with cdk.synthesizing(tmp_path / "cdk.out"):
        pass

    printed = cdk.deploy(aws, tmp_path / "cdk.out")

    assert _unchanged(printed) == {"local-Registry", "local-Access", "local-DockerLogin"}


def test_a_new_repository_is_created_and_shown_on_the_dashboard_and_nothing_else_changes(
    aws: EmbeddedAws, local: dict[str, str], worker: Any, tmp_path: Path
) -> None:
    version, _ = read(worker, local["SecretNameDockerDefault"])
    settings = (ROOT / "environments" / "local.toml").read_text()
    (tmp_path / "local.toml").write_text(settings.replace('"churn-model"]', '"churn-model", "new"]'))
    with cdk.synthesizing(tmp_path / "cdk.out", environments=tmp_path):
        pass

    printed = cdk.deploy(aws, tmp_path / "cdk.out")

    assert _unchanged(printed) == {"local-Access"}
    assert (
        "analytics/new" in aws.client("cloudwatch").get_dashboard(DashboardName=local["DashboardName"])["DashboardBody"]
    )
    assert read(worker, local["SecretNameDockerDefault"])[0] == version, "the login was refreshed"
    assert "analytics/new" in [r["repositoryName"] for r in aws.client("ecr").describe_repositories()["repositories"]]


def test_the_token_is_in_no_answer_log_or_file(
    aws: EmbeddedAws, deployed: Deployed, local: dict[str, str], worker: Any
) -> None:
    function = local["RefreshFunctionNameDockerDefault"]
    run = partial(aws.client("lambda").invoke, FunctionName=function)
    written = run(Qualifier=published_version(aws, function))["Payload"].read().decode()
    pull_role = local["PullRoleArnDockerDefault"].rsplit("/", 1)[-1]
    deny = {"Effect": "Deny", "Action": "secretsmanager:PutSecretValue", "Resource": "*"}
    policy = {"RoleName": pull_role, "PolicyName": "Deny"}
    iam = aws.client("iam")
    iam.put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    aws.advance_clock(30, sessions_expire=False)  # The runs try to write, because the login is old.
    failed = run()["Payload"].read().decode()
    iam.delete_role_policy(**policy)

    assert json.loads(written).keys() == {"connection", "expires_at", "version_id"}
    assert "PutSecretValue failed: AccessDeniedException" in failed
    logs = _logs(aws)
    assert "The docker login is fresh" in "".join(logs.values()), "the test read the wrong logs"
    assert "PutSecretValue failed" in "".join(logs.values()), "the test read the wrong logs"
    _, connection = read(worker, local["SecretNameDockerDefault"])
    written_files = _text_files(deployed.state) + _text_files(aws.state)
    files = {str(file): file.read_text(errors="replace") for file in written_files}
    leaks = places_with_a_login({"an answer": written + failed, **logs, **files}, connection["password"])
    assert leaks == []


def test_a_run_logs_one_line_of_json_with_the_fields_that_operators_search_for(
    aws: EmbeddedAws, local: dict[str, str]
) -> None:
    function = local["RefreshFunctionNameDockerDefault"]
    run = aws.client("lambda").invoke(FunctionName=function, Qualifier=published_version(aws, function))

    answer = json.loads(run["Payload"].read())
    [log] = [log for log in _logs(aws).values() if answer["version_id"] in log]
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    [line] = [line for line in lines if line.get("version_id") == answer["version_id"]]
    assert line.keys() >= {"timestamp", "requestId"}
    assert line["connection"] == "docker_default"
    assert line["expires_at"] == answer["expires_at"]


def _unchanged(printed: str) -> set[str]:
    return set(re.findall(r"\((\S+)\) \(no changes\)", printed))


def _logs(aws: EmbeddedAws) -> dict[str, str]:
    logs = aws.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    return {
        group: "\n".join(event["message"] for event in logs.filter_log_events(logGroupName=group)["events"])
        for group in groups
    }


def _text_files(folder: Path) -> list[Path]:
    """Return every file in the folder, except compiled code and the code of functions."""
    return [file for file in folder.rglob("*") if file.is_file() and file.suffix not in {".pyc", ".js", ".zip"}]
