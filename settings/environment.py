"""The settings of one environment, checked before anything is synthesized.

What AWS would refuse half-way through a deploy is refused here, one line per problem. The limits are those of the API
references of ECR, IAM, IAM Identity Center and Secrets Manager, CloudFormation's quotas and Airflow's connection table.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, Self

import pydantic
from pydantic import Field

from settings.names import pascal_case, repository_name
from settings.regions import PARTITIONS
from settings.value_types import (
    Account,
    ConnectionId,
    ConnectionsPrefix,
    Cron,
    Email,
    EnvironmentName,
    Hours,
    Images,
    ImageTag,
    InstanceTag,
    Link,
    Listed,
    Minutes,
    PermissionSet,
    PolicyArn,
    Reason,
    Region,
    RepositoryName,
    RoleArn,
    RolePath,
    TagPattern,
    TeamName,
    TopicArn,
    UserArn,
    did_you_mean,
)

Problem = tuple[str, str]  # (key, "what is wrong; how to mend")


class _Table(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)


class Push(_Table):
    """Who may assume a team's push role."""

    permission_sets: Listed[PermissionSet] = ()
    role_arns: Listed[RoleArn] = ()
    user_arns: Listed[UserArn] = ()
    require_mfa: bool = False

    @pydantic.field_validator("require_mfa")
    @classmethod
    def _locks_nobody_out(cls, require_mfa: bool, info: pydantic.ValidationInfo) -> bool:
        """A role's session carries no dependable aws:MultiFactorAuthPresent."""
        if require_mfa and (info.data.get("permission_sets") or info.data.get("role_arns")):
            mend = "name users only, or remove it and ask for MFA in IAM Identity Center or the role's own trust"
            raise ValueError(f"would lock permission_sets and role_arns out, their sessions show no MFA; {mend}")
        return require_mfa

    @pydantic.model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not (self.permission_sets or self.role_arns or self.user_arns):
            raise ValueError("names nobody; add permission_sets, role_arns or user_arns")
        return self


class RepositoryDefaults(_Table):
    """What holds for each repository of a team. Tags are immutable, except where one of `mutable_tags` matches."""

    mutable_tags: Listed[TagPattern] = Field(default=(), max_length=5)
    keep_images: Images = 50


class Team(_Table):
    repositories: Listed[RepositoryName] = Field(min_length=1, examples=['repositories = ["web-scraper"]'])
    push: Push = Field(examples=["a table with permission_sets, role_arns or user_arns"])
    repository_defaults: RepositoryDefaults = RepositoryDefaults()


class Connection(_Table):
    """An Airflow connection, logged in to the repositories of its teams."""

    teams: Listed[str] = Field(min_length=1, examples=['teams = ["analytics"]'])
    refresh_every_minutes: Minutes = 30


class CleanUp(_Table):
    """When old containers and images go from the instances with this tag."""

    tag_key: InstanceTag = Field(examples=['tag_key = "role"'])
    tag_value: InstanceTag = Field(examples=['tag_value = "airflow-worker"'])
    schedule: Cron = "cron(0 3 ? * * *)"
    containers_older_than_hours: Hours = 24
    images_older_than_hours: Hours = 168


class Workers(_Table):
    """The roles of the Airflow workers, and the upkeep of their instances."""

    role_arns: Listed[RoleArn] = ()
    pull_directly: bool = False
    clean_up: CleanUp | None = None


# What Fargate has (ECS Developer Guide, "Task size"): MiB for each number of CPU units.
_FARGATE_MIB = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}


class EcsTask(_Table):
    """A repository's image as a task on Fargate."""

    image_tag: ImageTag = Field(examples=['image_tag = "1"'])
    cpu_units: Literal[256, 512, 1024, 2048, 4096, 8192, 16384] = 256
    memory_mib: int = 512

    @pydantic.model_validator(mode="after")
    def _is_a_size_of_fargate(self) -> Self:
        sizes = _FARGATE_MIB[self.cpu_units]
        if self.memory_mib not in sizes:
            known = ", ".join(map(str, sizes))
            raise ValueError(f"memory_mib {self.memory_mib} does not go with cpu_units {self.cpu_units}; write {known}")
        return self


class Ecs(_Table):
    """The alternative to logins: images that Airflow runs on Fargate."""

    tasks: dict[str, EcsTask] = Field(min_length=1, examples=['a table [ecs.tasks."analytics/web-scraper"]'])


class Alerts(_Table):
    """Who hears of a login that is not refreshed: e-mail addresses, a topic of yours or, for a reason, nobody."""

    emails: Listed[Email] = Field(default=(), max_length=10)
    topic_arn: TopicArn | None = None
    off_because: Reason | None = None
    runbook: Link = "docs/runbook.md"

    @pydantic.model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        if sum(map(bool, (self.emails, self.topic_arn, self.off_because))) != 1:
            raise ValueError("needs one of emails, topic_arn and off_because, and one only; add or remove the others")
        return self


class Environment(_Table):
    """One deployment; its file's name is its name."""

    name: EnvironmentName
    account: Account = Field(examples=['account = "123456789012"'])
    region: Region = Field(examples=['region = "eu-west-1"'])
    connections_prefix: ConnectionsPrefix = "airflow/connections"
    secret_key: Literal["aws", "customer"] = "aws"
    break_glass_role_arns: Listed[RoleArn] = ()
    permissions_boundary_arn: PolicyArn | None = None
    role_path: RolePath = "/"
    teams: dict[TeamName, Team] = Field(min_length=1, examples=["a table [teams.analytics]"])
    connections: dict[ConnectionId, Connection] = Field(min_length=1, examples=["[connections.docker_default]"])
    alerts: Alerts = Field(examples=["a table [alerts] with emails or topic_arn, or off_because with a reason"])
    workers: Workers = Workers()
    ecs: Ecs | None = None

    def secret_name(self, connection_id: str) -> str:
        return f"{self.connections_prefix}/{connection_id}"

    @property
    def ecs_cluster_name(self) -> str:
        return f"{self.name}-airflow"

    def ecs_family(self, repository: str) -> str:
        return f"{self.name}-{re.sub('[^a-z0-9]+', '-', repository)}"

    def push_role_name(self, team: str) -> str:
        return f"{self.name}-ecr-push-{team}"

    @property
    def registry_host(self) -> str:
        return f"{self.account}.dkr.ecr.{self.region}.{PARTITIONS[self.region].domain}"

    @pydantic.model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if problems := [*_misfits(self)]:
            raise ValueError(problems)
        return self


def _misfits(environment: Environment) -> Iterator[Problem]:
    """Settings of one environment that do not go together, or are too many.

    A CloudFormation template takes 500 resources and 200 outputs: one per team, four per connection.
    """
    teams, connections = environment.teams, environment.connections
    repositories = {f"teams.{name}.repositories": team.repositories for name, team in teams.items()}
    for key, what, count, limit in (
        ("teams", "teams", len(teams), 200),
        ("teams", "repositories", sum(map(len, repositories.values())), 490),
        ("connections", "connections", len(connections), 35),
        ("connections", "teams in all connections", sum(len(c.teams) for c in connections.values()), 600),
    ):
        if count > limit:
            yield key, f"{count} {what}, CloudFormation has room for {limit}; split into two environments"

    # IAM takes 10,240 characters of a role's own policies, 6,144 of a managed one. A team comes with an ARN and a tag.
    room_for_pulls, room_for_workers, room_for_pushers = 8_000, 5_000, 1_600
    for name, push in ((name, team.push) for name, team in teams.items()):
        # A permission set comes with the ARN of its roles, some hundred characters.
        lengths = [*map(len, push.role_arns + push.user_arns), *(100 + len(one) for one in push.permission_sets)]
        if sum(lengths) + 8 * len(lengths) > room_for_pushers:
            mend = "name one role or permission set that all of them take"
            yield f"teams.{name}.push", f"names too many for one trust policy, IAM takes 2,048 characters; {mend}"
    for name, connection in connections.items():
        if _length_of_teams(connection.teams) > room_for_pulls:
            yield f"connections.{name}.teams", "too many for one IAM policy; split them into two connections"
    pulled = {team for connection in connections.values() for team in connection.teams}
    length = sum(len(environment.secret_name(name)) + 70 for name in connections)
    if length + environment.workers.pull_directly * _length_of_teams(pulled) > room_for_workers:
        mend = "split into two environments, or shorten connections_prefix and connection ids"
        yield "connections", f"too many for the workers' one IAM policy; {mend}"

    for name, settings in teams.items():
        for repository in settings.repositories:
            if repository.startswith(f"{name}/") or ".dkr.ecr." in repository:
                own = repository.split("/", 1)[-1]
                yield (
                    f"teams.{name}.repositories",
                    f"{repository!r} says too much; write {own!r}, the team comes by itself",
                )

    names: dict[str, Iterable[str]] = {"teams": teams, "connections": connections, **repositories}
    if environment.ecs:
        names["ecs.tasks"] = environment.ecs.tasks
    for key, group in names.items():
        first: dict[str, str] = {}
        for name in group:
            if (other := first.setdefault(pascal_case(name), name)) != name:
                yield key, f"{other!r} and {name!r} are both {pascal_case(name)} to CloudFormation; rename one"

    for name, connection in connections.items():
        for team in connection.teams:
            if team not in teams:
                mend = f"{did_you_mean(team, teams)}teams here: {', '.join(teams)}"
                yield f"connections.{name}.teams", f"{team!r} is no team; {mend}"

    if environment.ecs:
        known = [repository_name(team, name) for team, settings in teams.items() for name in settings.repositories]
        for repository in environment.ecs.tasks:
            if repository not in known:
                mend = f"{did_you_mean(repository, known)}write <team>/<repository> of one that is there"
                yield f"ecs.tasks.{repository!r}", f"{repository!r} is no repository; {mend}"
        if not environment.workers.role_arns:
            yield "ecs", "gives rights to workers' roles that are named; write workers.role_arns"
        # Each with two roles, two ARNs of its family, and a log.
        fixed, roles = 480, 2 * len(environment.role_path)
        if sum(2 * len(repository) + fixed + roles for repository in environment.ecs.tasks) > room_for_workers:
            yield "ecs.tasks", "too many for the workers' one IAM policy; list fewer, or shorten role_path"

    ours: dict[str, Iterable[str]] = {
        "break_glass_role_arns": environment.break_glass_role_arns,
        "permissions_boundary_arn": filter(None, [environment.permissions_boundary_arn]),
        "workers.role_arns": environment.workers.role_arns,
    }
    anyones: dict[str, Iterable[str]] = {"alerts.topic_arn": filter(None, [environment.alerts.topic_arn])}
    for name, team_settings in teams.items():
        anyones[f"teams.{name}.push.role_arns"] = team_settings.push.role_arns
        anyones[f"teams.{name}.push.user_arns"] = team_settings.push.user_arns
    if (topic_arn := environment.alerts.topic_arn) and topic_arn.split(":")[3] != environment.region:
        yield "alerts.topic_arn", f"{topic_arn!r} is of another region; name one of {environment.region}"
    if environment.secret_key == "customer" and not environment.registry_host.endswith(".amazonaws.com"):
        yield "secret_key", f"'customer' is not tried in {environment.region}; write 'aws'"
    partition = PARTITIONS[environment.region].name
    for key, group in {**ours, **anyones}.items():
        for arn in group:
            if not arn.startswith(f"arn:{partition}:"):
                yield key, f"{arn!r} is foreign to {environment.region}; it has to start with arn:{partition}:"
            elif key in ours and arn.split(":")[4] not in (environment.account, "aws"):
                yield key, f"{arn!r} is of another account; name one of account {environment.account}"
    role_names = [arn.rsplit("/", 1)[-1] for arn in environment.workers.role_arns]
    for role_name in {name for name in role_names if role_names.count(name) > 1}:
        yield "workers.role_arns", f"two ARNs name the role {role_name}, an account has but one; keep the right one"


def _length_of_teams(teams: Iterable[str]) -> int:
    return sum(2 * len(team) + 75 for team in teams)
