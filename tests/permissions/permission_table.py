"""Write the permission table in docs/security.md from the table in expected.py. `make generate` runs this module."""

from itertools import groupby

from tests.permissions.expected import ADMINISTER_KEY, ASSUMED_BY, EVERYTHING, EXPECTED, READ_METADATA
from tools import ROOT

PAGE = ROOT / "docs" / "security.md"
BEGIN = "<!-- `make generate` writes this table from tests/permissions/expected.py -->\n"
END = "<!-- end of the generated table -->\n"

# One principal of each kind. The matrix also tests the other principals of the same kind.
WHO = {
    "env/Access/PushRoles/Analytics": "push role of the team analytics",
    "env/DockerLogin/DockerDefault/PullRole": "pull role of docker_default, for its function and its docker login",
    "env/DockerLogin/DockerDefault/Schedule/Role": "role of the schedule of docker_default",
    "env/DockerLogin/FirstRefreshProvider/Role": "role of the CDK's function that invokes the first refresh",
    "worker": "Airflow worker",
    "direct/DockerLogin/Workers/Role": "Airflow worker, in an environment with pull_directly",
    "env/EcsTasks/AnalyticsApp/ExecutionRole": "execution role of the Fargate task analytics/app",
    "env/EcsTasks/AnalyticsApp/TaskRole": "task role of the Fargate task analytics/app",
    "another administrator": "any other administrator of the account",
    "break glass": "break-glass role that is an administrator",
    "deploy": "CloudFormation's role, which is an administrator",
    "root": "root user of the account",
    "administrator of another account": "administrator of another account",
    "CloudWatch": "CloudWatch, for an alarm of the account",
}
# Parts of the names of targets that only the matrix needs. The table omits these targets.
PROBES = (
    "transport unknown",
    "over http",
    "without its policy",
    "open key",
    "with a longer name",
    "docker_x",
    "through no service",
    "/other",
    "analytics-x/",
    "with explicit defaults",
)
# The names that docs/security.md explains above the table.
SHORT = {
    frozenset(ADMINISTER_KEY): "change the key's settings",
    frozenset(READ_METADATA): "describe the secret",
}


def table() -> str:
    """Return the permissions of each principal and the callers that may assume each role, as Markdown tables."""
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


def page_with_table() -> str:
    """Return docs/security.md with the current table."""
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(page_with_table())
