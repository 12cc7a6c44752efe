"""The callers that try to assume each role: their ARNs and the context keys of their requests."""

from dataclasses import dataclass, field

from tests.permissions.account import ACCOUNT, FOREIGN_ACCOUNT, REGION, ROOT


@dataclass(frozen=True)
class Caller:
    principal: str
    context: dict[str, str] = field(default_factory=dict)
    may_assume: bool = True  # whether the caller's identity-based policies allow it; a service has no policies


def _role(path_and_name: str, account: str = ACCOUNT, *, may_assume: bool = True) -> Caller:
    name = path_and_name.rsplit("/", 1)[-1]
    arn = f"arn:aws:iam::{account}:role/{path_and_name}"
    # Requests of a role session do not have the context key aws:MultiFactorAuthPresent.
    return Caller(f"arn:aws:sts::{account}:assumed-role/{name}/session", {"aws:PrincipalArn": arn}, may_assume)


def _user(name: str, mfa: str | None = None, account: str = ACCOUNT) -> Caller:
    arn = f"arn:aws:iam::{account}:user/{name}"
    return Caller(arn, {"aws:PrincipalArn": arn, **({"aws:MultiFactorAuthPresent": mfa} if mfa else {})})


def _scheduler(account: str = ACCOUNT, group: str = "default") -> Caller:
    source = f"arn:aws:scheduler:{REGION}:{account}:schedule-group/{group}"
    return _service("scheduler", **{"aws:SourceAccount": account, "aws:SourceArn": source})


def _ecs(account: str = ACCOUNT, region: str = REGION) -> Caller:
    source = f"arn:aws:ecs:{region}:{account}:task/env-airflow/0123456789abcdef"
    return _service("ecs-tasks", **{"aws:SourceAccount": account, "aws:SourceArn": source})


def _service(name: str, **context: str) -> Caller:
    return Caller(f"{name}.amazonaws.com", context, may_assume=False)


_SSO = "aws-reserved/sso.amazonaws.com"

CALLERS = {
    "the CI role of the team": _role("analytics-ci"),
    "the CI role of the team direct": _role("direct-ci"),
    "another CI role": _role("analytics-ci-x"),
    "the CI role with the same name in another account": _role("analytics-ci", FOREIGN_ACCOUNT),
    "an analyst with Identity Center in eu-west-1": _role(
        f"{_SSO}/eu-west-1/AWSReservedSSO_DataAnalyst_0123456789abcdef"
    ),
    "an analyst with Identity Center in us-east-1": _role(f"{_SSO}/AWSReservedSSO_DataAnalyst_0123456789abcdef"),
    "an analyst whose identity-based policies do not allow it": _role(
        f"{_SSO}/eu-west-1/AWSReservedSSO_DataAnalyst_0123456789abcdef", may_assume=False
    ),
    "the permission set DataAnalyst_Admin": _role(
        f"{_SSO}/eu-west-1/AWSReservedSSO_DataAnalyst_Admin_0123456789abcdef"
    ),
    "the permission set MyDataAnalyst": _role(f"{_SSO}/eu-west-1/AWSReservedSSO_MyDataAnalyst_0123456789abcdef"),
    "a role with the name of an analyst's role": _role("AWSReservedSSO_DataAnalyst_0123456789abcdef"),
    "an analyst of another account": _role(
        f"{_SSO}/eu-west-1/AWSReservedSSO_DataAnalyst_0123456789abcdef", FOREIGN_ACCOUNT
    ),
    "ana with MFA": _user("ana", mfa="true"),
    "ana without MFA": _user("ana", mfa="false"),
    "ana with an access key, without the MFA key": _user("ana"),
    "bob with MFA": _user("bob", mfa="true"),
    "ana of another account, with MFA": _user("ana", mfa="true", account=FOREIGN_ACCOUNT),
    "a worker": _role("airflow-worker"),
    "break glass": _role("BreakGlass"),
    "another administrator": _role("another-administrator"),
    # Only AWS can set the context keys of Scheduler and ECS. A role must refuse another principal even if the requests
    # of that principal had these keys.
    "another administrator who claims to be Scheduler": Caller(
        _role("another-administrator").principal, _scheduler().context
    ),
    "another administrator who claims to be ECS": Caller(_role("another-administrator").principal, _ecs().context),
    "a principal of the account without an ARN": Caller(ROOT),
    "root": Caller(ROOT, {"aws:PrincipalArn": ROOT}),
    "Lambda": _service("lambda"),
    "EC2": _service("ec2"),
    "EventBridge": _service("events"),
    "Scheduler, for a schedule in the default group": _scheduler(),
    "Scheduler, for a schedule in another group": _scheduler(group="another"),
    "Scheduler, for a schedule of another account": _scheduler(FOREIGN_ACCOUNT),
    "Scheduler, for no account": _service("scheduler"),
    "ECS, for a task of this account and Region": _ecs(),
    "ECS, for a task of another account": _ecs(FOREIGN_ACCOUNT),
    "ECS, for a task in another Region": _ecs(region="eu-central-1"),
    "ECS, for no account": _service("ecs-tasks"),
}
