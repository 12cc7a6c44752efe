"""Summaries of an environment's settings as plain text, for people who review the settings."""

import textwrap
from collections.abc import Callable, Iterable, Iterator

from settings.environment import SHARED_ISSUERS, Environment, Lifecycle, Push, Team
from settings.names import repository_name
from settings.warnings import account_of

_WIDTH = 80
_LABEL = 16


def in_one_line(environment: Environment) -> str:
    """Return one line with the name, the account, the Region and the size of an environment."""
    counts = (
        (len(environment.teams), "team", "teams"),
        (sum(len(team.repositories) for team in environment.teams.values()), "repository", "repositories"),
        (len(environment.connections), "connection", "connections"),
    )
    size = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts)
    return f"{environment.name}: account {environment.account}, {environment.region}, {size}"


def in_full(environment: Environment) -> str:
    """Return a summary in sections.

    The sections show who may push, which images each docker login can pull, who can read the docker logins, and what
    else the deployment creates.
    """
    return _text(environment, _place, _push, _logins, _readers, _alerts, _clean_up, _fargate)


def access(environment: Environment) -> str:
    """Return the sections about access: who may push, what each docker login pulls, and who reads the docker logins."""
    return _text(environment, _push, _logins, _readers)


def _text(environment: Environment, *sections: Callable[[Environment], Iterable[str]]) -> str:
    return "\n\n".join("\n".join(section(environment)) for section in sections)


_SCANNING = {
    "repository": "of each image when it is pushed",
    "registry": "as the account configures it for the registry",
    "off": "is off",
}


def _place(environment: Environment) -> Iterator[str]:
    yield f"Environment {environment.name}"
    yield from _row("account", environment.account)
    yield from _row("Region", environment.region)
    yield from _row("registry", environment.registry_host)
    yield from _row("scanning", _SCANNING[environment.scan])
    if environment.tags:
        yield from _row("tags", ", ".join(f"{key}={value}" for key, value in environment.tags.items()))
    if environment.role_path != "/":
        yield from _row("path of roles", environment.role_path)
    if environment.permissions_boundary_arn:
        yield from _row("boundary", environment.permissions_boundary_arn)


def _push(environment: Environment) -> Iterator[str]:
    yield "Who may push (CloudFormation's role and the root user are not listed)"
    for name, team in environment.teams.items():
        defaults = team.repository_defaults
        mutable = f", except {', '.join(defaults.mutable_tags)}" if defaults.mutable_tags else ""
        yield f"  team {name}"
        if team.repositories:
            yield from _row("repositories", ", ".join(repository_name(name, each) for each in team.repositories))
        if team.existing_repositories:
            yield from _row("not managed", ", ".join(team.existing_repositories))
        if team.create_on_push:
            yield from _row("created by push", f"{repository_name(name, '<name>')}, without scanning on push")
        yield from _row("image tags", f"are set once{mutable}")
        yield from _row("images deleted", *deletions(team.default_lifecycle, "each repository"))
        for repository, override in team.repository.items():
            of_one = deletions(override.lifecycle, "the repository")
            yield from _row("", *(f"{repository_name(name, repository)}: {text}" for text in of_one))
        yield from _row("push role", environment.push_role_name(name))
        yield from _row("assumed by", *pushers(environment, team.push))
        if team.others_may_push_because:
            yield from _row("others", f"may push, delete and change too: {team.others_may_push_because}")
        yield from _row("pulled by", *other_readers(team))


def other_readers(team: Team) -> Iterator[str]:
    for account in team.pull_accounts:
        yield f"ANOTHER ACCOUNT, {account}"
    if team.pull_organization:
        yield f"ALL ACCOUNTS of the organization {team.pull_organization}"
    for environment in team.pull_environments:
        yield f"the environment {environment} of this account"


def deletions(lifecycle: Lifecycle, where: str) -> Iterator[str]:
    """Return the images that ECR deletes, in words."""
    if days := lifecycle.expire_untagged_after_days:
        yield f"untagged images, {days} days after the push"
    if count := lifecycle.keep_images:
        kinds = "tagged images" if days else "images"
        protected = f", except {', '.join(lifecycle.protected_tags)}" if lifecycle.protected_tags else ""
        yield f"{kinds} older than the newest {count} of {where}{protected}"
    if not lifecycle.deletes:
        yield "nothing is deleted"


def pushers(environment: Environment, push: Push) -> Iterator[str]:
    for name in push.permission_sets:
        yield f"permission set {name}"
    for arn in push.role_arns:
        yield _principal(environment, arn)
    for arn in push.user_arns:
        yield _principal(environment, arn) + (", with MFA" if push.require_mfa else "")
    for workflow in push.workflows:
        server = "" if workflow.issuer in SHARED_ISSUERS else f" of {workflow.issuer}"
        yield f"{type(workflow).__name__}{server} {workflow.subject}"


def _logins(environment: Environment) -> Iterator[str]:
    yield "What each docker login pulls"
    for name, connection in environment.connections.items():
        yield f"  connection {name}"
        images = environment.pulled_images(name)
        if connection.registry:
            yield from _row("registry", images.registry.host + _elsewhere(environment, images.registry.account))
            yield from _row("pull role", environment.pull_role_name(name) or "")
        yield from _row(
            "images in", ", ".join([*(repository_name(team, "*") for team in images.teams), *images.repositories])
        )
        yield from _row("refreshed", f"every {connection.refresh_every_minutes} minutes")
        yield from _row("secret", environment.secret_name(name))


def _readers(environment: Environment) -> Iterator[str]:
    key = {"aws": "the key that Secrets Manager has", "customer": "a customer managed key that the deployment creates"}
    workers = environment.workers
    yield "Who reads the docker logins"
    yield from _row("workers", *workers_of(environment))
    if workers.pull_directly:
        yield from _row("", "They may also pull these images without a docker login.")
    yield from _row("emergency", *_principals(environment, environment.break_glass_role_arns))
    yield from _row("deployment", "the CDK's role for CloudFormation")
    yield from _row("encrypted with", key[environment.secret_key])


def _alerts(environment: Environment) -> Iterator[str]:
    alerts = environment.alerts
    yield "Who gets a message if a docker login is not refreshed"
    if alerts.off_because:
        yield from _row("nobody", alerts.off_because)
    elif alerts.topic_arn:
        account = account_of(alerts.topic_arn)
        yield from _row("topic", alerts.topic_arn + _elsewhere(environment, account))
    else:
        yield from _row("e-mail", *alerts.emails)
    severities = " or ".join(severity.lower() for severity in environment.reported_severities)
    yield from _row("also if", f"a scan finds a {severities} vulnerability" if severities else "nothing else")
    yield from _row("runbook", alerts.runbook)


def _clean_up(environment: Environment) -> Iterator[str]:
    yield "Clean-up of the workers' instances"
    if clean_up := environment.workers.clean_up:
        yield from _row("instances", f"with the tag {clean_up.tag_key}={clean_up.tag_value}")
        yield from _row("when", f"{clean_up.schedule}, in UTC")
        yield from _row("containers", f"that are stopped, {clean_up.containers_older_than_hours} hours after creation")
        yield from _row("images", f"that no container uses, {clean_up.images_older_than_hours} hours after the build")
    else:
        yield "    none"


def _fargate(environment: Environment) -> Iterator[str]:
    yield "Tasks on Fargate"
    if not environment.ecs:
        yield "    none"
        return
    yield from _row("cluster", environment.ecs_cluster_name)
    yield from _row("started by", *workers_of(environment))
    for repository, task in environment.ecs.tasks.items():
        yield f"  task {environment.ecs_family(repository)}"
        yield from _row("image", f"{repository}:{task.image_tag}")
        yield from _row("size", f"{task.cpu_units} CPU units, {task.memory_mib} MiB")


def workers_of(environment: Environment) -> Iterable[str]:
    if environment.workers.role_arns:
        return _principals(environment, environment.workers.role_arns)
    return ["a role that the deployment creates, with an instance profile"]


def _principals(environment: Environment, arns: Iterable[str]) -> Iterable[str]:
    return [_principal(environment, arn) for arn in arns] or ["nobody"]


def _principal(environment: Environment, arn: str) -> str:
    """Return `role <path and name>` or `user <path and name>`, and the account if it is another account."""
    kind, _, name = arn.split(":", 5)[5].partition("/")
    return f"{kind} {name}{_elsewhere(environment, account_of(arn))}"


def _elsewhere(environment: Environment, account: str) -> str:
    return "" if account == environment.account else f" of ANOTHER ACCOUNT, {account}"


def _row(label: str, *texts: str) -> Iterator[str]:
    """Return the lines of a label and its texts. Each text starts on a new line, and long words are not cut."""
    for text in texts:
        yield from textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=f"    {label:{_LABEL}}",
            subsequent_indent=" " * (4 + _LABEL),
            break_long_words=False,
            break_on_hyphens=False,
        )
        label = ""
