"""Tests of docs/locked-out.md and docs/remove.md: each lock-out happens, and the commands of the page end it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from app import add_stages, create_app
from local import cdk
from local.account import BREAK_GLASS_ROLE_ARN, WORKER_ROLE_ARN, Account, assume, outputs
from local.cdk import CdkFailed
from local.demo import read
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from local.iam_policies import allow
from settings.files import load_environments
from tests.conftest import Deployed
from tests.faults.refresh import published_version
from tests.local.assemblies import edit, wait_one_second_for_permissions
from tests.local.documented import Shell, commands
from tools import ROOT

LOCKED_OUT = ROOT / "docs" / "locked-out.md"
REMOVE = ROOT / "docs" / "remove.md"

SETTINGS = f"""
account = "{ACCOUNT}"
region = "{REGION}"
connections_prefix = "NAME/connections"
MORE
[teams.NAME]
repositories = ["repository"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/analyst"]
[connections.docker_NAME]
teams = ["NAME"]
[workers]
WORKERS
[alerts]
emails = ["ops@example.com"]
"""
OUR_WORKERS = f'role_arns = ["{WORKER_ROLE_ARN}"]'
WITH_BREAK_GLASS = f'break_glass_role_arns = ["{BREAK_GLASS_ROLE_ARN}"]'
# An outage, or a service control policy that denies the write.
WRITES_FAIL: dict[str, Any] = {
    "operation": "PutSecretValue",
    "status": 400,
    "body": {"__type": "AccessDeniedException"},
}


@pytest.fixture(scope="module")
def lab(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Lab"]:
    """A lab with an emulator of its own, because the tests leave stacks behind."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), snapshot=deployed.snapshot) as aws:
        yield Lab(aws, deployed.account, tmp_path_factory)


@pytest.fixture(autouse=True)
def within_the_quota(lab: "Lab") -> Iterator[None]:
    """Detach the policy of a test's environment from the workers' role, which can have only 10 policies."""
    yield
    iam, role = lab.aws.client("iam"), WORKER_ROLE_ARN.rsplit("/", 1)[-1]
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])


class Lab:
    """The emulator, and the steps that the tests share."""

    def __init__(self, aws: EmbeddedAws, account: Account, folders: pytest.TempPathFactory) -> None:
        self.aws = aws
        self.account = account
        self.worker = aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))
        self.folders = folders

    def assembly(self, name: str, more: str = "", *, qualifier: str | None = None, workers: str = OUR_WORKERS) -> Path:
        """Synthesize an environment, and return the cloud assembly.

        Args:
            name: The name of the environment.
            more: More lines for the settings file.
            qualifier: The qualifier of the bootstrap stack.
            workers: The settings of the workers.
        """
        folder = self.folders.mktemp(name)
        text = SETTINGS.replace("NAME", name).replace("MORE", more).replace("WORKERS", workers)
        (folder / f"{name}.toml").write_text(text)
        context = {"@aws-cdk/core:bootstrapQualifier": qualifier} if qualifier else {}
        (folder / ".cdk.json").write_text(json.dumps({"context": context}))  # for tests/local/documented.py
        app = create_app(folder / "cdk.out", context, validate=False)
        add_stages(app, load_environments(folder))
        app.synth()
        edit(folder / "cdk.out", name, wait_one_second_for_permissions)
        return folder / "cdk.out"

    def bootstrap(self, qualifier: str) -> None:
        cdk._run(
            ["bootstrap", f"aws://{ACCOUNT}/{REGION}", "--qualifier", qualifier]
            + ["--toolkit-stack-name", f"CDKToolkit-{qualifier}"],
            self.aws.client_environment(),
            folder=self.aws.state,
        )

    def shell(self, name: str, assembly: Path | None = None, /, *, by: Any = None, **names: str) -> Shell:
        """Return a shell with an environment's names as placeholders.

        Args:
            name: The name of the environment.
            assembly: The assembly that `make` and the CDK CLI deploy.
            by: The credentials; by default those of an administrator who is not in the settings.
            names: More placeholders, with _ instead of -.
        """
        placeholders = {"<env>": name, "<account>": ACCOUNT, "<region>": REGION, "<secret-name>": secret_of(name)}
        placeholders |= {"<team>": name, "<name>": "repository"}
        placeholders |= {f"<{key.replace('_', '-')}>": value for key, value in names.items()}
        shell = Shell(self.aws, self.folders.mktemp("shell"), placeholders, by or self.account.other_admin)
        shell.assembly = assembly
        return shell

    def status(self, name: str) -> str:
        stacks = self.aws.client("cloudformation").describe_stacks(StackName=f"{name}-DockerLogin")["Stacks"]
        return str(stacks[0]["StackStatus"])

    def has_login(self, name: str) -> bool:
        """Return whether a worker can read the login, and a run of the function writes a new login."""
        _, connection = read(self.worker, secret_of(name))
        [function] = [value for key, value in outputs(self.aws, name).items() if key.startswith("RefreshFunctionName")]
        version = published_version(self.aws, function)  # It also replaces a young login.
        run = self.aws.client("lambda").invoke(FunctionName=function, Qualifier=version)
        return connection["login"] == "AWS" and "expires_at" in json.load(run["Payload"])

    def policy_of(self, name: str) -> str:
        """Return the policy of an environment's secret."""
        answer = self.aws.client("secretsmanager").get_resource_policy(SecretId=secret_of(name))
        return str(answer["ResourcePolicy"])

    def break_glass(self) -> Any:
        return assume(self.aws, BREAK_GLASS_ROLE_ARN, self.account.operator)

    def delete_bucket(self, name: str) -> None:
        s3 = self.aws.client("s3")
        versions = s3.list_object_versions(Bucket=name)
        for version in [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
        s3.delete_bucket(Bucket=name)

    def delete_by_hand(self, name: str) -> None:
        """Schedule the deletion of an environment's secret. The root user of the emulator escapes all denials."""
        self.aws.client("secretsmanager").delete_secret(SecretId=secret_of(name), RecoveryWindowInDays=7)


def secret_of(name: str) -> str:
    return f"{name}/connections/docker_{name}"


def execution_role(qualifier: str = "hnb659fds") -> str:
    return f"cdk-{qualifier}-cfn-exec-role-{ACCOUNT}-{REGION}"


def execution_role_arn(qualifier: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{execution_role(qualifier)}"


def refused(call: Callable[..., Any], **request: Any) -> str:
    with pytest.raises(ClientError) as refusal:
        call(**request)
    return str(refusal.value)


# A secret is scheduled for deletion


def test_an_administrator_restores_a_secret_if_there_is_no_break_glass_role(lab: Lab) -> None:
    assembly = lab.assembly("plain")
    cdk.deploy(lab.aws, assembly, "plain/*")
    shell = lab.shell("plain", assembly)
    [restore] = commands(LOCKED_OUT, "A secret is scheduled for deletion")

    lab.delete_by_hand("plain")
    assert "InvalidRequestException" in refused(lab.worker.get_secret_value, SecretId=secret_of("plain"))
    shell.run(restore)
    assert lab.has_login("plain")

    lab.delete_by_hand("plain")
    with pytest.raises(CdkFailed, match="marked for deletion"):
        cdk.destroy(lab.aws, assembly, "plain/DockerLogin")
    assert lab.status("plain") == "DELETE_FAILED"
    with pytest.raises(CdkFailed, match="is in DELETE_FAILED state and can not be updated"):
        cdk.deploy(lab.aws, assembly, "plain/DockerLogin")
    shell.run(restore)
    find, destroy, deploy, *_ = commands(LOCKED_OUT, "DELETE_FAILED")
    assert "SecretPolicy" in shell.run(find)
    shell.run(destroy, deploy)
    assert lab.has_login("plain")


def test_only_a_break_glass_role_restores_a_secret_if_there_is_one(lab: Lab) -> None:
    assembly = lab.assembly("guarded", WITH_BREAK_GLASS)
    cdk.deploy(lab.aws, assembly, "guarded/*")
    [restore] = commands(LOCKED_OUT, "A secret is scheduled for deletion")
    lab.delete_by_hand("guarded")

    with pytest.raises(AssertionError, match="AccessDenied"):
        lab.shell("guarded").run(restore)
    lab.shell("guarded", by=lab.break_glass()).run(restore)

    assert lab.has_login("guarded")


def test_an_administrator_restores_a_secret_of_version_0_2_0_as_the_execution_role(lab: Lab) -> None:
    assembly = lab.assembly("older")
    cdk.deploy(lab.aws, assembly, "older/*")
    secrets = lab.aws.client("secretsmanager")
    condition = {"ArnNotEquals": {"aws:PrincipalArn": execution_role_arn("hnb659fds")}}
    statement = {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:RestoreSecret", "Resource": "*"}
    policy = json.loads(lab.policy_of("older"))
    policy["Statement"].append({**statement, "Condition": condition})
    secrets.put_resource_policy(SecretId=secret_of("older"), ResourcePolicy=json.dumps(policy))
    lab.delete_by_hand("older")
    shell = lab.shell("older", assembly, execution_role=execution_role())
    [restore] = commands(LOCKED_OUT, "A secret is scheduled for deletion")
    become, undo = commands(LOCKED_OUT, "If the role exists")
    [use] = commands(LOCKED_OUT, "Use the role")

    with pytest.raises(AssertionError, match="AccessDenied"):
        shell.run(restore)
    trust = lab.aws.client("iam").get_role(RoleName=execution_role())["Role"]["AssumeRolePolicyDocument"]
    shell.run(become)
    shell.run(use, restore)
    shell.run(undo)

    assert lab.aws.client("iam").get_role(RoleName=execution_role())["Role"]["AssumeRolePolicyDocument"] == trust
    assert lab.has_login("older")


# The execution role is not the role in the policy


@pytest.fixture(scope="module")
def qualifiers(lab: Lab) -> tuple[str, str]:
    """Two qualifiers with which the account is bootstrapped."""
    for qualifier in ("before", "after"):
        lab.bootstrap(qualifier)
    return "before", "after"


def test_a_break_glass_role_writes_the_role_of_another_qualifier_into_the_policy(
    lab: Lab, qualifiers: tuple[str, str]
) -> None:
    old, new = qualifiers
    settings = f'secret_key = "customer"\n{WITH_BREAK_GLASS}'
    before, after = (lab.assembly("moved", settings, qualifier=qualifier) for qualifier in qualifiers)
    cdk.deploy(lab.aws, before, "moved/*")

    with pytest.raises(CdkFailed, match="explicit deny in a resource-based policy"):
        cdk.deploy(lab.aws, after, "moved/*")
    assert lab.has_login("moved")

    names: dict[str, Any] = {
        "old_execution_role": execution_role(old),
        "new_execution_role": execution_role(new),
        "new": new,
    }
    repair, repair_repository, deploy = commands(LOCKED_OUT, "Write the new role into the policy")
    for command in (repair, repair_repository):
        with pytest.raises(AssertionError, match="AccessDenied"):
            lab.shell("moved", **names).run(command)
    with pytest.raises(AssertionError, match=f"The policy of {secret_of('moved')} denies the role of this deployment"):
        lab.shell("moved", after, **names).run(deploy)
    lab.shell("moved", by=lab.break_glass(), **names).run(repair)
    with pytest.raises(AssertionError, match="The policy of the repository moved/repository denies the role"):
        lab.shell("moved", after, **names).run(deploy)
    lab.shell("moved", by=lab.break_glass(), **names).run(repair_repository)
    lab.shell("moved", after, **names).run(deploy)

    assert lab.has_login("moved")
    policy = lab.aws.client("ecr").get_repository_policy(repositoryName="moved/repository")["policyText"]
    assert execution_role(new) in policy
    assert execution_role(old) not in policy
    assert (
        old not in lab.aws.client("secretsmanager").get_resource_policy(SecretId=secret_of("moved"))["ResourcePolicy"]
    )


def test_an_environment_moves_to_another_qualifier_without_hand_made_changes(
    lab: Lab, qualifiers: tuple[str, str]
) -> None:
    _, new = qualifiers
    old_settings, settings_for_the_move, new_settings = (
        lab.assembly("planned", qualifier="before"),
        lab.assembly("planned", f'break_glass_role_arns = ["{execution_role_arn(new)}"]', qualifier="before"),
        lab.assembly("planned", qualifier="after"),
    )
    cdk.deploy(lab.aws, old_settings, "planned/*")
    _, deploy_with_the_old, deploy_with_the_new = commands(LOCKED_OUT, "Move to another qualifier")

    lab.shell("planned", settings_for_the_move).run(deploy_with_the_old)
    assert lab.has_login("planned")
    lab.shell("planned", new_settings, new=new).run(deploy_with_the_new)

    assert lab.has_login("planned")


def test_an_administrator_writes_the_new_role_into_the_policy_as_the_old_role_that_was_deleted(
    lab: Lab, qualifiers: tuple[str, str]
) -> None:
    _, new = qualifiers
    lab.bootstrap("gone")
    key = 'secret_key = "customer"'
    before, after = (lab.assembly("orphan", key, qualifier=qualifier) for qualifier in ("gone", new))
    cdk.deploy(lab.aws, before, "orphan/*")
    iam = lab.aws.client("iam")
    lab.aws.client("cloudformation").delete_stack(StackName="CDKToolkit-gone")
    lab.aws.client("cloudformation").get_waiter("stack_delete_complete").wait(
        StackName="CDKToolkit-gone", WaiterConfig={"Delay": 1}
    )
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_role(RoleName=execution_role("gone"))
    with pytest.raises(CdkFailed, match="Has the environment been bootstrapped"):
        cdk.deploy(lab.aws, lab.assembly("orphan", f"{key}\n{WITH_BREAK_GLASS}", qualifier="gone"), "orphan/*")
    with pytest.raises(CdkFailed, match="explicit deny in a resource-based policy"):
        cdk.destroy(lab.aws, after, "orphan/DockerLogin")

    names: dict[str, Any] = {
        "old_execution_role": execution_role("gone"),
        "new_execution_role": execution_role(new),
        "new": new,
    }
    shell = lab.shell("orphan", after, execution_role=execution_role("gone"), **names)
    create, delete = commands(LOCKED_OUT, "If the role was deleted")
    [use] = commands(LOCKED_OUT, "Use the role")
    repair, _, deploy = commands(LOCKED_OUT, "Write the new role into the policy")
    shell.run(create)
    shell.run(use, repair)
    shell.run(delete)
    _, destroy, *_ = commands(LOCKED_OUT, "DELETE_FAILED")
    shell.run(destroy, deploy)

    assert lab.has_login("orphan")


def test_a_role_that_is_created_again_with_the_same_name_can_deploy(lab: Lab) -> None:
    lab.bootstrap("again")
    cdk.deploy(lab.aws, lab.assembly("returned", qualifier="again"), "returned/*")
    changed = lab.assembly("returned", WITH_BREAK_GLASS, qualifier="again")
    cloudformation = lab.aws.client("cloudformation")
    cloudformation.delete_stack(StackName="CDKToolkit-again")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="CDKToolkit-again", WaiterConfig={"Delay": 1})
    with pytest.raises(CdkFailed, match="failed creation"):
        lab.bootstrap("again")  # The bucket remains, and its name is taken.
    lab.delete_bucket(f"cdk-again-assets-{ACCOUNT}-{REGION}")
    [commands_] = commands(LOCKED_OUT, "The execution role was deleted")
    bootstrap, deploy = commands_.splitlines()

    assert bootstrap.startswith("make bootstrap")
    lab.bootstrap("again")
    lab.shell("returned", changed).run(deploy)

    assert lab.has_login("returned")


def test_a_deployment_with_the_default_role_follows_one_with_another_role(lab: Lab) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = lab.aws.client("iam").create_role(
        RoleName="another-execution-role", AssumeRolePolicyDocument=json.dumps({"Statement": trust})
    )["Role"]["Arn"]
    assembly, changed = lab.assembly("other"), lab.assembly("other", WITH_BREAK_GLASS)
    with_the_role = ("--role-arn", role, "--require-approval", "never", "--import-existing-resources")

    with (
        lab.aws.fault(**WRITES_FAIL),
        pytest.raises(CdkFailed),
    ):
        cdk._run_on_stacks(lab.aws, assembly, "deploy", ("other/*",), *with_the_role)
    assert lab.status("other") == "ROLLBACK_FAILED"
    after_success, *after_failure = commands(LOCKED_OUT, "After a deployment with `--role-arn`")
    lab.shell("other", assembly).run(*after_failure)
    assert lab.has_login("other")

    cdk.destroy(lab.aws, assembly, "other/DockerLogin")
    cdk._run_on_stacks(lab.aws, assembly, "deploy", ("other/*",), *with_the_role)
    # The new policy of the repository would deny the next change to the role of this deployment, so ECR refuses it.
    # Each stack alone: the CLI deploys them in the order in which it has uploaded their templates.
    with pytest.raises(CdkFailed, match="The policy would prevent you from setting another policy"):
        cdk._run_on_stacks(lab.aws, changed, "deploy", ("other/Registry",), *with_the_role, "--exclusively")
    with pytest.raises(CdkFailed, match="explicit deny in a resource-based policy"):
        cdk._run_on_stacks(lab.aws, changed, "deploy", ("other/DockerLogin",), *with_the_role, "--exclusively")
    lab.shell("other", changed).run(after_success)
    assert lab.has_login("other")


# Failed stacks


def test_the_rollback_of_a_stack_in_update_rollback_failed_continues(lab: Lab) -> None:
    good, changed = lab.assembly("stuck"), lab.assembly("stuck", WITH_BREAK_GLASS)
    cdk.deploy(lab.aws, good, "stuck/*")
    shell = lab.shell("stuck", good)
    continue_, find, orphan, deploy, _ = commands(LOCKED_OUT, "UPDATE_ROLLBACK_FAILED")

    with lab.aws.fault(**WRITES_FAIL), pytest.raises(CdkFailed):
        cdk.deploy(lab.aws, changed, "stuck/*")
    assert lab.status("stuck") == "UPDATE_ROLLBACK_FAILED"
    shell.run(continue_)
    assert lab.status("stuck") == "UPDATE_ROLLBACK_COMPLETE"

    with lab.aws.fault(**WRITES_FAIL):
        with pytest.raises(CdkFailed):
            cdk.deploy(lab.aws, changed, "stuck/*")
        logical_id, _, kind = shell.run(find).splitlines()[0].partition("\t")
        assert ("FirstRefresh" in logical_id, kind) == (True, "Custom::Trigger")
        shell.names["<logical-id>"] = logical_id
        shell.run(orphan)
    assert lab.status("stuck") == "UPDATE_ROLLBACK_COMPLETE"
    assert read(lab.worker, secret_of("stuck"))[1]["login"] == "AWS"
    shell.assembly = changed
    shell.run(deploy)

    assert lab.has_login("stuck")


def test_a_deployment_deletes_a_stack_whose_creation_failed(lab: Lab) -> None:
    assembly = lab.assembly("first")
    with (
        lab.aws.fault(**WRITES_FAIL),
        pytest.raises(CdkFailed),
    ):
        cdk.deploy(lab.aws, assembly, "first/*")
    assert lab.status("first") == "ROLLBACK_COMPLETE"
    [deploy] = commands(LOCKED_OUT, "The first deployment failed: ROLLBACK_COMPLETE, ROLLBACK_FAILED")

    lab.shell("first", assembly).run(deploy)

    assert lab.has_login("first")


# The workers' role


def test_a_policy_that_was_attached_by_hand_to_the_workers_role_is_found_and_detached(lab: Lab) -> None:
    assembly = lab.assembly("hosts", workers="")
    cdk.deploy(lab.aws, assembly, "hosts/*")
    role = outputs(lab.aws, "hosts")["WorkerRoleArn"].rsplit("/", 1)[-1]
    iam = lab.aws.client("iam")
    iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore")
    iam.put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=allow("s3:ListAllMyBuckets"))
    shell = lab.shell("hosts", assembly, role_name=role, policy_name="by-hand")
    shell.names["<policy-arn>"] = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    find, list_policies, detach = commands(REMOVE, "Policies that were attached by hand")

    with pytest.raises(CdkFailed, match="must detach all policies first"):
        cdk.destroy(lab.aws, assembly, "hosts/*")
    assert lab.status("hosts") == "DELETE_FAILED"
    assert role in shell.run(find)
    listed = shell.run(list_policies)
    assert "AmazonSSMManagedInstanceCore" in listed
    assert "by-hand" in listed
    shell.run(detach)
    cdk.destroy(lab.aws, assembly, "hosts/*")

    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_role(RoleName=role)
