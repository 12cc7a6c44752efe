"""The stack DockerLogin: secrets without a value, functions with few permissions, schedules, and worker permissions."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.conftest import PLAIN, actions, of_type, statements, the_one
from tests.templates import Template, Templates, synthesize
from tools import ROOT


@pytest.fixture(scope="module")
def rich(templates: Templates) -> dict[str, Any]:
    """A template with two connections, a customer managed key, an existing worker role, and alerts."""
    return templates["rich-DockerLogin"]


@pytest.fixture(scope="module")
def plain(templates: Templates) -> dict[str, Any]:
    """A template with one connection and the defaults of all other settings."""
    return templates["plain-DockerLogin"]


def logical_ids(template: dict[str, Any], resource_type: str) -> list[str]:
    return [name for name, r in template["Resources"].items() if r["Type"] == resource_type]


def pull_policy(template: dict[str, Any], connection: str) -> dict[str, Any]:
    [policy] = [p for p in of_type(template, "AWS::IAM::Policy") if connection in p["PolicyName"]]
    document: dict[str, Any] = policy["PolicyDocument"]
    return document


# The secret


def test_a_secret_has_the_name_that_airflow_looks_up_and_no_value(rich: dict[str, Any]) -> None:
    secrets = {secret["Name"]: secret for secret in of_type(rich, "AWS::SecretsManager::Secret")}

    assert set(secrets) == {"airflow/connections/docker_default", "airflow/connections/docker_risk"}
    for secret in secrets.values():
        # With one of these properties, a later deployment could overwrite the current login.
        assert "SecretString" not in secret
        assert "GenerateSecretString" not in secret


def test_the_policy_of_a_secret_denies_every_principal_that_it_does_not_name(rich: dict[str, Any]) -> None:
    first = of_type(rich, "AWS::SecretsManager::ResourcePolicy")[0]
    [pull_role, _] = [name for name in logical_ids(rich, "AWS::IAM::Role") if "PullRole" in name]
    refresh = {"Fn::GetAtt": [pull_role, "Arn"]}
    deploy = {
        "Fn::Sub": "arn:${AWS::Partition}:iam::444455556666:role/cdk-hnb659fds-cfn-exec-role-444455556666-eu-west-1"
    }
    worker = "arn:aws:iam::444455556666:role/airflow-worker"
    break_glass = "arn:aws:iam::444455556666:role/BreakGlass"
    root = "arn:aws:iam::444455556666:root"

    by_sid = statements(first["ResourcePolicy"])
    assert {statement["Effect"] for statement in by_sid.values()} == {"Deny"}
    assert {statement["Principal"]["AWS"] for statement in by_sid.values()} == {"*"}
    exempt = {sid: statement.get("Condition", {}).get("ArnNotEquals") for sid, statement in by_sid.items()}
    assert exempt == {
        "WriteOnlyByRefresh": {"aws:PrincipalArn": [refresh, deploy]},
        "RollBackOnlyByBreakGlass": {"aws:PrincipalArn": [deploy, break_glass]},
        "RestoreOnlyByBreakGlass": {"aws:PrincipalArn": [deploy, root, break_glass]},
        "ReadOnlyByWorkers": {"aws:PrincipalArn": [worker, deploy, break_glass]},
        "ChangePolicyOnlyByDeploy": {"aws:PrincipalArn": [deploy, root, break_glass]},
        "ChangeOnlyByDeploy": {"aws:PrincipalArn": [deploy]},
        "ReplicateNever": None,
        "RefusePlainHttp": None,
    }
    assert first["BlockPublicPolicy"] is True


def test_without_break_glass_roles_an_administrator_can_cancel_the_deletion_of_a_secret(plain: dict[str, Any]) -> None:
    policy = the_one(plain, "AWS::SecretsManager::ResourcePolicy")["ResourcePolicy"]

    denying = {sid for sid, statement in statements(policy).items() if "RestoreSecret" in str(statement.get("Action"))}
    assert denying == set()
    assert "secretsmanager:RestoreSecret" in statements(policy)["ChangeOnlyByDeploy"]["NotAction"]


def test_the_customer_managed_key_works_only_for_these_secrets_and_through_secrets_manager(
    rich: dict[str, Any],
) -> None:
    assert the_one(rich, "AWS::KMS::Key")["EnableKeyRotation"] is True
    [key_id] = logical_ids(rich, "AWS::KMS::Key")
    assert {str(s["KmsKeyId"]) for s in of_type(rich, "AWS::SecretsManager::Secret")} == {
        str({"Fn::GetAtt": [key_id, "Arn"]})
    }
    key = statements(the_one(rich, "AWS::KMS::Key")["KeyPolicy"])

    administer = key.pop("Administer")
    assert not {"kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"} & set(administer["Action"])
    assert not [action for action in administer["Action"] if "*" in action]
    deploy = [key.pop(sid) for sid in ("Deploy", "TestKeyBySecretARN", "TestKeyBySecretVersionId")]
    assert all("cfn-exec-role" in str(statement["Condition"]["ArnEquals"]) for statement in deploy)
    assert set(key) == {"Read", "WriteDockerDefault", "WriteDockerRisk"}
    prefix = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:airflow/connections/"
    for statement in [deploy[0], *key.values()]:
        condition = statement["Condition"]
        assert condition["StringEquals"] == {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"}
        assert condition["StringLike"]["kms:EncryptionContext:SecretARN"].startswith(prefix)
        assert condition["ArnEquals"]["aws:PrincipalArn"]


def test_there_is_no_customer_managed_key_by_default(plain: dict[str, Any]) -> None:
    assert not of_type(plain, "AWS::KMS::Key")
    assert "kms:" not in json.dumps(plain)


# The function and its role


def test_the_function_runs_on_a_supported_python_and_gets_its_secret_and_registry(plain: dict[str, Any]) -> None:
    [function] = [f for f in of_type(plain, "AWS::Lambda::Function") if f["Runtime"].startswith("python")]

    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["Handler"] == "refresh_docker_login.handler.handle"
    assert function["MemorySize"] == 256  # MiB; docs/costs.md and bench/functions.py have the same value
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert function["Timeout"] == 120  # seconds; the waits and retries of the handler take less time
    [secret] = logical_ids(plain, "AWS::SecretsManager::Secret")
    assert function["Environment"]["Variables"] == {
        "CONNECTION_ID": "docker_default",
        "SECRET_ARN": {"Ref": secret},
        "REGISTRY_HOST": "111111111111.dkr.ecr.eu-west-1.amazonaws.com",
        "REGISTRY_REGION": "eu-west-1",
        "TOKEN_ENDPOINT_HOST": "111111111111.dkr.ecr.eu-west-1.amazonaws.com",
        "SHORTEST_INTERVAL_MINUTES": "25",
        "NEW_RIGHTS_WAIT_SECONDS": "60",
    }


def test_a_pull_role_has_only_the_permissions_that_a_refresh_and_a_pull_need(rich: dict[str, Any]) -> None:
    assert actions(pull_policy(rich, "DockerRisk")) == {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "secretsmanager:ListSecretVersionIds",
        "secretsmanager:PutSecretValue",
        "sqs:SendMessage",
    }
    for role in of_type(rich, "AWS::IAM::Role"):
        if "Mints" in role.get("Description", ""):
            assert "ManagedPolicyArns" not in role
            assert "Policies" not in role


def test_the_login_of_a_connection_can_pull_only_images_of_the_connections_teams(rich: dict[str, Any]) -> None:
    repository = "arn:aws:ecr:eu-west-1:444455556666:repository/"

    both = statements(pull_policy(rich, "DockerDefault"))["PullImages"]
    assert both["Resource"] == [f"{repository}analytics/*", f"{repository}risk/*"]
    assert both["Condition"] == {"StringEquals": {"aws:ResourceTag/team": ["analytics", "risk"]}}
    one = statements(pull_policy(rich, "DockerRisk"))["PullImages"]
    assert one["Resource"] == f"{repository}risk/*"


def test_only_creating_a_login_is_allowed_on_every_resource(rich: dict[str, Any]) -> None:
    wide = [s["Sid"] for s in pull_policy(rich, "DockerDefault")["Statement"] if s["Resource"] == "*"]

    assert wide == ["LogInToRegistry"]


def test_the_failure_destination_is_created_after_the_first_refresh(rich: dict[str, Any]) -> None:
    # Lambda rejects a destination that the role cannot send messages to. After the first refresh, the permissions work.
    resources = {name: r for name, r in rich["Resources"].items() if r["Type"] == "AWS::Lambda::EventInvokeConfig"}

    assert len(resources) == 2
    for name, resource in resources.items():
        connection = "DockerDefault" if name.startswith("DockerDefault") else "DockerRisk"
        [first_refresh] = resource["DependsOn"]
        assert first_refresh.startswith(f"{connection}FirstRefresh")


def test_every_schedule_is_created_after_the_first_refreshes_of_all_connections(many: dict[str, Any]) -> None:
    # A new schedule invokes its function at once. In a new account, too many functions would run at the same time.
    resources = many["Resources"]
    schedules = logical_ids(many, "AWS::Scheduler::Schedule")

    def needed(name: str) -> set[str]:
        direct = resources[name].get("DependsOn", [])
        return set(direct).union(*map(needed, direct))

    assert len(schedules) == 7
    for schedule in schedules:
        assert set(logical_ids(many, "Custom::Trigger")) <= needed(schedule)


def test_a_run_that_fails_after_all_retries_is_reported_to_the_queue(rich: dict[str, Any]) -> None:
    [queue] = logical_ids(rich, "AWS::SQS::Queue")

    for config in of_type(rich, "AWS::Lambda::EventInvokeConfig"):
        assert config["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [queue, "Arn"]}
        assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (2, 900)
        assert config["Qualifier"] == "$LATEST"


# Schedule and first refresh


def test_each_connection_has_a_separate_schedule(rich: dict[str, Any]) -> None:
    schedules = of_type(rich, "AWS::Scheduler::Schedule")

    assert [s["ScheduleExpression"] for s in schedules] == ["rate(30 minutes)", "rate(1 hour)"]
    [queue] = logical_ids(rich, "AWS::SQS::Queue")
    for schedule in schedules:
        assert schedule["State"] == "ENABLED"
        assert schedule["FlexibleTimeWindow"] == {"MaximumWindowInMinutes": 5, "Mode": "FLEXIBLE"}
        assert schedule["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 900, "MaximumRetryAttempts": 3}
        assert schedule["Target"]["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}
        # The target must not be a version of the function, because the handler treats a run of a version as a run of a
        # deployment.
        assert schedule["Target"]["Arn"]["Fn::GetAtt"][1] == "Arn"


def test_the_role_of_a_schedule_may_only_invoke_its_function_and_report_failures(rich: dict[str, Any]) -> None:
    roles = [r for r in of_type(rich, "AWS::IAM::Role") if r.get("Description", "").startswith("Starts the refresh")]

    assert len(roles) == 2
    for role in roles:
        [inline] = role["Policies"]
        allowed = {s["Action"]: s["Resource"] for s in inline["PolicyDocument"]["Statement"]}
        assert set(allowed) == {"lambda:InvokeFunction", "sqs:SendMessage"}
        assert "Fn::GetAtt" in allowed["lambda:InvokeFunction"]
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
        group = "arn:aws:scheduler:eu-west-1:444455556666:schedule-group/default"
        assert trust["Condition"] == {"StringEquals": {"aws:SourceArn": group}}


def test_the_first_refresh_runs_after_every_resource_that_it_needs_is_created(rich: dict[str, Any]) -> None:
    triggers = [r for r in rich["Resources"].values() if r["Type"] == "Custom::Trigger"]

    assert len(triggers) == 2
    for trigger in triggers:
        needs = {rich["Resources"][name]["Type"] for name in trigger["DependsOn"]}
        assert needs == {
            "AWS::IAM::Policy",
            "AWS::KMS::Key",
            "AWS::SecretsManager::ResourcePolicy",
            "AWS::SecretsManager::Secret",
        }


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The stack of an environment with seven connections."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "many.toml").write_text(
        'account = "111111111111"\nregion = "eu-west-1"\nalerts.emails = ["ops@example.com"]\n'
        '[teams.risk]\nrepositories = ["var"]\npush.role_arns = ["arn:aws:iam::111111111111:role/ci"]\n'
        + "".join(f'[connections.docker_{letter}]\nteams = ["risk"]\n' for letter in "abcdefg")
    )
    return synthesize(folder, folder / "cdk.out")["many-DockerLogin"]


def test_first_refreshes_run_three_at_a_time(many: dict[str, Any]) -> None:
    needs = {
        name[6]: sorted(n[6] for n in r["DependsOn"] if "FirstRefresh" in n and n[6] != name[6])
        for name, r in many["Resources"].items()
        if r["Type"] == "Custom::Trigger"
    }
    assert needs == {"A": [], "B": [], "C": [], "D": ["A"], "E": ["B"], "F": ["C"], "G": ["D"]}


def test_the_workers_can_decrypt_with_a_new_key_before_the_secrets_use_it_and_with_the_old_key_until_then(
    rich: dict[str, Any], plain: dict[str, Any]
) -> None:
    # If the key of a secret changes, Secrets Manager encrypts the current login again at once.
    [with_key], [without_key] = (logical_ids(template, "AWS::IAM::ManagedPolicy") for template in (rich, plain))

    for name in logical_ids(rich, "AWS::SecretsManager::Secret"):
        assert with_key in rich["Resources"][name]["DependsOn"]
    assert set(plain["Resources"][without_key]["DependsOn"]) == set(logical_ids(plain, "AWS::SecretsManager::Secret"))


def test_another_path_of_the_roles_publishes_a_new_version_of_the_function(tmp_path: Path) -> None:
    # A published version keeps its role, and another path replaces the role.
    versions: set[str] = set()
    for path in ("/", "/airflow/"):
        (tmp_path / "one.toml").write_text(
            f'account = "111111111111"\nregion = "eu-west-1"\nrole_path = "{path}"\n'
            'alerts.emails = ["ops@example.com"]\n'
            '[teams.risk]\nrepositories = ["var"]\npush.role_arns = ["arn:aws:iam::111111111111:role/ci"]\n'
            '[connections.docker_default]\nteams = ["risk"]\n'
        )
        template = synthesize(tmp_path, tmp_path / f"cdk.out{len(versions)}")["one-DockerLogin"]
        versions |= set(logical_ids(template, "AWS::Lambda::Version"))

    assert len(versions) == 2


def test_another_text_of_any_file_publishes_a_new_version_of_the_function_and_byte_code_does_not(
    templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "lambda"
    shutil.copytree(ROOT / "lambda", code, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("stacks.docker_login.function._LAMBDA_FOLDER", str(code))
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "plain.toml").write_text(PLAIN)

    def version_in(template: Template) -> str:
        [logical_id] = logical_ids(template, "AWS::Lambda::Version")
        return str(logical_id)

    def version(number: int) -> str:
        return version_in(synthesize(tmp_path / "plain", tmp_path / f"cdk.out{number}")["plain-DockerLogin"])

    # Every computer has other byte code. Lambda refuses a new version if the code is the same.
    byte_code = code / "refresh_docker_login" / "__pycache__" / "handler.cpython-313.pyc"
    byte_code.parent.mkdir()
    byte_code.write_text("of another computer")
    versions = {version(0), version_in(templates["plain-DockerLogin"])}
    for number, file in enumerate(sorted(code.rglob("*.py")), 1):
        file.write_text(f"{file.read_text()}# changed\n")
        versions.add(version(number))

    assert len(versions) == 5  # four files


def test_another_qualifier_of_the_bootstrap_changes_roles_and_buckets_and_publishes_no_version(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(
        'account = "111111111111"\nregion = "eu-west-1"\nalerts.emails = ["ops@example.com"]\n'
        '[teams.risk]\nrepositories = ["var"]\npush.role_arns = ["arn:aws:iam::111111111111:role/ci"]\n'
        '[connections.docker_default]\nteams = ["risk"]\n'
    )
    versions: set[str] = set()  # Lambda refuses a new version if the code is the same.
    buckets: set[str] = set()
    for qualifier in ("first", "second"):
        context = {"@aws-cdk/core:bootstrapQualifier": qualifier}
        templates = synthesize(tmp_path, tmp_path / qualifier, context)
        # The policies name the role that CloudFormation assumes, and the bootstrap gives it this name.
        for stack in ("one-Registry", "one-DockerLogin"):
            assert f"cdk-{qualifier}-cfn-exec-role" in json.dumps(templates[stack])
        assert "hnb659fds" not in json.dumps(templates)
        template = templates["one-DockerLogin"]
        versions |= set(logical_ids(template, "AWS::Lambda::Version"))
        buckets |= {str(function["Code"]["S3Bucket"]) for function in of_type(template, "AWS::Lambda::Function")}

    assert (len(versions), len(buckets)) == (1, 2)


def test_the_properties_of_the_first_refresh_contain_the_policies_so_that_a_change_runs_a_refresh(
    rich: dict[str, Any],
) -> None:
    permissions = of_type(rich, "Custom::Trigger")[0]["Rights"]

    assert permissions["PullPolicy"] == pull_policy(rich, "DockerDefault")
    assert permissions["SecretPolicy"] == of_type(rich, "AWS::SecretsManager::ResourcePolicy")[0]["ResourcePolicy"]
    key_statements = the_one(rich, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert [s for s in permissions["KeyPolicy"]["Statement"] if s not in key_statements] == []
    assert statements(permissions["KeyPolicy"]).keys() == {"WriteDockerDefault"}


# Workers, outputs


def test_workers_may_read_only_the_secrets_of_the_connections(rich: dict[str, Any]) -> None:
    policy = the_one(rich, "AWS::IAM::ManagedPolicy")

    # The policy is attached by role name: the deployment fails if the role does not exist.
    assert policy["Roles"] == ["airflow-worker"]
    assert actions(policy["PolicyDocument"]) == {"kms:Decrypt", "secretsmanager:GetSecretValue"}
    prefix = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:airflow/connections"
    secrets = [f"{prefix}/docker_default-??????", f"{prefix}/docker_risk-??????"]
    by_sid = statements(policy["PolicyDocument"])
    assert by_sid["ReadConnections"]["Resource"] == secrets
    assert by_sid["DecryptConnections"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"},
        "StringLike": {
            "kms:EncryptionContext:SecretARN": "arn:aws:secretsmanager:eu-west-1:444455556666:secret:"
            "airflow/connections/*"
        },
    }


def test_a_worker_role_and_an_instance_profile_are_created_if_the_settings_contain_no_role(
    plain: dict[str, Any],
) -> None:
    profile = the_one(plain, "AWS::IAM::InstanceProfile")
    [role] = profile["Roles"]

    created = plain["Resources"][role["Ref"]]["Properties"]
    [trust] = created["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert the_one(plain, "AWS::IAM::ManagedPolicy")["Roles"] == [role]
    assert plain["Outputs"]["WorkerRoleArn"]["Value"] == {"Fn::GetAtt": [role["Ref"], "Arn"]}


def test_the_outputs_have_the_names_of_the_public_interface(rich: dict[str, Any]) -> None:
    per_connection = {"SecretArn", "SecretName", "RefreshFunctionName", "PullRoleArn"}

    assert set(rich["Outputs"]) == {
        *(f"{output}{connection}" for output in per_connection for connection in ("DockerDefault", "DockerRisk")),
        "DashboardName",
        "FailureQueueUrl",
        "WorkerPolicyArn",
    }
    assert rich["Outputs"]["SecretNameDockerRisk"]["Value"] == "airflow/connections/docker_risk"


def test_unusual_values_of_settings_reach_the_template(tmp_path: Path) -> None:
    account = 'account = "111111111111"\nregion = "eu-west-1"\n'
    team = '[teams.risk]\nrepositories = ["var"]\npush.role_arns = ["arn:aws:iam::111111111111:role/ci"]\n'
    emails = [f"ops{number}@example.com" for number in range(10)]
    (tmp_path / "many.toml").write_text(
        f'{account}permissions_boundary_arn = "arn:aws:iam::aws:policy/PowerUserAccess"\n'
        f"alerts.emails = {emails}\n{team}"
        '[connections.docker_slow]\nteams = ["risk"]\nrefresh_every_minutes = 180\n'
        '[workers]\nrole_arns = ["arn:aws:iam::111111111111:role/data/airflow/worker", '
        '"arn:aws:iam::111111111111:role/service-role/mwaa", "arn:aws:iam::111111111111:role/worker_2"]\n'
    )
    (tmp_path / "single.toml").write_text(
        f'{account}connections_prefix = "single"\nalerts.emails = ["ops@example.com"]\n{team.replace("risk", "single")}'
        '[connections.docker_default]\nteams = ["single"]\n'
    )

    templates = synthesize(tmp_path, tmp_path / "cdk.out")
    many, single = templates["many-DockerLogin"], templates["single-DockerLogin"]

    assert the_one(many, "AWS::IAM::ManagedPolicy")["Roles"] == ["worker", "mwaa", "worker_2"]
    roles = of_type(many, "AWS::IAM::Role")
    assert {role["PermissionsBoundary"] for role in roles} == {"arn:aws:iam::aws:policy/PowerUserAccess"}
    assert {subscription["Endpoint"] for subscription in of_type(many, "AWS::SNS::Subscription")} == set(emails)
    assert the_one(many, "AWS::Scheduler::Schedule")["FlexibleTimeWindow"]["MaximumWindowInMinutes"] == 5
    for template in (many, single):
        topic = the_one(template, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
        assert [s["Effect"] for s in topic if "aws:SecureTransport" in str(s)] == ["Deny"]
