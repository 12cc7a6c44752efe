"""The settings of the tests of `ecr-login preflight`."""

from collections.abc import Iterator
from typing import Any

from local.embedded_aws import ACCOUNT, REGION
from ops.preflight.findings import Finding, Planned
from settings.environment import Environment

ENVIRONMENT = Environment.model_validate(
    {
        "name": "flight",
        "account": ACCOUNT,
        "region": REGION,
        "connections_prefix": "flight/connections",
        "teams": {
            "pilots": {
                "repositories": ["map", "radio"],
                "push": {
                    "user_arns": [f"arn:aws:iam::{ACCOUNT}:user/analyst"],
                    "github": [{"repository": "acme/flights", "branch": "main"}],
                },
            }
        },
        "connections": {"docker_default": {"teams": ["pilots"]}, "docker_risk": {"teams": ["pilots"]}},
        "alerts": {"off_because": "a test"},
    }
)
PLANNED = Planned(ENVIRONMENT, qualifier="hnb659fds")
SECRET = "flight/connections/docker_default"
REPOSITORY = "pilots/map"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:flight"
ROLE = "flight-ecr-push-pilots"
TRUST = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}}


def only(findings: Iterator[Finding]) -> Finding:
    """Return the one finding."""
    [finding] = findings
    return finding


def creating() -> Planned:
    """Return a deployment with a topic, an existing repository, and repositories that a push creates."""
    settings = ENVIRONMENT.model_dump(exclude_unset=True)
    settings["teams"]["pilots"]["create_on_push"] = True
    settings["teams"]["pilots"]["existing_repositories"] = ["map_old"]
    settings["alerts"] = {"topic_arn": TOPIC}
    return Planned(Environment.model_validate(settings), qualifier="hnb659fds")


def planned_with_team(**settings: Any) -> Planned:
    """Return the deployment with other settings of the team."""
    pilots = ENVIRONMENT.teams["pilots"].model_dump()
    return planned_with(teams={"pilots": {**pilots, **settings}})


def planned_with(**changes: Any) -> Planned:
    """Return the deployment with other settings of the environment."""
    settings = {**ENVIRONMENT.model_dump(exclude_unset=True), **changes}
    return Planned(Environment.model_validate(settings), qualifier="hnb659fds")
