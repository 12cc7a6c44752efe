"""Connections for the registry of another account or Region: roles, functions, alarms, dashboard, workers' policy."""

import json
from pathlib import Path
from typing import Any

import pytest

from settings.names import PULL_ACTIONS
from tests.stacks.conftest import of_type, statements, the_one
from tests.templates import Template, Templates, synthesize

READER = """
account = "111111111111"
region = "eu-west-1"
[teams.analytics]
repositories = ["web-scraper"]
existing_repositories = ["old_app"]
push.permission_sets = ["DataAnalyst"]
[connections.docker_default]
teams = ["analytics"]
[alerts]
topic_arn = "arn:aws:sns:eu-west-1:111111111111:on-call"
"""
FOREIGN = """
[connections.docker_account]
registry = { account = "444455556666" }
teams = ["data"]
repositories = ["tools/base"]
[connections.docker_region]
registry = { region = "us-east-1" }
teams = ["analytics", "risk"]
[connections.docker_both]
registry = { account = "444455556666", region = "us-east-1" }
repositories = ["tools/base", "old_app"]
[workers]
pull_directly = true
"""
OWNER = """
account = "444455556666"
region = "eu-west-1"
[teams.data]
repositories = ["app"]
push.permission_sets = ["DataAnalyst"]
pull_accounts = ["111111111111"]
[connections.docker_default]
teams = ["data"]
[alerts]
off_because = "a test"
"""
CHINA = """
account = "222222222222"
region = "cn-north-1"
[teams.team-china]
repositories = ["app"]
push.permission_sets = ["DataAnalyst"]
[connections.docker_region]
registry = { account = "333333333333", region = "cn-northwest-1" }
teams = ["data"]
repositories = ["tools/base"]
[alerts]
off_because = "a test"
"""

OWN = "arn:aws:ecr:eu-west-1:111111111111:repository"
IN_ACCOUNT = "arn:aws:ecr:eu-west-1:444455556666:repository"
IN_REGION = "arn:aws:ecr:us-east-1:111111111111:repository"
IN_BOTH = "arn:aws:ecr:us-east-1:444455556666:repository"
IN_CHINA = "arn:aws-cn:ecr:cn-northwest-1:333333333333:repository"


def templates_of(folder: Path, **files: str) -> Templates:
    """Return the templates of the stacks DockerLogin by the name of the environment."""
    for name, content in files.items():
        (folder / f"{name}.toml").write_text(content)
    templates = synthesize(folder, folder / "cdk.out")
    return {name: templates[f"{name}-DockerLogin"] for name in files}


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """The reader, and in the same folder the settings of a registry that the reader pulls from."""
    return templates_of(tmp_path_factory.mktemp("together"), reader=READER + FOREIGN, owner=OWNER, china=CHINA)


@pytest.fixture(scope="module")
def reader(together: Templates) -> Template:
    return together["reader"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The reader, without the settings of the other registries."""
    return templates_of(tmp_path_factory.mktemp("alone"), reader=READER + FOREIGN)["reader"]


def pull_roles(template: Template) -> dict[str, Any]:
    """Return a dict of connection to its pull role."""
    roles = [r for r in of_type(template, "AWS::IAM::Role") if "Mints the docker login" in r.get("Description", "")]
    return {r["Description"].removeprefix("Mints the docker login of ").partition(";")[0]: r for r in roles}


def variables(template: Template) -> dict[str, tuple[str, str, str]]:
    """Return a dict of connection to the host of the registry, its Region, and the host of the token endpoint."""
    found = [f["Environment"]["Variables"] for f in of_type(template, "AWS::Lambda::Function") if "Environment" in f]
    return {
        v["CONNECTION_ID"]: (v["REGISTRY_HOST"], v["REGISTRY_REGION"], v["TOKEN_ENDPOINT_HOST"])
        for v in found
        if "CONNECTION_ID" in v
    }


def pulls(document: dict[str, Any]) -> dict[str, tuple[list[str], list[str] | None]]:
    """Return a dict of Sid to the repositories and the values of the tag, for each statement that allows pulling.

    CDK sorts the repositories.
    """
    found = {}
    for sid, statement in statements(document).items():
        if sid.startswith("Pull"):
            assert (statement["Effect"], statement["Action"]) == ("Allow", [*PULL_ACTIONS]), sid
            condition = statement.get("Condition")
            assert condition is None or list(condition) == ["StringEquals"]
            tags = as_list(condition["StringEquals"]["aws:ResourceTag/team"]) if condition else None
            found[sid] = (as_list(statement["Resource"]), tags)
    return found


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def pull_policy(template: Template, connection: str) -> dict[str, tuple[list[str], list[str] | None]]:
    """Return the statements of a pull role's policy that allow pulling."""
    [policy] = [p for p in of_type(template, "AWS::IAM::Policy") if f"{connection}PullPolicy" in p["PolicyName"]]
    assert statements(policy["PolicyDocument"])["LogInToRegistry"]["Resource"] == "*"
    return pulls(policy["PolicyDocument"])


def test_only_the_pull_role_of_a_connection_for_another_registry_has_a_name(reader: Template) -> None:
    names = {connection: role.get("RoleName") for connection, role in pull_roles(reader).items()}

    assert names == {
        "docker_default": None,
        "docker_account": "reader-ecr-pull-docker_account",
        "docker_region": "reader-ecr-pull-docker_region",
        "docker_both": "reader-ecr-pull-docker_both",
    }


def test_a_function_gets_the_other_registry_and_the_own_registry_of_that_region(together: Templates) -> None:
    own = "111111111111.dkr.ecr.eu-west-1.amazonaws.com"
    own_elsewhere = "111111111111.dkr.ecr.us-east-1.amazonaws.com"

    assert variables(together["reader"]) == {
        "docker_default": (own, "eu-west-1", own),
        "docker_account": ("444455556666.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", own),
        "docker_region": (own_elsewhere, "us-east-1", own_elsewhere),
        "docker_both": ("444455556666.dkr.ecr.us-east-1.amazonaws.com", "us-east-1", own_elsewhere),
    }
    assert variables(together["china"]) == {
        "docker_region": (
            "333333333333.dkr.ecr.cn-northwest-1.amazonaws.com.cn",
            "cn-northwest-1",
            "222222222222.dkr.ecr.cn-northwest-1.amazonaws.com.cn",
        )
    }


def test_the_secret_of_a_connection_describes_the_other_registry(reader: Template) -> None:
    secrets = {s["Name"]: s["Description"] for s in of_type(reader, "AWS::SecretsManager::Secret")}

    assert {name.rpartition("/")[2]: text.rpartition(" ")[2] for name, text in secrets.items()} == {
        "docker_default": "111111111111.dkr.ecr.eu-west-1.amazonaws.com",
        "docker_account": "444455556666.dkr.ecr.eu-west-1.amazonaws.com",
        "docker_region": "111111111111.dkr.ecr.us-east-1.amazonaws.com",
        "docker_both": "444455556666.dkr.ecr.us-east-1.amazonaws.com",
    }
    assert secrets["airflow/connections/docker_both"].startswith("Airflow connection docker_both: docker login to ")


@pytest.mark.parametrize("kind", ["NotRefreshed", "LoginExpires"])
def test_the_alarms_of_a_connection_name_a_registry_elsewhere(reader: Template, kind: str) -> None:
    def text(connection: str) -> str:
        start = f"Alarms{connection}{kind}"
        [found] = [r["Properties"] for name, r in reader["Resources"].items() if name.startswith(start)]
        return str(found["AlarmDescription"]).partition(" was ")[0]

    assert [text(each) for each in ("DockerDefault", "DockerAccount", "DockerRegion", "DockerBoth")] == [
        "The docker login of docker_default",
        "The docker login of docker_account to 444455556666.dkr.ecr.eu-west-1.amazonaws.com",
        "The docker login of docker_region to 111111111111.dkr.ecr.us-east-1.amazonaws.com",
        "The docker login of docker_both to 444455556666.dkr.ecr.us-east-1.amazonaws.com",
    ]


def test_the_dashboard_names_the_registries_elsewhere(reader: Template) -> None:
    [parts] = the_one(reader, "AWS::CloudWatch::Dashboard")["DashboardBody"].values()
    body = json.loads("".join(part if isinstance(part, str) else "token" for part in parts[1]))
    [table] = [widget for widget in body["widgets"] if widget["type"] == "text"]

    assert table["height"] == 5  # for the two lines of the head, and for three connections
    assert table["properties"]["markdown"].splitlines()[2:] == [
        "| docker_account | 444455556666.dkr.ecr.eu-west-1.amazonaws.com |",
        "| docker_region | 111111111111.dkr.ecr.us-east-1.amazonaws.com |",
        "| docker_both | 444455556666.dkr.ecr.us-east-1.amazonaws.com |",
    ]


def test_a_pull_role_may_pull_only_from_its_registry(together: Templates) -> None:
    reader = together["reader"]

    assert pull_policy(reader, "DockerRegion") == {
        "PullImages": ([f"{IN_REGION}/analytics/*", f"{IN_REGION}/risk/*"], None)
    }
    assert pull_policy(reader, "DockerBoth") == {
        "PullFromRepositories": ([f"{IN_BOTH}/old_app", f"{IN_BOTH}/tools/base"], None)
    }
    assert pull_policy(together["china"], "DockerRegion") == {
        "PullImages": ([f"{IN_CHINA}/data/*"], None),
        "PullFromRepositories": ([f"{IN_CHINA}/tools/base"], None),
    }


def test_the_team_tag_is_required_only_if_the_settings_deploy_the_other_registry(
    reader: Template, alone: Template
) -> None:
    single = ([f"{IN_ACCOUNT}/tools/base"], None)

    assert pull_policy(reader, "DockerAccount") == {
        "PullImages": ([f"{IN_ACCOUNT}/data/*"], ["data"]),
        "PullFromRepositories": single,
    }
    assert pull_policy(alone, "DockerAccount") == {
        "PullImages": ([f"{IN_ACCOUNT}/data/*"], None),
        "PullFromRepositories": single,
    }


def test_workers_may_pull_directly_from_each_registry(reader: Template, alone: Template) -> None:
    policy, without_owner = (the_one(template, "AWS::IAM::ManagedPolicy") for template in (reader, alone))
    sids = [statement["Sid"] for statement in policy["PolicyDocument"]["Statement"]]

    assert len(sids) == len(set(sids))
    assert sids.count("LogInToRegistry") == 1
    assert [sid for sid in sids if sid.startswith("PullFromExisting")] == ["PullFromExisting"]
    assert [sid for sid in sids if sid.startswith("PullFromRepositories")] == [
        "PullFromRepositories2",
        "PullFromRepositories4",
    ]
    found = pulls(policy["PolicyDocument"])
    assert sorted(found.values()) == sorted(
        [
            ([f"{OWN}/analytics/*"], ["analytics"]),
            ([f"{OWN}/old_app"], None),
            ([f"{IN_ACCOUNT}/data/*"], ["data"]),
            ([f"{IN_ACCOUNT}/tools/base"], None),
            ([f"{IN_REGION}/analytics/*", f"{IN_REGION}/risk/*"], None),
            ([f"{IN_BOTH}/old_app", f"{IN_BOTH}/tools/base"], None),
        ]
    )
    assert ([f"{IN_ACCOUNT}/data/*"], None) in pulls(without_owner["PolicyDocument"]).values()


def test_workers_that_pull_directly_only_single_repositories_may_log_in(tmp_path: Path) -> None:
    (tmp_path / "single.toml").write_text(
        'account = "111111111111"\nregion = "eu-west-1"\nalerts.off_because = "a test"\nworkers.pull_directly = true\n'
        '[teams.risk]\nrepositories = ["var"]\npush.permission_sets = ["DataAnalyst"]\n'
        '[connections.docker_tools]\nrepositories = ["tools/base"]\nregistry.account = "444455556666"\n'
    )

    template = synthesize(tmp_path, tmp_path / "cdk.out")["single-DockerLogin"]

    assert "LogInToRegistry" in statements(the_one(template, "AWS::IAM::ManagedPolicy")["PolicyDocument"])


def test_connections_for_other_registries_do_not_change_a_connection_for_the_own_registry(
    alone: Template, tmp_path: Path
) -> None:
    own = templates_of(tmp_path, reader=READER)["reader"]

    def of_default(template: Template) -> dict[str, Any]:
        # The first refreshes of the connections run one after the other, so the dependencies differ.
        starts = ("DockerDefault", "AlarmsDockerDefault")
        found = [(name, r) for name, r in template["Resources"].items() if name.startswith(starts)]
        return {name: {**r, "DependsOn": None} for name, r in found}

    assert len(of_default(own)) > 10
    assert of_default(alone) == of_default(own)
