"""The app with all stacks: the names of resources and of stacks, the partitions, and the largest settings."""

import json
import re
from pathlib import Path

from tests.stacks.conftest import PLAIN, RICH, of_type
from tests.templates import Templates, synthesize


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
