"""The values that the templates print, from the settings and the deployed stacks."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from ops.clients import Clients, NoAnswer, answers
from ops.deployment import Deployment
from ops.results import CannotTell
from ops.together import ask_all
from settings import summary
from settings.environment import Environment, GitHub, GitLab, Team
from settings.names import pascal_case, repository_name
from settings.regions import PARTITIONS
from settings.registries import Registry
from settings.registry_access import policy_to_paste
from settings.warnings import account_of

NEWEST_TAGS = 100
"""How many tags of a repository are read to find a tag for the check on a worker."""

Values = dict[str, Any]


def analyst(deployment: Deployment, clients: Clients, team: str | None) -> Values:
    """Return the values for the analysts of a team."""
    assert team
    environment = deployment.environment
    settings = environment.teams[team]
    push = settings.push
    users = [_User(arn) for arn in push.user_arns]
    return _common(deployment) | {
        "team": team,
        "push": push,
        "settings": settings,
        "role_arn": _push_role_arn(deployment, team),
        "role_name": environment.push_role_name(team),
        "profile": f"{environment.name}-push-{team}",
        "repositories": repositories(environment, [team]) or [repository_name(team, "<name>")],
        "user": users[0] if len(users) == 1 else None,
        "users": [user.name for user in users],
        "other_accounts": [arn for arn in push.role_arns + push.user_arns if account_of(arn) != environment.account],
        "persons": bool(push.permission_sets or push.role_arns or push.user_arns),
        "deletions": list(summary.deletions(settings.default_lifecycle, "each repository")),
    }


def airflow(deployment: Deployment, clients: Clients, team: str | None) -> Values:
    """Return the values for people who configure Airflow."""
    environment = deployment.environment
    connections = [_pulls(environment, connection_id) for connection_id in environment.connections]
    return _common(deployment) | {
        "connections": connections,
        "tags": _common_tags(clients, connections),
        "backend": "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
        "backend_kwargs": json.dumps(backend_kwargs(environment)),
        "strict_backend": "strict_secrets_manager.StrictSecretsManagerBackend",
        "strict_backend_kwargs": json.dumps(
            {"required_connections": [*environment.connections], **backend_kwargs(environment)}
        ),
        "workers": worker_role_arns(deployment),
        "tasks": [
            environment.ecs_family(repository) for repository in (environment.ecs.tasks if environment.ecs else ())
        ],
        "cluster": environment.ecs_cluster_name,
    }


def backend_kwargs(environment: Environment) -> dict[str, str | None]:
    """Return the `backend_kwargs` of Airflow's secrets backend."""
    return {
        "connections_prefix": environment.connections_prefix,
        "connections_lookup_pattern": "^docker_",
        "variables_prefix": None,
        "config_prefix": None,
        "region_name": environment.region,
    }


def ci(deployment: Deployment, clients: Clients, team: str | None) -> Values:
    """Return the values for people who push from CI: of one team, or of all teams with a CI system."""
    environment = deployment.environment
    chosen = {team: environment.teams[team]} if team else environment.teams
    return _common(deployment) | {
        "teams": [
            _CiTeam(
                name=name,
                settings=settings,
                role_arn=_push_role_arn(deployment, name),
                image=(repositories(environment, [name]) or [repository_name(name, "<name>")])[0],
                github=_github_workflows(settings.push.github),
                gitlab=_gitlab_jobs(settings.push.gitlab),
            )
            for name, settings in chosen.items()
            if settings.push.workflows or settings.push.role_arns
        ],
        "only": team,
    }


def security(deployment: Deployment, clients: Clients, team: str | None) -> Values:
    """Return the values for people who review the permissions."""
    environment = deployment.environment
    executor = next((stack.role_arn for stack in deployment.stacks.values() if stack.role_arn), "")
    roles = [
        *((f"push, team {team}", _push_role_arn(deployment, team)) for team in environment.teams),
        *((f"pull, {each.id}", each.pull_role_arn) for each in deployment.connections.values()),
        *(("Airflow worker", arn) for arn in worker_role_arns(deployment)),
        *(("break-glass", arn) for arn in environment.break_glass_role_arns),
    ]
    if executor:
        roles.append(("CloudFormation", executor))
    if "-cfn-exec-role-" in executor:  # The names of the roles of `cdk bootstrap`
        roles.append(("who deploys", executor.replace("-cfn-exec-role-", "-deploy-role-")))
    return _common(deployment) | {
        "access": summary.access(environment),
        "roles": roles,
        "width": max(len(label) for label, _ in roles),
        "break_glass": bool(environment.break_glass_role_arns),
        "open_teams": [name for name, each in environment.teams.items() if each.others_may_push_because],
        "existing": environment.existing_repositories(environment.teams),
        "creating": [name for name, each in environment.teams.items() if each.create_on_push],
        "pull_directly": environment.workers.pull_directly,
        "elsewhere": [(each.id, each.registry.host, each.readers[0]) for each in _others(deployment)],
    }


def registry(deployment: Deployment, clients: Clients, team: str | None) -> Values:
    """Return the values for the owners of the registries of other accounts and Regions.

    Raises:
        CannotTell: No deployed connection is for such a registry.
    """
    others = list(_others(deployment))
    if not others:
        name = deployment.environment.name
        raise CannotTell(f"no deployed connection of {name} has registry. Add connections.<id>.registry, and deploy")
    return _common(deployment) | {"others": others}


AUDIENCES: dict[str, Callable[[Deployment, Clients, str | None], Values]] = {
    "analyst": analyst,
    "airflow": airflow,
    "ci": ci,
    "security": security,
    "registry": registry,
}
"""The function that returns the values of each template."""


def repositories(environment: Environment, teams: Iterable[str]) -> list[str]:
    """Return the full names of all repositories of these teams."""
    managed = [repository_name(team, name) for team in teams for name in environment.teams[team].repositories]
    return managed + environment.existing_repositories(teams)


def worker_role_arns(deployment: Deployment) -> list[str]:
    """Return the roles that read the docker logins: those in the settings, or the role of the deployment."""
    return list(deployment.environment.workers.role_arns) or [_output(deployment, "WorkerRoleArn")]


@dataclass(frozen=True)
class _User:
    """An IAM user."""

    arn: str

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def account(self) -> str:
        return account_of(self.arn)


@dataclass(frozen=True)
class _Pulls:
    """What a connection pulls.

    Attributes:
        repositories: The repositories whose names are in the settings.
        foreign: A repository of another team, or an empty string.
        host: The registry.
        is_own: Whether this is the registry of the environment.
    """

    id: str
    secret_name: str
    repositories: list[str]
    foreign: str
    host: str
    is_own: bool


@dataclass(frozen=True)
class _Other:
    """A connection that is for the registry of another account or Region.

    Attributes:
        readers: The ARNs of the roles that pull: the pull role, and with `pull_directly` the workers' roles.
        teams: The starts of the names of repositories, without the slash.
        repositories: The full names of single repositories.
        needs_policy: Whether the registry belongs to another account.
        policy: The policy that lets the readers pull.
    """

    id: str
    readers: list[str]
    registry: Registry
    teams: list[str]
    repositories: list[str]
    needs_policy: bool
    policy: dict[str, Any]

    @property
    def prefixes(self) -> list[str]:
        """The starts of the names of repositories, with the slash."""
        return [repository_name(each, "") for each in self.teams]

    @property
    def images(self) -> list[str]:
        """The repositories, with `*` at the end of a prefix."""
        return [*(repository_name(each, "*") for each in self.teams), *self.repositories]


@dataclass(frozen=True)
class _Workflow:
    """A job on GitHub: all branches of a repository that may push, or an environment."""

    repository: str
    branches: list[str]
    environment: str | None


@dataclass(frozen=True)
class _Job:
    """A job on GitLab, with the conditions of its rules."""

    project: str
    audience: str
    rules: list[str]


@dataclass(frozen=True)
class _CiTeam:
    name: str
    settings: Team
    role_arn: str
    image: str
    github: list[_Workflow]
    gitlab: list[_Job]


def _others(deployment: Deployment) -> Iterator[_Other]:
    environment = deployment.environment
    workers = worker_role_arns(deployment) if environment.workers.pull_directly else []
    for connection in deployment.connections.values():
        if not environment.connections[connection.id].registry:
            continue
        pulled = environment.pulled_images(connection.id)
        readers = [connection.pull_role_arn, *workers]
        yield _Other(
            id=connection.id,
            readers=readers,
            registry=pulled.registry,
            teams=list(pulled.teams),
            repositories=list(pulled.repositories),
            needs_policy=pulled.registry.account != environment.account,
            policy=policy_to_paste(PARTITIONS[environment.region].name, readers),
        )


def _pulls(environment: Environment, connection_id: str) -> _Pulls:
    images = environment.pulled_images(connection_id)
    known, foreign = list(images.repositories), ""
    if images.is_own:
        known = repositories(environment, images.teams)
        others = [name for name in repositories(environment, environment.teams) if name not in known]
        foreign = others[0] if others else ""
    return _Pulls(
        id=connection_id,
        secret_name=environment.secret_name(connection_id),
        repositories=known,
        foreign=foreign,
        host=images.registry.host,
        is_own=images.is_own,
    )


def _common(deployment: Deployment) -> Values:
    environment = deployment.environment
    return {
        "env": environment.name,
        "account": environment.account,
        "partition": PARTITIONS[environment.region].name,
        "region": environment.region,
        "registry": _output(deployment, "RegistryHost"),
    }


def _output(deployment: Deployment, name: str) -> str:
    """Return an output.

    Raises:
        CannotTell: No deployed stack has the output, because the settings are newer than the deployment.
    """
    if name in deployment.outputs:
        return deployment.outputs[name]
    environment = deployment.environment.name
    raise CannotTell(f"the stacks of {environment} have no output {name}. Run: make deploy ENV={environment}")


def _push_role_arn(deployment: Deployment, team: str) -> str:
    return _output(deployment, f"PushRoleArn{pascal_case(team)}")


def _common_tags(clients: Clients, connections: Iterable[_Pulls]) -> dict[str, str]:
    """Return a tag for each connection: the one that most of its repositories have, or `<tag>` if none is known."""
    needed = sorted(
        {repository for connection in connections if connection.is_own for repository in connection.repositories}
    )
    by_repository = ask_all({repository: partial(_tags, clients, repository) for repository in needed})
    refused = [answer for answer in by_repository.values() if isinstance(answer, NoAnswer)]
    if refused:
        click.echo(f"The page has <tag> in the place of a tag: {refused[0]}", err=True)
    known = {name: [] if isinstance(answer, NoAnswer) else answer for name, answer in by_repository.items()}
    found = {}
    for connection in connections:
        tags = [tag for repository in connection.repositories for tag in known.get(repository, [])]
        found[connection.id] = max(sorted(set(tags)), key=tags.count, default="<tag>")
    return found


def _tags(clients: Clients, repository: str) -> list[str]:
    with answers():
        images = clients.ecr.list_images(
            repositoryName=repository, filter={"tagStatus": "TAGGED"}, maxResults=NEWEST_TAGS
        )["imageIds"]
    return [image["imageTag"] for image in images]


def _github_workflows(tables: Iterable[GitHub]) -> list[_Workflow]:
    """Return the workflows: one for all branches of a repository, and one for each environment."""
    branches = defaultdict(list)
    for table in tables:
        branches[table.repository, table.environment].append(table.branch or "main")
    return [_Workflow(repository, names, environment) for (repository, environment), names in branches.items()]


def _gitlab_jobs(tables: Iterable[GitLab]) -> list[_Job]:
    """Return the jobs: one for all branches and tags of a project, for each audience."""
    rules = defaultdict(list)
    for table in tables:
        variable, ref = ("$CI_COMMIT_BRANCH", table.branch) if table.branch else ("$CI_COMMIT_TAG", table.tag or "")
        rules[table.project, table.audience].append(f"{variable} {_gitlab_condition(ref)}")
    return [_Job(project, audience, conditions) for (project, audience), conditions in rules.items()]


def _gitlab_condition(ref: str) -> str:
    """Return the condition of a rule: `== "main"`, or `=~ /^release\\//` for `release/*`."""
    if not ref.endswith("*"):
        return f'== "{ref}"'
    start = ref[:-1].replace("/", r"\/").replace(".", r"\.")
    return f"=~ /^{start}/"
