"""Find problems before a deployment: `python -m ops.preflight <environment> [CDK options]`.

All requests to AWS are read-only. A finding is a problem that would make CloudFormation fail or remove a repository
policy. If AWS does not answer a request in time, or refuses the request, the deployment continues, because many
pipelines may only assume the CDK's roles.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from ops.clients import Clients, NoAnswer, answers, make_clients
from settings.environment import Environment
from settings.files import SettingsError, load_environments
from settings.names import repository_name
from tools import ROOT
from tools.cdk_options import profile_of

ENVIRONMENTS = ROOT / "environments"

SECONDS = 12
"""How long a deployment waits for all checks together."""

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """A problem that would make the deployment fail, and its fix."""

    problem: str
    fix: str

    def __str__(self) -> str:
        return f"  ✗ {self.problem}\n    {self.fix}"


def check_secrets(clients: Clients, environment: Environment) -> Iterator[Finding]:
    """Find existing secrets that have the names of our secrets."""
    stack = f"{environment.name}-DockerLogin"
    ours = _resources_of(clients, stack)

    def describe(name: str) -> Any:
        return _unless_missing(
            lambda: clients.secretsmanager.describe_secret(SecretId=name), "ResourceNotFoundException"
        )

    names = [environment.secret_name(connection_id) for connection_id in environment.connections]
    for name, secret in zip(names, _in_parallel(describe, names), strict=True):
        if not secret:
            continue
        is_ours = secret["ARN"] in ours
        if "DeletedDate" in secret:
            problem = f"The secret {name} is scheduled for deletion, which blocks its name."
            if is_ours:
                yield Finding(problem, f"Run: aws secretsmanager restore-secret --secret-id {name}")
            else:
                yield Finding(
                    f"{problem} CloudFormation would answer: already scheduled for deletion.",
                    f"To delete it now, with its value, run: aws secretsmanager restore-secret --secret-id {name} && "
                    f"aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {name}",
                )
        elif not is_ours:
            yield Finding(
                f"The secret {name} exists, and it is not part of the stack {stack}. "
                "CloudFormation would answer: already exists.",
                'See "If the secret exists already" in docs/airflow/migrate.md.',
            )


def check_repositories(clients: Clients, environment: Environment) -> Iterator[Finding]:
    """Find repositories that the deployment cannot adopt, and repositories whose policy the deployment would remove."""
    stack = f"{environment.name}-Registry"
    wanted = {repository_name(team, name) for team, own in environment.teams.items() for name in own.repositories}
    pages = clients.ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 1000})
    with answers():
        existing = {repository["repositoryName"] for page in pages for repository in page["repositories"]}
    foreign = sorted((wanted & existing) - _resources_of(clients, stack))

    def policy_of(name: str) -> Any:
        ask = lambda: clients.ecr.get_repository_policy(repositoryName=name)  # noqa: E731
        return _unless_missing(ask, "RepositoryPolicyNotFoundException")

    def look_at(name: str) -> Finding | None:
        if owner := _stack_with(clients, name, "AWS::ECR::Repository"):
            return Finding(
                f"The repository {name} belongs to the stack {owner}, so {stack} cannot adopt it.",
                f"Remove it from {owner} with the deletion policy Retain, or remove it from the settings.",
            )
        if policy_of(name):
            return Finding(
                f"The repository {name} has a repository policy, which the deployment would remove.",
                f"Save it (aws ecr get-repository-policy --repository-name {name}), "
                f"then run: aws ecr delete-repository-policy --repository-name {name}",
            )
        return None

    yield from filter(None, _in_parallel(look_at, foreign))


def check_push_roles(clients: Clients, environment: Environment) -> Iterator[Finding]:
    """Find roles that have the names of our push roles."""
    stack = f"{environment.name}-Access"
    names = [environment.push_role_name(team) for team in environment.teams]
    foreign = [name for name in names if name not in _resources_of(clients, stack)]

    def look_at(name: str) -> Finding | None:
        if not _unless_missing(lambda: clients.iam.get_role(RoleName=name), "NoSuchEntity"):
            return None
        owner = _stack_with(clients, name, "AWS::IAM::Role")
        where = f"belongs to the stack {owner}" if owner else f"is not part of the stack {stack}"
        return Finding(
            f"The role {name} exists, and it {where}. CloudFormation would answer: EntityAlreadyExists.",
            f"Delete the role, or rename the settings file {environment.name}.toml, whose name starts the role's name.",
        )

    yield from filter(None, _in_parallel(look_at, foreign))


Check = Callable[[Clients, Environment], Iterable[Finding]]
CHECKS: dict[str, Check] = {
    "secrets": check_secrets,
    "repositories": check_repositories,
    "push roles": check_push_roles,
}
"""Each check sends read-only requests to AWS and returns findings. It raises NoAnswer if AWS does not answer."""


def ask(
    environment: Environment, profile: str | None = None, seconds: float = SECONDS
) -> tuple[list[Finding], dict[str, str]]:
    """Run all checks in parallel, within a time limit.

    Args:
        environment: The environment that is about to be deployed.
        profile: A profile of the AWS CLI; by default the credentials of the shell.
        seconds: The time limit for all checks together.

    Returns:
        The findings, and the reason for each check that was skipped.
    """
    answered: SimpleQueue[tuple[str, list[Finding] | NoAnswer]] = SimpleQueue()

    def run(name: str, check: Check, clients: Clients) -> None:
        try:
            answered.put((name, list(check(clients, environment))))
        except NoAnswer as reason:
            answered.put((name, reason))
        except Exception as error:  # A bug in a check must not stop a deployment.
            answered.put((name, NoAnswer(repr(error))))

    def start() -> None:
        try:
            clients = make_clients(environment.account, environment.region, profile)
        except Exception as error:
            reason = error if isinstance(error, NoAnswer) else NoAnswer(repr(error))
            for name in CHECKS:
                answered.put((name, reason))
            return
        for name, check in CHECKS.items():
            Thread(target=run, args=(name, check, clients), daemon=True).start()

    # The checks run in threads, so that each check has a time limit. The timeouts of botocore do not apply to a program
    # that supplies credentials (`credential_process`).
    Thread(target=start, daemon=True).start()
    findings: dict[str, list[Finding]] = {}
    unanswered = dict.fromkeys(CHECKS, f"no answer within {seconds:g} seconds")
    deadline = monotonic() + seconds
    for _ in CHECKS:
        try:
            name, answer = answered.get(timeout=max(0, deadline - monotonic()))
        except Empty:
            break
        if isinstance(answer, NoAnswer):
            unanswered[name] = str(answer)
        else:
            del unanswered[name]
            findings[name] = answer
    return [finding for name in CHECKS for finding in findings.get(name, [])], unanswered


def main() -> None:
    """Print the account and the findings. The exit status is 1 if there are findings."""
    name, *options = sys.argv[1:]
    try:
        by_name = {each.name: each for each in load_environments(ENVIRONMENTS)}
    except SettingsError as error:
        sys.exit(str(error))
    if name not in by_name:
        sys.exit(f"environments/{name}.toml does not exist. Copy a file from examples/ and edit it")
    environment = by_name[name]
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    where = f"the AWS at {endpoint} (AWS_ENDPOINT_URL)" if endpoint else "AWS"
    print(f"Deploying {name} to {where}, account {environment.account}, Region {environment.region}.", file=sys.stderr)
    findings, unanswered = ask(environment, profile_of(options, dict(os.environ)))
    if unanswered:
        reasons = "; ".join(dict.fromkeys(unanswered.values()))
        print(f"Not checked before the deployment: {', '.join(unanswered)} ({reasons}).", file=sys.stderr)
    if findings:
        print("The deployment would fail or lose something:", *findings, sep="\n", file=sys.stderr)
        print("To deploy without these checks, add PREFLIGHT=off.", file=sys.stderr)
    sys.stderr.flush()
    os._exit(1 if findings else 0)  # Python would wait for threads that still wait for an answer.


def _resources_of(clients: Clients, stack: str) -> set[str]:
    """Return the physical ids of the resources of a stack. The result is empty if the stack does not exist."""
    pages = clients.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = _unless_missing(
        lambda: [resource for page in pages for resource in page["StackResourceSummaries"]], "ValidationError"
    )
    return {each["PhysicalResourceId"] for each in found or [] if _exists(each)}


def _stack_with(clients: Clients, physical_id: str, kind: str) -> str | None:
    """Return the name of the stack that has a resource, or None."""
    found = _unless_missing(
        lambda: clients.cloudformation.describe_stack_resources(PhysicalResourceId=physical_id), "ValidationError"
    )
    for each in (found or {}).get("StackResources", []):
        if each.get("PhysicalResourceId") == physical_id and each["ResourceType"] == kind and _exists(each):
            return str(each["StackName"])
    return None


def _exists(resource: Any) -> bool:
    """Return whether a stack still has a resource. A stack lists deleted and retained resources for some time."""
    return resource["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED") and "PhysicalResourceId" in resource


def _unless_missing(request: Callable[[], T], missing: str) -> T | None:
    """Return the answer to a request, or None if AWS answers with this error code.

    Raises:
        NoAnswer: AWS answers with another error, or does not answer.
    """
    with answers():
        try:
            return request()
        except ClientError as error:
            if error.response["Error"]["Code"] != missing:
                raise
            return None


def _in_parallel(function: Callable[[str], T], names: list[str]) -> list[T]:
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(function, names))


if __name__ == "__main__":
    main()
