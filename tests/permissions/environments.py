"""The settings of the matrix, and the facts in them that the tests need, read without the code under test."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from settings.names import pascal_case

ACCOUNT, REGION = "123456789012", "eu-west-1"
FOREIGN_ACCOUNT, SECOND_FOREIGN_ACCOUNT = "999999999999", "777777777777"
# The account of the matrix is in this organization too.
ORGANIZATION = "o-abcd123456"
CREATED = "created-by-a-push"

# There are at least two of everything, so that the matrix notices code that treats only the first one. No connection of
# `env` has all teams. The names of two teams start with the same word, and so do the names of existing repositories of
# two teams. The three teams cover every way to push that the settings offer. Some roles have a path.
SETTINGS = f"""
account = "{ACCOUNT}"
region = "{REGION}"
secret_key = "customer"
break_glass_role_arns = ["arn:aws:iam::{ACCOUNT}:role/BreakGlass", "arn:aws:iam::{ACCOUNT}:role/ops/OnCall"]
[teams.analytics]
repositories = ["app", "jobs/etl"]
existing_repositories = ["web_scraper", "legacy/etl_job", "analytics/by-hand"]
pull_accounts = ["{FOREIGN_ACCOUNT}", "{SECOND_FOREIGN_ACCOUNT}"]
lifecycle = {{ protected_tags = ["release-*", "v1"], keep_images = 30, expire_untagged_after_days = 14 }}
repository.app.lifecycle.keep_images = 5
create_on_push = true
push.permission_sets = ["DataAnalyst", "DataEngineer"]
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/analytics-ci", "arn:aws:iam::{ACCOUNT}:role/ci/analytics-nightly"]
[teams.analytics-x]
repositories = ["app", "jobs/etl"]
existing_repositories = ["web_scraper2", "legacy/etl_job2"]
pull_organization = "{ORGANIZATION}"
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/ana", "arn:aws:iam::{ACCOUNT}:user/staff/ben"]
push.require_mfa = true
[teams.risk]
repositories = ["var"]
others_may_push_because = "a backup tool pushes"
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
[ecs.tasks."web_scraper"]
image_tag = "1"
[ecs.tasks."analytics-x/app"]
image_tag = "1"
[ecs.tasks."analytics-x/jobs/etl"]
image_tag = "1"
[alerts]
emails = ["ops@example.com", "data@example.com"]
"""
# A second environment in the same account. Its workers also pull directly, and its stack creates the workers' role. No
# connection has the team `direct-archive`. The team `direct-z` has only an existing repository.
SETTINGS_DIRECT = f"""
account = "{ACCOUNT}"
region = "{REGION}"
connections_prefix = "direct/connections"
secret_key = "customer"
break_glass_role_arns = ["arn:aws:iam::{ACCOUNT}:role/DirectBreakGlass"]
[teams.direct]
repositories = ["app", "other-app"]
existing_repositories = ["old_app", "old/app"]
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/direct-ci"]
[teams.direct-x]
repositories = ["app"]
push.permission_sets = ["DirectAnalyst"]
pull_accounts = ["{SECOND_FOREIGN_ACCOUNT}", "{FOREIGN_ACCOUNT}"]
pull_organization = "{ORGANIZATION}"
[teams.direct-z]
existing_repositories = ["old_app_z"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/zoe"]
[teams.direct-archive]
repositories = ["app"]
existing_repositories = ["archive_app"]
others_may_push_because = "a backup tool pushes"
pull_accounts = ["{SECOND_FOREIGN_ACCOUNT}", "{FOREIGN_ACCOUNT}"]
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

# Environments with connections to other registries, in one account and Region. Two registries have settings files in
# the same folder: one in another account, and one in another Region of the account. Two registries have none. The ids
# of the accounts, the Regions, the teams and the connections begin alike. The environment has a team `data` of its own.
OWNER_ACCOUNT, OTHER_OWNER_ACCOUNT = "444455556666", "444455556667"
SETTINGS_READER = f"""
account = "{ACCOUNT}"
region = "us-east-1"
secret_key = "aws"
break_glass_role_arns = ["arn:aws:iam::{ACCOUNT}:role/BreakGlass"]
[teams.data]
repositories = ["app", "base"]
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/data-ci"]
[connections.docker_default]
teams = ["data"]
[connections.docker_a]
registry.account = "{OWNER_ACCOUNT}"
teams = ["data", "models"]
repositories = ["old_app", "old/app"]
[connections.docker_ab]
registry.account = "{OWNER_ACCOUNT}"
teams = ["data-x"]
[connections.docker_b]
registry = {{ account = "{OTHER_OWNER_ACCOUNT}", region = "us-east-2" }}
teams = ["data", "platform"]
repositories = ["tools/base", "tools/gpu"]
[connections.docker_bc]
registry = {{ account = "{OTHER_OWNER_ACCOUNT}", region = "us-east-2" }}
teams = ["data-x"]
repositories = ["tools/base2"]
[connections.docker_c]
registry.region = "us-east-2"
teams = ["data"]
repositories = ["old_copy"]
[connections.docker_d]
registry.region = "us-west-2"
teams = ["data", "models"]
repositories = ["tools/base"]
[workers]
role_arns = ["arn:aws:iam::{ACCOUNT}:role/airflow-worker", "arn:aws:iam::{ACCOUNT}:role/airflow/gpu-worker"]
[alerts]
off_because = "a test"
"""
# The workers of this environment pull from several registries without a docker login. The stack creates their role.
SETTINGS_DIRECT_READER = f"""
account = "{ACCOUNT}"
region = "us-east-1"
role_path = "/data/"
connections_prefix = "direct/connections"
secret_key = "aws"
break_glass_role_arns = ["arn:aws:iam::{ACCOUNT}:role/DirectBreakGlass"]
[teams.direct]
repositories = ["app"]
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/direct-ci"]
[connections.docker_direct]
teams = ["direct"]
[connections.docker_x_a]
registry.account = "{OWNER_ACCOUNT}"
teams = ["data"]
[connections.docker_x_ab]
registry.account = "{OWNER_ACCOUNT}"
teams = ["models"]
repositories = ["old_app"]
[connections.docker_x_b]
registry = {{ account = "{OTHER_OWNER_ACCOUNT}", region = "us-east-2" }}
teams = ["data"]
repositories = ["tools/base"]
[connections.docker_x_c]
registry.region = "us-east-2"
teams = ["data", "data-x"]
[connections.docker_x_d]
registry.region = "us-west-2"
repositories = ["tools/base", "tools/gpu"]
[workers]
role_arns = ["arn:aws:iam::{ACCOUNT}:role/airflow-puller", "arn:aws:iam::{ACCOUNT}:role/airflow/gpu-puller"]
pull_directly = true
[alerts]
off_because = "a test"
"""
SETTINGS_SHARED = f"""
account = "{OWNER_ACCOUNT}"
region = "us-east-1"
secret_key = "aws"
[teams.data]
repositories = ["app", "base"]
existing_repositories = ["old_app", "old/app"]
pull_accounts = ["{ACCOUNT}", "{FOREIGN_ACCOUNT}"]
push.role_arns = ["arn:aws:iam::{OWNER_ACCOUNT}:role/data-ci"]
[teams.data-x]
repositories = ["app"]
pull_accounts = ["{FOREIGN_ACCOUNT}", "{ACCOUNT}"]
others_may_push_because = "a backup tool pushes"
push.role_arns = ["arn:aws:iam::{OWNER_ACCOUNT}:role/data-x-ci"]
[teams.models]
repositories = ["app"]
pull_organization = "{ORGANIZATION}"
push.role_arns = ["arn:aws:iam::{OWNER_ACCOUNT}:role/models-ci"]
[teams.risk]
repositories = ["app"]
push.role_arns = ["arn:aws:iam::{OWNER_ACCOUNT}:role/risk-ci"]
[connections.docker_default]
teams = ["data"]
[alerts]
off_because = "a test"
"""
SETTINGS_COPY = f"""
account = "{ACCOUNT}"
region = "us-east-2"
secret_key = "aws"
connections_prefix = "copy/connections"
[teams.data]
repositories = ["app", "base"]
existing_repositories = ["old_copy"]
pull_environments = ["prod", "prod-x"]
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/data-ci"]
[teams.data-x]
repositories = ["app"]
pull_environments = ["prod-x"]
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/data-x-ci"]
[connections.docker_default]
teams = ["data"]
[alerts]
off_because = "a test"
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
class ForeignImages:
    """Images in the registry of another account or Region."""

    account: str
    region: str
    teams: tuple[str, ...]
    repositories: tuple[str, ...]

    @property
    def registry(self) -> tuple[str, str]:
        """The account and the Region."""
        return self.account, self.region

    @property
    def names(self) -> list[str]:
        """The full names of the repositories of the matrix: `app` for each team, and the single repositories."""
        return [*(f"{team}/app" for team in self.teams), *self.repositories]


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
        """A dict of team to the team's managed repositories."""
        return {team: list(settings.get("repositories", [])) for team, settings in self.settings["teams"].items()}

    def others_may_push(self, team: str) -> bool:
        return "others_may_push_because" in self.settings["teams"][team]

    def has_repository_policy(self, team: str) -> bool:
        """Return whether the managed repositories of a team have a policy."""
        readers = {"pull_accounts", "pull_organization"}
        return not self.others_may_push(team) or bool(readers.intersection(self.settings["teams"][team]))

    @property
    def prefixed(self) -> dict[str, list[str]]:
        """The managed repositories, and a repository `app` with the prefix of each team that has none.

        A team with create_on_push also has a repository that a push created.
        """
        created = {team: [CREATED] if team in self.creating_teams else [] for team in self.teams}
        return {team: (names or ["app"]) + created[team] for team, names in self.teams.items()}

    @property
    def existing(self) -> dict[str, list[str]]:
        """A dict of team to the full names of the team's repositories that the deployment does not manage."""
        return {
            team: list(settings.get("existing_repositories", [])) for team, settings in self.settings["teams"].items()
        }

    @property
    def creating_teams(self) -> list[str]:
        """The teams whose repositories are created by a push."""
        return [team for team, settings in self.settings["teams"].items() if settings.get("create_on_push")]

    @property
    def connections(self) -> dict[str, list[str]]:
        """A dict of connection to the teams of this environment whose images the login can pull."""
        return {
            name: [] if "registry" in settings else list(settings["teams"])
            for name, settings in self.settings["connections"].items()
        }

    @property
    def foreign(self) -> dict[str, ForeignImages]:
        """A dict of connection to the images in another registry that the login can pull."""
        return {
            name: ForeignImages(
                settings["registry"].get("account", self.account),
                settings["registry"].get("region", self.region),
                tuple(settings.get("teams", [])),
                tuple(settings.get("repositories", [])),
            )
            for name, settings in self.settings["connections"].items()
            if "registry" in settings
        }

    @property
    def tasks(self) -> dict[str, Task]:
        """A dict of repository to the repository's task on Fargate."""
        return {
            repository: Task(
                f"{self.name}/EcsTasks/{pascal_case(repository)}",
                self.arn("ecs", f"task-definition/{self.name}-{re.sub('[/_]', '-', repository)}"),
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

    def repository(self, team: str, name: str) -> str:
        """Return the construct path of the resource that sets the policy of a repository."""
        if name == CREATED:
            return f"{self.name}/Registry/CreateOnPush/{pascal_case(team)}/Template"
        return f"{self.name}/Registry/Repositories/{pascal_case(team)}/{pascal_case(name)}"

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
READERS = [Environment("prod", SETTINGS_READER), Environment("prod-x", SETTINGS_DIRECT_READER)]
OWNERS = [Environment("shared", SETTINGS_SHARED), Environment("copy", SETTINGS_COPY)]


def write(environments: Iterator[Environment] | list[Environment], folder: Path) -> None:
    """Write the settings file of each environment."""
    for environment in environments:
        (folder / f"{environment.name}.toml").write_text(environment.text)
