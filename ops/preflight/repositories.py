"""The repositories in ECR, and their policies."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from ops.clients import Clients, answers, unless_missing
from ops.fixes import aws
from ops.preflight.findings import Finding, Planned, listed
from ops.preflight.policies import Policy, Statement, other_readers, removed_statements
from ops.preflight.stacks import ids_of, resources_of, stack_with
from ops.together import in_parallel
from settings.environment import Environment
from settings.names import TEAM_TAG
from settings.regions import PARTITIONS


def find_taken_repositories(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find repositories that the deployment cannot adopt, and policies with statements that it would remove."""
    stack = planned.stack("Registry")

    def look_at(name: str) -> Finding | None:
        if owner := stack_with(clients, name, "AWS::ECR::Repository"):
            return Finding(
                f"The repository {name} belongs to the stack {owner}, so {stack} cannot adopt it.",
                f"Remove it from {owner} with the deletion policy Retain, or remove it from the settings.",
            )
        lost = removed_statements(repository_policy(clients, name), planned.environment, team_of(name))
        if not lost:
            return None
        save = aws(planned.environment, f"ecr get-repository-policy --repository-name {name}")
        delete = aws(planned.environment, f"ecr delete-repository-policy --repository-name {name}")
        return Finding(
            f"The repository {name} has a repository policy, which the deployment would replace.",
            f"{_how_to_keep_readers(lost, planned.environment, team_of(name))}"
            f"Save the policy ({save}), then run: {delete}",
        )

    yield from filter(None, in_parallel(look_at, adopted_repositories(clients, planned)))


def find_policies_by_hand(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find statements in the policies of the stack's repositories that the next update of the repository removes."""
    deployed = resources_of(clients, planned.stack("Registry")).get("AWS::ECR::Repository", [])
    names = sorted(planned.repositories.intersection(deployed))
    policies = in_parallel(lambda name: repository_policy(clients, name), names)
    lost: dict[str, dict[str, list[Statement]]] = {}
    for name, policy in zip(names, policies, strict=True):
        if statements := removed_statements(policy, planned.environment, team_of(name)):
            lost.setdefault(team_of(name), {})[name] = statements
    save = aws(planned.environment, "ecr get-repository-policy --repository-name <name>")
    for team, by_name in lost.items():
        statements = [each for of_one in by_name.values() for each in of_one]
        yield Finding(
            f"The policy of {listed(list(by_name))} has statements that are not from this project. The deployment "
            "removes them if it changes the repository. The first deployment of a new version often does.",
            f"{_how_to_keep_readers(statements, planned.environment, team)}Save the policy: {save}",
            stops=False,
        )


def _how_to_keep_readers(lost: Iterable[Statement], environment: Environment, team: str) -> str:
    readers = sorted({account for statement in lost for account in other_readers(statement, environment)})
    return f"To let them pull, add {', '.join(readers)} to teams.{team}.pull_accounts. " if readers else ""


def find_tags_of_other_teams(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find repositories that the deployment adopts, and that have the tag of another team."""
    environment = planned.environment
    start = f"arn:{PARTITIONS[environment.region].name}:ecr:{environment.region}:{environment.account}:repository/"

    def team_in_tag(name: str) -> str | None:
        describe = clients.ecr.list_tags_for_resource
        answer = unless_missing(describe, "RepositoryNotFoundException", resourceArn=start + name)
        tags = {tag["Key"]: str(tag["Value"]) for tag in (answer or {}).get("tags", [])}
        return tags.get(TEAM_TAG)

    names = adopted_repositories(clients, planned)
    for name, team in zip(names, in_parallel(team_in_tag, names), strict=True):
        if team is not None and team != team_of(name):
            untag = f"ecr untag-resource --resource-arn {start}{name} --tag-keys {TEAM_TAG}"
            yield Finding(
                f"The repository {name} has the tag {TEAM_TAG}={team}. The deployment replaces the tag by "
                f"{TEAM_TAG}={team_of(name)}, so principals whose permissions depend on the tag lose access.",
                f"If nobody needs the tag, run: {aws(environment, untag)}. "
                "Otherwise, remove the repository from the settings.",
                # The tag can also be an ordinary tag of a company, such as for the allocation of costs.
                stops=team in environment.teams,
            )


def find_missing_repositories(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find existing repositories in the settings that do not exist."""

    def is_missing(name: str) -> bool:
        describe = partial(clients.ecr.describe_repositories, repositoryNames=[name])
        return not unless_missing(describe, "RepositoryNotFoundException")

    for team, own in planned.environment.teams.items():
        names = list(own.existing_repositories)
        missing = [name for name, gone in zip(names, in_parallel(is_missing, names), strict=True) if gone]
        if missing:
            yield Finding(
                f"These names in existing_repositories of the team {team} do not exist in ECR: {listed(missing)}. "
                "The deployment does not create them.",
                f"Create the repositories, or correct teams.{team}.existing_repositories.",
                stops=False,
            )


def find_removed_repositories(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find repositories of the stack that are no longer in the settings."""
    deployed = resources_of(clients, planned.stack("Registry")).get("AWS::ECR::Repository", [])
    removed = sorted(set(deployed) - planned.repositories)
    if removed:
        yield Finding(
            f"The settings no longer contain {listed(removed)}. The repositories and their images stay on AWS, "
            "outside of the stack.",
            'See "Remove a repository", "Hand over a repository" and "Move a repository to another team" in '
            "docs/changes.md.",
            stops=False,
        )


def repository_policy(clients: Clients, name: str) -> Policy:
    """Return the policy of a repository. Without a policy, the result is empty."""

    def get() -> Policy:
        answer: Any = unless_missing(
            clients.ecr.get_repository_policy,
            "RepositoryPolicyNotFoundException",
            "RepositoryNotFoundException",
            repositoryName=name,
        )
        policy: Policy = json.loads(answer["policyText"]) if answer else {}
        return policy

    return clients.ask_once(f"policy of the repository {name}", get)


def adopted_repositories(clients: Clients, planned: Planned) -> list[str]:
    """Return the repositories of the settings that exist outside of the stack."""

    def existing() -> set[str]:
        pages = clients.ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 1000})
        with answers():
            return {repository["repositoryName"] for page in pages for repository in page["repositories"]}

    names = clients.ask_once("repositories of the account", existing)
    return sorted((planned.repositories & names) - ids_of(resources_of(clients, planned.stack("Registry"))))


def team_of(repository: str) -> str:
    return repository.partition("/")[0]
