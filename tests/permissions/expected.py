"""The permissions that each principal must have, as rules written by hand. Everything else must be denied.

A function returns the permissions of one kind of principal. The rules read the settings, but not the code under test.
"""

from collections.abc import Collection, Iterable, Iterator

from tests.permissions.account import ADMINISTRATOR as ADMINISTRATORS_POLICY
from tests.permissions.account import (
    ORGANIZATION_OF,
    OTHER_ADMINISTRATORS,
    WITH_EVERY_PERMISSION,
    Account,
    Principal,
    foreign_names,
    owned,
    readers_of,
    similar_names,
)
from tests.permissions.callers import (
    OF_EC2,
    OF_ECR,
    OF_ECS,
    OF_LAMBDA,
    OF_SCHEDULER,
    role_callers,
    set_callers,
    user_callers,
    workflow_callers,
)
from tests.permissions.environments import CREATED, ORGANIZATION, Environment
from tests.permissions.requests import foreign_tags

Permissions = dict[str, set[str]]  # target to actions; requests.py defines the names of the targets

PUSH = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
# Reading the metadata of images and of the repository. A preview of the lifecycle policy deletes nothing.
LOOK = {
    "ecr:DescribeImageScanFindings",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListImages",
    "ecr:ListTagsForResource",
    "ecr:StartLifecyclePolicyPreview",
}
LOG_IN = {"ecr:GetAuthorizationToken"}
# The actions that the policy of a repository denies to all but a few principals.
WRITE_IMAGES = (PUSH - PULL) | {"ecr:BatchImportUpstreamImage"}
CHANGE_REPOSITORY = {
    "ecr:BatchDeleteImage",
    "ecr:DeleteLifecyclePolicy",
    "ecr:DeleteRepository",
    "ecr:DeleteRepositoryPolicy",
    "ecr:PutImageTagMutability",
    "ecr:PutLifecyclePolicy",
    "ecr:SetRepositoryPolicy",
    "ecr:TagResource",
    "ecr:UntagResource",
    "ecr:UpdateImageStorageClass",
}
CREATE_REPOSITORY = {
    "ecr:CreateRepository",
    "ecr:PutLifecyclePolicy",
    "ecr:ReplicateImage",
    "ecr:SetRepositoryPolicy",
    "ecr:TagResource",
}
READ_SECRET = {"secretsmanager:GetSecretValue"}
WRITE_SECRET = {"secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue"}
ROLL_BACK = {"secretsmanager:UpdateSecretVersionStage"}
RESTORE_SECRET = {"secretsmanager:RestoreSecret"}
DECRYPT = {"kms:Decrypt"}
ENCRYPT = {"kms:Decrypt", "kms:GenerateDataKey"}
WRITE_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
INVOKE = {"lambda:InvokeFunction"}
SEND = {"sqs:SendMessage"}
RUN_TASK, FOLLOW_TASK, FIND_TASK = {"ecs:RunTask"}, {"ecs:DescribeTasks", "ecs:StopTask"}, {"ecs:ListTasks"}
PASS_ROLE = {"iam:PassRole"}
READ_LOG = {"logs:GetLogEvents"}
PUBLISH = {"sns:Publish"}

# The actions that every administrator may perform on a secret. They read the secret's metadata, but not its value.
READ_METADATA = {
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetResourcePolicy",
    "secretsmanager:ListSecretVersionIds",
    "secretsmanager:ValidateResourcePolicy",
}
CHANGE_SECRET_POLICY = {"secretsmanager:DeleteResourcePolicy", "secretsmanager:PutResourcePolicy"}
# The actions on the key that every administrator may do. They change the key's settings. They do not use the key, and
# do not grant its use (kms:CreateGrant).
ADMINISTER_KEY = {
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
}
# The actions on a topic that every administrator may do over plain HTTP. Only sns:Publish is denied.
TOPIC_EXCEPT_PUBLISH = {
    "sns:AddPermission",
    "sns:ConfirmSubscription",
    "sns:CreateTopic",
    "sns:DeleteTopic",
    "sns:GetDataProtectionPolicy",
    "sns:GetSubscriptionAttributes",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:ListTagsForResource",
    "sns:PutDataProtectionPolicy",
    "sns:RemovePermission",
    "sns:SetSubscriptionAttributes",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
    "sns:TagResource",
    "sns:Unsubscribe",
    "sns:UntagResource",
}
EVERYTHING = {"*"}  # every action that the service has for the resource's type, except NEVER


def everything_except(actions: set[str]) -> set[str]:
    return EVERYTHING | {f"not {action}" for action in actions}


# No principal may copy a docker login to another Region or account.
NEVER = {"secretsmanager:AssociateCrossAccountReplica", "secretsmanager:ReplicateSecretToRegions"}


def each(targets: Iterable[str], actions: set[str]) -> Permissions:
    return dict.fromkeys(targets, actions)


def also_with_unknown_transport(*targets: str) -> list[str]:
    """Return the targets, and the same targets for requests without the context key aws:SecureTransport."""
    return [*targets, *(f"{target}, transport unknown" for target in targets)]


def secret(connection: str) -> list[str]:
    return also_with_unknown_transport(f"secret of {connection}")


def secrets(environment: Environment) -> list[str]:
    return [target for connection in environment.connections for target in secret(connection)]


def failures(environment: Environment) -> list[str]:
    return also_with_unknown_transport(f"failure queue of {environment.name}")


def images(environment: Environment, teams: Iterable[str]) -> list[str]:
    """Return the repositories of these teams, also the ones that are not in the settings."""
    found = []
    for team in teams:
        for name in environment.prefixed[team]:
            full = f"{team}/{name}"
            found += [*also_with_unknown_transport(full), f"{full}/below"]
            found += [f"{team}/{other}" for other in similar_names(name).values()]
        found.append(f"{team}/not-in-the-settings")
    return found


def repositories(environment: Environment, team: str) -> list[str]:
    """Return the repositories of a team with a policy: the managed ones, and one that a push created."""
    created = [CREATED] if team in environment.creating_teams else []
    names = [f"{team}/{name}" for name in environment.teams[team] + created]
    return also_with_unknown_transport(*names) + [f"{name} over http" for name in names]


def images_over_http(environment: Environment, teams: Iterable[str]) -> list[str]:
    return [f"{team}/{name} over http" for team in teams for name in environment.prefixed[team]]


def existing(environment: Environment, teams: Iterable[str], names: Collection[str] = ()) -> list[str]:
    """Return the existing repositories of these teams. The settings have their names, so their tags do not matter.

    Args:
        names: only these repositories. By default, all of them.
    """
    return [
        target
        for team in teams
        for name in environment.existing[team]
        if not names or name in names
        for target in (*also_with_unknown_transport(name), f"{name}, tagged {team}", f"{name}, tagged another-team")
    ]


def pulls(environment: Environment, teams: Iterable[str]) -> Permissions:
    """Return the permissions to pull the images of these teams.

    The statement has a list of prefixes and a list of tags, so the tag of another of these teams is enough.
    """
    teams = list(teams)
    tagged = [f"{team}/app, tagged {other}" for team in teams for other in teams if other != team]
    over_http = [f"{name} over http" for team in teams for name in environment.existing[team]]
    over_http += images_over_http(environment, teams)
    return each(images(environment, teams) + existing(environment, teams) + over_http + tagged, PULL)


def foreign_pulls(account: Account, connections: Iterable[tuple[Environment, str]]) -> Permissions:
    """Return the permissions to pull the images of these connections, which are all for one other registry.

    If a settings file deploys the registry, its repositories have the tag of their team, and the tag of another of
    these teams is enough. Otherwise, their tags do not matter.
    """
    found: list[str] = []
    connections = list(connections)
    teams = {team for environment, name in connections for team in environment.foreign[name].teams}
    for environment, name in connections:
        images = environment.foreign[name]
        is_tagged = images.registry in {(owner.account, owner.region) for owner in account.owners}
        place = f"{images.account} {images.region}:"
        for team in images.teams:
            full = f"{place} {team}/app"
            others = [how for how, other in similar_names(f"{team}/app").items() if other.startswith(f"{team}/")]
            found += [*foreign_repositories(full), f"{full}/below", *(f"{full}{how}" for how in others)]
            for owner, owning_team, name in owned(account):
                if (owner.account, owner.region) == images.registry and owning_team == team and name != "app":
                    found += foreign_repositories(f"{place} {team}/{name}")
            tags = foreign_tags(account, images.registry, team)
            found += [f"{full}, tagged {tag}" for tag in tags if tag != team and (tag in teams or not is_tagged)]
            if not is_tagged:
                found.append(f"{full}, untagged")
            if images.account == account.id:
                found.append(f"{full}, without a policy")
        for repository in images.repositories:
            full = f"{place} {repository}"
            found += [*foreign_repositories(full), f"{full}, tagged another-team"]
            if images.account == account.id:
                found.append(f"{full}, without a policy")
    return each(found, PULL)


def foreign_repositories(full: str) -> list[str]:
    return [*also_with_unknown_transport(full), f"{full} over http"]


def foreign(account: Account) -> Iterator[tuple[str, Permissions]]:
    """Yield the permissions on repositories in other registries."""
    for environment in account.environments:
        for connection in environment.foreign:
            yield (
                f"{environment.connection(connection)}/PullRole",
                foreign_pulls(account, [(environment, connection)]),
            )
        if environment.pulls_directly:
            for registry in {each.registry for each in environment.foreign.values()}:
                of_registry = [
                    (environment, name) for name, each in environment.foreign.items() if each.registry == registry
                ]
                for worker in environment.workers:
                    yield worker, foreign_pulls(account, of_registry)
    yield from _by_foreign_policies(account)


def _by_foreign_policies(account: Account) -> Iterator[tuple[str, Permissions]]:
    """Yield what the policies of repositories in other registries allow to principals that may do everything."""
    may_do_everything = [
        (name, account_of_principal(principal))
        for name, principal in account.principals.items()
        if principal.policies == [ADMINISTRATORS_POLICY]
    ]
    managed = set()
    for owner, team, repository in owned(account):
        managed.add(((owner.account, owner.region), f"{team}/{repository}"))
        targets = foreign_repositories(f"{owner.account} {owner.region}: {team}/{repository}")
        settings = owner.settings["teams"][team]
        for name, id_ in may_do_everything:
            if id_ == owner.account:
                yield name, each(targets, _by_owner(owner, team, is_root=name == "root"))
            elif id_ in settings.get("pull_accounts", []) or (
                ORGANIZATION_OF.get(id_, ORGANIZATION) == settings.get("pull_organization")
            ):
                yield name, each(targets, PULL)
    for registry, full in foreign_names(account):
        if (registry, full) in managed or registry[0] == account.id:
            continue
        # The pasted policy names only the roles that pull.
        targets = foreign_repositories(f"{' '.join(registry)}: {full}")
        for roles in readers_of(account, registry, full):
            yield from ((name + WITH_EVERY_PERMISSION, each(targets, PULL)) for name in roles)


def _by_owner(owner: Environment, team: str, *, is_root: bool) -> set[str]:
    """Return what a principal of the owner's account may do that is not in the owner's settings."""
    if is_root or owner.others_may_push(team):
        return EVERYTHING
    return everything_except(WRITE_IMAGES | (CHANGE_REPOSITORY if owner.break_glass_arns else set()))


def account_of_principal(principal: Principal) -> str:
    """Return the account of a principal."""
    return principal.caller.split(":")[4]


def key_uses(environment: Environment, of: str, connections: Iterable[str]) -> list[str]:
    """Return the uses of the key for exactly these connections' secrets."""
    names = connections if environment.has_key else []
    return [f"{of} of {environment.name}, used for the secret of {name}" for name in names]


def similar_key_uses(environment: Environment, connection: str) -> dict[str, str]:
    """Return a dict of a use of the key for a secret with a similar name to the name of this secret."""
    names = similar_names(environment.secret_name(connection))
    return {f"used for a secret like that of {connection}{how}": name for how, name in names.items()}


def key_for_secrets(environment: Environment, of: str) -> list[str]:
    """Return the uses of the key for every secret whose name starts with the environment's connections_prefix."""
    prefix = environment.secret_name("")
    similar = [
        f"{of} of {environment.name}, {use}"
        for connection in environment.connections
        for use, name in similar_key_uses(environment, connection).items()
        if name.startswith(prefix) and environment.has_key
    ]
    return key_uses(environment, of, environment.connections) + similar


def key_tests(environment: Environment, how: str = "") -> list[str]:
    """Return the tests of the key before Secrets Manager sets it on a secret."""
    keys = ("SecretARN", "SecretVersionId") if environment.has_key else ()
    return [f"key of {environment.name}, tested by {key}{how}" for key in keys]


def key_in_any_way(environment: Environment) -> list[str]:
    uses = ["used for another secret", "used for no secret", "used for a version without the ARN of a secret"]
    for name in environment.connections:
        uses += [
            f"used for the secret of {name}",
            *similar_key_uses(environment, name),
            f"used for a secret of another Region like that of {name}",
            f"used for a secret of another account like that of {name}",
            f"used for the secret of {name} through another service",
            f"used for the secret of {name} in another Region",
            f"used for the secret of {name} through no service",
        ]
    return [
        *(f"key of {environment.name}, {use}" for use in uses if environment.has_key),
        *(
            test
            for how in (
                "",
                " with a similar value",
                " through another service",
                " in another Region",
                " through no service",
            )
            for test in key_tests(environment, how)
        ),
    ]


# The roles of the templates


def push_role(environment: Environment, team: str) -> Permissions:
    """Analysts push, pull and look at the images of their team, and only over HTTPS."""
    own = images(environment, [team]) + existing(environment, [team])
    return {"no specific resource": LOG_IN, **each(own, PUSH | PULL | LOOK)}


def other_tags(environment: Environment, team: str) -> list[str]:
    """Return the values of the tag `team` for which the matrix has the repository `app` of this team."""
    other_teams = [other for other in environment.teams if other != team]
    return ["another-team", team.upper(), *similar_names(team).values(), *other_teams]


def creation_role(environment: Environment, team: str) -> Permissions:
    """ECR creates repositories of the team, which have no tag before. It cannot change repositories that exist."""
    tags = ["untagged", *(f"tagged {other}" for other in other_tags(environment, team))]
    tagged = [f"{team}/app, {tag}" for tag in tags]
    own = [*images(environment, [team]), *images_over_http(environment, [team])]
    for name in environment.existing[team]:
        if name.startswith(f"{team}/"):
            hows = [" over http", "/below"]
            hows += [how for how, other in similar_names(name).items() if other.startswith(f"{team}/")]
            own += [*existing(environment, [team], [name]), *(f"{name}{how}" for how in hows)]
    found = each(own + tagged, CREATE_REPOSITORY)
    if environment.break_glass_arns and not environment.others_may_push(team):
        managed = [name for name in repositories(environment, team) if CREATED not in name]
        found |= each(managed, CREATE_REPOSITORY - CHANGE_REPOSITORY)
    return found


def pull_role(environment: Environment, connection: str) -> Permissions:
    """A function may pull the connection's images, get a token, and write the token into the connection's secret."""
    own = [*secret(connection), f"secret of {connection}, without its policy"]
    return {
        "no specific resource": LOG_IN,
        **pulls(environment, environment.connections[connection]),
        **each(own, WRITE_SECRET),
        **each(key_uses(environment, "key", [connection]), ENCRYPT),
        **each(key_uses(environment, "open key", [connection]), ENCRYPT),
        f"log of {connection}": WRITE_LOG,
        **each(failures(environment), SEND),
    }


def schedule_role(environment: Environment, connection: str) -> Permissions:
    """A schedule invokes its function. Scheduler sends the events that it cannot deliver to the failure queue."""
    return {f"function of {connection}": INVOKE, **each(failures(environment), SEND)}


def first_refresh_role(environment: Environment) -> Permissions:
    """The CDK's function for first refreshes invokes the function versions that a deployment publishes."""
    return {
        **each([f"function version of {connection}" for connection in environment.connections], INVOKE),
        f"log of first refreshes of {environment.name}": WRITE_LOG,
    }


def worker(environment: Environment) -> Permissions:
    """Airflow workers read the docker logins of their environment.

    With pull_directly, the workers' roles can also pull the images of all connections without a docker login.
    """
    # The statement has a pattern for the random characters, so that it also matches a secret that is created again.
    hows = ("without its policy", "created again")
    readable = [f"secret of {connection}, {how}" for connection in environment.connections for how in hows]
    permissions = {
        **each(secrets(environment) + readable, READ_SECRET),
        **each(key_for_secrets(environment, "key") + key_for_secrets(environment, "open key"), DECRYPT),
    }
    if environment.pulls_directly:
        teams = dict.fromkeys(team for teams in environment.connections.values() for team in teams)
        permissions |= {"no specific resource": LOG_IN, **pulls(environment, teams)}
    if environment.tasks:
        permissions |= tasks(environment)
    return permissions


def tasks(environment: Environment) -> Permissions:
    """Workers may run only the listed tasks on Fargate, in the environment's cluster and with the tasks' roles."""
    return {
        **each(
            [
                f"task definition {task}{revision}, in the environment's cluster"
                for task in environment.tasks
                for revision in ("", " with a revision")
            ],
            RUN_TASK,
        ),
        # A request may order up to the CPU and the memory of the largest task.
        **each(
            [
                f"task definition {task}, {size}"
                for task in environment.tasks
                for size in ("with the smallest size", "with the size of the largest task")
            ],
            RUN_TASK,
        ),
        **each(
            [
                f"{role} of {task}, passed to ECS"
                for task in environment.tasks
                for role in ("execution role", "task role")
            ],
            PASS_ROLE,
        ),
        "a task in the environment's cluster": FOLLOW_TASK,
        "a container instance in the environment's cluster": FIND_TASK,
        **each([f"log of the task {task}" for task in environment.tasks], READ_LOG),
    }


def execution_role(environment: Environment, repository: str) -> Permissions:
    """The execution role of a Fargate task pulls the task's image and writes the task's log."""
    own = [*also_with_unknown_transport(repository), f"{repository} over http"]
    # The settings name the repository, so its tag does not matter.
    for team, names in environment.existing.items():
        if repository in names:
            own += [f"{repository}, tagged {team}", f"{repository}, tagged another-team"]
    team, _, name = repository.partition("/")
    tags = ["untagged", *(f"tagged {other}" for other in other_tags(environment, team))]
    tagged = [f"{repository}, {tag}" for tag in tags if name == "app"]
    return {
        "no specific resource": LOG_IN,
        **each(own + tagged, PULL),
        f"log of the task {repository}": WRITE_LOG,
    }


# The principals that no template creates


def administrator(environment: Environment) -> Permissions:
    """Administrators of the account can neither read nor write a secret value."""
    topic = f"alert topic of {environment.name}"
    topics = also_with_unknown_transport(topic) if environment.creates_topic else []
    images: Permissions = {}
    for team in environment.teams:
        if not environment.has_repository_policy(team):
            continue
        denied = set() if environment.others_may_push(team) else WRITE_IMAGES | CHANGE_REPOSITORY
        # Without break-glass roles, an administrator can change a repository.
        images |= each(
            repositories(environment, team),
            everything_except(denied if environment.break_glass_arns else denied - CHANGE_REPOSITORY),
        )
    # Without break-glass roles, an administrator can cancel the deletion of a secret.
    on_secrets = READ_METADATA if environment.break_glass_arns else READ_METADATA | RESTORE_SECRET
    return {
        **images,
        **each(secrets(environment), on_secrets),
        **each(key_in_any_way(environment), ADMINISTER_KEY),
        **each(failures(environment) + topics, EVERYTHING),
        **each([f"{topic} over http"] if environment.creates_topic else [], TOPIC_EXCEPT_PUBLISH),
    }


def reader(environment: Environment) -> Permissions:
    """What the secrets' and the key's policies allow to the workers in addition to what administrators may do."""
    return {**each(secrets(environment), READ_SECRET), **each(key_for_secrets(environment, "key"), DECRYPT)}


def writer(environment: Environment, connection: str) -> Permissions:
    """What these policies allow to the pull role of a connection in addition to what administrators may do."""
    return {
        **each(secret(connection), WRITE_SECRET),
        **each(key_uses(environment, "key", [connection]), ENCRYPT),
    }


def pusher(environment: Environment, team: str) -> Permissions:
    """What the policies of the team's repositories allow to the push role in addition."""
    return on_protected(environment, [team], WRITE_IMAGES)


def on_protected(environment: Environment, teams: Iterable[str], actions: set[str]) -> Permissions:
    """Return permissions on the repositories of the teams that protect their repositories."""
    protected = [team for team in teams if not environment.others_may_push(team)]
    return each([name for team in protected for name in repositories(environment, team)], actions)


def another_account(environment: Environment, account: str, organization: str) -> Permissions:
    """Administrators of other accounts can pull from the repositories whose policy names their account."""
    found = []
    for team, settings in environment.settings["teams"].items():
        if account in settings.get("pull_accounts", []) or organization == settings.get("pull_organization"):
            found += repositories(environment, team)
    return each(found, PULL)


def break_glass(environment: Environment) -> Permissions:
    return {
        **on_protected(environment, environment.teams, CHANGE_REPOSITORY),
        **each(secrets(environment), READ_SECRET | ROLL_BACK | RESTORE_SECRET | CHANGE_SECRET_POLICY),
        **each(key_for_secrets(environment, "key"), DECRYPT),
    }


def deploy(environment: Environment) -> Permissions:
    return {
        **on_protected(environment, environment.teams, WRITE_IMAGES | CHANGE_REPOSITORY),
        **each(secrets(environment), EVERYTHING),
        **each(key_for_secrets(environment, "key"), ENCRYPT | {"kms:Encrypt"}),
        **each(key_tests(environment), ENCRYPT),
    }


def root(environment: Environment) -> Permissions:
    return {
        **on_protected(environment, environment.teams, WRITE_IMAGES | CHANGE_REPOSITORY),
        **each(secrets(environment), CHANGE_SECRET_POLICY | RESTORE_SECRET),
    }


def alarms(environment: Environment) -> Permissions:
    """Alarms of this account and our rules may publish to the topic. Other accounts and other services may not."""
    topic = f"alert topic of {environment.name}"
    return each(also_with_unknown_transport(topic) if environment.creates_topic else [], PUBLISH)


def with_own_permissions(environment: Environment) -> Iterator[tuple[str, Permissions]]:
    """Yield the principals that have other permissions than an administrator who is not in the settings."""
    for team in environment.teams:
        yield environment.push_role(team), push_role(environment, team)
    for team in environment.creating_teams:
        yield environment.creation_role(team), creation_role(environment, team)
    for connection in environment.connections:
        yield f"{environment.connection(connection)}/PullRole", pull_role(environment, connection)
        yield f"{environment.connection(connection)}/Schedule/Role", schedule_role(environment, connection)
    yield f"{environment.name}/DockerLogin/FirstRefreshProvider/Role", first_refresh_role(environment)
    for name in environment.workers:
        yield name, worker(environment)
    for repository, task in environment.tasks.items():
        yield f"{task.path}/ExecutionRole", execution_role(environment, repository)
    yield "CloudWatch", alarms(environment)
    for name, account in OTHER_ADMINISTRATORS.items():
        yield name, another_account(environment, account, ORGANIZATION_OF.get(account, ORGANIZATION))
    for name in environment.rules:
        yield f"EventBridge for {name}", alarms(environment)


def in_addition(environment: Environment) -> Iterator[tuple[str, Permissions]]:
    """Yield what administrators may do in addition, if they have the ARN of a principal that the policies name."""
    for team in environment.teams:
        yield environment.push_role(team) + WITH_EVERY_PERMISSION, pusher(environment, team)
    for team in environment.creating_teams:
        in_addition_to_others = on_protected(environment, [team], WRITE_IMAGES | CHANGE_REPOSITORY)
        created = {name: actions for name, actions in in_addition_to_others.items() if CREATED in name}
        yield environment.creation_role(team) + WITH_EVERY_PERMISSION, created
    for name in environment.workers:
        yield name + WITH_EVERY_PERMISSION, reader(environment)
    for connection in environment.connections:
        path = f"{environment.connection(connection)}/PullRole"
        yield path + WITH_EVERY_PERMISSION, writer(environment, connection)
    for name in environment.break_glass:
        yield name, break_glass(environment)
    yield "deploy", deploy(environment)
    yield "root", root(environment)


def expected_in(account: Account) -> dict[str, Permissions]:
    """Return the permissions of every principal of the account."""
    found: dict[str, Permissions] = {name: {} for name in account.principals}
    for environment in account.environments:
        for name, principal in account.principals.items():
            if principal.policies == [ADMINISTRATORS_POLICY] and f"::{account.id}:" in principal.caller:
                _add(found[name], administrator(environment))
        for name, permissions in (*with_own_permissions(environment), *in_addition(environment)):
            _add(found[name], permissions)
    for name, permissions in foreign(account):
        _add(found[name], permissions)
    return found


def both(first: Permissions, second: Permissions) -> Permissions:
    """Return the permissions of a principal that has all of these permissions."""
    found = dict(first)
    _add(found, second)
    return found


def _add(found: Permissions, more: Permissions) -> None:
    for target, actions in more.items():
        found[target] = _union(found.get(target, set()), actions)


def _union(one: set[str], other: set[str]) -> set[str]:
    both = one | other
    if "*" not in both:
        return both
    # An exception of one set is no exception of the union if the other set has the action.
    exceptions = {action.removeprefix("not ") for action in both if action.startswith("not ")}
    return everything_except({action for action in exceptions if not (is_in(action, one) or is_in(action, other))})


def is_in(action: str, allowed: Collection[str]) -> bool:
    """Return whether an action is in a set of the table."""
    return action in allowed or ("*" in allowed and f"not {action}" not in allowed)


def ways_to_assume(role: str, caller: str) -> set[str]:
    """Return the actions with which a caller assumes a role that trusts the caller."""
    if caller.startswith("a workflow with "):
        return {"sts:AssumeRoleWithWebIdentity"}
    # A client may pass session tags to a push role.
    return {"sts:AssumeRole", "sts:TagSession"} if "/Access/PushRoles/" in role else {"sts:AssumeRole"}


# The callers that may assume each role. callers.py defines their names. Their identity-based policies allow it.


def assumed_by(environment: Environment) -> dict[str, set[str]]:
    """Return a dict of role to the callers that may assume the role."""
    found = {}
    for team, settings in environment.settings["teams"].items():
        push, mfa = settings["push"], settings["push"].get("require_mfa", False)
        found[environment.push_role(team)] = {
            *(caller for arn in push.get("role_arns", []) for caller in role_callers(arn)),
            *(caller for arn in push.get("user_arns", []) for caller in user_callers(arn, mfa=mfa)),
            *(caller for name in push.get("permission_sets", []) for caller in set_callers(name)),
            *(
                caller
                for workflow in (*push.get("github", []), *push.get("gitlab", []))
                for caller in workflow_callers(workflow)
            ),
        }
    for team in environment.creating_teams:
        found[environment.creation_role(team)] = {OF_ECR}
    for connection in environment.connections:
        found[f"{environment.connection(connection)}/PullRole"] = {OF_LAMBDA}
        found[f"{environment.connection(connection)}/Schedule/Role"] = {OF_SCHEDULER}
    found[f"{environment.name}/DockerLogin/FirstRefreshProvider/Role"] = {OF_LAMBDA}
    if not environment.worker_arns:
        found[f"{environment.name}/DockerLogin/Workers/Role"] = {OF_EC2}
    for task in environment.tasks.values():
        found[f"{task.path}/ExecutionRole"] = found[f"{task.path}/TaskRole"] = {OF_ECS}
    return found
