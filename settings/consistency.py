"""Checks that compare settings with each other, in one file and in different files.

Without these checks, AWS would refuse the settings in the middle of a deployment. The checks run on settings that
already have the right type and form.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from settings import foreign_registries, policy_lengths, template_size
from settings.environment import Environment
from settings.image_names import how_to_shorten, short_name
from settings.names import pascal_case, repository_name
from settings.problem import Problem, did_you_mean
from settings.regions import PARTITIONS

# CloudFormation accepts 500 resources and 200 outputs in a template ("AWS CloudFormation quotas"). A repository is one
# resource, `create_on_push` of a team is two, a team has one output, and a connection has four.
MAX_TEAMS = 200
MAX_REPOSITORIES = 490
MAX_RESOURCES_OF_REGISTRY = 498  # CDK adds one resource of its own
MAX_CONNECTIONS = 35
MAX_TEAMS_OF_CONNECTIONS = 600  # in all connections together

# The API references of these operations have the limits: CreateRepository of ECR, CreateRole of IAM, CreateSecret of
# Secrets Manager and RegisterTaskDefinition of ECS.
LONGEST_REPOSITORY_NAME = 256
LONGEST_ROLE_NAME = 64
LONGEST_SECRET_NAME = 512
LONGEST_TASK_FAMILY = 255


def problems_in(environment: Environment) -> Iterator[Problem]:
    """Return the problems of settings in one environment that contradict each other or exceed a limit."""
    for check in (
        _counts,
        policy_lengths.problems,
        template_size.problems,
        _repository_names,
        _existing_repositories,
        _only_existing_repositories,
        _logical_ids,
        _name_lengths,
        _lifecycles,
        _teams_of_connections,
        foreign_registries.problems,
        _ecs_tasks,
        _arns,
        _workflows,
        _readers,
        _creation_roles,
        _worker_role_names,
        _topic,
        _scan,
        _tags,
        _secret_key,
    ):
        yield from check(environment)


def problems_between(environments: Iterable[Environment]) -> Iterator[tuple[Environment, Problem]]:
    """Return a problem for each name that two environments would both create on AWS, or would both use.

    The second of the two environments, or the one that only uses the name, is returned with the problem.
    """
    environments = list(environments)
    owners: dict[tuple[str, str, tuple[str, ...]], Environment] = {}
    for environment in environments:
        for name in _physical_names(environment):
            owner = owners.setdefault((name.kind, name.text, name.unique_in), environment)
            if owner is not environment:
                what = f"{name.kind} {name.text!r} also belongs to {owner.name}.toml"
                yield environment, Problem(name.key, f"{what}; change the {name.parts} in one of the two files")
    yield from _existing_repositories_between(environments)
    yield from foreign_registries.problems_between(environments)


def _counts(environment: Environment) -> Iterator[Problem]:
    teams, connections = environment.teams.values(), environment.connections.values()
    for key, what, count, limit in (
        ("teams", "teams", len(teams), MAX_TEAMS),
        ("teams", "repositories", sum(len(team.repositories) for team in teams), MAX_REPOSITORIES),
        (
            "teams",
            "repositories (and 2 resources for each create_on_push)",
            sum(len(team.repositories) + 2 * team.create_on_push for team in teams),
            MAX_RESOURCES_OF_REGISTRY,
        ),
        ("connections", "connections", len(connections), MAX_CONNECTIONS),
        (
            "connections",
            "teams in all connections",
            sum(len(each.teams) for each in connections),
            MAX_TEAMS_OF_CONNECTIONS,
        ),
    ):
        if count > limit:
            fix = f"keep at most {limit}, or split the file into two environments"
            yield Problem(key, f"{count} {what} are too many for a CloudFormation template; {fix}")


def _repository_names(environment: Environment) -> Iterator[Problem]:
    for team, settings in environment.teams.items():
        for position, repository in enumerate(settings.repositories):
            if fix := how_to_shorten(team, settings.repositories, position):
                what = f"{repository!r} repeats the team or the registry"
                yield Problem(f"teams.{team}.repositories", f"{what}; {fix}")


def _existing_repositories(environment: Environment) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for team, settings in environment.teams.items():
        key = f"teams.{team}.existing_repositories"
        for position, name in enumerate(settings.existing_repositories):
            if fix := how_to_shorten("", settings.existing_repositories, position):
                yield Problem(key, f"{name!r} repeats the registry; {fix}")
            prefix, _, rest = name.partition("/")
            if prefix == team and rest in settings.repositories:
                yield Problem(
                    key, f"{name!r} is managed here, because {rest!r} is in repositories; remove one of the two"
                )
            elif prefix != team and rest and prefix in environment.teams:
                what = f"{name!r} starts with the name of the team {prefix}"
                yield Problem(key, f"{what}; move it to teams.{prefix}.existing_repositories")
            if (other := first.setdefault(name, team)) != team:
                what = f"{name!r} is also in teams.{other}.existing_repositories"
                yield Problem(key, f"{what}; keep it in the team that pushes to the repository")


def _only_existing_repositories(environment: Environment) -> Iterator[Problem]:
    """Return a problem for each setting that applies to no repository, because the team has only existing ones."""
    for name, team in environment.teams.items():
        if team.repositories or team.create_on_push:
            continue
        without_effect = {
            "lifecycle": team.lifecycle.deletes or team.lifecycle.protected_tags,
            "repository_defaults": team.repository_defaults.mutable_tags or team.repository_defaults.keep_images,
            "others_may_push_because": team.others_may_push_because,
            "pull_accounts": team.pull_accounts,
            "pull_organization": team.pull_organization,
        }
        for key in (key for key, value in without_effect.items() if value):
            what = "has no effect, because the deployment does not change existing_repositories"
            yield Problem(f"teams.{name}.{key}", f"{what}; remove it, or add repositories or create_on_push")


def _existing_repositories_between(environments: Sequence[Environment]) -> Iterator[tuple[Environment, Problem]]:
    """Return a problem for each existing repository that belongs to another environment of the account and Region."""
    places = [(each.account, each.region) for each in environments]
    teams = {(place, team): each for place, each in zip(places, environments, strict=True) for team in each.teams}
    first: dict[tuple[tuple[str, str], str], Environment] = {}
    for place, environment in zip(places, environments, strict=True):
        for team, settings in environment.teams.items():
            for name in settings.existing_repositories:
                prefix, slash, _ = name.partition("/")
                owner = teams.get((place, prefix), environment) if slash else environment
                user = first.setdefault((place, name), environment)
                key = f"teams.{team}.existing_repositories"
                if owner is not environment:
                    what = f"{name!r} starts with the name of the team {prefix} of {owner.name}.toml"
                    yield environment, Problem(key, f"{what}; remove it from {environment.name}.toml")
                elif user is not environment:
                    what = f"{name!r} is also in existing_repositories of {user.name}.toml"
                    yield environment, Problem(key, f"{what}; keep it in one of the two files")


def _logical_ids(environment: Environment) -> Iterator[Problem]:
    names: dict[str, Iterable[str]] = {"teams": environment.teams, "connections": environment.connections}
    for team, settings in environment.teams.items():
        names[f"teams.{team}.repositories"] = settings.repositories
    if environment.ecs:
        names["ecs.tasks"] = environment.ecs.tasks
    for key, group in names.items():
        first: dict[str, str] = {}
        for name in group:
            if (other := first.setdefault(pascal_case(name), name)) != name:
                what = f"{other!r} and {name!r} have the same name in CloudFormation, {pascal_case(name)}"
                yield Problem(key, f"{what}; rename one")


class _PhysicalName(NamedTuple):
    """A name that a resource gets on AWS, or another name that must be unique.

    The names of the stacks, of the ECS cluster and of the clean-up's association are not checked. They consist of the
    environment's name and fixed words, so they always differ between environments.
    """

    kind: str
    text: str
    longest: int | None  # in characters, or None if no limit can be exceeded
    unique_in: tuple[str, ...]  # the account, the account and Region, or the environment
    key: str  # the setting that is reported in a problem
    parts: str  # the settings that the name consists of


def _physical_names(environment: Environment) -> Iterator[_PhysicalName]:
    account, region = (environment.account,), (environment.account, environment.region)
    for team, settings in environment.teams.items():
        yield _PhysicalName(
            "push role",
            environment.push_role_name(team),
            LONGEST_ROLE_NAME,
            unique_in=account,
            key=f"teams.{team}",
            parts="name of the team or of the environment",
        )
        # The permissions use the team's name. If two environments had a team of the same name, each environment could
        # use the repositories of the other one (docs/decisions/0007). The name of the push role contains the
        # name of the team, so the limit for the push role also limits the team.
        yield _PhysicalName("team", team, None, unique_in=region, key=f"teams.{team}", parts="name of the team")
        for repository in settings.repositories:
            yield _PhysicalName(
                "repository",
                repository_name(team, repository),
                LONGEST_REPOSITORY_NAME,
                unique_in=(environment.name,),  # the name of the team is already unique in the Region
                key=f"teams.{team}.repositories",
                parts="name of the team or of the repository",
            )
    for connection in environment.connections:
        if role_name := environment.pull_role_name(connection):
            yield _PhysicalName(
                "pull role",
                role_name,
                LONGEST_ROLE_NAME,
                unique_in=account,
                key=f"connections.{connection}",
                parts="ID of the connection or the name of the environment",
            )
        yield _PhysicalName(
            "secret",
            environment.secret_name(connection),
            LONGEST_SECRET_NAME,
            unique_in=region,
            key=f"connections.{connection}",
            parts="connections_prefix or the ID of the connection",
        )
    for repository in environment.ecs.tasks if environment.ecs else ():
        # The workers of an environment may run all tasks of a family.
        yield _PhysicalName(
            "task family",
            environment.ecs_family(repository),
            LONGEST_TASK_FAMILY,
            unique_in=region,
            key=f"ecs.tasks.{repository!r}",
            parts="name of the repository, of the team or of the environment",
        )


def _name_lengths(environment: Environment) -> Iterator[Problem]:
    for name in _physical_names(environment):
        if name.longest and len(name.text) > name.longest:
            what = f"{name.kind} {name.text!r} is longer than {name.longest} characters"
            yield Problem(name.key, f"{what}; shorten the {name.parts} by {len(name.text) - name.longest}")


def _lifecycles(environment: Environment) -> Iterator[Problem]:
    for team, settings in environment.teams.items():
        if settings.lifecycle.keep_images and settings.repository_defaults.keep_images:
            what = f"is the same setting as teams.{team}.lifecycle.keep_images"
            yield Problem(f"teams.{team}.repository_defaults.keep_images", f"{what}; remove one of them")
        for name in settings.repository:
            if name not in settings.repositories:
                short = name.removeprefix(f"{team}/")
                names = ", ".join(settings.repositories)
                otherwise = f"write one of {names}" if names else "remove it, because repositories is empty"
                known = short in settings.repositories
                fix = f"write {short!r}" if known else did_you_mean(name, settings.repositories, otherwise)
                what = f"{name!r} is not a repository of the team {team}"
                yield Problem(f"teams.{team}.repository.{name!r}", f"{what}; {fix}")


def _teams_of_connections(environment: Environment) -> Iterator[Problem]:
    teams = environment.teams
    for name, connection in environment.connections.items():
        if not connection.teams and not connection.registry:
            is_empty = "teams" in connection.model_fields_set
            what = (
                "is empty; write at least one team" if is_empty else f'is missing; add teams = ["{next(iter(teams))}"]'
            )
            yield Problem(f"connections.{name}.teams", what)
        for team in connection.teams:
            if not connection.registry and team not in teams:
                fix = did_you_mean(team, teams, f"write one of {', '.join(teams)}")
                yield Problem(f"connections.{name}.teams", f"{team!r} is not a team of this file; {fix}")


def _ecs_tasks(environment: Environment) -> Iterator[Problem]:
    if not environment.ecs:
        return
    known = [
        repository_name(team, name) for team, settings in environment.teams.items() for name in settings.repositories
    ] + environment.existing_repositories(environment.teams)
    for repository in environment.ecs.tasks:
        if repository not in known:
            name = short_name("", repository)
            otherwise = "write a repository of this file as <team>/<name>"
            fix = f"write {name!r}" if name in known else did_you_mean(name, known, otherwise)
            yield Problem(f"ecs.tasks.{repository!r}", f"{repository!r} is not a repository of this file; {fix}")
    if not environment.workers.role_arns:
        yield Problem("ecs", "needs the names of the workers' roles, which run the tasks; add workers.role_arns")


def _arns(environment: Environment) -> Iterator[Problem]:
    of_this_account: dict[str, Iterable[str]] = {
        "break_glass_role_arns": environment.break_glass_role_arns,
        "permissions_boundary_arn": filter(None, [environment.permissions_boundary_arn]),
        "workers.role_arns": environment.workers.role_arns,
    }
    of_any_account: dict[str, Iterable[str]] = {"alerts.topic_arn": filter(None, [environment.alerts.topic_arn])}
    for name, team in environment.teams.items():
        of_any_account[f"teams.{name}.push.role_arns"] = team.push.role_arns
        of_any_account[f"teams.{name}.push.user_arns"] = team.push.user_arns
    start = f"arn:{PARTITIONS[environment.region].name}:"
    for key, arns in {**of_this_account, **of_any_account}.items():
        for arn in arns:
            if not arn.startswith(start):
                what = f"{arn!r} is not in the AWS partition of {environment.region}"
                yield Problem(key, f"{what}; write an ARN that starts with {start}")
            elif key in of_this_account and arn.split(":")[4] not in (environment.account, "aws"):
                yield Problem(key, f"{arn!r} is in another account; write an ARN of account {environment.account}")


def _workflows(environment: Environment) -> Iterator[Problem]:
    for name, team in environment.teams.items():
        for kind, workflows in (("github", team.push.github), ("gitlab", team.push.gitlab)):
            for position, workflow in enumerate(workflows):
                if workflow in workflows[:position]:
                    what = f"table {position + 1} repeats table {workflows.index(workflow) + 1}"
                    yield Problem(f"teams.{name}.push.{kind}", f"{what}; remove one of the two")


def _readers(environment: Environment) -> Iterator[Problem]:
    for name, team in environment.teams.items():
        if environment.account in team.pull_accounts:
            what = f"{environment.account!r} is the account of this environment, which may pull by its own policies"
            yield Problem(f"teams.{name}.pull_accounts", f"{what}; remove it")


def _creation_roles(environment: Environment) -> Iterator[Problem]:
    # The resource type AWS::ECR::RepositoryCreationTemplate has a pattern for CustomRoleArn that allows no path.
    for name, team in environment.teams.items():
        if team.create_on_push and environment.role_path != "/":
            what = f"needs a role without a path, and role_path is {environment.role_path!r}"
            yield Problem(f"teams.{name}.create_on_push", f"{what}; remove create_on_push or role_path")


def _worker_role_names(environment: Environment) -> Iterator[Problem]:
    arns = defaultdict(list)
    for arn in environment.workers.role_arns:
        arns[arn.rpartition("/")[2]].append(arn)
    for role, same in arns.items():
        if len(same) > 1:
            what = f"{len(same)} ARNs name the role {role}, but an account has one role of a name"
            yield Problem("workers.role_arns", f"{what}; keep the ARN that `aws iam get-role` prints")


def _topic(environment: Environment) -> Iterator[Problem]:
    topic_arn = environment.alerts.topic_arn
    if topic_arn and topic_arn.split(":")[3] != environment.region:
        yield Problem("alerts.topic_arn", f"{topic_arn!r} is in another Region; write a topic of {environment.region}")


def _scan(environment: Environment) -> Iterator[Problem]:
    alerts = environment.alerts
    if environment.scan == "off" and "scan_findings" in alerts.model_fields_set and alerts.scan_findings != "off":
        what = f"{alerts.scan_findings!r} sends no message, because scan is 'off'"
        yield Problem("alerts.scan_findings", f"{what}; remove scan_findings, or change scan")


def _tags(environment: Environment) -> Iterator[Problem]:
    # Keys of tags are case-insensitive in IAM ("Tags for IAM resources"), and roles get the tags too.
    first: dict[str, str] = {}
    for key in environment.tags:
        if (other := first.setdefault(key.lower(), key)) != key:
            yield Problem("tags", f"{other!r} and {key!r} are the same key for IAM; keep one")


def _secret_key(environment: Environment) -> Iterator[Problem]:
    # The policy of the customer managed key names AWS services by host names that end with amazonaws.com.
    if environment.secret_key == "customer" and not environment.registry_host.endswith(".amazonaws.com"):
        yield Problem("secret_key", f"'customer' is not tested in {environment.region}; write 'aws'")
