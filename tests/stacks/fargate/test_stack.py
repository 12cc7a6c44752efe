"""The tasks on Fargate: the names that DAGs use, and the images. tests/permissions tests the permissions."""

from pathlib import Path
from typing import Any

import pytest

from tests.stacks.conftest import RICH, of_type, statements, the_one
from tests.templates import Template, Templates, synthesize


@pytest.fixture(scope="module")
def template(templates: Templates) -> Template:
    return templates["rich-EcsTasks"]


def test_the_cluster_the_families_and_the_containers_have_fixed_names(template: Template) -> None:
    definitions = of_type(template, "AWS::ECS::TaskDefinition")

    assert the_one(template, "AWS::ECS::Cluster")["ClusterName"] == "rich-airflow"
    assert [d["Family"] for d in definitions] == ["rich-analytics-web-scraper", "rich-risk-reports-daily"]
    assert {container["Name"] for d in definitions for container in d["ContainerDefinitions"]} == {"task"}


def test_a_task_has_the_image_the_tag_and_the_size_of_the_settings(template: Template) -> None:
    definition, _ = of_type(template, "AWS::ECS::TaskDefinition")
    [container] = definition["ContainerDefinitions"]

    assert container["Image"] == "444455556666.dkr.ecr.eu-west-1.amazonaws.com/analytics/web-scraper:7-RC.1"
    assert (definition["Cpu"], definition["Memory"], definition["RequiresCompatibilities"]) == (
        "256",
        "1024",
        ["FARGATE"],
    )
    assert container["LogConfiguration"]["LogDriver"] == "awslogs"


def test_the_execution_role_pulls_the_image_and_the_task_role_has_no_permissions(template: Template) -> None:
    for definition in of_type(template, "AWS::ECS::TaskDefinition"):
        roles = [_role(template, definition[key]) for key in ("ExecutionRoleArn", "TaskRoleArn")]

        assert roles[0]["Description"].startswith("Pulls ")
        assert "as a task on Fargate" in roles[1]["Description"]
        assert "Policies" not in roles[1]


def test_a_dag_may_neither_turn_on_ecs_exec_nor_request_more_than_the_largest_task_in_the_settings(
    template: Template,
) -> None:
    run_tasks = statements(the_one(template, "AWS::IAM::ManagedPolicy")["PolicyDocument"])["RunTasks"]

    # The settings have tasks of 512 and 1024 MiB, both with 256 CPU units. A request without these keys is allowed.
    assert run_tasks["Action"] == "ecs:RunTask"
    assert run_tasks["Condition"] == {
        "ArnEquals": {"ecs:cluster": {"Fn::GetAtt": ["Cluster", "Arn"]}},
        "StringEqualsIfExists": {"ecs:enable-execute-command": "false"},
        "NumericLessThanEqualsIfExists": {"ecs:task-cpu": "256", "ecs:task-memory": "1024"},
    }


def test_the_limits_of_cpu_and_memory_can_come_from_different_tasks(tmp_path: Path) -> None:
    # 16384 units are the most CPU of a task on Fargate.
    larger = '[ecs.tasks."risk/reports/daily"]\ncpu_units = 16384\nmemory_mib = 32768'
    text = RICH.replace('[ecs.tasks."risk/reports/daily"]', larger)
    (tmp_path / "rich.toml").write_text(text.replace("memory_mib = 1024", "cpu_units = 8192\nmemory_mib = 61440"))

    template = synthesize(tmp_path, tmp_path / "cdk.out")["rich-EcsTasks"]

    sizes = [(d["Cpu"], d["Memory"]) for d in of_type(template, "AWS::ECS::TaskDefinition")]
    assert sizes == [("8192", "61440"), ("16384", "32768")]
    run_tasks = statements(the_one(template, "AWS::IAM::ManagedPolicy")["PolicyDocument"])["RunTasks"]
    limits = run_tasks["Condition"]["NumericLessThanEqualsIfExists"]
    assert limits == {"ecs:task-cpu": "16384", "ecs:task-memory": "61440"}


def test_the_outputs_have_the_names_that_a_dag_needs(template: Template) -> None:
    kinds = ("EcsTaskFamily", "EcsTaskLogGroup", "EcsTaskRoleArn")

    assert set(template["Outputs"]) == {
        "EcsClusterName",
        *(f"{kind}{task}" for kind in kinds for task in ("AnalyticsWebScraper", "RiskReportsDaily")),
    }


def _role(template: Template, reference: dict[str, Any]) -> dict[str, Any]:
    role: dict[str, Any] = template["Resources"][reference["Fn::GetAtt"][0]]["Properties"]
    return role
