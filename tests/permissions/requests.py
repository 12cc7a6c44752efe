"""The requests of the matrix: every action of eleven services, on our resources and on similar resources."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.permissions.account import ACCOUNT, ADMINISTRATOR, OPEN_KEY, REGION, Account

# The matrix has requests for every action of these services.
SERVICES = ("ecr", "ecs", "iam", "kms", "lambda", "logs", "scheduler", "secretsmanager", "sns", "sqs", "sts")
CONNECTIONS = {
    "docker_default": "env/DockerLogin/DockerDefault",
    "docker_x": "env/DockerLogin/DockerX",
    "docker_direct": "direct/DockerLogin/DockerDirect",
}
TASKS = {"analytics/app": "env/EcsTasks/AnalyticsApp", "analytics-x/app": "env/EcsTasks/AnalyticsXApp"}
HTTPS = {"aws:SecureTransport": "true"}
HTTP = {"aws:SecureTransport": "false"}


@dataclass(frozen=True)
class Target:
    """A resource, the id of its policy, and the context keys of a request for the resource."""

    arn: str
    resource_type: str  # a name of the Service Authorization Reference; "" for actions without a resource
    policy: str | None = None
    context: dict[str, str] = field(default_factory=lambda: HTTPS)


@dataclass(frozen=True)
class Request:
    principal: str
    action: str
    target: str


def targets_of(account: Account) -> dict[str, Target]:
    """Return a dict of name to target. The table of expected permissions uses these names."""
    return {
        "no specific resource": Target("*", ""),
        **_repositories(),
        **_secrets(account),
        **_keys(account),
        **_functions(account),
        **_logs(account),
        **_tasks(account),
        **_others(account),
    }


def _repositories() -> dict[str, Target]:
    """Return each team's repository, and repositories with similar names or tags."""

    def repository(name: str, team: str | None, region: str = REGION, context: dict[str, str] = HTTPS) -> Target:
        tag = {"aws:ResourceTag/team": team} if team else {}
        return Target(f"arn:aws:ecr:{region}:{ACCOUNT}:repository/{name}", "repository", None, {**context, **tag})

    found = {"risk/var": repository("risk/var", "risk")}
    for team in ("analytics", "analytics-x", "direct"):
        found |= {
            f"{team}/app": repository(f"{team}/app", team),
            f"{team}/app over http": repository(f"{team}/app", team, context=HTTP),
            # AWS does not document whether docker's requests with a token have the context key aws:SecureTransport.
            f"{team}/app, transport unknown": repository(f"{team}/app", team, context={}),
            f"{team}/app in another region": repository(f"{team}/app", team, region="eu-central-1"),
            f"{team}/other": repository(f"{team}/other", team),
            f"{team}/mistagged": repository(f"{team}/mistagged", "risk"),
            f"{team}/untagged": repository(f"{team}/untagged", None),
            f"{team}-longer/app, tagged {team}": repository(f"{team}-longer/app", team),
            f"stray/app, tagged {team}": repository("stray/app", team),
        }
    return found


def _secrets(account: Account) -> dict[str, Target]:
    found = {}
    for folder in ("airflow", "direct"):
        # This secret has the same prefix, but an administrator created it by hand.
        other = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{folder}/connections/docker_hub-AbCdEf"
        found[f"another secret in {folder}/connections"] = Target(other, "Secret")
    for name, path in CONNECTIONS.items():
        secret, policy = account.arns[f"{path}/Secret"], account.resource_policies[f"{path}/Secret"]
        found[f"secret of {name}"] = Target(secret, "Secret", policy)
        found[f"secret of {name}, without its policy"] = Target(secret, "Secret")
        found[f"secret of {name} over http"] = Target(secret, "Secret", policy, HTTP)
        found[f"secret of {name}, transport unknown"] = Target(secret, "Secret", policy, {})
    return found


def _keys(account: Account) -> dict[str, Target]:
    """Return the uses of the environment's key, and the same uses of keys whose policy delegates to IAM policies."""
    ours, other = account.arns["env/DockerLogin/Key"], f"arn:aws:kms:{REGION}:{ACCOUNT}:key/other"
    prefix = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
    uses: dict[str, tuple[str | None, str | None]] = {
        "for another secret": ("secretsmanager", "elsewhere/docker_default"),
        "for no secret": ("secretsmanager", None),
    }
    for name in ("docker_default", "docker_x"):
        named = f"airflow/connections/{name}"
        uses[f"for the secret of {name}"] = ("secretsmanager", named)
        uses[f"for a secret with a longer name than that of {name}"] = ("secretsmanager", f"{named}-longer")
        uses[f"for the secret of {name} through another service"] = ("s3", named)
        uses[f"for the secret of {name} through no service"] = (None, named)
    contexts: dict[str, tuple[str | None, dict[str, str]]] = {
        f"used {use}": (service, {"SecretARN": f"{prefix}:{secret}-AbCdEf"} if secret else {})
        for use, (service, secret) in uses.items()
    }
    contexts["used for a version without the ARN of a secret"] = (
        "secretsmanager",
        {"SecretVersionId": "01234567-89ab-cdef-0123-456789abcdef"},
    )
    for key in ("SecretARN", "SecretVersionId"):
        test = {key: "RequestToValidateKeyAccess"}
        contexts[f"tested by {key}"] = ("secretsmanager", test)
        contexts[f"tested by {key} through another service"] = ("s3", test)
        contexts[f"tested by {key} through no service"] = (None, test)
    found = {}
    for use, (service, encryption_context) in contexts.items():
        context = {**HTTPS, **{f"kms:EncryptionContext:{key}": value for key, value in encryption_context.items()}}
        if service:
            context["kms:ViaService"] = f"{service}.{REGION}.amazonaws.com"
        found[f"key, {use}"] = Target(ours, "key", account.resource_policies["env/DockerLogin/Key"], context)
        found[f"open key, {use}"] = Target(ours, "key", OPEN_KEY, context)
        found[f"another open key, {use}"] = Target(other, "key", OPEN_KEY, context)
    return found


def _functions(account: Account) -> dict[str, Target]:
    found = {"another function": Target(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other", "function")}
    for name, path in CONNECTIONS.items():
        arn = account.arns[f"{path}/Refresh"]
        found[f"function of {name}"] = Target(arn, "function")
        found[f"function version of {name}"] = Target(f"{arn}:1", "function")
    return found


def _logs(account: Account) -> dict[str, Target]:
    groups = {
        **{f"log of {name}": account.arns[f"{path}/Log"] for name, path in CONNECTIONS.items()},
        "log of first refreshes": account.arns["env/DockerLogin/FirstRefreshLog"],
        "log of first refreshes of direct": account.arns["direct/DockerLogin/FirstRefreshLog"],
        **{f"log of the task {task}": account.arns[f"{path}/Log"] for task, path in TASKS.items()},
        "another log": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:other:*",
        **{
            f"log with a longer name than the log of {name}": account.arns[f"{path}/Log"].replace(":*", "-longer:*")
            for name, path in CONNECTIONS.items()
        },
        **{
            f"log with a longer name than the log of the task {task}": account.arns[f"{path}/Log"].replace(
                ":*", "-longer:*"
            )
            for task, path in TASKS.items()
        },
        **{
            f"log with a longer name than the log of first refreshes of {env}": account.arns[
                f"{env}/DockerLogin/FirstRefreshLog"
            ].replace(":*", "-longer:*")
            for env in ("env", "direct")
        },
    }
    # Fn::GetAtt returns a log group's ARN with :* at the end. That ARN also matches the group's log streams.
    streams = {name: Target(f"{arn.removesuffix('*')}log-stream:stream", "log-stream") for name, arn in groups.items()}
    whole = {f"{name}, the group": Target(arn.removesuffix("*"), "log-group") for name, arn in groups.items()}
    return streams | whole


def _tasks(account: Account) -> dict[str, Target]:
    """Return task definitions and tasks, some in other clusters, and task roles, some passed to other services."""
    ours, other = account.arns["env/EcsTasks/Cluster"], f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/env-airflow-x"
    clusters = {
        "the environment's cluster": (ours, {"ecs:cluster": ours}),
        "another cluster": (other, {"ecs:cluster": other}),
    }
    clusters["an unknown cluster"] = (other, {})
    families = {task: account.arns[f"{path}/TaskDefinition"].removesuffix(":1") for task, path in TASKS.items()}
    families["another task"] = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/env-analytics-app-x"
    found = {}
    for cluster, (cluster_arn, keys) in clusters.items():
        context = {**HTTPS, **keys}
        for task, family in families.items():
            for arn in (family, f"{family}:7"):
                what = f"{task}{' with a revision' if arn != family else ''}"
                found[f"task definition {what}, in {cluster}"] = Target(arn, "task-definition", None, context)
        for kind in ("task", "container-instance"):
            arn = f"{cluster_arn.replace(':cluster/', f':{kind}/')}/0123456789abcdef"
            found[f"a {kind.replace('-', ' ')} in {cluster}"] = Target(arn, kind, None, context)
        found[cluster] = Target(cluster_arn, "cluster", None, context)
    # The tasks in the settings have the default size. A request can order another size, or ECS Exec.
    default = {"ecs:enable-execute-command": "false", "ecs:task-cpu": "256", "ecs:task-memory": "512"}
    for what, keys in (
        ("with explicit defaults", default),
        ("with ECS Exec", default | {"ecs:enable-execute-command": "true"}),
        ("with more CPU", default | {"ecs:task-cpu": "512"}),
        ("with more memory", default | {"ecs:task-memory": "1024"}),
    ):
        context = {**HTTPS, "ecs:cluster": ours, **keys}
        for task in TASKS:
            found[f"task definition {task}, {what}"] = Target(families[task], "task-definition", None, context)
    roles = {
        f"{role} of {task}": account.arns[f"{path}/{name}"]
        for task, path in TASKS.items()
        for role, name in (("execution role", "ExecutionRole"), ("task role", "TaskRole"))
    }
    roles["any other role"] = f"arn:aws:iam::{ACCOUNT}:role/administrator"
    for role, arn in roles.items():
        for service, name in (("ECS", "ecs-tasks"), ("Lambda", "lambda"), ("no service", None)):
            keys = {"iam:PassedToService": f"{name}.amazonaws.com"} if name else {}
            found[f"{role}, passed to {service}"] = Target(arn, "role", None, {**HTTPS, **keys})
    return found


def _others(account: Account) -> dict[str, Target]:
    def queue(path: str, context: dict[str, str] = HTTPS) -> Target:
        return Target(account.arns[path], "queue", account.resource_policies[path], context)

    queues: dict[str, Target] = {}
    for name, path in (
        ("failure queue", "env/DockerLogin/Failures"),
        ("failure queue of direct", "direct/DockerLogin/Failures"),
    ):
        queues |= {
            name: queue(path),
            f"{name} over http": queue(path, HTTP),
            f"{name}, transport unknown": queue(path, {}),
        }
    topic, topic_policy = (part["env/DockerLogin/Alarms/Topic"] for part in (account.arns, account.resource_policies))
    return {
        **queues,
        "alert topic": Target(topic, "topic", topic_policy),
        "alert topic over http": Target(topic, "topic", topic_policy, HTTP),
        "alert topic, transport unknown": Target(topic, "topic", topic_policy, {}),
        "another topic": Target(f"arn:aws:sns:{REGION}:{ACCOUNT}:other", "topic"),
        "another queue": Target(f"arn:aws:sqs:{REGION}:{ACCOUNT}:other", "queue"),
        "schedule of docker_default": Target(
            account.arns[f"{CONNECTIONS['docker_default']}/Schedule/Schedule"], "schedule"
        ),
        "pull role of docker_default": Target(account.arns[f"{CONNECTIONS['docker_default']}/PullRole"], "role"),
        "push role of analytics": Target(account.arns["env/Access/PushRoles/Analytics"], "role"),
        "another role": Target(f"arn:aws:iam::{ACCOUNT}:role/other", "role"),
        "worker policy": Target(account.arns["env/DockerLogin/WorkerPolicy"], "policy"),
        "another user": Target(f"arn:aws:iam::{ACCOUNT}:user/other", "user"),
    }


def requests_of(
    account: Account, targets: dict[str, Target], resource_types: dict[str, list[str]]
) -> Iterator[Request]:
    """Yield a request of every principal for every action on every target whose resource type the action supports.

    Principals whose identity-based policies allow everything request only our resources with a resource-based policy.
    """
    for principal, asking in account.principals.items():
        unlimited = asking.policies == [ADMINISTRATOR]
        for action, types in resource_types.items():
            for name, target in targets.items():
                if unlimited and target.policy in (None, OPEN_KEY):
                    continue
                if target.resource_type in types or not (types or target.resource_type):
                    yield Request(principal, action, name)
