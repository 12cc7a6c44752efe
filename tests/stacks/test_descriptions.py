"""The descriptions that administrators read in the AWS console, written by hand.

A change of the description of a managed policy replaces the policy. A change of the description of a function publishes
a version of the function.
"""

from typing import Any

from tests.permissions.account import path_of
from tests.templates import Templates

HOST = "444455556666.dkr.ecr.eu-west-1.amazonaws.com"
PULLS = "the login pulls what this role may pull"
DESCRIPTIONS = {
    "Registry/CreateOnPush/Analytics/Role": "ECR creates repositories of the team analytics when images are pushed",
    "Registry/CreateOnPush/Analytics/Template": "Repositories of the team analytics",
    "Access/PushRoles/Analytics": "Pushes images to the repositories of the team analytics",
    "Access/PushRoles/Risk": "Pushes images to the repositories of the team risk",
    "DockerLogin/Key": "Docker logins of the Airflow connections of rich",
    "DockerLogin/WorkerPolicy": "Airflow workers of rich: read the docker logins",
    "DockerLogin/ScanFindings/Rule1": "Sends a message if a scan of an image of rich finds a vulnerability",
    "DockerLogin/DockerDefault/Secret": f"Airflow connection docker_default: docker login to {HOST}",
    "DockerLogin/DockerDefault/Refresh": "Writes a fresh docker login into airflow/connections/docker_default",
    "DockerLogin/DockerRisk/Secret": f"Airflow connection docker_risk: docker login to {HOST}",
    "DockerLogin/DockerRisk/Refresh": "Writes a fresh docker login into airflow/connections/docker_risk",
    **{
        f"DockerLogin/{pascal_case}/PullRole": f"Mints the docker login of {connection}; {PULLS}"
        for pascal_case, connection in {"DockerDefault": "docker_default", "DockerRisk": "docker_risk"}.items()
    },
    **{
        f"DockerLogin/{connection}/Schedule/{name}": text
        for connection in ("DockerDefault", "DockerRisk")
        for name, text in {
            "Role": "Starts the refresh of a docker login",
            "Schedule": "Refreshes a docker login",
        }.items()
    },
    "EcsTasks/WorkerPolicy": "Airflow workers of rich: run images as tasks on Fargate",
    **{
        f"EcsTasks/{name}/{role}": text
        for name, repository in {
            "AnalyticsWebScraper": "analytics/web-scraper",
            "RiskReportsDaily": "risk/reports/daily",
        }.items()
        for role, text in {
            "ExecutionRole": f"Pulls {repository} for tasks on Fargate",
            "TaskRole": f"The role of {repository} as a task on Fargate; the team attaches the permissions",
        }.items()
    },
}
OUTPUTS = {
    "RegistryHost": "The registry that docker logs in to; every image name starts with it",
    "PushRoleArnAnalytics": "The role that analysts of the team analytics assume to push images",
    "PushRoleArnRisk": "The role that analysts of the team risk assume to push images",
}
# The names of the inline policies, which IAM shows on the page of a role.
POLICIES = {
    "Registry/CreateOnPush/Analytics/Role": ["CreateRepositories"],
    "Access/PushRoles/Analytics": ["PushImages"],
    "Access/PushRoles/Risk": ["PushImages"],
    "DockerLogin/FirstRefreshProvider/Role": ["Inline", "WriteLog"],  # CDK chooses the first name
    "DockerLogin/DockerDefault/Schedule/Role": ["Start"],
    "DockerLogin/DockerRisk/Schedule/Role": ["Start"],
    "EcsTasks/AnalyticsWebScraper/ExecutionRole": ["StartTask"],
    "EcsTasks/RiskReportsDaily/ExecutionRole": ["StartTask"],
}


def resources(templates: Templates, environment: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of an environment, by construct path without the environment."""
    return {
        path_of(resource).removeprefix(f"{environment}/"): resource.get("Properties", {})
        for name, template in templates.items()
        if name.startswith(f"{environment}-")
        for resource in template["Resources"].values()
    }


def test_a_description_says_what_the_resource_is_for(templates: Templates) -> None:
    found = {path: each["Description"] for path, each in resources(templates, "rich").items() if "Description" in each}
    of_plain = resources(templates, "plain")

    assert found == DESCRIPTIONS
    assert of_plain["DockerLogin/Workers/Role"]["Description"] == "Airflow workers of plain"


def test_the_description_of_an_output_says_what_the_value_is_for(templates: Templates) -> None:
    outputs = [
        output
        for name, template in templates.items()
        if name.startswith("rich-")
        for output in template.get("Outputs", {}).items()
    ]

    assert {name: output["Description"] for name, output in outputs if "Description" in output} == OUTPUTS


def test_the_inline_policies_of_roles_have_stable_names(templates: Templates) -> None:
    found = {
        path: [policy["PolicyName"] for policy in each["Policies"]]
        for path, each in resources(templates, "rich").items()
        if "Policies" in each
    }

    assert found == POLICIES
