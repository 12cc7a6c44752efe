"""The model of one environment: default values and names on AWS."""

from typing import Any

import pydantic
import pytest

from settings.environment import Environment, Lifecycle, Push, Team

SETTINGS: dict[str, Any] = {
    "name": "dev",
    "account": "111111111111",
    "region": "eu-west-1",
    "teams": {"analytics": {"repositories": ["web-scraper"], "push": {"permission_sets": ["DataAnalyst"]}}},
    "connections": {"docker_default": {"teams": ["analytics"]}},
    "alerts": {"emails": ["ops@example.com"]},
}


def environment(**settings: object) -> Environment:
    return Environment.model_validate({**SETTINGS, **settings})


def team_of(**settings: object) -> Team:
    return Team.model_validate({**SETTINGS["teams"]["analytics"], **settings})


def test_settings_that_are_left_out_have_the_documented_default() -> None:
    dev = environment(workers={"clean_up": {"tag_key": "role", "tag_value": "worker"}})
    team = dev.teams["analytics"]

    assert (dev.connections_prefix, dev.secret_key, dev.break_glass_role_arns) == ("airflow/connections", "aws", ())
    assert (dev.permissions_boundary_arn, dev.role_path, dev.ecs) == (None, "/", None)
    assert (team.repository_defaults.mutable_tags, team.repository_defaults.keep_images) == ((), None)
    assert (team.lifecycle, team.repository) == (Lifecycle(), {})
    assert team.existing_repositories == ()
    assert team.create_on_push is False
    assert (team.push.require_mfa, dev.connections["docker_default"].refresh_every_minutes) == (False, 30)
    assert (dev.workers.role_arns, dev.workers.pull_directly) == ((), False)
    assert dev.workers.clean_up
    assert dev.workers.clean_up.schedule == "cron(0 3 ? * * *)"
    assert dev.workers.clean_up.containers_older_than_hours == 24
    assert dev.workers.clean_up.images_older_than_hours == 168
    assert (dev.alerts.runbook, dev.alerts.scan_findings) == ("docs/runbook.md", "critical")
    assert (dev.scan, dev.tags) == ("repository", {})


def test_the_lifecycle_of_a_repository_replaces_the_lifecycle_of_its_team_as_a_whole() -> None:
    team = team_of(
        repositories=["a", "b"],
        lifecycle={"protected_tags": ["release-*"], "keep_images": 5},
        repository={"b": {"lifecycle": {"expire_untagged_after_days": 9}}},
    )

    assert team.lifecycle_of("a") == Lifecycle(protected_tags=("release-*",), keep_images=5)
    assert team.lifecycle_of("b") == Lifecycle(expire_untagged_after_days=9)


def test_the_older_setting_for_the_number_of_images_joins_the_lifecycle_of_the_team() -> None:
    team = team_of(
        repositories=["a", "b"],
        repository_defaults={"keep_images": 5},
        lifecycle={"protected_tags": ["release-*"]},
        repository={"b": {"lifecycle": {}}},
    )

    assert team.lifecycle_of("a") == Lifecycle(protected_tags=("release-*",), keep_images=5)
    assert team.lifecycle_of("b") == Lifecycle()


def test_names_on_aws_are_built_from_the_settings() -> None:
    dev = environment(connections_prefix="dev/connections")

    assert dev.secret_name("docker_default") == "dev/connections/docker_default"
    assert dev.push_role_name("analytics") == "dev-ecr-push-analytics"
    assert dev.ecs_cluster_name == "dev-airflow"
    # Another family would be another task definition, and DAGs name the family.
    for name in ("reports.daily", "reports_daily", "reports__daily", "reports--daily", "reports/daily"):
        assert dev.ecs_family(f"risk/{name}") == "dev-risk-reports-daily"


@pytest.mark.parametrize(
    ("region", "path", "start"),
    [
        ("eu-west-1", "/", "arn:aws:iam::111111111111:role/"),
        ("eu-west-1", "/data/airflow/", "arn:aws:iam::111111111111:role/data/airflow/"),
        ("cn-north-1", "/data/", "arn:aws-cn:iam::111111111111:role/data/"),
    ],
)
def test_the_arn_of_a_push_role_has_the_path_and_the_partition(region: str, path: str, start: str) -> None:
    # The policies of repositories deny pushing to every role whose ARN differs.
    dev = environment(region=region, role_path=path)

    assert dev.push_role_arn("analytics") == f"{start}dev-ecr-push-analytics"


MAIN = {"repository": "acme/pipelines", "branch": "main"}


@pytest.mark.parametrize(
    ("workflow", "subject"),
    [
        ({"github": [MAIN]}, "repo:acme/pipelines:ref:refs/heads/main"),
        ({"github": [MAIN | {"owner_id": 12, "repository_id": 34}]}, "repo:acme@12/pipelines@34:ref:refs/heads/main"),
        (
            {"github": [{"repository": "acme/pipelines", "environment": "production"}]},
            "repo:acme/pipelines:environment:production",
        ),
        (
            {
                "github": [
                    {"repository": "acme/app", "environment": "production", "owner_id": 12, "repository_id": 34},
                ]
            },
            "repo:acme@12/app@34:environment:production",
        ),
        ({"gitlab": [{"project": "a/b/c", "branch": "main"}]}, "project_path:a/b/c:ref_type:branch:ref:main"),
        ({"gitlab": [{"project": "a/b/c", "tag": "v*"}]}, "project_path:a/b/c:ref_type:tag:ref:v*"),
    ],
)
def test_a_workflow_has_the_subject_that_its_ci_system_documents(workflow: dict[str, Any], subject: str) -> None:
    [found] = Push.model_validate(workflow).workflows

    assert found.subject == subject


@pytest.mark.parametrize(("region", "domain"), [("eu-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")])
def test_the_registry_host_has_the_domain_of_the_region(region: str, domain: str) -> None:
    assert environment(region=region).registry_host == f"111111111111.dkr.ecr.{region}.{domain}"


def test_workers_pull_directly_what_all_connections_of_a_registry_pull() -> None:
    central = {"account": "444455556666"}
    found = environment(
        connections={
            "docker_default": {"teams": ["analytics"]},
            "docker_base": {"registry": central, "teams": ["platform"], "repositories": ["tools/a"]},
            "docker_tools": {"registry": central, "teams": ["base"], "repositories": ["tools/b", "tools/a"]},
        },
        workers={"pull_directly": True},
    ).pulled_directly()

    assert [(each.registry.account, each.teams, each.repositories) for each in found] == [
        ("111111111111", ("analytics",), ()),
        ("444455556666", ("base", "platform"), ("tools/a", "tools/b")),
    ]


def test_only_the_repositories_of_registries_that_are_deployed_here_are_tagged() -> None:
    dev = environment(
        connections={
            "docker_default": {"teams": ["analytics"]},
            "docker_known": {"registry": {"account": "444455556666"}, "teams": ["data"]},
            "docker_unknown": {"registry": {"region": "us-east-1"}, "teams": ["data"]},
        },
        workers={"pull_directly": True},
    )
    deployed = [dev.registry, dev.registry_of("docker_known")]

    assert [dev.pulled_images(name, deployed).are_tagged for name in dev.connections] == [True, True, False]
    assert [images.are_tagged for images in dev.pulled_directly(deployed)] == [True, True, False]


@pytest.mark.parametrize(
    ("settings", "severities"),
    [
        ({}, ("CRITICAL",)),
        ({"alerts": {"emails": ["ops@example.com"], "scan_findings": "high"}}, ("CRITICAL", "HIGH")),
        ({"alerts": {"emails": ["ops@example.com"], "scan_findings": "off"}}, ()),
        ({"alerts": {"off_because": "a test"}}, ()),
        ({"scan": "registry"}, ("CRITICAL",)),
        ({"scan": "off"}, ()),
    ],
)
def test_findings_are_reported_only_if_there_are_scans_and_alerts(
    settings: dict[str, Any], severities: tuple[str, ...]
) -> None:
    assert environment(**settings).reported_severities == severities


def test_settings_do_not_change_after_they_are_read() -> None:
    dev = environment()

    with pytest.raises(pydantic.ValidationError, match="frozen"):
        dev.region = "us-east-1"  # type: ignore[misc]


def test_an_environment_alone_is_not_checked_for_consistency() -> None:
    assert environment(connections={"docker_default": {"teams": ["unknown"]}}).connections
