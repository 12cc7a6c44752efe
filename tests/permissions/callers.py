"""The callers that try to assume each role: their ARNs and the context keys of their requests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.permissions.account import Account, in_another_account, similar_arns
from tests.permissions.environments import FOREIGN_ACCOUNT

_GITHUB = "token.actions.githubusercontent.com"
OF_LAMBDA, OF_EC2, OF_ECR = "the service lambda", "the service ec2", "the service ecr"
OF_SCHEDULER = "Scheduler, for a schedule in the default group"
OF_ECS = "ECS, for a task of this account and Region"
# Services that could be added to a trust policy by mistake. test_resources.py compares the names of all services.
_OTHER_SERVICES = (
    "cloudformation",
    "codebuild",
    "ecr",
    "ecs",
    "edgelambda",
    "events",
    "glue",
    "sagemaker",
    "secretsmanager",
    "sns",
    "ssm",
    "states",
)


@dataclass(frozen=True)
class Caller:
    principal: str
    context: dict[str, str] = field(default_factory=dict)
    may_assume: bool = True  # whether the caller's identity-based policies allow it; a service has no policies


def role_callers(arn: str) -> list[str]:
    """Return the callers with this role."""
    return [arn]


def user_callers(arn: str, *, mfa: bool) -> list[str]:
    """Return the callers that are this user, or only the callers with MFA."""
    with_mfa = f"{arn} with MFA"
    return [with_mfa] if mfa else [with_mfa, f"{arn} without MFA", f"{arn} with an access key, without the MFA key"]


def set_callers(permission_set: str) -> list[str]:
    """Return the callers with this permission set."""
    return [f"{permission_set} with Identity Center in {region}" for region in ("eu-west-1", "us-east-1")]


def workflow_callers(workflow: dict[str, Any]) -> list[str]:
    """Return the callers that are this workflow."""
    subject = _subject(workflow)
    return [f"a workflow with {subject.replace('*', end)}" for end in (("1", "1/2") if "*" in subject else ("",))]


def callers_of(account: Account) -> dict[str, Caller]:
    """Return the principals of the settings, principals with similar names, and principals of other kinds."""
    found = dict(_of_every_account(account))
    for environment in account.environments:
        for team in environment.settings["teams"].values():
            push = team["push"]
            for arn in push.get("role_arns", []):
                found |= {f"{arn}{how}": _role(similar) for how, similar in _with_similar(arn)}
            for arn in push.get("user_arns", []):
                found |= dict(_users(arn))
            for name in push.get("permission_sets", []):
                found |= dict(_analysts(account.id, name))
            for workflow in (*push.get("github", []), *push.get("gitlab", [])):
                found |= dict(_workflows(account.id, workflow))
    # The roles of the templates are callers too: no role may assume another one.
    for name in (*account.trusts, *(name for name in account.principals if name.startswith(("worker", "break glass")))):
        if account.principals[name].arn:
            found.setdefault(account.principals[name].arn, _role(account.principals[name].arn))
    return found


def _with_similar(arn: str) -> Iterator[tuple[str, str]]:
    yield "", arn
    name = arn.rpartition("/")[2]
    for how, similar in similar_arns(arn).items():
        # The ARN of a role's session does not have the role's path.
        if similar.rpartition("/")[2] != name:
            yield how, similar
    if (other := in_another_account(arn)) != arn:
        yield ", in another account", other


def _users(arn: str) -> Iterator[tuple[str, Caller]]:
    for how, similar in _with_similar(arn):
        yield f"{arn}{how} with MFA", _user(similar, "true")
    yield f"{arn} without MFA", _user(arn, "false")
    yield f"{arn} with an access key, without the MFA key", _user(arn)
    yield f"{arn} as a role", _role(arn.replace(":user/", ":role/"))


def _analysts(account: str, name: str) -> Iterator[tuple[str, Caller]]:
    path, suffix = "aws-reserved/sso.amazonaws.com", "0123456789abcdef"

    def arn(role: str, path: str = path + "/eu-west-1/", account: str = account) -> str:
        return f"arn:aws:iam::{account}:role/{path}{role}"

    own = f"AWSReservedSSO_{name}_{suffix}"
    yield f"{name} with Identity Center in eu-west-1", _role(arn(own))
    yield f"{name} with Identity Center in us-east-1", _role(arn(own, path + "/"))
    yield (
        f"{name}, whose identity-based policies do not allow it",
        Caller(_role(arn(own)).principal, _role(arn(own)).context, may_assume=False),
    )
    yield f"{name}_Admin", _role(arn(f"AWSReservedSSO_{name}_Admin_{suffix}"))
    yield f"{name}, with a suffix that is too long", _role(arn(f"{own}0"))
    yield f"{name}, with more before the name of its role", _role(arn(f"x-{own}"))
    yield f"My{name}", _role(arn(f"AWSReservedSSO_My{name}_{suffix}"))
    for special in sorted(set(re.findall("[^A-Za-z0-9]", name))):
        yield f"{name} with x instead of {special}", _role(arn(own.replace(name, name.replace(special, "x"))))
    yield f"{name} in the default path", _role(arn(own, ""))
    for similar in ("x-aws-reserved/sso.amazonaws.com/", "aws-reserved-x/sso.amazonaws.com/", "x/y/"):
        yield f"{name} in the path {similar}", _role(arn(own, similar))
    yield f"{name} in the path of another service", _role(arn(own, "aws-reserved/x-sso.amazonaws.com/"))
    yield f"{name}, in another account", _role(arn(own, account=FOREIGN_ACCOUNT))


def issuer_of(workflow: dict[str, Any]) -> str:
    url = workflow.get("url", "https://gitlab.com") if "project" in workflow else f"https://{_GITHUB}"
    return str(url.removeprefix("https://"))


def _subject(workflow: dict[str, Any]) -> str:
    """Return the subject that GitHub or GitLab puts into the ID tokens of a workflow."""
    if "project" in workflow:
        kind = "branch" if "branch" in workflow else "tag"
        return f"project_path:{workflow['project']}:ref_type:{kind}:ref:{workflow[kind]}"
    owner, name = workflow["repository"].split("/")
    if "owner_id" in workflow:
        owner, name = f"{owner}@{workflow['owner_id']}", f"{name}@{workflow['repository_id']}"
    ref = f"ref:refs/heads/{workflow['branch']}" if "branch" in workflow else f"environment:{workflow['environment']}"
    return f"repo:{owner}/{name}:{ref}"


def _workflows(account: str, workflow: dict[str, Any]) -> Iterator[tuple[str, Caller]]:
    """Yield the callers that are a workflow, and similar callers."""
    issuer, audience = issuer_of(workflow), workflow.get("audience", "sts.amazonaws.com")

    def caller(
        subject: str | None, audience: str | None = audience, account: str = account, host: str = issuer
    ) -> Caller:
        claims = {f"{issuer}:aud": audience, f"{issuer}:sub": subject}
        context = {key: value for key, value in claims.items() if value is not None}
        return Caller(f"arn:aws:iam::{account}:oidc-provider/{host}", context, may_assume=False)

    names = workflow_callers(workflow)
    for name in names:
        yield name, caller(name.removeprefix("a workflow with "))
    name = names[0]
    subject = name.removeprefix("a workflow with ")
    kind, path, *rest = subject.split(":")
    similar = {
        "another owner": [kind, f"x{path}", *rest],
        "a repository with a longer name": [kind, f"{path}x", *rest],
        "another repository of the owner": [kind, f"{path.partition('/')[0]}/x", *rest],
        "the repository in a subject that starts with another one": [kind, "evil/x", kind, path, *rest],
        "a pull request": [kind, path, "pull_request"],
        "another kind of ref": [kind, path, *rest[:-1], rest[-1].replace("heads", "tags")],
        "another ref": [kind, path, *rest[:-1], "x"],
        "a ref that ends alike": [kind, path, *rest[:-1], f"x{rest[-1]}"],
        "a ref in upper case": [kind, path, *rest[:-1], rest[-1].upper()],
        "an environment with the name of the ref": [kind, path, "environment", rest[-1]],
    }
    if "*" not in _subject(workflow):
        similar["a longer ref"] = [kind, path, *rest[:-1], f"{rest[-1]}x"]
    for how, parts in similar.items():
        if ":".join(parts) != subject:
            yield f"{how}, like {name}", caller(":".join(parts))
    yield f"{name}, for another audience", caller(subject, "another")
    yield f"{name}, for an audience that starts alike", caller(subject, f"{audience}.x")
    yield f"{name}, for an audience that ends alike", caller(subject, f"x.{audience}")
    yield f"{name}, for the audience in upper case", caller(subject, audience.upper())
    yield f"{name}, without an audience", caller(subject, None)
    yield f"{name}, without a subject", caller(None)
    yield f"{name}, of a provider in another account", caller(subject, account=FOREIGN_ACCOUNT)
    yield f"{name}, of another provider", caller(subject, host=f"{issuer}.evil.example")


def _of_every_account(account: Account) -> Iterator[tuple[str, Caller]]:
    id_, region = account.id, account.region
    root = f"arn:aws:iam::{id_}:root"
    administrator = _role(f"arn:aws:iam::{id_}:role/another-administrator")
    yield "another administrator", administrator
    yield "administrator of another account", _role(f"arn:aws:iam::{FOREIGN_ACCOUNT}:role/administrator")
    user = _user(f"arn:aws:iam::{id_}:user/someone", "true")
    yield "another user with MFA", user
    yield "a principal of the account without an ARN", Caller(root)
    yield "root", Caller(root, {"aws:PrincipalArn": root})
    yield "GitHub", Caller(f"arn:aws:iam::{id_}:oidc-provider/token.actions.githubusercontent.com", may_assume=False)
    yield "a SAML provider", Caller(f"arn:aws:iam::{id_}:saml-provider/company", may_assume=False)
    yield "Cognito", Caller("cognito-identity.amazonaws.com", may_assume=False)
    for service in (OF_LAMBDA, OF_EC2, *(f"the service {name}" for name in _OTHER_SERVICES)):
        yield service, _service(service.removeprefix("the service "))
    scheduler, ecs = _scheduler(id_, region), _ecs(id_, region)
    yield OF_SCHEDULER, scheduler
    yield "Scheduler, for a schedule in another group", _scheduler(id_, region, "another")
    yield "Scheduler, for a schedule in the group default-x", _scheduler(id_, region, "default-x")
    yield "Scheduler, for a schedule in the group x-default", _scheduler(id_, region, "x-default")
    yield "Scheduler, for a schedule of another account", _scheduler(FOREIGN_ACCOUNT, region)
    yield "Scheduler, for a schedule in another Region", _scheduler(id_, "eu-central-1")
    yield "Scheduler, for no account", _service("scheduler")
    yield OF_ECS, ecs
    yield "ECS, for a task of another account", _ecs(FOREIGN_ACCOUNT, region)
    yield "ECS, for a task in another Region", _ecs(id_, "eu-central-1")
    yield "ECS, for no account", _service("ecs-tasks")
    # Only AWS can set the context keys of Scheduler and ECS. A role must refuse another principal even if the requests
    # of that principal had these keys.
    for name, claimed in (("Scheduler", scheduler), ("ECS", ecs)):
        yield f"another administrator who claims to be {name}", Caller(administrator.principal, claimed.context)
        yield f"another user who claims to be {name}", Caller(user.principal, claimed.context)
        for other in ("codebuild", "ecs-tasks", "events"):
            if not claimed.principal.startswith(other):
                yield f"the service {other} with the context of {name}", _service(other, **claimed.context)


def _role(arn: str) -> Caller:
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    # Requests of a role session do not have the context key aws:MultiFactorAuthPresent.
    return Caller(f"arn:aws:sts::{account}:assumed-role/{name}/session", {"aws:PrincipalArn": arn})


def _user(arn: str, mfa: str | None = None) -> Caller:
    return Caller(arn, {"aws:PrincipalArn": arn, **({"aws:MultiFactorAuthPresent": mfa} if mfa else {})})


def _scheduler(account: str, region: str, group: str = "default") -> Caller:
    source = f"arn:aws:scheduler:{region}:{account}:schedule-group/{group}"
    return _service("scheduler", **{"aws:SourceAccount": account, "aws:SourceArn": source})


def _ecs(account: str, region: str) -> Caller:
    source = f"arn:aws:ecs:{region}:{account}:task/env-airflow/0123456789abcdef"
    return _service("ecs-tasks", **{"aws:SourceAccount": account, "aws:SourceArn": source})


def _service(name: str, **context: str) -> Caller:
    return Caller(f"{name}.amazonaws.com", context, may_assume=False)
