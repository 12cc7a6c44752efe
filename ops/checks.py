"""The checks of an AWS account before a deployment.

Each check sends read-only requests to AWS and returns findings. A check raises NoAnswer if AWS refuses a request or
does not answer.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from ops.clients import Clients, answers
from settings.environment import Environment
from settings.names import repository_name
from settings.regions import PARTITIONS

T = TypeVar("T")

# The stacks that the settings can remove, and how to delete them.
OPTIONAL_STACKS = {
    "EcsTasks": '"Remove Fargate tasks" in docs/changes.md',
    "WorkerUpkeep": '"Remove the clean-up" in docs/changes.md',
}


@dataclass(frozen=True)
class Planned:
    """A deployment that is about to start.

    Attributes:
        environment: The settings.
        qualifier: The qualifier of the CDK's bootstrap. It is part of the names of the CDK's roles.
    """

    environment: Environment
    qualifier: str

    @property
    def deploy_role_arn(self) -> str:
        """The ARN of the role that CloudFormation assumes."""
        account, region = self.environment.account, self.environment.region
        role = f"cdk-{self.qualifier}-cfn-exec-role-{account}-{region}"
        return f"arn:{PARTITIONS[region].name}:iam::{account}:role/{role}"

    def stack(self, stack_id: str) -> str:
        """Return the name of a stack."""
        return f"{self.environment.name}-{stack_id}"

    @property
    def secrets(self) -> list[str]:
        """The names of the secrets."""
        return [self.environment.secret_name(connection_id) for connection_id in self.environment.connections]

    @property
    def repositories(self) -> set[str]:
        """The full names of the repositories."""
        teams = self.environment.teams
        return {repository_name(team, name) for team, own in teams.items() for name in own.repositories}


@dataclass(frozen=True)
class Finding:
    """A problem and its fix.

    Attributes:
        problem: The problem, in one or more sentences.
        fix: What to do, or where the documentation says so.
        stops: Whether the deployment would fail or lose something. If not, the finding is a notice.
    """

    problem: str
    fix: str
    stops: bool = True

    def __str__(self) -> str:
        return f"  {'✗' if self.stops else '•'} {self.problem}\n    {self.fix}"


def find_taken_secrets(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find secrets that have the names of our secrets and are not ours, or are scheduled for deletion."""
    stack = planned.stack("DockerLogin")
    ours = _ids(_resources_of(clients, stack))

    def look_at(name: str) -> Finding | None:
        secret = _describe_secret(clients, name)
        if not secret:
            return None
        is_ours = secret["ARN"] in ours
        if "DeletedDate" in secret:
            problem = f"The secret {name} is scheduled for deletion, which blocks its name."
            if is_ours:
                who = " with a break-glass role" if planned.environment.break_glass_role_arns else ""
                return Finding(problem, f"Run{who}: aws secretsmanager restore-secret --secret-id {name}")
            return Finding(
                f"{problem} CloudFormation would answer: already scheduled for deletion.",
                f"To delete it now, with its value, run: aws secretsmanager restore-secret --secret-id {name} && "
                f"aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {name}",
            )
        if is_ours:
            return None
        owner = _stack_with(clients, secret["ARN"], "AWS::SecretsManager::Secret")
        where = f"belongs to the stack {owner}" if owner else f"is not part of the stack {stack}"
        return Finding(
            f"The secret {name} exists, and it {where}. CloudFormation would answer: already exists.",
            'If you renamed the settings file, see "Rename an environment" in docs/changes.md.'
            if owner
            else 'See "If the secret exists already" in docs/airflow/migrate.md.',
        )

    yield from filter(None, _in_parallel(look_at, planned.secrets))


def find_taken_repositories(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find repositories that the deployment cannot adopt, and repositories whose policy the deployment would remove."""
    stack = planned.stack("Registry")
    pages = clients.ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 1000})
    with answers():
        existing = {repository["repositoryName"] for page in pages for repository in page["repositories"]}
    foreign = sorted((planned.repositories & existing) - _ids(_resources_of(clients, stack)))

    def policy_of(name: str) -> Any:
        return _unless_missing(
            "RepositoryPolicyNotFoundException", clients.ecr.get_repository_policy, repositoryName=name
        )

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


def find_push_role_conflicts(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find roles that have the names of our push roles and are not ours, and our push roles with another path."""
    stack, environment = planned.stack("Access"), planned.environment
    ours = _ids(_resources_of(clients, stack))
    other_paths: dict[str, list[str]] = {}

    def look_at(team: str) -> Finding | None:
        name = environment.push_role_name(team)
        role = _get_role(clients, name)
        if not role:
            return None
        if name in ours:
            if role["Path"] != environment.role_path:
                other_paths.setdefault(role["Path"], []).append(name)
            return None
        owner = _stack_with(clients, name, "AWS::IAM::Role")
        where = f"belongs to the stack {owner}" if owner else f"is not part of the stack {stack}"
        return Finding(
            f"The role {name} exists, and it {where}. CloudFormation cannot create it.",
            f"Delete the role, or choose another name for the team {team} in the settings. "
            f'If {environment.name} is deployed in another Region, see "Change region" in docs/changes.md.',
        )

    yield from filter(None, _in_parallel(look_at, list(environment.teams)))
    for path, names in other_paths.items():
        yield Finding(
            f"The path of {_listed(names)} is {path}, and role_path is {environment.role_path}. CloudFormation would "
            "answer: cannot update a stack when a custom-named resource requires replacing.",
            'See "Change role_path" in docs/changes.md.',
        )


def find_missing_principals(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find roles, users and the boundary policy that the settings name and that do not exist in the account."""
    environment = planned.environment
    named: dict[str, str] = {}  # the setting that names an ARN
    for name, team in environment.teams.items():
        named |= dict.fromkeys(team.push.role_arns, f"teams.{name}.push.role_arns")
        named |= dict.fromkeys(team.push.user_arns, f"teams.{name}.push.user_arns")
    named |= dict.fromkeys(environment.workers.role_arns, "workers.role_arns")
    named |= dict.fromkeys(environment.break_glass_role_arns, "break_glass_role_arns")
    if environment.permissions_boundary_arn:
        named[environment.permissions_boundary_arn] = "permissions_boundary_arn"

    def consequence(setting: str) -> str:
        if setting == "break_glass_role_arns":
            return "In an emergency, nobody can use it."
        refusal = "Invalid principal in policy" if ".push." in setting else "NoSuchEntity"
        return f"CloudFormation would answer: {refusal}."

    def look_at(arn: str) -> Finding | None:
        _, _, _, _, account, what = arn.split(":", 5)
        if account != environment.account:
            return None
        kind, name = what.split("/", 1)[0], what.rsplit("/", 1)[-1]
        if kind == "policy":
            found = (_unless_missing("NoSuchEntity", clients.iam.get_policy, PolicyArn=arn) or {}).get("Policy")
        elif kind == "user":
            found = (_unless_missing("NoSuchEntity", clients.iam.get_user, UserName=name) or {}).get("User")
        else:
            found = _get_role(clients, name)
        setting = named[arn]
        stops = setting != "break_glass_role_arns"
        if not found:
            problem = f"The {kind} {arn} does not exist. {consequence(setting)}"
            return Finding(problem, f"Create the {kind}, or correct the ARN in {setting}.", stops)
        if found["Arn"] != arn:
            problem = f"The ARN of the {kind} {name} is {found['Arn']}, and the settings have {arn}."
            return Finding(problem, f"Correct the path in {setting}.", stops)
        return None

    yield from filter(None, _in_parallel(look_at, list(named)))


def find_denied_deploy_role(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find secrets whose policy denies the role of this deployment."""
    secrets = _resources_of(clients, planned.stack("DockerLogin")).get("AWS::SecretsManager::Secret", [])

    def policy_of(arn: str) -> str:
        answer = _unless_missing("ResourceNotFoundException", clients.secretsmanager.get_resource_policy, SecretId=arn)
        return str((answer or {}).get("ResourcePolicy") or "")

    policies = dict(zip(secrets, _in_parallel(policy_of, secrets), strict=True))
    # The role is in the policy of a secret, unless another role deployed the secret.
    denied = [arn for arn, policy in policies.items() if policy and f'"{planned.deploy_role_arn}"' not in policy]
    if denied:
        allowed = _deploy_roles_in(policies[denied[0]])
        others = f" The last deployment used {_listed(allowed)}." if allowed else ""
        names = [_name_of_secret(arn) for arn in denied]
        yield Finding(
            f"The policy of {_listed(names)} denies the role of this deployment, {planned.deploy_role_arn}.{others} "
            "CloudFormation would answer: AccessDeniedException.",
            'See "Change the qualifier of the bootstrap" in docs/changes.md.',
        )


def find_stacks(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find stacks that cannot be updated, and stacks of this environment that the settings no longer contain."""
    environment = planned.environment
    wanted = ["Registry", "Access", "DockerLogin"]
    wanted += ["EcsTasks"] if environment.ecs else []
    wanted += ["WorkerUpkeep"] if environment.workers.clean_up else []
    removed = [stack_id for stack_id in OPTIONAL_STACKS if stack_id not in wanted]

    def status_of(stack_id: str) -> str | None:
        name = planned.stack(stack_id)
        answer = _unless_missing("ValidationError", clients.cloudformation.describe_stacks, StackName=name)
        return answer["Stacks"][0]["StackStatus"] if answer else None

    statuses = dict(zip(wanted + removed, _in_parallel(status_of, wanted + removed), strict=True))
    for stack_id in wanted:
        if statuses[stack_id] == "DELETE_FAILED":
            yield Finding(
                f"The stack {planned.stack(stack_id)} is in DELETE_FAILED, and CloudFormation cannot update it.",
                'Delete the stack first. See "If the removal fails" in docs/remove.md.',
            )
    for stack_id in removed:
        if statuses[stack_id] not in (None, "DELETE_COMPLETE"):
            name = planned.stack(stack_id)
            yield Finding(
                f"The settings no longer contain the stack {name}. The deployment does not delete it.",
                f"To delete the stack, see {OPTIONAL_STACKS[stack_id]}.",
                stops=False,
            )


def find_removed_secrets(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find secrets that the deployment deletes, because their connection or prefix is no longer in the settings."""
    secrets = _resources_of(clients, planned.stack("DockerLogin")).get("AWS::SecretsManager::Secret", [])
    removed = [arn for arn in secrets if _name_of_secret(arn) not in planned.secrets]
    for arn, secret in zip(removed, _in_parallel(lambda arn: _describe_secret(clients, arn), removed), strict=True):
        if not secret:
            continue
        read = secret.get("LastAccessedDate")
        when = f"It was last read on {read:%Y-%m-%d} (UTC)." if read else "It was not read yet."
        yield Finding(
            f"The deployment deletes the secret {_name_of_secret(arn)}, with its value. {when}",
            'If tasks still use it, see "Rename a connection" in docs/changes.md.',
            stops=False,
        )


def find_removed_repositories(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find repositories of the stack that are no longer in the settings."""
    deployed = _resources_of(clients, planned.stack("Registry")).get("AWS::ECR::Repository", [])
    removed = sorted(set(deployed) - planned.repositories)
    if removed:
        yield Finding(
            f"The settings no longer contain {_listed(removed)}. The repositories and their images stay on AWS, "
            "outside of the stack.",
            'See "Remove a repository" and "Move a repository to another team" in docs/changes.md.',
            stops=False,
        )


def find_silent_topic(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find a topic of the settings that does not exist, or that the messages about scans cannot reach."""
    environment = planned.environment
    topic_arn = environment.alerts.topic_arn
    # The policy of a topic of another account is usually not readable.
    if not topic_arn or topic_arn.split(":")[4] != environment.account:
        return
    topic = _unless_missing("NotFound", clients.sns.get_topic_attributes, TopicArn=topic_arn)
    if not topic:
        problem = f"The topic {topic_arn} does not exist. The deployment succeeds, but no alarm reaches anybody."
        yield Finding(problem, "Create the topic, or correct the ARN in alerts.topic_arn.", stops=False)
        return
    attributes = topic["Attributes"]
    if attributes.get("KmsMasterKeyId") == "alias/aws/sns":
        yield Finding(
            f"The topic {topic_arn} is encrypted with the key alias/aws/sns, so no message reaches it.",
            'Use another key, or no encryption. See "Allow messages to an existing topic" in docs/deploy.md.',
            stops=False,
        )
    if environment.reported_severities and not _lets_rules_publish(attributes.get("Policy", "{}"), environment):
        yield Finding(
            f"The policy of the topic {topic_arn} does not allow EventBridge to publish, so no message about findings "
            "of image scans arrives.",
            f"Add this statement: {json.dumps(_statement_for_rules(environment, topic_arn))}",
            stops=False,
        )


def _statement_for_rules(environment: Environment, topic_arn: str) -> dict[str, Any]:
    """Return the statement of a topic's policy that allows the rules of this account and Region to publish."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic_arn,
        "Condition": {"ArnLike": {"aws:SourceArn": _rule_arn(environment, "*")}},
    }


def _rule_arn(environment: Environment, name: str) -> str:
    partition = PARTITIONS[environment.region].name
    return f"arn:{partition}:events:{environment.region}:{environment.account}:rule/{name}"


def _lets_rules_publish(policy: str, environment: Environment) -> bool:
    """Return whether a statement allows EventBridge to publish.

    Only conditions on the source are evaluated. For other conditions, the answer is yes, so that no finding is wrong.
    """
    # CloudFormation generates the names of the rules from the name of the stack.
    request = {
        "aws:sourcearn": _rule_arn(environment, f"{environment.name}-DockerLogin-ScanFindings"),
        "aws:sourceaccount": environment.account,
        "aws:sourceowner": "",  # EventBridge does not send it. The default policy of a topic has a condition on it.
    }
    for statement in _listing(json.loads(policy).get("Statement")):
        principal = statement.get("Principal", {})
        if isinstance(principal, dict):
            services = [*_listing(principal.get("Service")), *_listing(principal.get("AWS"))]
        else:
            services = [principal]
        actions = [action.lower() for action in _listing(statement.get("Action"))]
        conditions = [
            (key.lower(), [str(value) for value in _listing(values)])
            for keys in statement.get("Condition", {}).values()
            for key, values in keys.items()
        ]
        if (
            statement.get("Effect") == "Allow"
            and not {"*", "events.amazonaws.com"}.isdisjoint(services)
            and not {"*", "sns:*", "sns:publish"}.isdisjoint(actions)
            and all(
                any(fnmatchcase(request[key], value) for value in values)
                for key, values in conditions
                if key in request
            )
        ):
            return True
    return False


def _listing(one_or_more: Any) -> list[Any]:
    """Return a value of a policy as a list. A policy may have one value instead of a list."""
    if one_or_more is None:
        return []
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


Check = Callable[[Clients, Planned], Iterable[Finding]]
CHECKS: dict[str, Check] = {
    "secrets": find_taken_secrets,
    "repositories": find_taken_repositories,
    "push roles": find_push_role_conflicts,
    "principals": find_missing_principals,
    "deploy role": find_denied_deploy_role,
    "stacks": find_stacks,
    "removed secrets": find_removed_secrets,
    "removed repositories": find_removed_repositories,
    "topic": find_silent_topic,
}
"""The checks, by the name that is printed if AWS does not answer."""


def _resources_of(clients: Clients, stack: str) -> dict[str, list[str]]:
    """Return the physical ids of the resources of a stack, by type. The result is empty if there is no such stack."""

    def list_resources() -> list[Any]:
        pages = clients.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        return [resource for page in pages for resource in page["StackResourceSummaries"]]

    found = clients.ask_once(f"resources of {stack}", lambda: _unless_missing("ValidationError", list_resources))
    by_type: dict[str, list[str]] = {}
    for each in found or []:
        if _exists(each):
            by_type.setdefault(each["ResourceType"], []).append(each["PhysicalResourceId"])
    return by_type


def _ids(resources: dict[str, list[str]]) -> set[str]:
    return {physical_id for ids in resources.values() for physical_id in ids}


def _stack_with(clients: Clients, physical_id: str, kind: str) -> str | None:
    """Return the name of the stack that has a resource, or None."""
    found = _unless_missing(
        "ValidationError", clients.cloudformation.describe_stack_resources, PhysicalResourceId=physical_id
    )
    for each in (found or {}).get("StackResources", []):
        if each.get("PhysicalResourceId") == physical_id and each["ResourceType"] == kind and _exists(each):
            return str(each["StackName"])
    return None


def _exists(resource: Any) -> bool:
    """Return whether a stack still has a resource. A stack lists deleted and retained resources for some time."""
    return resource["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED") and "PhysicalResourceId" in resource


def _describe_secret(clients: Clients, secret_id: str) -> Any:
    return _unless_missing("ResourceNotFoundException", clients.secretsmanager.describe_secret, SecretId=secret_id)


def _get_role(clients: Clients, name: str) -> Any:
    return (_unless_missing("NoSuchEntity", clients.iam.get_role, RoleName=name) or {}).get("Role")


def _name_of_secret(arn: str) -> str:
    """Return the name of a secret. Its ARN ends with a hyphen and six random characters."""
    return arn.rsplit(":", 1)[-1][: -len("-123456")]


def _deploy_roles_in(policy: str) -> list[str]:
    """Return the roles of CDK bootstraps that a secret's policy names."""
    return sorted(set(re.findall(r'"(arn:[^"]*-cfn-exec-role-[^"]*)"', policy)))


def _listed(names: list[str]) -> str:
    """Return names for a sentence. After the third name, only the number of further names is given."""
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def _unless_missing(missing: str, request: Callable[..., T], **parameters: str) -> T | None:
    """Return the answer to a request, or None if AWS answers with the error code `missing`.

    Raises:
        NoAnswer: AWS answers with another error, or does not answer.
    """
    with answers():
        try:
            return request(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] != missing:
                raise
            return None


def _in_parallel(function: Callable[[str], T], names: list[str]) -> list[T]:
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(function, names))
