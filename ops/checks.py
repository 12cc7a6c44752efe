"""The checks of an AWS account before a deployment.

Each check sends read-only requests to AWS and returns findings. A check raises NoAnswer if AWS refuses a request or
does not answer.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from ops.clients import Clients, answers
from settings.environment import Environment
from settings.names import PULL_ACTIONS, RepositoryStatement, repository_name
from settings.regions import PARTITIONS

T = TypeVar("T")
Policy = dict[str, Any]
Statement = dict[str, Any]

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

    def pushers(self, team: str) -> set[str]:
        """The principals that a repository policy does not deny to push to a team's repositories."""
        root = self.deploy_role_arn.partition(":role/")[0] + ":root"
        return {self.environment.push_role_arn(team), self.deploy_role_arn, root}

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
    """Find repositories that the deployment cannot adopt, and policies with statements that it would remove."""
    stack = planned.stack("Registry")

    def look_at(name: str) -> Finding | None:
        if owner := _stack_with(clients, name, "AWS::ECR::Repository"):
            return Finding(
                f"The repository {name} belongs to the stack {owner}, so {stack} cannot adopt it.",
                f"Remove it from {owner} with the deletion policy Retain, or remove it from the settings.",
            )
        lost = removed_statements(_repository_policy(clients, name), planned.environment, _team_of(name))
        if not lost:
            return None
        return Finding(
            f"The repository {name} has a repository policy, which the deployment would replace.",
            f"{_how_to_keep_readers(lost, planned.environment, _team_of(name))}"
            f"Save the policy (aws ecr get-repository-policy --repository-name {name}), "
            f"then run: aws ecr delete-repository-policy --repository-name {name}",
        )

    yield from filter(None, _in_parallel(look_at, _adopted(clients, planned)))


def find_policies_by_hand(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find statements in the policies of the stack's repositories that the next update of the repository removes."""
    deployed = _resources_of(clients, planned.stack("Registry")).get("AWS::ECR::Repository", [])
    names = sorted(planned.repositories.intersection(deployed))
    policies = _in_parallel(lambda name: _repository_policy(clients, name), names)
    lost: dict[str, dict[str, list[Statement]]] = {}
    for name, policy in zip(names, policies, strict=True):
        if statements := removed_statements(policy, planned.environment, _team_of(name)):
            lost.setdefault(_team_of(name), {})[name] = statements
    for team, by_name in lost.items():
        statements = [each for of_one in by_name.values() for each in of_one]
        yield Finding(
            f"The policy of {_listed(list(by_name))} has statements that are not from this project. The deployment "
            "removes them if it changes the repository. The first deployment of a new version often does.",
            f"{_how_to_keep_readers(statements, planned.environment, team)}"
            "Save the policy: aws ecr get-repository-policy --repository-name <name>",
            stops=False,
        )


def _how_to_keep_readers(lost: Iterable[Statement], environment: Environment, team: str) -> str:
    readers = sorted({account for statement in lost for account in other_readers(statement, environment)})
    return f"To let them pull, add {', '.join(readers)} to teams.{team}.pull_accounts. " if readers else ""


def find_cut_off_pushers(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find principals that pushed to a repository lately, and that a new repository policy would deny."""
    environment = planned.environment
    closed = {name for name, team in environment.teams.items() if not team.others_may_push_because}
    deployed = set(_resources_of(clients, planned.stack("Registry")).get("AWS::ECR::Repository", []))
    groups: dict[str, list[str]] = {}
    for name in sorted(planned.repositories & (deployed | set(_adopted(clients, planned)))):
        if _team_of(name) in closed:
            # All repositories of a team in the stack have the same policy, so the policy of one of them is enough.
            groups.setdefault(_team_of(name) if name in deployed else name, []).append(name)
    policies = _in_parallel(lambda key: _repository_policy(clients, groups[key][0]), list(groups))
    changing = {
        name
        for names, policy in zip(groups.values(), policies, strict=True)
        if not _denies_pushing(policy)
        for name in names
    }
    if not changing:
        return
    found: dict[str, set[str]] = {}
    for principal, repository in _recent_pushes(clients):
        team = _team_of(repository)
        if repository in changing and principal not in planned.pushers(team):
            found.setdefault(team, set()).add(principal)
    for team, principals in sorted(found.items()):
        yield Finding(
            f"{_listed(sorted(principals))} pushed to repositories of the team {team} lately. "
            "After the deployment, they cannot push any more.",
            f"Add them to teams.{team}.push, and let them assume the push role; or set "
            f'teams.{team}.others_may_push_because. See "Who else can push" in docs/security.md.',
            stops=False,
        )


_PUSH_DAYS = 90  # CloudTrail keeps the event history for 90 days.
_PUSH_PAGES = 4  # CloudTrail answers two requests per second, each with up to 50 events.


def _recent_pushes(clients: Clients) -> Iterator[tuple[str, str]]:
    """Return the principal and the repository of the latest pushes. There is no answer if CloudTrail refuses."""
    request: dict[str, Any] = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "PutImage"}],
        "StartTime": datetime.now(UTC) - timedelta(days=_PUSH_DAYS),
        "MaxResults": 50,
    }
    for _ in range(_PUSH_PAGES):
        with answers():
            page = clients.cloudtrail.lookup_events(**request)
        for event in page["Events"]:
            details = json.loads(event.get("CloudTrailEvent") or "{}")
            identity = details.get("userIdentity") or {}
            # The identity of a session contains the ARN of its role, with the role's path.
            issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
            principal = issuer.get("arn") or identity.get("arn")
            repository = (details.get("requestParameters") or {}).get("repositoryName")
            if principal and repository and not details.get("errorCode"):
                yield str(principal), str(repository)
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def find_taken_creation_templates(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find repository creation templates of other owners for the repositories of a team with `create_on_push`."""
    teams = [name for name, team in planned.environment.teams.items() if team.create_on_push]
    if not teams:
        return
    stack = planned.stack("Registry")
    ours = _ids(_resources_of(clients, stack))
    pages = clients.ecr.get_paginator("describe_repository_creation_templates").paginate()
    with answers():
        prefixes = [template["prefix"] for page in pages for template in page["repositoryCreationTemplates"]]
    for team in teams:
        for prefix in prefixes:
            name = prefix.rstrip("/")
            if name == team and prefix not in ours:
                yield Finding(
                    f"A repository creation template with the prefix {prefix} exists, and it is not part of the stack "
                    f"{stack}. CloudFormation may not be able to create it.",
                    "Delete it (aws ecr delete-repository-creation-template "
                    f"--prefix {prefix}), or remove create_on_push of the team {team}.",
                )
            elif name.startswith(f"{team}/"):
                yield Finding(
                    f"A repository creation template with the prefix {prefix} exists. The longest prefix applies, so a "
                    f"push to {name}/<name> uses this template instead of the template of the team {team}.",
                    f"If it does not set the tag team={team}, pushes to these repositories are refused. Delete it, or "
                    "ignore this notice.",
                    stops=False,
                )


def find_missing_repositories(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find existing repositories in the settings that do not exist."""

    def is_missing(name: str) -> bool:
        describe = partial(clients.ecr.describe_repositories, repositoryNames=[name])
        return not _unless_missing("RepositoryNotFoundException", describe)

    for team, own in planned.environment.teams.items():
        names = list(own.existing_repositories)
        missing = [name for name, gone in zip(names, _in_parallel(is_missing, names), strict=True) if gone]
        if missing:
            yield Finding(
                f"These names in existing_repositories of the team {team} do not exist in ECR: {_listed(missing)}. "
                "The deployment does not create them.",
                f"Create the repositories, or correct teams.{team}.existing_repositories.",
                stops=False,
            )


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
    # The setting that names an ARN. If several do, it is the last one, and only break_glass_role_arns stops nothing.
    named = dict.fromkeys(environment.break_glass_role_arns, "break_glass_role_arns")
    for name, team in environment.teams.items():
        named |= dict.fromkeys(team.push.role_arns, f"teams.{name}.push.role_arns")
        named |= dict.fromkeys(team.push.user_arns, f"teams.{name}.push.user_arns")
    named |= dict.fromkeys(environment.workers.role_arns, "workers.role_arns")
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


def find_missing_oidc_providers(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find OIDC providers that workflows need, and that do not exist or lack the workflows' audience.

    The deployment creates no OIDC provider, because all environments and roles of an account share it.
    """
    audiences: dict[str, set[str]] = {}  # by the issuer of the ID tokens
    for team in planned.environment.teams.values():
        for workflow in team.push.workflows:
            audiences.setdefault(workflow.issuer, set()).add(workflow.audience)

    def look_at(issuer: str) -> Finding | None:
        partition, account = PARTITIONS[planned.environment.region].name, planned.environment.account
        arn = f"arn:{partition}:iam::{account}:oidc-provider/{issuer}"
        get = clients.iam.get_open_id_connect_provider
        found = _unless_missing("NoSuchEntity", get, OpenIDConnectProviderArn=arn)
        if not found:
            client_ids = " ".join(sorted(audiences[issuer]))
            return Finding(
                f"The account has no OIDC provider for https://{issuer}. Its workflows cannot push.",
                f"Run: aws iam create-open-id-connect-provider --url https://{issuer} --client-id-list {client_ids}",
                stops=False,
            )
        if missing := sorted(audiences[issuer] - set(found["ClientIDList"])):
            add = f"aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {arn} --client-id"
            return Finding(
                f"The OIDC provider {arn} lacks the audience {_listed(missing)}. Its workflows cannot push.",
                f"Run: {' && '.join(f'{add} {audience}' for audience in missing)}",
                stops=False,
            )
        return None

    yield from filter(None, _in_parallel(look_at, list(audiences)))


def find_denied_deploy_role(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find secrets and repositories whose policy denies the role of this deployment."""
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
        return
    # All repositories of a team in the stack have the same policy.
    deployed = _resources_of(clients, planned.stack("Registry")).get("AWS::ECR::Repository", [])
    repositories = [*{_team_of(name): name for name in deployed}.values(), *_adopted(clients, planned)]
    texts = [
        json.dumps(policy) for policy in _in_parallel(lambda name: _repository_policy(clients, name), repositories)
    ]
    for name, text in zip(repositories, texts, strict=True):
        if f'"{RepositoryStatement.CHANGE}"' in text and f'"{planned.deploy_role_arn}"' not in text:
            yield Finding(
                f"The policy of the repository {name} denies the role of this deployment, {planned.deploy_role_arn}. "
                f"The last deployment used {_listed(_deploy_roles_in(text))}. "
                "CloudFormation would answer: AccessDeniedException.",
                'See "Change the qualifier of the bootstrap" in docs/changes.md.',
            )
            return


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
            'See "Remove a repository", "Hand over a repository" and "Move a repository to another team" in '
            "docs/changes.md.",
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
    for statement in _list(json.loads(policy).get("Statement")):
        principal = statement.get("Principal", {})
        if isinstance(principal, dict):
            services = [*_list(principal.get("Service")), *_list(principal.get("AWS"))]
        else:
            services = [principal]
        actions = [action.lower() for action in _list(statement.get("Action"))]
        conditions = [
            (key.lower(), [str(value) for value in _list(values)])
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


Check = Callable[[Clients, Planned], Iterable[Finding]]
CHECKS: dict[str, Check] = {
    "secrets": find_taken_secrets,
    "repositories": find_taken_repositories,
    "repository policies": find_policies_by_hand,
    "existing repositories": find_missing_repositories,
    "recent pushes": find_cut_off_pushers,
    "creation templates": find_taken_creation_templates,
    "push roles": find_push_role_conflicts,
    "principals": find_missing_principals,
    "OIDC providers": find_missing_oidc_providers,
    "deploy role": find_denied_deploy_role,
    "stacks": find_stacks,
    "removed secrets": find_removed_secrets,
    "removed repositories": find_removed_repositories,
    "topic": find_silent_topic,
}
"""The checks, by the name that is printed if AWS does not answer."""


def removed_statements(policy: Policy, environment: Environment, team: str) -> list[Statement]:
    """Return the statements of a repository policy that have no counterpart in the policy of the settings.

    Args:
        policy: The policy of a repository that the deployment adopts. It can be our own policy, because a repository
            keeps its policy when it leaves the stack.
        environment: The settings.
        team: The team of the repository.
    """
    ours = {sid.value for sid in RepositoryStatement}
    kept = set(environment.teams[team].pull_accounts)

    def is_kept(statement: Statement) -> bool:
        readers = other_readers(statement, environment)
        return bool(readers) and readers <= kept

    return [each for each in _statements(policy) if each.get("Sid") not in ours and not is_kept(each)]


def other_readers(statement: Statement, environment: Environment) -> set[str]:
    """Return the other accounts to which a statement allows pulling and nothing else."""
    principal = statement.get("Principal")
    principals = _list(principal.get("AWS")) if isinstance(principal, dict) and set(principal) == {"AWS"} else []
    accounts = {found[0] for each in principals if (found := re.findall(r"^(?:arn:[a-z-]+:iam::)?([0-9]{12})\b", each))}
    pulls = {action.lower() for action in PULL_ACTIONS}
    only_pulls = all(action.lower() in pulls for action in _list(statement.get("Action")) or [""])
    allows = statement.get("Effect") == "Allow" and not statement.get("Condition")
    return accounts if allows and only_pulls and environment.account not in accounts else set()


def _repository_policy(clients: Clients, name: str) -> Policy:
    """Return the policy of a repository. Without a policy, the result is empty."""

    def get() -> Policy:
        answer: Any = _unless_missing(
            ("RepositoryPolicyNotFoundException", "RepositoryNotFoundException"),
            clients.ecr.get_repository_policy,
            repositoryName=name,
        )
        policy: Policy = json.loads(answer["policyText"]) if answer else {}
        return policy

    return clients.ask_once(f"policy of the repository {name}", get)


def _statements(policy: Policy) -> list[Statement]:
    return _list(policy.get("Statement"))


def _denies_pushing(policy: Policy) -> bool:
    return any(each.get("Sid") == RepositoryStatement.PUSH for each in _statements(policy))


def _list(one_or_more: Any) -> list[Any]:
    """Return a value of a policy as a list. A policy may have one value instead of a list."""
    if one_or_more is None:
        return []
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def _adopted(clients: Clients, planned: Planned) -> list[str]:
    """Return the repositories of the settings that exist outside of the stack."""

    def existing() -> set[str]:
        pages = clients.ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 1000})
        with answers():
            return {repository["repositoryName"] for page in pages for repository in page["repositories"]}

    names = clients.ask_once("repositories of the account", existing)
    return sorted((planned.repositories & names) - _ids(_resources_of(clients, planned.stack("Registry"))))


def _team_of(repository: str) -> str:
    return repository.partition("/")[0]


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


def _unless_missing(missing: str | tuple[str, ...], request: Callable[..., T], **parameters: str) -> T | None:
    """Return the answer to a request, or None if AWS answers with an error code in `missing`.

    Raises:
        NoAnswer: AWS answers with another error, or does not answer.
    """
    with answers():
        try:
            return request(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ((missing,) if isinstance(missing, str) else missing):
                raise
            return None


def _in_parallel(function: Callable[[str], T], names: list[str]) -> list[T]:
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(function, names))
