"""Tests that the stacks have exactly the listed resources, properties, references and principals, for all settings."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from settings.names import pascal_case
from tests.permissions.account import NOT_FROM_A_TEMPLATE, account_of, path_of
from tests.permissions.combinations import ENVIRONMENTS
from tests.permissions.environments import DIRECT, ENV, OWNERS, READERS, Environment
from tests.permissions.mutants import listed
from tests.permissions.resources import (
    DELETION,
    NOT_COMPARED,
    PROPERTIES,
    RESOURCE,
    TEMPLATE,
    WHOLE,
    order_of,
    outputs_of,
    principals_of,
    property_names,
    references_in,
    resources_of,
    value_at,
    with_paths,
)
from tests.stacks.test_tags import CANNOT_HAVE_TAGS, tags_of
from tests.templates import Template, Templates
from tools import ROOT

# The environments of a group are in one folder. The fixture with this name has their templates.
GROUPS = {
    "templates": [ENV, DIRECT],
    "templates_of_readers": [*READERS, *OWNERS],
    "combinations": ENVIRONMENTS,
}
ALL = [environment for group in GROUPS.values() for environment in group]
# The other groups take long to synthesize.
each_environment = pytest.mark.parametrize(
    "environment",
    [ENV, DIRECT, *(pytest.param(each, marks=pytest.mark.rehearsal) for each in ALL if each not in (ENV, DIRECT))],
    ids=lambda environment: str(environment.name),
)


@pytest.fixture
def templates(environment: Environment, templates: Templates, request: pytest.FixtureRequest) -> Templates:
    """The templates of the environment's group."""
    [name] = [name for name, group in GROUPS.items() if environment in group]
    found: Templates = templates if name == "templates" else request.getfixturevalue(name)
    return found


def templates_of(environment: Environment, templates: Templates) -> list[Template]:
    stacks = ("Registry", "Access", "DockerLogin", "WorkerUpkeep", "EcsTasks")
    return [templates[name] for stack in stacks if (name := f"{environment.name}-{stack}") in templates]


@each_environment
def test_no_template_belongs_to_another_stack(environment: Environment, templates: Templates) -> None:
    [others] = [group for group in GROUPS.values() if environment in group]
    assert sum(len(templates_of(each, templates)) for each in others) == len(templates)


@each_environment
def test_an_environment_has_exactly_the_listed_resources(environment: Environment, templates: Templates) -> None:
    resources = [r for template in templates_of(environment, templates) for r in template["Resources"].values()]

    assert sorted((path_of(resource), resource["Type"]) for resource in resources) == sorted(
        (path, resource_type) for path, (resource_type, _) in resources_of(environment).items()
    )


@each_environment
def test_a_resource_has_only_the_listed_properties(environment: Environment, templates: Templates) -> None:
    for template in templates_of(environment, templates):
        assert set(template) <= TEMPLATE
        assert [*template["Parameters"], *template["Rules"]] == ["BootstrapVersion", "CheckBootstrapVersion"]
        # A dynamic reference would put the value of a secret into a resource.
        assert "{{resolve:" not in json.dumps({**template, "Parameters": {}})
        for resource in template["Resources"].values():
            assert set(resource) <= RESOURCE
            names = {name for name in property_names(resource.get("Properties", {})) if name}
            assert names <= PROPERTIES[resource["Type"]] | {"Tags"}, path_of(resource)
            deletion = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
            assert deletion == DELETION.get(resource["Type"], (None, None)), path_of(resource)


def test_every_property_is_compared_with_a_value() -> None:
    compared = {(kind, name) for each in ALL for kind, values in resources_of(each).values() for name in values}

    for kind, names in PROPERTIES.items():
        left = {n for n in names if not any((kind, n[:end]) in compared for end in range(len(n) + 1))}
        assert left - WHOLE == NOT_COMPARED.get(kind, set()), kind


def test_every_setting_has_another_value_than_its_default_in_an_environment() -> None:
    schema = json.loads((ROOT / "settings" / "schema.json").read_text())
    settings = [table["properties"] for table in (schema, *schema["$defs"].values())]
    defaults = {(name, str(of.get("default"))) for table in settings for name, of in table.items() if name != "name"}
    values = {(name, str(value)) for each in ALL for name, value in settings_in(each.settings)}

    assert {name for name, _ in defaults} - {name for name, _ in values - defaults} == set()


def settings_in(table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the key and the value of each setting, also of the tables."""
    for name, value in table.items():
        yield name, value
        for below in listed(value):
            if isinstance(below, dict):
                yield from settings_in(below)


@each_environment
def test_a_resource_refers_to_exactly_the_listed_resources(environment: Environment, templates: Templates) -> None:
    must = resources_of(environment)
    for template in templates_of(environment, templates):
        for resource in template["Resources"].values():
            path, properties = path_of(resource), with_paths(resource.get("Properties", {}), template)
            expected = must[path][1]
            assert {name: value_at(properties, name) for name in expected} == expected, path


@each_environment
def test_resources_are_created_in_exactly_the_listed_order(environment: Environment, templates: Templates) -> None:
    found = {}
    for template in templates_of(environment, templates):
        for resource in template["Resources"].values():
            if before := listed(resource.get("DependsOn", [])):
                found[path_of(resource)] = {path_of(template["Resources"][name]) for name in before}

    assert found == order_of(environment)


@each_environment
def test_an_output_refers_to_exactly_the_listed_resource(environment: Environment, templates: Templates) -> None:
    found = {
        name: next(references_in(output["Value"], template), output["Value"])
        for template in templates_of(environment, templates)
        for name, output in template.get("Outputs", {}).items()
    }

    assert found == outputs_of(environment)


@each_environment
def test_the_first_refresh_runs_again_after_a_change_of_each_of_its_policies(
    environment: Environment, templates: Templates
) -> None:
    template = templates[f"{environment.name}-DockerLogin"]
    properties = {path_of(resource): resource.get("Properties", {}) for resource in template["Resources"].values()}

    for connection in environment.connections:
        path = environment.connection(connection)
        permissions = dict(properties[f"{path}/FirstRefresh/Default"]["Rights"])
        if environment.has_key:
            of_key = properties[f"{environment.name}/DockerLogin/Key"]["KeyPolicy"]["Statement"]
            own = [statement for statement in of_key if f"{path}/PullRole" in with_paths_in(statement, template)]
            assert permissions.pop("KeyPolicy")["Statement"] == own
        assert permissions == {
            "PullPolicy": properties[f"{path}/PullPolicy"]["PolicyDocument"],
            "SecretPolicy": properties[f"{path}/SecretPolicy"]["ResourcePolicy"],
        }


def with_paths_in(statement: Any, template: Template) -> set[str]:
    """Return the paths of the resources to which a statement refers."""
    return {reference.partition(" of ")[2] for reference in references_in(statement, template)}


@each_environment
def test_an_alarm_watches_the_function_of_its_connection(environment: Environment, templates: Templates) -> None:
    template = templates[f"{environment.name}-DockerLogin"]
    watched = {f"RefreshFailed: QueueName of {environment.name}/DockerLogin/Failures"} | {
        f"{pascal_case(connection)}{kind}: Ref of {environment.connection(connection)}/Refresh"
        for connection in environment.connections
        for kind in ("NotRefreshed", "LoginExpires")
    }

    found = {
        f"{path_of(resource).rpartition('/')[2]}: {reference}"
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
        for name in ("Dimensions", "Metrics")
        for reference in references_in(resource["Properties"].get(name), template)
    }
    assert found == (set() if "off_because" in environment.settings["alerts"] else watched)


@each_environment
def test_an_alarm_names_its_connection_the_registry_elsewhere_and_the_runbook(
    environment: Environment, templates: Templates
) -> None:
    alarms = {
        path_of(resource).rpartition("/")[2]: resource["Properties"]["AlarmDescription"]
        for resource in templates[f"{environment.name}-DockerLogin"]["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }

    if alarms:
        hosts = {
            connection: f" to {images.account}.dkr.ecr.{images.region}.amazonaws.com"
            for connection, images in environment.foreign.items()
        }
        started = {
            f"{pascal_case(connection)}{kind}": f"The docker login of {connection}{hosts.get(connection, '')}"
            for connection in environment.connections
            for kind in ("NotRefreshed", "LoginExpires")
        }
        assert {name: text.partition(" was ")[0] for name, text in alarms.items()} == {
            "RefreshFailed": "A docker login",
            **started,
        }
        runbook = environment.settings["alerts"].get("runbook", "docs/runbook.md")
        assert {text.partition(" What to do: ")[2].partition("#")[0] for text in alarms.values()} == {runbook}


@each_environment
def test_the_rules_for_findings_watch_every_team_and_every_existing_repository(
    environment: Environment, templates: Templates
) -> None:
    rules = [
        resource["Properties"]["EventPattern"]
        for resource in templates[f"{environment.name}-DockerLogin"]["Resources"].values()
        if resource["Type"] == "AWS::Events::Rule"
    ]

    prefixes = [{"prefix": environment.arn("ecr", f"repository/{team}/")} for team in environment.teams]
    existing = [environment.arn("ecr", f"repository/{n}") for names in environment.existing.values() for n in names]
    watched = [each for rule in rules for each in rule["resources"]]
    assert watched == ([*prefixes, *existing] if environment.rules else [])
    severities = ["CRITICAL", "HIGH"] if environment.settings["alerts"].get("scan_findings") == "high" else ["CRITICAL"]
    for rule in rules:
        # Basic scans by ECR, and enhanced scans by Amazon Inspector.
        assert rule["source"] == ["aws.ecr", "aws.inspector2"]
        assert rule["detail-type"] == ["ECR Image Scan", "Inspector2 Scan"]
        counts = rule["detail"]["finding-severity-counts"]
        assert sorted(key for each in counts.get("$or", [counts]) for key in each) == severities


@each_environment
def test_the_dashboard_shows_every_connection_and_every_repository(
    environment: Environment, templates: Templates
) -> None:
    stack, template = f"{environment.name}/DockerLogin", templates[f"{environment.name}-DockerLogin"]
    [dashboard] = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::CloudWatch::Dashboard"]

    shown = {f"QueueName of {stack}/Failures"}
    for connection in environment.connections:
        path = environment.connection(connection)
        shown |= {f"Ref of {path}/Refresh", f"Ref of {path}/Log"}
    alarms = [r for r in template["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    shown |= {f"Arn of {path_of(alarm)}" for alarm in alarms}
    assert set(references_in(dashboard, template)) == shown
    text = json.dumps(dashboard)
    repositories = [f"{team}/{name}" for team, names in environment.teams.items() for name in names]
    repositories += [name for names in environment.existing.values() for name in names]
    assert [name for name in repositories if f'"{name}' not in text.replace("\\", "")] == []
    for connection, images in environment.foreign.items():
        assert f"| {connection} | {images.account}.dkr.ecr.{images.region}.amazonaws.com |" in text


@each_environment
def test_every_resource_that_can_have_tags_has_the_tags_of_the_settings(
    environment: Environment, templates: Templates
) -> None:
    tags = environment.settings.get("tags", {})
    for template in templates_of(environment, templates):
        for resource in template["Resources"].values():
            if resource["Type"] not in CANNOT_HAVE_TAGS:
                found = {key: value for key, value in tags_of(resource).items() if key != "team"}
                assert found == tags, path_of(resource)


@each_environment
def test_all_functions_of_an_environment_have_the_same_code(environment: Environment, templates: Templates) -> None:
    functions = [
        resource
        for resource in templates[f"{environment.name}-DockerLogin"]["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    ]
    code = {str(f["Properties"]["Code"]) for f in functions if path_of(f).endswith("/Refresh")}

    assert len(code) == 1


@each_environment
def test_a_dashboard_has_only_widgets_that_run_no_code(environment: Environment, templates: Templates) -> None:
    # A custom widget invokes a function with the permissions of the person who looks at the dashboard.
    [dashboard] = [
        resource["Properties"]["DashboardBody"]
        for resource in templates[f"{environment.name}-DockerLogin"]["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Dashboard"
    ]
    text = "".join(part if isinstance(part, str) else "reference" for part in dashboard["Fn::Join"][1])

    assert {widget["type"] for widget in json.loads(text)["widgets"]} <= {"alarm", "log", "metric", "text"}


def named(principal: Any) -> list[str]:
    """Return the names in the element Principal of a statement."""
    if isinstance(principal, str):
        return [principal]
    return [name for names in principal.values() for name in listed(names)]


@each_environment
def test_a_policy_allows_no_action_by_a_wildcard(environment: Environment, templates: Templates) -> None:
    # The matrix has only the actions of today. A wildcard could also allow actions that AWS adds later.
    for policy, (_, document) in account_of(templates, [environment]).policies.items():
        if policy.startswith(NOT_FROM_A_TEMPLATE):
            continue
        for statement in document["Statement"]:
            allowed = statement.get("Action", []) if statement["Effect"] == "Allow" else statement.get("NotAction", [])
            assert [action for action in listed(allowed) if "*" in action or "?" in action] == [], policy


@each_environment
def test_policies_name_exactly_the_listed_principals(environment: Environment, templates: Templates) -> None:
    account = account_of(templates, [environment])
    found: dict[str, set[str]] = {}
    for resource, policy in {**account.trusts, **account.resource_policies}.items():
        found[resource] = set()
        for statement in account.policies[policy][1]["Statement"]:
            assert not {"NotPrincipal", "NotResource"}.intersection(statement), policy
            if statement["Effect"] == "Allow":
                found[resource].update(named(statement["Principal"]))
            else:
                assert named(statement["Principal"]) == ["*"], policy

    assert found == principals_of(environment)
