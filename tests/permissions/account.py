"""The principals, resources and policies of the templates, with CloudFormation's intrinsic functions resolved."""

from dataclasses import dataclass, field
from typing import Any

from tests.templates import Templates

ACCOUNT, REGION = "123456789012", "eu-west-1"
FOREIGN_ACCOUNT = "999999999999"

WORKER = f"arn:aws:iam::{ACCOUNT}:role/airflow-worker"
BREAK_GLASS = f"arn:aws:iam::{ACCOUNT}:role/BreakGlass"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"

# Two teams whose names start with the same word, each with a connection. The two teams cover every way to push that the
# settings offer.
SETTINGS = f"""
account = "{ACCOUNT}"
region = "{REGION}"
secret_key = "customer"
break_glass_role_arns = ["{BREAK_GLASS}"]
[teams.analytics]
repositories = ["app"]
push.permission_sets = ["DataAnalyst"]
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/analytics-ci"]
[teams.analytics-x]
repositories = ["app"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/ana"]
push.require_mfa = true
[connections.docker_default]
teams = ["analytics"]
[connections.docker_x]
teams = ["analytics-x"]
[workers]
role_arns = ["{WORKER}"]
[ecs.tasks."analytics/app"]
image_tag = "1"
[ecs.tasks."analytics-x/app"]
image_tag = "1"
[alerts]
emails = ["ops@example.com"]
"""
# A second environment in the same account. Its workers also pull directly, and its stack creates the workers' role.
SETTINGS_DIRECT = f"""
account = "{ACCOUNT}"
region = "{REGION}"
connections_prefix = "direct/connections"
break_glass_role_arns = ["{BREAK_GLASS}"]
[teams.direct]
repositories = ["app"]
push.role_arns = ["arn:aws:iam::{ACCOUNT}:role/direct-ci"]
[connections.docker_direct]
teams = ["direct"]
[workers]
pull_directly = true
[alerts]
off_because = "the other environment has them"
"""

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


@dataclass
class Account:
    """The principals, resources and policies by construct path, such as env/DockerLogin/DockerDefault/Secret."""

    policies: dict[str, tuple[str, Document]]  # id to kind (see evaluate.mjs) and document
    principals: dict[str, Principal]
    arns: dict[str, str]
    resource_policies: dict[str, str]  # resource to the id of its policy
    trusts: dict[str, str]  # role to the id of its trust policy


ADMINISTRATOR = "an administrator's policy"
OPEN_KEY = "a key policy that delegates to IAM policies"
NOT_FROM_A_TEMPLATE = (ADMINISTRATOR, OPEN_KEY)
# IAM evaluates a resource-based policy together with the principal's identity-based policies. The tests use two copies
# of each principal to see the effect of the resource-based policy alone. The identity-based policies of one copy allow
# everything, so only the resource-based policy can deny. The other copy has no identity-based policies, so only the
# resource-based policy can allow.
WITH_EVERY_PERMISSION = ", with identity-based policies that allow everything"
WITHOUT_PERMISSIONS = ", without identity-based policies"


def role(arn: str, *policies: str) -> Principal:
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[-1]
    return Principal(arn, f"arn:aws:sts::{account}:assumed-role/{name}/session", list(policies))


def account_of(templates: Templates) -> Account:
    """Return the account of synthesized templates, with additional principals that no template creates.

    Args:
        templates: the template of each stack.
    """
    allow_all = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    leave_to_iam = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": ROOT}}
    account = Account(
        policies={
            ADMINISTRATOR: ("identity", allow_all),
            OPEN_KEY: ("resource", {"Version": "2012-10-17", "Statement": [leave_to_iam]}),
        },
        principals={
            "worker": role(WORKER),
            "break glass": role(BREAK_GLASS, ADMINISTRATOR),
            "deploy": role(DEPLOY, ADMINISTRATOR),
            "root": Principal(ROOT, ROOT, [ADMINISTRATOR]),
            "another administrator": role(f"arn:aws:iam::{ACCOUNT}:role/another-administrator", ADMINISTRATOR),
            "administrator of another account": role(
                f"arn:aws:iam::{FOREIGN_ACCOUNT}:role/administrator", ADMINISTRATOR
            ),
            "principal without an ARN": Principal("", ROOT, [ADMINISTRATOR]),
            "CloudWatch": Principal("", "cloudwatch.amazonaws.com", context={"aws:SourceAccount": ACCOUNT}),
            "CloudWatch for another account": Principal(
                "", "cloudwatch.amazonaws.com", context={"aws:SourceAccount": FOREIGN_ACCOUNT}
            ),
            "CloudWatch for no account": Principal("", "cloudwatch.amazonaws.com"),
            "EventBridge": Principal("", "events.amazonaws.com", context={"aws:SourceAccount": ACCOUNT}),
        },
        arns={},
        resource_policies={},
        trusts={},
    )
    for template in templates.values():
        _read(account, template["Resources"])
    for name in ("worker", *(name for name in account.trusts if name.endswith(("/PullRole", "/Workers/Role")))):
        account.principals[name + WITH_EVERY_PERMISSION] = role(account.principals[name].arn, ADMINISTRATOR)
        account.principals[name + WITHOUT_PERMISSIONS] = role(account.principals[name].arn)
    for name in ("break glass", "deploy"):  # the identity-based policies of both already allow everything
        account.principals[name + WITHOUT_PERMISSIONS] = role(account.principals[name].arn)
    return account


def _read(account: Account, resources: dict[str, Any]) -> None:
    paths = {logical: path_of(resource) for logical, resource in resources.items()}
    physical = {logical: _physical(paths[logical], resource) for logical, resource in resources.items()}
    for logical, resource in resources.items():
        account.arns[paths[logical]] = physical[logical]["Arn"]
        if resource["Type"] == "AWS::IAM::Role":
            account.principals[paths[logical]] = role(physical[logical]["Arn"])

    for logical, resource in resources.items():
        path, properties = paths[logical], resource.get("Properties", {})

        def keep(policy_id: str, kind: str, document: Any) -> str:
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
                for owner in properties["Roles"]:
                    name = paths[owner["Ref"]] if isinstance(owner, dict) else "worker"
                    account.principals[name].policies.append(policy_id)
            case "AWS::SecretsManager::ResourcePolicy":
                secret = paths[properties["SecretId"]["Ref"]]
                account.resource_policies[secret] = keep(path, "resource", properties["ResourcePolicy"])
            case "AWS::KMS::Key":
                account.resource_policies[path] = keep(f"{path}/policy", "resource", properties["KeyPolicy"])
            case "AWS::SQS::QueuePolicy":
                [queue] = [paths[reference["Ref"]] for reference in properties["Queues"]]
                account.resource_policies[queue] = keep(path, "resource", properties["PolicyDocument"])
            case "AWS::SNS::TopicPolicy":
                [topic] = [paths[reference["Ref"]] for reference in properties["Topics"]]
                account.resource_policies[topic] = keep(path, "resource", properties["PolicyDocument"])
            case kind:
                # The custom resource of the first refresh has copies of policies as a property, so that a deployment
                # runs the first refresh again when a policy changes.
                assert kind == "Custom::Trigger" or "Statement" not in str(properties), f"not read: {path}"


def path_of(resource: dict[str, Any]) -> str:
    path: str = resource["Metadata"]["aws:cdk:path"]
    path = path.replace("AWSCDK.TriggerCustomResourceProviderCustomResourceProvider", "FirstRefreshProvider")
    return path.removesuffix("/Resource").removesuffix("/Default")


def _physical(path: str, resource: dict[str, Any]) -> dict[str, str]:
    """Return the values of Ref and Fn::GetAtt Arn of a resource. References to unlisted types are errors."""
    properties, made_up = resource.get("Properties", {}), path.replace("/", "-")

    def arn(service: str, rest: str, region: str = REGION) -> str:
        return f"arn:aws:{service}:{region}:{ACCOUNT}:{rest}"

    match resource["Type"]:
        case "AWS::IAM::Role":
            name = properties.get("RoleName", made_up)
            return {"Ref": name, "Arn": arn("iam", f"role{properties.get('Path', '/')}{name}", region="")}
        case "AWS::IAM::ManagedPolicy":
            policy_arn = arn("iam", f"policy/{made_up}", region="")
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
