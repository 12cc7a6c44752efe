"""The IAM actions that each command needs. `make generate` writes them into docs/operate.md."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from ops.doctor.permissions import ACTIONS as DOCTOR
from ops.doctor.permissions import ACTIVE, EVERY_RUN
from ops.preflight.checks import ACTIONS as PREFLIGHT
from settings.environment import Environment
from settings.regions import PARTITIONS
from tools import ROOT

PAGE = ROOT / "docs" / "operate.md"
BEGIN = "<!-- `make generate` writes these tables from ops/permissions.py -->\n"
END = "<!-- end of the generated tables -->\n"

_STACKS = ("cloudformation:DescribeStacks", "cloudformation:ListStackResources")
_INVOKE = ("lambda:InvokeFunction", "lambda:ListVersionsByFunction")
_STATUS = (
    *_STACKS,
    "cloudformation:DescribeStackResourceDrifts",
    "cloudwatch:DescribeAlarms",
    "ecr:DescribeImageScanFindings",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "lambda:GetFunctionConcurrency",
    "logs:FilterLogEvents",
    "scheduler:GetSchedule",
    "secretsmanager:DescribeSecret",
    "secretsmanager:ListSecretVersionIds",
    "sqs:GetQueueAttributes",
)
_LIFECYCLE = (
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
)


def _doctor(*, active: bool) -> tuple[str, ...]:
    checks = [actions for name, actions in DOCTOR.items() if active or name not in ACTIVE]
    return tuple(sorted({*EVERY_RUN, *(action for some in checks for action in some)}))


ACTIONS: Mapping[str, tuple[str, ...]] = {
    "preflight": tuple(sorted({action for some in PREFLIGHT.values() for action in some})),
    "status": _STATUS,
    "doctor": _doctor(active=False),
    "doctor --active": _doctor(active=True),
    "handoff": _STACKS,
    "handoff --for airflow": (*_STACKS, "ecr:ListImages"),
    "refresh": (*_STACKS, "lambda:InvokeFunction", "secretsmanager:DescribeSecret"),
    "refresh --write": (*_STACKS, *_INVOKE),
    "rollback": (
        *_STACKS,
        "lambda:PutFunctionConcurrency",
        "secretsmanager:DescribeSecret",
        "secretsmanager:ListSecretVersionIds",
    ),
    "rollback (break-glass)": ("secretsmanager:UpdateSecretVersionStage",),
    "resume": (*_STACKS, *_INVOKE, "lambda:DeleteFunctionConcurrency", "lambda:GetFunctionConcurrency"),
    "logs": (*_STACKS, "logs:FilterLogEvents"),
    "lifecycle": _LIFECYCLE,
    "lifecycle --preview": (*_LIFECYCLE, "ecr:GetLifecyclePolicyPreview", "ecr:StartLifecyclePolicyPreview"),
    "report": (*_STATUS, "cloudwatch:GetMetricData"),
}
"""The actions of each command, and of each option that needs more actions.

`sts:GetCallerIdentity` needs no permission. With credentials of another account, every command also needs
`sts:AssumeRole` for the lookup role of the CDK's bootstrap.
"""

OPTIONAL = (("refresh", "secretsmanager:DescribeSecret"),)
"""The actions in ACTIONS without which a command still works. It then does not report one kind of problem."""

READ_ONLY = ("preflight", "status", "doctor", "handoff", "handoff --for airflow", "logs", "lifecycle", "report")
"""The commands for which AWS's policy ReadOnlyAccess is enough."""

IN_OTHER_REGIONS = ("status", "report")
"""The commands that also ask ECR in other Regions of the account, for connections with the setting `registry`.

If AWS denies these requests, the commands show only the host of the registry.
"""

_RESOURCES = {
    "cloudformation": "stack/{environment}-*",
    "ecr": "repository/*",
    "lambda": "function:{environment}-*",
    "logs": "log-group:{environment}-*",
    "scheduler": "schedule/default/{environment}-*",
    "secretsmanager": "secret:{prefix}/*",
    "sqs": "{environment}-*",
}
"""The resources that a command reads or changes, by service: the end of the ARN. Other services have no entry."""


def policy(command: str, environment: Environment) -> dict[str, Any]:
    """Return an IAM policy with the permissions that a command needs, and no others.

    `preflight` and `doctor` read resources of other stacks too, so their policies allow the actions on all resources.

    Args:
        command: A key of ACTIONS.
        environment: The environment.
    """
    by_resource: dict[tuple[str, ...], list[str]] = {}
    for action in sorted(ACTIONS[command]):
        by_resource.setdefault(_resources(command, action, environment), []).append(action)
    statements = [{"Effect": "Allow", "Action": actions, "Resource": [*on]} for on, actions in by_resource.items()]
    return {"Version": "2012-10-17", "Statement": statements}


def _resources(command: str, action: str, environment: Environment) -> tuple[str, ...]:
    service = action.partition(":")[0]
    if command.startswith(("preflight", "doctor")) or service not in _RESOURCES:
        return ("*",)
    regions = {environment.region: None}
    if service == "ecr" and command in IN_OTHER_REGIONS:
        registries = map(environment.registry_of, environment.connections)
        regions.update({each.region: None for each in registries if each.account == environment.account})
    resource = _RESOURCES[service].format(environment=environment.name, prefix=environment.connections_prefix)
    start = f"arn:{PARTITIONS[environment.region].name}:{service}"
    return tuple(f"{start}:{region}:{environment.account}:{resource}" for region in regions)


def tables() -> str:
    """Return the actions of each command and the resources of each service, as Markdown tables."""
    lines = ["| Command | Actions |", "|---|---|"]
    for command, actions in ACTIONS.items():
        base = "status" if command == "report" else command.partition(" --")[0]
        others = sorted(set(actions) - set(ACTIONS[base])) if base != command else sorted(actions)
        start = f"those of `{base}`, and " if base != command else ""
        lines.append(f"| `{command}` | {start}{_listed(others)} |")
    lines += ["", "| Actions | Resource |", "|---|---|"]
    for service, resource in _RESOURCES.items():
        arn = resource.format(environment="<env>", prefix="<connections_prefix>")
        lines.append(f"| `{service}:` | `arn:aws:{service}:<region>:<account>:{arn}` |")
        if service == "ecr":
            commands = " and ".join(f"`{command}`" for command in IN_OTHER_REGIONS)
            row = f"`ecr:` of {commands}, in other Regions of connections"
            lines.append(f"| {row} | `arn:aws:ecr:<registry.region>:<account>:{arn}` |")
    lines.append("| all others, and all actions of `preflight` and `doctor` | `*` |")
    return "\n".join(lines) + "\n"


def _listed(actions: list[str]) -> str:
    """Return actions with a line for each service."""
    by_service = groupby(actions, key=lambda action: action.partition(":")[0])
    return "<br>".join(", ".join(f"`{action}`" for action in some) for _, some in by_service)


def page_with_tables() -> str:
    """Return docs/operate.md with the current tables."""
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + tables() + END + after


if __name__ == "__main__":
    PAGE.write_text(page_with_tables())
