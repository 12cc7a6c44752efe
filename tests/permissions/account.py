"""The principals, resources and policies of the templates, with CloudFormation's intrinsic functions resolved."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from settings.registry_access import policy_to_paste
from tests.permissions.environments import (
    FOREIGN_ACCOUNT,
    ORGANIZATION,
    SECOND_FOREIGN_ACCOUNT,
    Environment,
    break_glass,
    worker,
)
from tests.templates import Template, Templates

Document = dict[str, Any]


class Unresolved(Exception):
    """A policy contains a value that is known only after a deployment, so the policy cannot be evaluated."""


@dataclass
class Principal:
    """A principal that makes requests.

    Attributes:
        arn: the value of the context key aws:PrincipalArn; empty if the principal's requests do not have this key.
        caller: the ARN of the principal's session, or the ARN of the principal if it has no session.
        policies: the ids of the principal's identity-based policies.
        context: the context keys that an AWS service adds, with the account for which the service makes the request.
    """

    arn: str
    caller: str
    policies: list[str] = field(default_factory=list)
    context: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.caller.startswith("arn:"):
            account = self.caller.split(":")[4]
            # Every principal of an account in an organization has these keys.
            keys = {"aws:PrincipalAccount": account, "aws:PrincipalOrgID": ORGANIZATION_OF.get(account, ORGANIZATION)}
            self.context = keys | self.context


@dataclass
class Account:
    """The principals, resources and policies by construct path, such as env/DockerLogin/DockerDefault/Secret."""

    environments: list[Environment]  # all of one account and Region
    policies: dict[str, tuple[str, Document]]  # id to kind (see evaluate.mjs) and document
    principals: dict[str, Principal]
    arns: dict[str, str] = field(default_factory=dict)
    resource_policies: dict[str, str] = field(default_factory=dict)  # resource to the id of its policy
    trusts: dict[str, str] = field(default_factory=dict)  # role to the id of its trust policy
    owners: list[Environment] = field(default_factory=list)
    """Environments of other accounts or Regions. The account's connections pull from their registries."""

    @property
    def id(self) -> str:
        return self.environments[0].account

    @property
    def region(self) -> str:
        return self.environments[0].region

    @property
    def open_key(self) -> str:
        """The id of a key policy that delegates to IAM policies."""
        return OPEN_KEY + self.id


# All other accounts are in ORGANIZATION. The IDs of two organizations begin alike.
SIMILAR_ORGANIZATION_ACCOUNT, MEMBER_ACCOUNT = "666666666666", "888888888888"
ORGANIZATION_OF = {
    FOREIGN_ACCOUNT: "o-lmno567890",
    SECOND_FOREIGN_ACCOUNT: "o-zyxw987654",
    SIMILAR_ORGANIZATION_ACCOUNT: f"{ORGANIZATION}7",
}
ADMINISTRATOR = "an administrator's policy"
OPEN_KEY = "a key policy that delegates to IAM policies of account "  # with the account's id
OPEN = "a policy that allows everything to everybody"
OF_OWNER = "the owner's policy of "  # with the construct path of the repository
PASTED = "the pasted policy of "  # with the registry and the name of the repository
OTHER_ADMINISTRATORS = {
    "administrator of another account": FOREIGN_ACCOUNT,
    "administrator of a second account": SECOND_FOREIGN_ACCOUNT,
    "administrator of an account of another organization": SIMILAR_ORGANIZATION_ACCOUNT,
    "administrator of another account of the organization": MEMBER_ACCOUNT,
}
NOT_FROM_A_TEMPLATE = (ADMINISTRATOR, OPEN_KEY, OPEN)
# IAM evaluates a resource-based policy together with the principal's identity-based policies. The tests use two copies
# of each principal to see the effect of the resource-based policy alone. The identity-based policies of one copy allow
# everything, so only the resource-based policy can deny. The other copy has no identity-based policies, so only the
# resource-based policy can allow.
WITH_EVERY_PERMISSION = ", with identity-based policies that allow everything"
WITHOUT_PERMISSIONS = ", without identity-based policies"
SERVICES_WITHOUT_PERMISSIONS = ("codebuild", "ec2", "ecs-tasks", "events", "lambda")


def similar_names(name: str) -> dict[str, str]:
    """Return names that a wildcard before, after or instead of a part of this name would also match.

    Args:
        name: the name, with or without slashes.
    """
    parts = name.split("/")
    found = {}
    for index, part in enumerate(parts):
        what = f"{part} in its name" if len(parts) > 1 else "its name"
        for how, other in ((f", with more after {what}", f"{part}-y"), (f", with more before {what}", f"y-{part}")):
            found[how] = "/".join([*parts[:index], other, *parts[index + 1 :]])
    return found


def similar_arns(arn: str) -> dict[str, str]:
    """Return ARNs of roles or users that a wildcard in this ARN would also match."""
    head, _, resource = arn.rpartition(":")
    resource_type, _, name = resource.partition("/")
    return {how: f"{head}:{resource_type}/{other}" for how, other in similar_names(name).items()}


def in_another_account(arn: str) -> str:
    """Return the ARN with the id of another account."""
    parts = arn.split(":", 5)
    return ":".join([*parts[:4], FOREIGN_ACCOUNT, parts[5]])


def role(arn: str, *policies: str) -> Principal:
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[-1]
    return Principal(arn, f"arn:aws:sts::{account}:assumed-role/{name}/session", list(policies))


def account_of(
    templates: Templates, environments: Iterable[Environment], owners: Iterable[Environment] = ()
) -> Account:
    """Return the account of synthesized templates, with additional principals that no template creates.

    Args:
        templates: the template of each stack. Templates of other environments are ignored.
        environments: the environments of the account, all in one Region.
        owners: environments of other accounts or Regions from whose registries these environments pull. The account has
            the policies of their repositories.
    """
    environments = list(environments)
    [(id_, _)] = {(environment.account, environment.region) for environment in environments}
    root, user = f"arn:aws:iam::{id_}:root", f"arn:aws:iam::{id_}:user/someone"
    leave_to_iam = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": root}}
    allow_all = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    account = Account(
        environments,
        policies={
            ADMINISTRATOR: ("identity", {"Version": "2012-10-17", "Statement": [allow_all]}),
            OPEN_KEY + id_: ("resource", {"Version": "2012-10-17", "Statement": [leave_to_iam]}),
            OPEN: ("resource", {"Version": "2012-10-17", "Statement": [{**allow_all, "Principal": {"AWS": "*"}}]}),
        },
        principals={
            **{worker(arn): role(arn) for environment in environments for arn in environment.worker_arns},
            **{
                break_glass(arn): role(arn, ADMINISTRATOR)
                for environment in environments
                for arn in environment.break_glass_arns
            },
            "deploy": role(environments[0].deploy_role_arn, ADMINISTRATOR),
            "root": Principal(root, root, [ADMINISTRATOR]),
            "another administrator": role(f"arn:aws:iam::{id_}:role/another-administrator", ADMINISTRATOR),
            **{
                name: role(f"arn:aws:iam::{other}:role/administrator", ADMINISTRATOR)
                for name, other in OTHER_ADMINISTRATORS.items()
            },
            "principal without an ARN": Principal("", root, [ADMINISTRATOR]),
            # Only AWS can set aws:SourceAccount. A policy must refuse a user even if the user's requests had this key.
            "a user": Principal(user, user, context={"aws:SourceAccount": id_}),
            "CloudWatch": Principal("", "cloudwatch.amazonaws.com", context={"aws:SourceAccount": id_}),
            "CloudWatch for another account": Principal(
                "", "cloudwatch.amazonaws.com", context={"aws:SourceAccount": FOREIGN_ACCOUNT}
            ),
            "CloudWatch for no account": Principal("", "cloudwatch.amazonaws.com"),
            **{
                f"the service {service}": Principal("", f"{service}.amazonaws.com", context={"aws:SourceAccount": id_})
                for service in SERVICES_WITHOUT_PERMISSIONS
            },
        },
    )
    for environment in environments:
        for template in templates.values():
            if _stage_of(template) == environment.name:
                _read(account, environment, template["Resources"])
    account.principals |= _copies(account)
    account.owners = list(owners)
    for owner in account.owners:
        _read_repository_policies(account, owner, templates)
        if owner.account != account.id:
            # In the owner's account, a repository policy alone can allow a request.
            account.principals[f"a role of {owner.name}"] = role(owner.role_arn("someone"))
    if any(environment.foreign for environment in environments):
        # In another account, a repository policy alone cannot allow a request.
        account.principals[f"a user{WITH_EVERY_PERMISSION}"] = Principal(user, user, [ADMINISTRATOR])
    account.policies |= _pasted_policies(account)
    return account


def _read_repository_policies(account: Account, owner: Environment, templates: Templates) -> None:
    for resource in templates[f"{owner.name}-Registry"]["Resources"].values():
        if document := resource.get("Properties", {}).get("RepositoryPolicyText"):
            policy_id = f"{OF_OWNER}{path_of(resource)}"
            account.policies[policy_id] = ("resource", resolve(document, {}))
            account.resource_policies[path_of(resource)] = policy_id


def owned(account: Account) -> Iterator[tuple[Environment, str, str]]:
    """Yield the owner, the team and the name of each repository that a settings file of another registry manages."""
    for owner in account.owners:
        for team, names in owner.teams.items():
            yield from ((owner, team, name) for name in names)


def foreign_names(account: Account) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the registry and the full name of the repositories in other registries that the connections pull.

    The matrix has the repository `app` for each team.
    """
    found = [
        (images.registry, name)
        for environment in account.environments
        for images in environment.foreign.values()
        for name in images.names
    ]
    yield from dict.fromkeys(found)


def readers_of(account: Account, registry: tuple[str, str], name: str) -> Iterator[list[str]]:
    """Yield for each connection with this repository the names of the roles that pull: first the pull role."""
    for environment in account.environments:
        for connection, images in environment.foreign.items():
            if images.registry == registry and name in images.names:
                workers = environment.workers if environment.pulls_directly else []
                yield [f"{environment.connection(connection)}/PullRole", *workers]


def _pasted_policies(account: Account) -> dict[str, tuple[str, Document]]:
    """Return the policies of other accounts' repositories that no settings file manages.

    Each has a statement for each connection with the repository.
    """
    managed = {((owner.account, owner.region), f"{team}/{name}") for owner, team, name in owned(account)}
    found: dict[str, tuple[str, Document]] = {}
    for registry, name in foreign_names(account):
        if registry[0] == account.id or (registry, name) in managed:
            continue
        statements = [
            statement
            for roles in readers_of(account, registry, name)
            for statement in policy_to_paste("aws", [account.principals[role].arn for role in roles])["Statement"]
        ]
        found[pasted(registry, name)] = ("resource", {"Version": "2012-10-17", "Statement": statements})
    return found


def pasted(registry: tuple[str, str], name: str) -> str:
    """Return the id of the policy that the owner of a repository pastes."""
    return f"{PASTED}{' '.join(registry)}: {name}"


def _copies(account: Account) -> Iterator[tuple[str, Principal]]:
    """Yield principals that show the effect of the resource-based policies alone."""
    administrators = [name for name in account.principals if name == "deploy" or name.startswith("break glass")]
    roles = [name for name in account.principals if name in account.trusts or name.startswith("worker")]
    named = [
        name
        for name in roles
        if name.startswith("worker")
        or name.endswith(("/PullRole", "/Workers/Role"))
        or "/PushRoles/" in name
        or "/CreateOnPush/" in name
    ]
    for name in roles:
        yield name + WITH_EVERY_PERMISSION, role(account.principals[name].arn, ADMINISTRATOR)
    for name in administrators + named:
        yield name + WITHOUT_PERMISSIONS, role(account.principals[name].arn)
        for how, arn in similar_arns(account.principals[name].arn).items():
            yield name + how, role(arn, ADMINISTRATOR)


def _stage_of(template: Template) -> str:
    first = next(iter(template["Resources"].values()))
    return path_of(first).partition("/")[0]


def _read(account: Account, environment: Environment, resources: dict[str, Any]) -> None:
    paths = {logical: path_of(resource) for logical, resource in resources.items()}
    physical = {logical: _physical(environment, paths[logical], resource) for logical, resource in resources.items()}
    for logical, resource in resources.items():
        account.arns[paths[logical]] = physical[logical]["Arn"]
        if resource["Type"] == "AWS::IAM::Role":
            principal = account.principals[paths[logical]] = role(physical[logical]["Arn"])
            # The session of a role can have tags. The tag of another team must not help.
            principal.context["aws:PrincipalTag/team"] = "another-team"
        if resource["Type"] == "AWS::Events::Rule":
            account.principals |= _callers_for_a_rule(account, paths[logical], physical[logical]["Arn"])

    for logical, resource in resources.items():
        path, properties = paths[logical], resource.get("Properties", {})

        def keep(policy_id: str, kind: str, document: Any) -> str:
            assert policy_id not in account.policies, f"two policies have the id {policy_id}"
            account.policies[policy_id] = (kind, resolve(document, physical))
            return policy_id

        match resource["Type"]:
            case "AWS::IAM::Role":
                assert not properties.get("ManagedPolicyArns"), f"{path} has a managed policy that is not in a template"
                for inline in properties.get("Policies", []):
                    policy_id = keep(f"{path}/{inline['PolicyName']}", "identity", inline["PolicyDocument"])
                    account.principals[path].policies.append(policy_id)
                account.trusts[path] = keep(f"{path}/trust", "trust", properties["AssumeRolePolicyDocument"])
            case "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy":
                policy_id = keep(path, "identity", properties["PolicyDocument"])
                assert not {"Users", "Groups"} & set(properties), f"{path} is attached to more than roles"
                for owner in properties["Roles"]:
                    # A role that no template creates must be a worker.
                    name = paths[owner["Ref"]] if isinstance(owner, dict) else f"worker {owner}"
                    account.principals[name].policies.append(policy_id)
            case "AWS::SecretsManager::ResourcePolicy":
                secret = paths[properties["SecretId"]["Ref"]]
                assert secret not in account.resource_policies, f"{secret} has two policies"
                account.resource_policies[secret] = keep(path, "resource", properties["ResourcePolicy"])
            case "AWS::KMS::Key":
                account.resource_policies[path] = keep(f"{path}/policy", "resource", properties["KeyPolicy"])
            case "AWS::SQS::QueuePolicy":
                [queue] = [paths[reference["Ref"]] for reference in properties["Queues"]]
                assert queue not in account.resource_policies, f"{queue} has two policies"
                account.resource_policies[queue] = keep(path, "resource", properties["PolicyDocument"])
            case "AWS::SNS::TopicPolicy":
                [topic] = [paths[reference["Ref"]] for reference in properties["Topics"]]
                assert topic not in account.resource_policies, f"{topic} has two policies"
                account.resource_policies[topic] = keep(path, "resource", properties["PolicyDocument"])
            case "AWS::ECR::Repository":
                if document := properties.get("RepositoryPolicyText"):
                    account.resource_policies[path] = keep(f"{path}/policy", "resource", document)
            case "AWS::ECR::RepositoryCreationTemplate":
                if text := properties.get("RepositoryPolicy"):
                    document = json.loads(resolve(text, physical))
                    account.resource_policies[path] = keep(f"{path}/policy", "resource", document)
            case kind:
                # The custom resource of the first refresh has copies of policies as a property, so that a deployment
                # runs the first refresh again when a policy changes.
                assert kind == "Custom::Trigger" or "Statement" not in str(properties), f"not read: {path}"


def _callers_for_a_rule(account: Account, path: str, arn: str) -> Iterator[tuple[str, Principal]]:
    """Yield EventBridge with the ARN of a rule and with similar ARNs, and principals that send the same keys.

    A service can send the ARN of each of its resources. Only the rules of the environment may publish.
    """

    def keys(arn: str) -> dict[str, str]:
        return {"aws:SourceArn": arn, "aws:SourceAccount": arn.split(":")[4]}

    arns = {
        "": arn,
        **similar_arns(arn),
        ", in another account": in_another_account(arn),
        ", in another Region": arn.replace(f":{account.region}:", ":eu-central-1:"),
    }
    for how, other in arns.items():
        yield f"EventBridge for {path}{how}", Principal("", "events.amazonaws.com", context=keys(other))
    # Only AWS can set these keys. A policy must refuse other principals even if their requests had the keys.
    user = f"arn:aws:iam::{account.id}:user/someone"
    yield f"a user who claims to be EventBridge for {path}", Principal(user, user, context=keys(arn))
    for service in SERVICES_WITHOUT_PERMISSIONS:
        if service != "events":
            name = f"the service {service} with the keys of EventBridge for {path}"
            yield name, Principal("", f"{service}.amazonaws.com", context=keys(arn))


def path_of(resource: dict[str, Any]) -> str:
    path: str = resource["Metadata"]["aws:cdk:path"]
    path = path.replace("AWSCDK.TriggerCustomResourceProviderCustomResourceProvider", "FirstRefreshProvider")
    return path.removesuffix("/Resource").removesuffix("/Default")


def _physical(environment: Environment, path: str, resource: dict[str, Any]) -> dict[str, str]:
    """Return the values of Ref and Fn::GetAtt Arn of a resource. References to unlisted types are errors."""
    properties, made_up = resource.get("Properties", {}), path.replace("/", "-")

    arn = environment.arn

    match resource["Type"]:
        case "AWS::IAM::Role":
            name = properties.get("RoleName", made_up)
            return {"Ref": name, "Arn": environment.role_arn(f"{properties.get('Path', '/')[1:]}{name}")}
        case "AWS::IAM::ManagedPolicy":
            policy_arn = f"arn:aws:iam::{environment.account}:policy/{made_up}"
            return {"Ref": policy_arn, "Arn": policy_arn}
        case "AWS::SecretsManager::Secret":
            secret_arn = arn("secretsmanager", f"secret:{properties['Name']}-AbCdEf")
            return {"Ref": secret_arn, "Arn": secret_arn}
        case "AWS::KMS::Key":
            return {"Ref": made_up, "Arn": arn("kms", f"key/{made_up}")}
        case "AWS::SQS::Queue":
            return {"Arn": arn("sqs", made_up)}
        case "AWS::SNS::Topic":
            topic_arn = arn("sns", made_up)
            return {"Ref": topic_arn, "Arn": topic_arn}
        case "AWS::ECS::Cluster":
            return {"Arn": arn("ecs", f"cluster/{properties['ClusterName']}")}
        case "AWS::ECS::TaskDefinition":
            return {"Arn": arn("ecs", f"task-definition/{properties['Family']}:1")}
        case "AWS::Lambda::Function":
            return {"Ref": made_up, "Arn": arn("lambda", f"function:{made_up}")}
        case "AWS::Logs::LogGroup":
            return {"Ref": made_up, "Arn": arn("logs", f"log-group:{made_up}:*")}
        case "AWS::ECR::Repository":
            return {"Arn": arn("ecr", f"repository/{properties['RepositoryName']}")}
        case "AWS::Events::Rule":
            return {"Arn": arn("events", f"rule/{made_up}")}
        case "AWS::Scheduler::Schedule":
            return {"Arn": arn("scheduler", f"schedule/default/{made_up}")}
        case kind:
            return {"Arn": f"no ARN is known for {kind}"}


def resolve(value: Any, physical: dict[str, dict[str, str]]) -> Any:
    """Return a template's value with its intrinsic functions replaced by the values that they have after a deployment.

    Raises:
        Unresolved: the value contains an intrinsic function that is not implemented here.
    """
    match value:
        case list():
            return [resolve(item, physical) for item in value]
        case {"Ref": "AWS::Partition"}:
            return "aws"
        case {"Ref": name} if "Ref" in physical.get(name, {}):
            return physical[name]["Ref"]
        case {"Fn::GetAtt": [name, "Arn"]} if name in physical:
            return physical[name]["Arn"]
        case {"Fn::Join": [separator, parts]}:
            return separator.join(resolve(parts, physical))
        case {"Fn::Sub": str(text)}:
            return text.replace("${AWS::Partition}", "aws")
        case dict() if any(key == "Ref" or key.startswith("Fn::") for key in value):
            raise Unresolved(str(value))
        case dict():
            return {key: resolve(item, physical) for key, item in value.items()}
        case str() if "${" in value:
            raise Unresolved(value)
    return value
