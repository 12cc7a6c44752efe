"""The requests of the matrix: every action of eleven services, on our resources and on similar resources."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tests.permissions.account import ADMINISTRATOR, OPEN, Account, in_another_account, owned, pasted, similar_names
from tests.permissions.environments import FOREIGN_ACCOUNT, Environment, ForeignImages

# The matrix has requests for every action of these services.
SERVICES = ("ecr", "ecs", "iam", "kms", "lambda", "logs", "scheduler", "secretsmanager", "sns", "sqs", "sts")
HTTPS = {"aws:SecureTransport": "true"}
HTTP = {"aws:SecureTransport": "false"}


@dataclass(frozen=True)
class Target:
    """A resource, the id of its policy, and the context keys of a request for the resource."""

    arn: str
    resource_type: str  # a name of the Service Authorization Reference; "" for actions without a resource
    policy: str | None = None
    context: dict[str, str] = field(default_factory=lambda: HTTPS)


class Requests(NamedTuple):
    """The requests of a principal for a target, one for each of these actions."""

    principal: str
    target: str
    actions: tuple[str, ...]


def targets_of(account: Account) -> dict[str, Target]:
    """Return a dict of name to target. The table of expected permissions uses these names."""
    found = {"no specific resource": Target("*", "")}
    for environment in account.environments:
        for kind in (_repositories, _secrets, _keys, _functions, _logs, _tasks, _passed_roles, _queues, _topics):
            found |= kind(account, environment)
    return found | _foreign_repositories(account) | _others(account)


def _similar(name: str, resource_type: str, arn: str, text: str, context: dict[str, str] = HTTPS) -> dict[str, Target]:
    """Return resources whose ARNs a wildcard in this ARN would also match.

    Args:
        name: the name of the resource in the matrix.
        text: the part of the ARN that the resource's name consists of.
    """
    found = {
        f"{name}{how}": Target(arn.replace(text, other), resource_type, None, context)
        for how, other in similar_names(text).items()
    }
    # The other account's resource is open to everybody, so only an identity-based policy can deny.
    found[f"{name}, in another account"] = Target(in_another_account(arn), resource_type, OPEN, context)
    if region := arn.split(":")[3]:
        other_region = arn.replace(f":{region}:", ":eu-central-1:", 1)
        found[f"{name}, in another Region"] = Target(other_region, resource_type, None, context)
    return found


def _repositories(account: Account, environment: Environment) -> dict[str, Target]:
    """Return each team's managed and existing repositories, and repositories with similar names or tags."""

    def repository(name: str, team: str | None, context: dict[str, str] = HTTPS, policy: str | None = None) -> Target:
        tag = {"aws:ResourceTag/team": team} if team else {}
        return Target(environment.arn("ecr", f"repository/{name}"), "repository", policy, {**context, **tag})

    found: dict[str, Target] = {}
    for team, names in environment.prefixed.items():
        for name in names:
            full, own = f"{team}/{name}", repository(f"{team}/{name}", team)
            policy = account.resource_policies.get(environment.repository(team, name))
            found |= {
                full: repository(full, team, policy=policy),
                f"{full} over http": repository(full, team, HTTP, policy),
                # AWS does not document whether docker's requests with a token have the key aws:SecureTransport.
                f"{full}, transport unknown": repository(full, team, {}, policy),
                f"{full}/below": repository(f"{full}/below", team),
                **_similar(full, "repository", own.arn, team, own.context),
            }
            for other in similar_names(name).values():  # other repositories of the team
                found[f"{team}/{other}"] = repository(f"{team}/{other}", team)
        found |= {
            f"{team}/not-in-the-settings": repository(f"{team}/not-in-the-settings", team),
            f"{team}/app, tagged another-team": repository(f"{team}/app", "another-team"),
            f"{team}/app, untagged": repository(f"{team}/app", None),
            f"{team}/app, tagged {team}-y": repository(f"{team}/app", f"{team}-y"),
            f"{team}/app, tagged y-{team}": repository(f"{team}/app", f"y-{team}"),
            # A principal that may tag repositories can write upper-case letters in a tag.
            f"{team}/app, tagged {team.upper()}": repository(f"{team}/app", team.upper()),
            f"stray/app, tagged {team}": repository("stray/app", team),
            **{
                f"{team}/app, tagged {other}": repository(f"{team}/app", other)
                for other in environment.teams
                if other != team
            },
        }
    for team, names in environment.existing.items():
        for name in names:
            own = repository(name, None)
            found |= {
                name: own,
                f"{name} over http": repository(name, None, HTTP),
                f"{name}, transport unknown": repository(name, None, {}),
                f"{name}, tagged {team}": repository(name, team),
                f"{name}, tagged another-team": repository(name, "another-team"),
                f"{name}/below": repository(f"{name}/below", None),
                **_similar(name, "repository", own.arn, name, own.context),
            }
    return found


def _foreign_repositories(account: Account) -> dict[str, Target]:
    """Return the repositories in other registries that connections can pull, and repositories that are similar."""
    found: dict[str, Target] = {}
    for environment in account.environments:
        for images in environment.foreign.values():
            for team in images.teams:
                found |= _of_foreign_team(account, images, team)
            for name in images.repositories:
                found |= _foreign_repository(account, images, name, None)
                repository = _in_registry(account, images)
                found |= {
                    f"{_place(images)} {name}, tagged another-team": repository(name, "another-team"),
                    f"{_place(images)} {name}, in a similar account": repository(name, None, _similar_account(images)),
                }
    for owner, team, name in owned(account):
        images = ForeignImages(owner.account, owner.region, (team,), ())
        found |= _with_each_transport(account, images, f"{team}/{name}", team)
    return found


def _of_foreign_team(account: Account, images: ForeignImages, team: str) -> dict[str, Target]:
    place, full = _place(images), f"{team}/app"
    repository = _in_registry(account, images)
    tags = {f"tagged {tag}": tag for tag in foreign_tags(account, images.registry, team) if tag != team}
    return {
        **_foreign_repository(account, images, full, team),
        f"{place} {full}, untagged": repository(full, None),
        **{f"{place} {full}, {how}": repository(full, tag) for how, tag in tags.items()},
        f"{place} {full}, in a similar account": repository(full, team, _similar_account(images)),
        f"{place} {team}": repository(team, team),
    }


def foreign_tags(account: Account, registry: tuple[str, str], team: str) -> list[str]:
    """Return the values of the tag `team` for which the matrix has the repository `app` of a team in this registry."""
    others = [
        each
        for environment in account.environments
        for images in environment.foreign.values()
        if images.registry == registry
        for each in images.teams
    ]
    return [*dict.fromkeys([team, "another-team", team.upper(), f"{team}-y", f"y-{team}", *others])]


def _foreign_repository(account: Account, images: ForeignImages, full: str, team: str | None) -> dict[str, Target]:
    """Return a repository with its policy, without a policy, and repositories with similar names."""
    name, repository = f"{_place(images)} {full}", _in_registry(account, images)
    own = repository(full, team)
    return {
        **_with_each_transport(account, images, full, team),
        f"{name}, without a policy": replace(own, policy=None),
        f"{name}/below": repository(f"{full}/below", team),
        **{f"{name}{how}": repository(other, team) for how, other in similar_names(full).items()},
        f"{name}, in another account": Target(in_another_account(own.arn), "repository", OPEN, own.context),
        **{
            f"{name}, in the Region {region}": replace(own, arn=own.arn.replace(f":{images.region}:", f":{region}:"))
            for region in ("us-east-1", "us-east-2", "us-west-2", "us-east-10")
            if (images.account, region) not in _registries(account)
        },
    }


def _with_each_transport(account: Account, images: ForeignImages, full: str, team: str | None) -> dict[str, Target]:
    """Return a repository with its policy, for requests over HTTPS, over HTTP and without this information."""
    name = f"{_place(images)} {full}"
    own = replace(_in_registry(account, images)(full, team), policy=_foreign_policy(account, images, full))
    unknown = {key: value for key, value in own.context.items() if key not in HTTPS}
    return {
        name: own,
        f"{name} over http": replace(own, context=own.context | HTTP),
        f"{name}, transport unknown": replace(own, context=unknown),
    }


def _registries(account: Account) -> set[tuple[str, str]]:
    """Return the registries of the account's connections."""
    return {
        (account.id, account.region),
        *(each.registry for environment in account.environments for each in environment.foreign.values()),
    }


def _place(images: ForeignImages) -> str:
    return f"{images.account} {images.region}:"


def _similar_account(images: ForeignImages) -> str:
    """Return the id of an account that begins alike."""
    return f"{images.account[:-1]}{0 if images.account.endswith('9') else 9}"


def _in_registry(account: Account, images: ForeignImages) -> Callable[..., Target]:
    """Return a function for repositories that are open to everybody, so that only an identity-based policy can deny."""

    def repository(name: str, team: str | None, owner: str = images.account) -> Target:
        context = {**HTTPS, **({"aws:ResourceTag/team": team} if team else {})}
        arn = f"arn:aws:ecr:{images.region}:{owner}:repository/{name}"
        return Target(arn, "repository", OPEN if owner != account.id else None, context)

    return repository


def _foreign_policy(account: Account, images: ForeignImages, full: str) -> str | None:
    """Return the id of the policy of a repository: the policy of its settings file, or the policy that was pasted."""
    team, _, name = full.partition("/")
    for owner in account.owners:
        if (owner.account, owner.region) == images.registry and name in owner.teams.get(team, []):
            return account.resource_policies.get(owner.repository(team, name))
    return pasted(images.registry, full) if images.account != account.id else None


def _secrets(account: Account, environment: Environment) -> dict[str, Target]:
    def secret(name: str) -> str:
        return environment.arn("secretsmanager", f"secret:{name}-AbCdEf")

    # This secret has the same prefix, but an administrator created it by hand.
    other = secret(environment.secret_name("docker_hub"))
    found = {f"another secret of {environment.name}": Target(other, "Secret")}
    for name in environment.connections:
        path, full = f"{environment.connection(name)}/Secret", environment.secret_name(name)
        arn, policy = account.arns[path], account.resource_policies[path]
        found |= {
            f"secret of {name}": Target(arn, "Secret", policy),
            f"secret of {name}, without its policy": Target(arn, "Secret"),
            f"secret of {name} over http": Target(arn, "Secret", policy, HTTP),
            f"secret of {name}, transport unknown": Target(arn, "Secret", policy, {}),
            # Secrets Manager adds six random characters to the name.
            f"secret of {name}, created again": Target(arn.replace("AbCdEf", "GhIjKl"), "Secret"),
            f"secret of {name}, with another prefix": Target(secret(f"elsewhere/{name}"), "Secret"),
            **_similar(f"secret of {name}", "Secret", arn, full),
            f"secret of {name}, with a name in its folder": Target(secret(f"{full}/x"), "Secret"),
            f"secret of {name}, with a name like the end of its ARN": Target(secret(f"{full}-AbCdEf"), "Secret"),
        }
    return found


# The value that Secrets Manager has in an encryption context when it tests a key. stacks/docker_login/secret_key.py has
# the sources.
KEY_TEST = "RequestToValidateKeyAccess"


def _keys(account: Account, environment: Environment) -> dict[str, Target]:
    """Return the uses of the environment's key, and the same uses of keys whose policy delegates to IAM policies."""
    if not environment.has_key:
        return {}

    def use(
        secret: str | None,
        service: str | None = "secretsmanager",
        region: str = environment.region,
        key: str = "SecretARN",
    ) -> dict[str, str]:
        context = {**HTTPS}
        if service:
            context["kms:ViaService"] = f"{service}.{region}.amazonaws.com"
        if secret:
            context[f"kms:EncryptionContext:{key}"] = secret
        return context

    def secret(name: str) -> str:
        return environment.arn("secretsmanager", f"secret:{name}-AbCdEf")

    uses = {
        "used for another secret": use(secret("elsewhere/docker_default")),
        "used for no secret": use(None),
        "used for a version without the ARN of a secret": use("0123" * 8, key="SecretVersionId"),
    }
    for key in ("SecretARN", "SecretVersionId"):
        uses |= {
            f"tested by {key}": use(KEY_TEST, key=key),
            f"tested by {key} with a similar value": use(f"{KEY_TEST}-x", key=key),
            f"tested by {key} through another service": use(KEY_TEST, "s3", key=key),
            f"tested by {key} in another Region": use(KEY_TEST, region="eu-central-1", key=key),
            f"tested by {key} through no service": use(KEY_TEST, None, key=key),
        }
    for name in environment.connections:
        full = environment.secret_name(name)
        arn = secret(full)
        uses |= {
            f"used for the secret of {name}": use(arn),
            **{
                f"used for a secret like that of {name}{how}": use(secret(other))
                for how, other in similar_names(full).items()
            },
            f"used for a secret of another Region like that of {name}": use(
                arn.replace(environment.region, "eu-central-1")
            ),
            f"used for a secret of another account like that of {name}": use(
                arn.replace(environment.account, FOREIGN_ACCOUNT)
            ),
            f"used for the secret of {name} through another service": use(arn, "s3"),
            f"used for the secret of {name} in another Region": use(arn, region="eu-central-1"),
            f"used for the secret of {name} through no service": use(arn, None),
        }
    ours = account.arns[f"{environment.name}/DockerLogin/Key"]
    policy = account.resource_policies[f"{environment.name}/DockerLogin/Key"]
    of = f" of {environment.name}"
    found = {}
    for how, context in uses.items():
        found[f"key{of}, {how}"] = Target(ours, "key", policy, context)
        found[f"open key{of}, {how}"] = Target(ours, "key", account.open_key, context)
    for name in environment.connections:
        how = f"used for the secret of {name}"
        context = uses[how]
        other = environment.arn("kms", "key/other")
        found[f"another open key, {how}"] = Target(other, "key", account.open_key, context)
        for what, target in _similar(f"open key{of}", "key", ours, ours.rpartition("/")[2], context).items():
            found[f"{what}, {how}"] = Target(target.arn, "key", target.policy or account.open_key, context)
    return found


def _functions(account: Account, environment: Environment) -> dict[str, Target]:
    found = {"another function": Target(environment.arn("lambda", "function:other"), "function")}
    for name in environment.connections:
        arn = account.arns[f"{environment.connection(name)}/Refresh"]
        text = arn.rpartition(":")[2]
        found |= {
            f"function of {name}": Target(arn, "function"),
            f"function version of {name}": Target(f"{arn}:1", "function"),
            **_similar(f"function of {name}", "function", arn, text),
            **_similar(f"function version of {name}", "function", f"{arn}:1", text),
        }
    return found


def _logs(account: Account, environment: Environment) -> dict[str, Target]:
    paths = {
        f"log of first refreshes of {environment.name}": f"{environment.name}/DockerLogin/FirstRefreshLog",
        **{f"log of {name}": f"{environment.connection(name)}/Log" for name in environment.connections},
        **{f"log of the task {name}": f"{task.path}/Log" for name, task in environment.tasks.items()},
    }
    found = {}
    # Fn::GetAtt returns a log group's ARN with :* at the end. That ARN also matches the group's log streams.
    groups = {name: account.arns[path].removesuffix("*") for name, path in paths.items()}
    others = {
        "another log": "other",
        "log of another function": "/aws/lambda/other",
        "log of another task": "/ecs/other",
    }
    groups |= {name: environment.arn("logs", f"log-group:{group}:") for name, group in others.items()}
    for name, group in groups.items():
        found[name] = Target(f"{group}log-stream:stream", "log-stream")
        found[f"{name}, the group"] = Target(group, "log-group")
        if name in paths:
            found |= _similar(name, "log-stream", found[name].arn, group.split(":")[-2])
    return found


def _tasks(account: Account, environment: Environment) -> dict[str, Target]:
    """Return task definitions, and tasks in the environment's cluster and in other clusters."""
    if not environment.tasks:
        return {}
    ours, name = account.arns[f"{environment.name}/EcsTasks/Cluster"], f"{environment.name}-airflow"
    clusters = {
        "the environment's cluster": (ours, {"ecs:cluster": ours}),
        "an unknown cluster": (f"{ours}-x", {}),
        **{
            what: (target.arn, {"ecs:cluster": target.arn})
            for what, target in _similar("a cluster", "cluster", ours, name).items()
        },
    }
    found = {}
    for cluster, (arn, keys) in clusters.items():
        context = {**HTTPS, **keys}
        policy = OPEN if f":{FOREIGN_ACCOUNT}:" in arn else None
        found[cluster] = Target(arn, "cluster", policy, context)
        for kind in ("task", "container-instance"):
            below = f"{arn.replace(':cluster/', f':{kind}/')}/0123456789abcdef"
            found[f"a {kind.replace('-', ' ')} in {cluster}"] = Target(below, kind, policy, context)
    definitions = {}
    for repository, task in environment.tasks.items():
        text = task.family.rpartition("/")[2]
        for what, arn in (("", task.family), (" with a revision", f"{task.family}:7")):
            definitions[f"task definition {repository}{what}"] = Target(arn, "task-definition")
            definitions |= _similar(f"task definition {repository}{what}", "task-definition", arn, text)
    for what, target in definitions.items():
        for cluster in ("the environment's cluster", "a cluster, with more after its name", "an unknown cluster"):
            context = {**HTTPS, **clusters[cluster][1]}
            found[f"{what}, in {cluster}"] = Target(target.arn, target.resource_type, target.policy, context)
    # A request can order another size than the task definition has, or ECS Exec.
    cpu = max(task.cpu_units for task in environment.tasks.values())
    memory = max(task.memory_mib for task in environment.tasks.values())
    most = {"ecs:enable-execute-command": "false", "ecs:task-cpu": str(cpu), "ecs:task-memory": str(memory)}
    for what, keys in (
        ("with the smallest size", most | {"ecs:task-cpu": "256", "ecs:task-memory": "512"}),
        ("with the size of the largest task", most),
        ("with ECS Exec", most | {"ecs:enable-execute-command": "true"}),
        ("with more CPU", most | {"ecs:task-cpu": str(cpu + 1)}),
        ("with more memory", most | {"ecs:task-memory": str(memory + 1)}),
    ):
        context = {**HTTPS, "ecs:cluster": ours, **keys}
        for repository, task in environment.tasks.items():
            found[f"task definition {repository}, {what}"] = Target(task.family, "task-definition", None, context)
    # The matrix decides on the other clusters with one task.
    repository, task = next(iter(environment.tasks.items()))
    for cluster, (_, keys) in clusters.items():
        name = f"task definition {repository}, in {cluster}"
        found[name] = Target(task.family, "task-definition", None, {**HTTPS, **keys})
    return found


def _passed_roles(account: Account, environment: Environment) -> dict[str, Target]:
    """Return the roles of tasks and other roles, passed to ECS and to other services."""
    roles = {}
    for repository, task in environment.tasks.items():
        for what, name in (("execution role", "ExecutionRole"), ("task role", "TaskRole")):
            arn = account.arns[f"{task.path}/{name}"]
            roles[f"{what} of {repository}"] = Target(arn, "role")
            roles |= _similar(f"{what} of {repository}", "role", arn, arn.rpartition("/")[2])
    roles["any other role"] = Target(environment.role_arn("administrator"), "role")
    found = {}
    for role, target in roles.items():
        for service, host in (
            ("ECS", "ecs-tasks.amazonaws.com"),
            ("ECS itself", "ecs.amazonaws.com"),
            ("Lambda", "lambda.amazonaws.com"),
            ("no service", ""),
        ):
            keys = {"iam:PassedToService": host} if host else {}
            found[f"{role}, passed to {service}"] = Target(target.arn, "role", target.policy, {**HTTPS, **keys})
    return found


def _queues(account: Account, environment: Environment) -> dict[str, Target]:
    name, path = f"failure queue of {environment.name}", f"{environment.name}/DockerLogin/Failures"
    arn, policy = account.arns[path], account.resource_policies[path]
    return {
        "another queue": Target(environment.arn("sqs", "other"), "queue"),
        name: Target(arn, "queue", policy),
        f"{name} over http": Target(arn, "queue", policy, HTTP),
        f"{name}, transport unknown": Target(arn, "queue", policy, {}),
        **_similar(name, "queue", arn, arn.rpartition(":")[2]),
    }


def _topics(account: Account, environment: Environment) -> dict[str, Target]:
    found = {"another topic": Target(environment.arn("sns", "other"), "topic")}
    if environment.creates_topic:
        name, path = f"alert topic of {environment.name}", f"{environment.name}/DockerLogin/Alarms/Topic"
        arn, policy = account.arns[path], account.resource_policies[path]
        found |= {
            name: Target(arn, "topic", policy),
            f"{name} over http": Target(arn, "topic", policy, HTTP),
            f"{name}, transport unknown": Target(arn, "topic", policy, {}),
        }
    return found


def _others(account: Account) -> dict[str, Target]:
    environment = account.environments[0]
    connection, team = next(iter(environment.connections)), next(iter(environment.teams))
    path = environment.connection(connection)
    return {
        f"schedule of {connection}": Target(account.arns[f"{path}/Schedule/Schedule"], "schedule"),
        f"pull role of {connection}": Target(account.arns[f"{path}/PullRole"], "role"),
        f"push role of {team}": Target(account.arns[environment.push_role(team)], "role"),
        "another role": Target(environment.role_arn("other"), "role"),
        "worker policy": Target(account.arns[f"{environment.name}/DockerLogin/WorkerPolicy"], "policy"),
        "another user": Target(f"arn:aws:iam::{account.id}:user/other", "user"),
    }


def requests_of(
    account: Account, targets: dict[str, Target], resource_types: dict[str, list[str]]
) -> Iterator[Requests]:
    """Yield requests of every principal for every action on every target whose resource type the action supports.

    Principals whose identity-based policies allow everything request only our resources with a resource-based policy.
    Principals without identity-based policies request only resources with a resource-based policy, because no other
    resource can be allowed to them.
    """
    actions_of_type: dict[str, list[str]] = {"": []}
    for action, types in resource_types.items():
        for resource_type in types or [""]:
            actions_of_type.setdefault(resource_type, []).append(action)
    lists = {resource_type: tuple(actions) for resource_type, actions in actions_of_type.items()}
    for principal, asking in account.principals.items():
        not_asked = (None, OPEN, account.open_key) if asking.policies in ([], [ADMINISTRATOR]) else ()
        for name, target in targets.items():
            if target.policy not in not_asked and target.resource_type in lists:
                yield Requests(principal, name, lists[target.resource_type])


def number_of(requests: Iterable[Requests]) -> int:
    """Return the number of requests, with one request for each action."""
    return sum(len(each.actions) for each in requests)
