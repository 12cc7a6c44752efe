"""The app as a whole: what the stacks share, what a deploy uploads, and how bad settings are refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.stacks.conftest import PLAIN
from tests.templates import Templates, synthesize
from tools import ROOT


def test_the_stacks_share_no_reference_so_that_each_deploys_and_goes_alone(templates: Templates) -> None:
    of_every_environment = {"Registry", "Access", "DockerLogin"}
    assert set(templates) == {
        *(f"plain-{stack}" for stack in of_every_environment),
        *(f"rich-{stack}" for stack in of_every_environment | {"WorkerUpkeep", "EcsTasks"}),
    }
    for template in templates.values():
        assert "Fn::ImportValue" not in json.dumps(template)
        assert not [output for output in template.get("Outputs", {}).values() if "Export" in output]


def test_no_resource_but_those_of_a_contract_has_a_fixed_name(templates: Templates) -> None:
    names = {"RoleName", "FunctionName", "QueueName", "TopicName", "LogGroupName", "PolicyName", "AlarmName", "Name"}
    names |= {"ClusterName", "Family", "AssociationName", "DashboardName"}
    named = {
        r["Type"]
        for template in templates.values()
        for r in template["Resources"].values()
        if any(isinstance(r.get("Properties", {}).get(name), str) for name in names)
    }

    # An inline policy has to have a name; it is CDK's. The only roles with a name are those that analysts type.
    # DAGs name the tasks that they run; of an association, nothing but its name tells people what it is.
    of_a_contract = {"AWS::IAM::Role", "AWS::SecretsManager::Secret", "AWS::ECS::Cluster", "AWS::ECS::TaskDefinition"}
    assert named == {"AWS::IAM::Policy", "AWS::SSM::Association", *of_a_contract}
    roles = [r for t in templates.values() for r in t["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    assert all("-ecr-push-" in r["Properties"].get("RoleName", "-ecr-push-") for r in roles)


def test_the_functions_code_has_the_same_hash_with_and_without_traces_of_running_it(
    templates: Templates, tmp_path: Path
) -> None:
    # The tests import the function, and so Python may have left its bytecode beside it; here it certainly has.
    subprocess.run([sys.executable, "-m", "compileall", "-q", "lambda"], cwd=ROOT, check=True)
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "plain.toml").write_text(PLAIN)

    again = synthesize(tmp_path / "settings", tmp_path / "cdk.out")

    assert again["plain-DockerLogin"] == templates["plain-DockerLogin"]
    [asset] = (tmp_path / "cdk.out").glob("asset.*/refresh_docker_login")
    assert sorted(file.name for file in asset.rglob("*")) == ["__init__.py", "connection.py", "handler.py"]


def test_bad_settings_are_refused_in_one_line_before_anything_is_synthesized(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "plain.toml").write_text(PLAIN.replace('"111111111111"', '"11111"', 1))
    output = tmp_path / "cdk.out"

    app = run_app(output, {"environments": str(tmp_path / "settings")})

    assert app.returncode == 1
    [line] = app.stderr.splitlines()
    assert "plain.toml: account: '11111'" in line
    assert not (output / "manifest.json").exists()


def test_a_boundary_and_a_path_reach_every_role_cdks_own_included(tmp_path: Path) -> None:
    boundary = "arn:aws:iam::111111111111:policy/org/Boundary"
    (tmp_path / "confined.toml").write_text(
        f'permissions_boundary_arn = "{boundary}"\nrole_path = "/data-platform/"\n{PLAIN}'
    )

    templates = synthesize(tmp_path, tmp_path / "cdk.out")

    roles = [r for t in templates.values() for r in t["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 5  # push, pull, schedule, worker, and that of CDK's function for first refreshes
    assert {role["Properties"].get("PermissionsBoundary") for role in roles} == {boundary}
    assert {role["Properties"].get("Path") for role in roles} == {"/data-platform/"}


def test_no_choice_of_names_makes_two_constructs_collide(tmp_path: Path) -> None:
    # Names that, joined with what the stacks and their outputs are called, come out alike.
    names = ["x", "arn-x", "registry-host", "repositories", "push-roles"]
    (tmp_path / "odd.toml").write_text(
        'account = "111111111111"\nregion = "eu-west-1"\nalerts.off_because = "a test"\n'
        '[connections.docker_x]\nteams = ["x"]\n'
        + "".join(
            f'[teams.{name}]\nrepositories = ["r"]\npush.role_arns = ["arn:aws:iam::111111111111:role/ci"]\n'
            for name in names
        )
    )

    templates = synthesize(tmp_path, tmp_path / "cdk.out")

    assert len(templates["odd-Access"]["Outputs"]) == len(names)


def test_as_many_connections_as_the_settings_take_fit_into_a_template(tmp_path: Path) -> None:
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
    # CloudFormation's quotas.
    assert file.stat().st_size <= 1_000_000
    assert len(template["Resources"]) <= 500
    assert len(template["Outputs"]) <= 200


def test_another_secret_makes_another_version_of_the_function_for_a_deploy_to_run(tmp_path: Path) -> None:
    # The first refresh runs a published version; one that was published before knows the old secret only.
    (tmp_path / "plain.toml").write_text(PLAIN)
    before = synthesize(tmp_path, tmp_path / "before")
    (tmp_path / "plain.toml").write_text(f'connections_prefix = "elsewhere"\n{PLAIN}')
    after = synthesize(tmp_path, tmp_path / "after")

    versions = [
        {name for name, r in t["plain-DockerLogin"]["Resources"].items() if r["Type"] == "AWS::Lambda::Version"}
        for t in (before, after)
    ]
    assert not versions[0] & versions[1]


def test_the_examples_pass_cdks_own_validation(tmp_path: Path) -> None:
    # The other tests and the demo leave it out, because it takes seconds.
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = run_app(tmp_path, {**context, "environments": "examples"})

    assert (app.returncode, app.stderr) == (0, "")
    assert (tmp_path / "manifest.json").exists()


def run_app(output: Path, context: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """app.py as the CDK CLI runs it."""
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
            "CDK_OUTDIR": str(output),
            "CDK_CONTEXT_JSON": json.dumps(context),
        },
        capture_output=True,
        text=True,
    )
