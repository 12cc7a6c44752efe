"""The settings of the matrix, and the facts in them that the tests need, read without the code under test."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from settings.names import pascal_case

ACCOUNT, REGION = "123456789012", "eu-west-1"
FOREIGN_ACCOUNT = "999999999999"

# There are at least two of everything, so that the matrix notices code that treats only the first one. No connection of
# `env` has all teams. The names of two teams start with the same word. The three teams cover every way to push that
# the settings offer. Some roles have a path.
SETTINGS = f"""
account = "{ACCOUNT}"
region = "{REGION}"
secret_key = "customer"
break_glass_role_arns = ["arn:aws:iam::{ACCOUNT}:role/BreakGlass", "arn:aws:iam::{ACCOUNT}:role/ops/OnCall"]
[teams.analytics]
repositories = ["app", "jobs/etl"]
create_on_push = true
push.permission_sets = ["DataAnalyst", "DataEngineer"]
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/analytics-ci", "arn:aws:iam::{ACCOUNT}:role/ci/analytics-nightly"]
[teams.analytics-x]
repositories = ["app", "jobs/etl"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/ana", "arn:aws:iam::{ACCOUNT}:user/staff/ben"]
push.require_mfa = true
[teams.risk]
repositories = ["var"]
create_on_push = true
push.role_arns = ["arn:aws:iam::{FOREIGN_ACCOUNT}:role/risk-ci"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/cem", "arn:aws:iam::{ACCOUNT}:user/dora"]
push.github = [
    {{ repository = "acme/models", branch = "main", owner_id = 12, repository_id = 34 }},
    {{ repository = "acme/models", environment = "production" }},
    {{ repository = "acme/reports", branch = "release/*" }},
]
push.gitlab = [{{ project = "acme/data/models", tag = "v*", url = "https://git.example.com/ci", audience = "aws" }}]
[connections.docker_default]
teams = ["analytics", "risk"]
[connections.docker_x]
teams = ["analytics-x"]
[workers]
role_arns = ["arn:aws:iam::{ACCOUNT}:role/airflow-worker", "arn:aws:iam::{ACCOUNT}:role/airflow/gpu-worker"]
[ecs.tasks."analytics/app"]
image_tag = "1"
[ecs.tasks."analytics/jobs/etl"]
image_tag = "1"
cpu_units = 1024
memory_mib = 2048
[ecs.tasks."analytics-x/app"]
image_tag = "1"
[ecs.tasks."analytics-x/jobs/etl"]
image_tag = "1"
[alerts]
emails = ["ops@example.com", "data@example.com"]
"""
# A second environment in the same account. Its workers also pull directly, and its stack creates the workers' role. No
# connection has the team `direct-archive`.
SETTINGS_DIRECT = f"""
account = "{ACCOUNT}"
region = "{REGION}"
connections_prefix = "direct/connections"
secret_key = "customer"
break_glass_role_arns = ["arn:aws:iam::{ACCOUNT}:role/DirectBreakGlass"]
[teams.direct]
repositories = ["app", "other-app"]
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/direct-ci"]
[teams.direct-x]
repositories = ["app"]
push.permission_sets = ["DirectAnalyst"]
pull_accounts = ["{FOREIGN_ACCOUNT}"]
pull_organization = "o-abcd123456"
[teams.direct-z]
repositories = ["app"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/zoe"]
[teams.direct-archive]
repositories = ["app"]
others_may_push_because = "a backup tool pushes"
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/direct-ci"]
[connections.docker_direct]
teams = ["direct", "direct-x"]
[connections.docker_direct_z]
teams = ["direct-z"]
[workers]
pull_directly = true
[alerts]
off_because = "the other environment has them"
"""


@dataclass(frozen=True)
class Task:
    """A task on Fargate.

    Attributes:
        path: the construct path.
        family: the ARN of the task definition without a revision.
    """

    path: str
    family: str
    cpu_units: int
    memory_mib: int


@dataclass(frozen=True)
class Environment:
    """An environment of the tests.

    Attributes:
        text: the settings file.
        settings: the settings, as tomllib reads them.
    """

    name: str
    text: str
    settings: dict[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", tomllib.loads(self.text))

    @property
    def account(self) -> str:
        return str(self.settings["account"])

    @property
    def region(self) -> str:
        return str(self.settings["region"])

    @property
    def has_key(self) -> bool:
        return self.settings.get("secret_key") == "customer"

    @property
    def break_glass_arns(self) -> list[str]:
        return list(self.settings.get("break_glass_role_arns", []))

    @property
    def worker_arns(self) -> list[str]:
        """The existing roles of the workers. Without them, the deployment creates a role."""
        return list(self.settings.get("workers", {}).get("role_arns", []))

    @property
    def pulls_directly(self) -> bool:
        return bool(self.settings.get("workers", {}).get("pull_directly"))

    @property
    def teams(self) -> dict[str, list[str]]:
        """A dict of team to the team's repositories."""
        return {team: list(settings["repositories"]) for team, settings in self.settings["teams"].items()}

    @property
    def creating_teams(self) -> list[str]:
        """The teams whose repositories are created by a push."""
        return [team for team, settings in self.settings["teams"].items() if settings.get("create_on_push")]

    @property
    def connections(self) -> dict[str, list[str]]:
        """A dict of connection to the teams whose images the login can pull."""
        return {name: list(settings["teams"]) for name, settings in self.settings["connections"].items()}

    @property
    def tasks(self) -> dict[str, Task]:
        """A dict of repository to the repository's task on Fargate."""
        return {
            repository: Task(
                f"{self.name}/EcsTasks/{pascal_case(repository)}",
                self.arn("ecs", f"task-definition/{self.name}-{repository.replace('/', '-')}"),
                task.get("cpu_units", 256),
                task.get("memory_mib", 512),
            )
            for repository, task in self.settings.get("ecs", {}).get("tasks", {}).items()
        }

    @property
    def creates_topic(self) -> bool:
        return "emails" in self.settings["alerts"]

    @property
    def rules(self) -> list[str]:
        """The construct paths of the rules for findings of image scans."""
        has_rules = "off_because" not in self.settings["alerts"]
        return [f"{self.name}/DockerLogin/ScanFindings/Rule1"] if has_rules else []

    @property
    def deploy_role_arn(self) -> str:
        return self.role_arn(f"cdk-hnb659fds-cfn-exec-role-{self.account}-{self.region}")

    def secret_name(self, connection: str) -> str:
        return f"{self.settings.get('connections_prefix', 'airflow/connections')}/{connection}"

    def push_role(self, team: str) -> str:
        """Return the construct path of a team's push role."""
        return f"{self.name}/Access/PushRoles/{pascal_case(team)}"

    def creation_role(self, team: str) -> str:
        """Return the construct path of the role with which ECR creates a team's repositories."""
        return f"{self.name}/Registry/CreateOnPush/{pascal_case(team)}/Role"

    def connection(self, connection: str) -> str:
        """Return the construct path of a connection."""
        return f"{self.name}/DockerLogin/{pascal_case(connection)}"

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"

    def role_arn(self, path_and_name: str) -> str:
        return f"arn:aws:iam::{self.account}:role/{path_and_name}"

    @property
    def workers(self) -> list[str]:
        """The names of the workers in the matrix: existing roles, or the role that the deployment creates."""
        return [worker(arn) for arn in self.worker_arns] or [f"{self.name}/DockerLogin/Workers/Role"]

    @property
    def break_glass(self) -> list[str]:
        """The names of the break-glass roles in the matrix."""
        return [break_glass(arn) for arn in self.break_glass_arns]


def worker(arn: str) -> str:
    return f"worker {arn.rpartition('/')[2]}"


def break_glass(arn: str) -> str:
    return f"break glass {arn.rpartition('/')[2]}"


ENV, DIRECT = Environment("env", SETTINGS), Environment("direct", SETTINGS_DIRECT)


def write(environments: Iterator[Environment] | list[Environment], folder: Path) -> None:
    """Write the settings file of each environment."""
    for environment in environments:
        (folder / f"{environment.name}.toml").write_text(environment.text)
