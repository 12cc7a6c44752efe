"""Write the permission table of docs/security.md from the table that the matrix proves. `make generate` runs it."""

from itertools import groupby

from tests.permissions.expected import ADMINISTER_KEY, ASSUMED_BY, EVERYTHING, EXPECTED, READ_METADATA
from tools import ROOT

PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- made by make generate from tests/permissions/expected.py -->\n", "<!-- end of what is made -->\n"

# One principal of each kind. The matrix asks the same of the others, with other names.
WHO = {
    "env/Access/PushRoles/Analytics": "push role of the team analytics",
    "env/DockerLogin/DockerDefault/PullRole": "pull role of default: its function, and the docker login",
    "env/DockerLogin/DockerDefault/Schedule/Role": "schedule of default",
    "env/DockerLogin/FirstRefreshProvider/Role": "CDK's function that runs first refreshes in a deploy",
    "worker": "Airflow worker",
    "direct/DockerLogin/Workers/Role": "Airflow worker in an environment with pull_directly",
    "env/EcsTasks/AnalyticsApp/ExecutionRole": "execution role of analytics/app as a task on Fargate",
    "env/EcsTasks/AnalyticsApp/TaskRole": "task role of analytics/app on Fargate",
    "another administrator": "any other administrator of the account",
    "break glass": "break-glass role, an administrator",
    "deploy": "CloudFormation's role, an administrator",
    "root": "the account's root",
    "administrator of another account": "an administrator of another account",
    "CloudWatch": "CloudWatch, for an alarm of the account",
}
# Targets that only the matrix needs.
PROBES = (
    "transport unknown",
    "over http",
    "without its policy",
    "open key",
    "with a longer name",
    "of x",
    "of direct, ",
    "/other",
    "analytics-x/",
)
SHORT = {
    frozenset(ADMINISTER_KEY): "key administration, without use and grants",
    frozenset(READ_METADATA): "read its metadata",
}


def table() -> str:
    """The permissions of each principal, and who may assume each role, in Markdown."""
    lines = ["| Principal | Allowed actions | Resource |", "|---|---|---|"]
    for principal, name in WHO.items():
        permissions = {
            target: frozenset(actions)
            for target, actions in EXPECTED[principal].items()
            if not any(probe in target for probe in PROBES) and ("direct" in target) <= ("direct" in principal)
        }
        if not permissions:
            lines.append(f"| {name} | none | |")
        by_actions = sorted(permissions.items(), key=lambda permission: (len(permission[1]), sorted(permission[1])))
        for actions, group in groupby(by_actions, key=lambda permission: permission[1]):
            on = "<br>".join(target for target, _ in group)
            lines.append(f"| {name} | {_listed(actions)} | {on} |")
            name = ""
    lines += ["", "| Role | Assumed by |", "|---|---|"]
    lines += [f"| {WHO[role]} | {'; '.join(sorted(callers))} |" for role, callers in ASSUMED_BY.items() if role in WHO]
    return "\n".join(lines) + "\n"


def _listed(actions: frozenset[str]) -> str:
    if actions == EVERYTHING:
        return "all actions"
    found = []
    for known, words in SHORT.items():
        if known <= actions:
            found, actions = [words], actions - known
    return ", ".join([*found, *(f"`{action}`" for action in sorted(actions))])


def written() -> str:
    """The page with the current table."""
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(written())
