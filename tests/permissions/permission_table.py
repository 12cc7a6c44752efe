"""Write the permission table in docs/security.md from the table in expected.py. `make generate` runs this module."""

import re
from itertools import groupby

from tests.permissions import expected
from tests.permissions.environments import DIRECT, ENV
from tests.permissions.expected import ADMINISTER_KEY, EVERYTHING, READ_METADATA, Permissions
from tools import ROOT

PAGE = ROOT / "docs" / "security.md"
BEGIN = "<!-- `make generate` writes this table from tests/permissions/expected.py -->\n"
END = "<!-- end of the generated table -->\n"

TASK = "analytics/app"
CONNECTION = ENV.connection("docker_default")
# One principal of each kind. The matrix also tests the other principals of the same kind.
WHO: dict[str, Permissions] = {
    "push role of the team analytics": expected.push_role(ENV, "analytics"),
    "creation role of the team analytics, with create_on_push": expected.creation_role(ENV, "analytics"),
    "pull role of docker_default, for its function and its docker login": expected.pull_role(ENV, "docker_default"),
    "role of the schedule of docker_default": expected.schedule_role(ENV, "docker_default"),
    "role of the CDK's function that invokes the first refresh": expected.first_refresh_role(ENV),
    "Airflow worker": expected.worker(ENV),
    "Airflow worker, in an environment with pull_directly": expected.worker(DIRECT),
    f"execution role of the Fargate task {TASK}": expected.execution_role(ENV, TASK),
    f"task role of the Fargate task {TASK}": {},
    "any other administrator of the account": expected.administrator(ENV),
    "break-glass role that is an administrator": expected.both(expected.administrator(ENV), expected.break_glass(ENV)),
    "CloudFormation's role, which is an administrator": expected.both(
        expected.administrator(ENV), expected.deploy(ENV)
    ),
    "root user of the account": expected.both(expected.administrator(ENV), expected.root(ENV)),
    "administrator of another account": {},
    "CloudWatch, for an alarm of the account": expected.alarms(ENV),
    "EventBridge, for a rule of the environment": expected.alarms(ENV),
}
ROLES = {
    "push role of the team analytics": ENV.push_role("analytics"),
    "push role of the team analytics-x, which requires MFA": ENV.push_role("analytics-x"),
    "creation role of the team analytics, with create_on_push": ENV.creation_role("analytics"),
    "pull role of docker_default, for its function and its docker login": f"{CONNECTION}/PullRole",
    "role of the schedule of docker_default": f"{CONNECTION}/Schedule/Role",
    "role of the CDK's function that invokes the first refresh": "env/DockerLogin/FirstRefreshProvider/Role",
    "Airflow worker, in an environment with pull_directly": "direct/DockerLogin/Workers/Role",
    f"execution role of the Fargate task {TASK}": f"{ENV.tasks[TASK].path}/ExecutionRole",
    f"task role of the Fargate task {TASK}": f"{ENV.tasks[TASK].path}/TaskRole",
}
# Parts of the names of targets that only the matrix needs. The table omits these targets.
PROBES = re.compile(
    "transport unknown|over http|without its policy|created again|open key|like that of|with a similar value|its name|"
    "through no service|in another Region|/below|with the |not-in-the-settings|tagged|"
    "/[xy]-|-[xyz]|_[xz]|jobs|other-app"
)
# The names that docs/security.md explains above the table.
SHORT = {
    frozenset(ADMINISTER_KEY): "change the key's settings",
    frozenset(READ_METADATA): "describe the secret",
}


def table() -> str:
    """Return the permissions of each principal and the callers that may assume each role, as Markdown tables."""
    lines = ["| Principal | Allowed actions | Resource |", "|---|---|---|"]
    for name, all_permissions in WHO.items():
        permissions = {
            re.sub(" of (env|direct)(?=,|$)", "", target): frozenset(actions)
            for target, actions in all_permissions.items()
            if not PROBES.search(target)
        }
        if not permissions:
            lines.append(f"| {name} | none | |")
        by_actions = sorted(permissions.items(), key=lambda permission: (len(permission[1]), sorted(permission[1])))
        for actions, group in groupby(by_actions, key=lambda permission: permission[1]):
            on = "<br>".join(target for target, _ in group)
            lines.append(f"| {name} | {_listed(actions)} | {on} |")
            name = ""
    callers = {**expected.assumed_by(ENV), **expected.assumed_by(DIRECT)}
    lines += ["", "| Role | Assumed by |", "|---|---|"]
    lines += [f"| {name} | {'; '.join(sorted(map(_caller, callers[role])))} |" for name, role in ROLES.items()]
    return "\n".join(lines) + "\n"


def _caller(name: str) -> str:
    """Return the name of a caller for the page, without the numbers of accounts."""
    name = re.sub(r"^arn:aws:iam::\d+:(role|user)/", r"the \1 ", name)
    return re.sub("^the service (.*)", lambda found: {"ec2": "EC2", "ecr": "ECR", "lambda": "Lambda"}[found[1]], name)


def _listed(actions: frozenset[str]) -> str:
    if actions == EVERYTHING:
        return "all actions"
    found = []
    for known, words in SHORT.items():
        if known <= actions:
            found, actions = [words], actions - known
    return ", ".join([*found, *(f"`{action}`" for action in sorted(actions))])


def page_with_table() -> str:
    """Return docs/security.md with the current table."""
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(page_with_table())
