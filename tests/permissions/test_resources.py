"""Tests that the stacks have exactly the listed resources, properties, references and principals, for all settings."""

import json
from typing import Any

import pytest

from tests.permissions.account import account_of, path_of
from tests.permissions.combinations import ENVIRONMENTS
from tests.permissions.environments import DIRECT, ENV, Environment
from tests.permissions.mutants import listed
from tests.permissions.resources import (
    PROPERTIES,
    RESOURCE,
    TEMPLATE,
    principals_of,
    property_names,
    resources_of,
    value_at,
    with_paths,
)
from tests.templates import Template, Templates

ALL = [ENV, DIRECT, *ENVIRONMENTS]
each_environment = pytest.mark.parametrize("environment", ALL, ids=lambda environment: str(environment.name))


def templates_of(environment: Environment, templates: Templates) -> list[Template]:
    stacks = ("Registry", "Access", "DockerLogin", "WorkerUpkeep", "EcsTasks")
    return [templates[name] for stack in stacks if (name := f"{environment.name}-{stack}") in templates]


def test_no_template_belongs_to_another_stack(templates: Templates) -> None:
    assert sum(len(templates_of(environment, templates)) for environment in ALL) == len(templates)


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
            assert names <= PROPERTIES[resource["Type"]], path_of(resource)


@each_environment
def test_a_resource_refers_to_exactly_the_listed_resources(environment: Environment, templates: Templates) -> None:
    must = resources_of(environment)
    for template in templates_of(environment, templates):
        for resource in template["Resources"].values():
            path, properties = path_of(resource), with_paths(resource.get("Properties", {}), template)
            expected = must[path][1]
            assert {name: value_at(properties, name) for name in expected} == expected, path


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

    assert {widget["type"] for widget in json.loads(text)["widgets"]} <= {"alarm", "log", "metric"}


def named(principal: Any) -> list[str]:
    """Return the names in the element Principal of a statement."""
    if isinstance(principal, str):
        return [principal]
    return [name for names in principal.values() for name in listed(names)]


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
