"""The templates of two environments, synthesized once per session."""

from typing import Any

import pytest

from tests.templates import Template, Templates, synthesize

# The environment `rich` uses most settings. The environment `plain` sets few settings.
RICH = """
account = "444455556666"
region = "eu-west-1"
secret_key = "customer"
break_glass_role_arns = ["arn:aws:iam::444455556666:role/BreakGlass"]
[teams.analytics]
repositories = ["web-scraper", "churn-model"]
create_on_push = true
push.permission_sets = ["DataAnalyst"]
push.role_arns = ["arn:aws:iam::444455556666:role/analytics-ci"]
repository_defaults.mutable_tags = ["latest"]
lifecycle.protected_tags = ["release-*"]
lifecycle.keep_images = 50
repository."churn-model".lifecycle.expire_untagged_after_days = 30
[teams.risk]
repositories = ["var", "reports/daily"]
existing_repositories = ["var_old", "old/var"]
push.user_arns = ["arn:aws:iam::444455556666:user/ana"]
push.require_mfa = true
[connections.docker_default]
teams = ["analytics", "risk"]
[connections.docker_risk]
teams = ["risk"]
refresh_every_minutes = 60
[workers]
role_arns = ["arn:aws:iam::444455556666:role/airflow-worker"]
[workers.clean_up]
tag_key = "role"
tag_value = "airflow-worker"
images_older_than_hours = 72
[ecs.tasks."analytics/web-scraper"]
image_tag = "7-RC.1"
memory_mib = 1024
[ecs.tasks."risk/reports/daily"]
image_tag = "1"
[alerts]
emails = ["data-platform@example.com"]
"""
PLAIN = """
account = "111111111111"
region = "eu-west-1"
[teams.analytics]
repositories = ["web-scraper"]
push.user_arns = ["arn:aws:iam::111111111111:user/ana"]
[[teams.analytics.push.github]]
repository = "acme/pipelines"
branch = "main"
owner_id = 12
repository_id = 34
[[teams.analytics.push.github]]
repository = "acme/pipelines"
environment = "production"
owner_id = 12
repository_id = 34
[[teams.analytics.push.github]]
repository = "acme/pipelines"
branch = "release/*"
[[teams.analytics.push.gitlab]]
project = "acme/data/pipelines"
tag = "v1"
url = "https://git.example.com/ci"
audience = "https://git.example.com"
[connections.docker_default]
teams = ["analytics"]
[alerts]
off_because = "a test"
"""

Resource = dict[str, Any]


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """A dict of stack name to template, for the environments `rich` and `plain`."""
    folder = tmp_path_factory.mktemp("environments")
    (folder / "rich.toml").write_text(RICH)
    (folder / "plain.toml").write_text(PLAIN)
    return synthesize(folder, tmp_path_factory.mktemp("cdk.out"))


def of_type(template: Template, resource_type: str) -> list[Resource]:
    """Return the properties of every resource of a type, in the order of the template."""
    return [r["Properties"] for r in template["Resources"].values() if r["Type"] == resource_type]


def the_one(template: Template, resource_type: str) -> Resource:
    """Return the properties of the only resource of a type."""
    [properties] = of_type(template, resource_type)
    return properties


def statements(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a dict of Sid to statement of a policy."""
    return {statement["Sid"]: statement for statement in document["Statement"]}


def actions(document: dict[str, Any]) -> set[str]:
    """Return every action that a policy allows."""
    allowed: set[str] = set()
    for statement in document["Statement"]:
        if statement["Effect"] == "Allow":
            action = statement["Action"]
            allowed |= {action} if isinstance(action, str) else set(action)
    return allowed
