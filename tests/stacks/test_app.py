"""The app with all stacks: the names of resources, the uploaded files, and the messages about wrong settings."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.conftest import PLAIN, RICH, of_type
from tests.templates import Template, Templates, synthesize
from tools import ROOT


@dataclass
class Synthesized:
    """A run of app.py, and the folder in which it ran."""

    app: subprocess.CompletedProcess[str]
    folder: Path

    def template(self, stage: str, stack: str) -> Template:
        [file] = (self.folder / "cdk.out" / f"assembly-{stage}").glob(f"{stage}{stack}*.template.json")
        template: Template = json.loads(file.read_text())
        return template


@pytest.fixture(scope="module")
def without_cli(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """Run app.py without the CDK CLI, on `rich` and the examples. `dev` has a user of another account."""
    # This command creates bytecode in the function's folder. A test asserts that the bytecode is not uploaded.
    subprocess.run([sys.executable, "-m", "compileall", "-q", "lambda"], cwd=ROOT, check=True)
    folder = tmp_path_factory.mktemp("without-cli")
    shutil.copytree(ROOT / "examples", folder / "environments")
    (folder / "environments" / "rich.toml").write_text(RICH)
    dev = folder / "environments" / "dev.toml"
    dev.write_text(dev.read_text().replace("111111111111:user/ana", "222222222222:user/ana"))
    # CDK's built-in validation takes several seconds. One rehearsal includes it.
    return Synthesized(run_app(folder, CDK_VALIDATION="false"), folder)


def test_no_stack_imports_or_exports_values(templates: Templates) -> None:
    always = {"Registry", "Access", "DockerLogin"}
    assert set(templates) == {
        *(f"plain-{stack}" for stack in always),
        *(f"rich-{stack}" for stack in always | {"WorkerUpkeep", "EcsTasks"}),
    }
    for template in templates.values():
        assert "Fn::ImportValue" not in json.dumps(template)
        assert not [output for output in template.get("Outputs", {}).values() if "Export" in output]


def test_only_resources_of_the_public_interface_have_a_fixed_name(templates: Templates) -> None:
    names = {"RoleName", "FunctionName", "QueueName", "TopicName", "LogGroupName", "PolicyName", "AlarmName", "Name"}
    names |= {"ClusterName", "Family", "AssociationName", "DashboardName"}
    named = {
        r["Type"]
        for template in templates.values()
        for r in template["Resources"].values()
        if any(isinstance(r.get("Properties", {}).get(name), str) for name in names)
    }

    # Analysts type the names of push roles. Airflow looks up secrets by name. DAGs use the names of clusters and of
    # task definitions.
    public = {"AWS::IAM::Role", "AWS::SecretsManager::Secret", "AWS::ECS::Cluster", "AWS::ECS::TaskDefinition"}
    # An inline policy must have a name, and CDK generates this name. The console shows the name of an association.
    assert named == {"AWS::IAM::Policy", "AWS::SSM::Association", *public}
    roles = [r for t in templates.values() for r in t["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    assert all("-ecr-push-" in r["Properties"].get("RoleName", "-ecr-push-") for r in roles)


def test_all_files_of_the_repository_pass_cdks_own_validation(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "environments")
    shutil.copy(ROOT / "environments" / "local.toml", tmp_path / "environments")

    app = run_app(tmp_path)

    assert (app.returncode, app.stderr) == (0, "")
    synthesized = Synthesized(app, tmp_path)
    assert all(synthesized.template(environment, "DockerLogin") for environment in ("dev", "prod", "local"))


def test_the_templates_that_can_be_large_have_no_indentation(without_cli: Synthesized) -> None:
    # CloudFormation's quota for the size of a template counts spaces.
    for stack in ("Registry", "Access", "DockerLogin", "EcsTasks"):
        [file] = (without_cli.folder / "cdk.out" / "assembly-rich").glob(f"rich{stack}*.template.json")
        assert len(file.read_text().splitlines()) == 1, stack


def test_the_app_needs_no_cdk_cli(without_cli: Synthesized) -> None:
    assert without_cli.app.returncode == 0
    assert (without_cli.folder / "cdk.out" / "manifest.json").exists()


def test_a_principal_of_another_account_is_one_line_of_warning(without_cli: Synthesized) -> None:
    [line] = without_cli.app.stderr.splitlines()

    assert line.startswith(
        "dev.toml: teams.risk.push.user_arns: warning: 'arn:aws:iam::222222222222:user/ana' may push"
    )


def test_the_app_writes_the_same_templates_without_the_cdk_cli(without_cli: Synthesized, templates: Templates) -> None:
    for stack in ("Registry", "Access", "DockerLogin", "WorkerUpkeep", "EcsTasks"):
        assert essential(without_cli.template("rich", stack)) == essential(templates[f"rich-{stack}"])


def test_every_stack_is_deployed_with_the_roles_of_the_bootstrap_and_reports_to_nobody(
    without_cli: Synthesized,
) -> None:
    # The template of a stack does not contain these properties.
    for stage in ("dev", "prod", "rich"):
        artifacts = json.loads((without_cli.folder / "cdk.out" / f"assembly-{stage}" / "manifest.json").read_text())
        stacks = [a for a in artifacts["artifacts"].values() if a["type"] == "aws:cloudformation:stack"]
        assert len(stacks) >= 3
        for stack in stacks:
            account, region = stack["environment"].removeprefix("aws://").split("/")
            properties = stack["properties"]
            template = properties.pop("stackTemplateAssetObjectUrl")
            assert template.startswith(f"s3://cdk-hnb659fds-assets-{account}-{region}/")
            roles = {
                kind: f"arn:${{AWS::Partition}}:iam::{account}:role/cdk-hnb659fds-{kind}-role-{account}-{region}"
                for kind in ("deploy", "cfn-exec", "lookup")
            }
            version = {"bootstrapStackVersionSsmParameter": "/cdk-bootstrap/hnb659fds/version"}
            assert properties == {
                "additionalDependencies": properties["additionalDependencies"],
                "assumeRoleArn": roles["deploy"],
                "cloudFormationExecutionRoleArn": roles["cfn-exec"],
                "lookupRole": {"arn": roles["lookup"], "requiresBootstrapStackVersion": 8, **version},
                "requiresBootstrapStackVersion": 6,
                "stackName": stack["displayName"].replace("/", "-"),
                "templateFile": properties["templateFile"],
                "terminationProtection": False,
                "validateOnSynth": False,
                **version,
            }


def test_every_arn_and_every_host_in_china_and_govcloud_belongs_to_the_partition_of_the_region(tmp_path: Path) -> None:
    readers = 'pull_accounts = ["222222222222"]\npull_organization = "o-abcd123456"\nrepositories = ["var"'
    elsewhere = '[connections.docker_x]\nregistry.account = "333333333333"\nteams = ["a"]\nrepositories = ["b"]\n'
    topic = 'topic_arn = "arn:aws:sns:eu-west-1:333333333333:on-call" #'
    plain = PLAIN.replace("off_because", topic) + f"{elsewhere}[workers]\npull_directly = true\n"
    rich = RICH.replace('repositories = ["var"', readers)
    for partition, region in (("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")):
        for name, text in {"plain": plain, "rich": rich}.items():
            if partition == "aws-cn":
                text = text.replace('secret_key = "customer"', "")
            text = text.replace("arn:aws:", f"arn:{partition}:").replace("eu-west-1", region)
            (tmp_path / f"{name}-{partition}.toml").write_text(text)

    templates = synthesize(tmp_path, tmp_path / "cdk.out")

    for partition, end in (("aws-cn", "cn-north-1.amazonaws.com.cn"), ("aws-us-gov", "us-gov-west-1.amazonaws.com")):
        text = json.dumps([template for name, template in templates.items() if f"-{partition}-" in name])
        assert set(re.findall(r"arn:([^:]+):", text.replace("${AWS::Partition}", partition))) == {partition}
        assert set(re.findall(r"\.dkr\.[\w.-]+", text)) == {f".dkr.ecr.{end}"}
    via = {*re.findall(r"secretsmanager\.[\w.-]+", json.dumps(templates))}
    assert via == {"secretsmanager.us-gov-west-1.amazonaws.com"}


def test_the_function_is_uploaded_without_bytecode(without_cli: Synthesized, templates: Templates) -> None:
    [asset] = (without_cli.folder / "cdk.out").glob("asset.*/refresh_docker_login")

    assert sorted(file.name for file in asset.rglob("*")) == [
        "__init__.py",
        "connection.py",
        "handler.py",
        "write_limit.py",
    ]
    # The hash of the asset also does not depend on bytecode.
    assert asset.parent.name.removeprefix("asset.") in json.dumps(templates["rich-DockerLogin"])


def test_a_wrong_setting_is_reported_in_one_line_and_nothing_is_synthesized(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "plain.toml").write_text(PLAIN.replace('"111111111111"', '"11111"', 1))

    # The CDK CLI sets the same variables.
    context = json.dumps({"environments": str(tmp_path / "settings")})
    app = run_app(tmp_path, CDK_OUTDIR=str(tmp_path / "cdk.out"), CDK_CONTEXT_JSON=context)

    assert app.returncode == 1
    [line] = app.stderr.splitlines()
    assert "plain.toml: account: '11111'" in line
    assert not (tmp_path / "cdk.out" / "manifest.json").exists()


def test_every_role_has_the_boundary_and_the_path_of_the_settings(tmp_path: Path) -> None:
    boundary = "arn:aws:iam::111111111111:policy/org/Boundary"
    (tmp_path / "confined.toml").write_text(
        f'permissions_boundary_arn = "{boundary}"\nrole_path = "/data-platform/airflow/"\n'
        + PLAIN.replace("off_because", 'topic_arn = "arn:aws:sns:eu-west-1:333333333333:on-call" #')
    )

    templates = synthesize(tmp_path, tmp_path / "cdk.out")

    roles = [r for t in templates.values() for r in t["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    # The roles to push, to pull, of the schedule, of the workers, of CDK's function for first refreshes, and the role
    # that publishes findings to the topic of another account.
    assert len(roles) == 6
    assert {role["Properties"].get("PermissionsBoundary") for role in roles} == {boundary}
    assert {role["Properties"].get("Path") for role in roles} == {"/data-platform/airflow/"}


def test_names_in_the_settings_do_not_cause_the_same_construct_id_twice(tmp_path: Path) -> None:
    # These names are similar to ids in the stacks and to names of outputs.
    names = ["x", "arn-x", "registry-host", "repositories", "push-roles"]
    (tmp_path / "odd.toml").write_text(
        'account = "111111111111"\nregion = "eu-west-1"\nalerts.off_because = "a test"\n'
        '[connections.docker_x]\nteams = ["x"]\n'
        + "".join(
            f'[teams.{name}]\nrepositories = ["r", "a__b", "c--d"]\n'
            'push.role_arns = ["arn:aws:iam::111111111111:role/ci"]\n'
            for name in names
        )
    )

    templates = synthesize(tmp_path, tmp_path / "cdk.out")

    assert len(templates["odd-Access"]["Outputs"]) == len(names)
    repositories = {r["RepositoryName"] for r in of_type(templates["odd-Registry"], "AWS::ECR::Repository")}
    assert repositories == {f"{team}/{name}" for team in names for name in ("r", "a__b", "c--d")}


def test_no_physical_names_of_two_environments_of_an_account_meet(tmp_path: Path) -> None:
    # The checks of the settings refuse the names that could meet. All others contain the environment's name.
    environments = ["a", "a-b", "a-airflow", "a-registry", "a-ecr-push"]
    for position, name in enumerate(environments):
        text = RICH.replace("analytics", f"analytics-{position}").replace("[teams.risk]", f"[teams.risk-{position}]")
        text = text.replace('"risk"', f'"risk-{position}"').replace('"risk/', f'"risk-{position}/')
        text = text.replace('"var_old", "old/var"', f'"var_old-{position}", "old/var-{position}"')
        (tmp_path / f"{name}.toml").write_text(f'connections_prefix = "{name}"\n{text}')

    templates = synthesize(tmp_path, tmp_path / "cdk.out")

    keys = (
        "RoleName",
        "RepositoryName",
        "ClusterName",
        "Family",
        "AssociationName",
        "DashboardName",
        "AlarmName",
        "Name",
    )
    names = [
        (resource["Type"], key, resource["Properties"][key])
        for template in templates.values()
        for resource in template["Resources"].values()
        for key in keys
        if isinstance(resource.get("Properties", {}).get(key), str)
        if resource["Type"] not in ("AWS::SSM::Association", "AWS::IAM::Policy") or key == "AssociationName"
    ]
    assert len(templates) == 5 * len(environments)
    assert len(names) > 50
    assert len(set(names)) == len(names)


def test_the_largest_number_of_connections_fits_into_a_template(tmp_path: Path) -> None:
    teams = [f"team-{number}" for number in range(10)]
    (tmp_path / "full.toml").write_text(
        'account = "111111111111"\nregion = "eu-west-1"\nsecret_key = "customer"\n'
        f"alerts.emails = {[f'ops{number}@example.com' for number in range(10)]}\n"
        + "".join(
            f'[teams.{team}]\nrepositories = ["r"]\npush.role_arns = ["arn:aws:iam::111111111111:role/ci"]\n'
            for team in teams
        )
        + "".join(f"[connections.docker_{number}]\nteams = {teams}\n" for number in range(35))
    )

    synthesize(tmp_path, tmp_path / "cdk.out")

    [file] = (tmp_path / "cdk.out").glob("assembly-full/fullDockerLogin*.template.json")
    template = json.loads(file.read_text())
    # These numbers are CloudFormation's quotas.
    assert file.stat().st_size <= 1_000_000
    assert len(template["Resources"]) <= 500
    assert len(template["Outputs"]) <= 200


def test_another_secret_name_creates_another_version_of_the_function(templates: Templates, tmp_path: Path) -> None:
    # The first refresh of a deployment invokes a published version. An earlier version has the ARN of the old secret.
    (tmp_path / "plain.toml").write_text(f'connections_prefix = "elsewhere"\n{PLAIN}')
    after = synthesize(tmp_path, tmp_path / "cdk.out")

    versions = [
        {name for name, r in t["plain-DockerLogin"]["Resources"].items() if r["Type"] == "AWS::Lambda::Version"}
        for t in (templates, after)
    ]
    assert all(versions)
    assert not versions[0] & versions[1]


def run_app(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run app.py in a folder, with these environment variables."""
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20", **environment},
        capture_output=True,
        text=True,
    )


def essential(template: Template) -> dict[str, Any]:
    """Return the template without the data that only CDK uses: CDK's version and rules, and the paths of assets."""
    resources = {
        logical_id: {**r, "Metadata": {k: v for k, v in r.get("Metadata", {}).items() if "aws:asset:" not in k}}
        for logical_id, r in template["Resources"].items()
        if r["Type"] != "AWS::CDK::Metadata"
    }
    return {"Resources": resources, "Outputs": template.get("Outputs"), "Parameters": template["Parameters"]}
