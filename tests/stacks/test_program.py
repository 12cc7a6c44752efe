"""app.py in a process of its own, as the CDK CLI starts it: its files, exit codes and messages."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.conftest import PLAIN, RICH
from tests.templates import Template, Templates
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
