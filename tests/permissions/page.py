"""The table of docs/security.md, made from the table that the matrix proves. `make docs` writes it anew."""

from itertools import groupby

from tests.permissions.expected import ADMINISTER_KEY, ASSUMED_BY, EVERYTHING, EXPECTED, LOOK_AT_SECRET
from tools import ROOT

PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- made by make docs from tests/permissions/expected.py -->\n", "<!-- end of what is made -->\n"

# One of a kind stands for all: what the matrix asks of the others is the same with other names.
WHO = {
    "env/Access/PushRoles/Analytics": "push role of the team analytics",
    "env/DockerLogin/DockerDefault/PullRole": "pull role of default: the function, and the login that it mints",
    "env/DockerLogin/DockerDefault/Schedule/Role": "schedule of default",
    "env/DockerLogin/FirstRefreshProvider/Role": "CDK's function that runs first refreshes in a deploy",
    "worker": "Airflow worker",
    "direct/DockerLogin/Workers/Role": "Airflow worker, of an environment with pull_directly",
    "env/EcsTasks/AnalyticsApp/ExecutionRole": "execution role of analytics/app as a task on Fargate",
    "env/EcsTasks/AnalyticsApp/TaskRole": "task role of analytics/app on Fargate",
    "stranger": "any other administrator of the account",
    "break glass": "break-glass role, an administrator",
    "deploy": "CloudFormation's role, an administrator",
    "root": "the account's root",
    "foreigner": "an administrator of another account",
    "alarms": "CloudWatch, for an alarm of the account",
}
# Ways to ask that are the matrix's business, not a reader's.
PROBES = (
    "transport untold",
    "over http",
    "had it no policy",
    "open key",
    "named longer",
    "of x",
    "of direct, ",
    "/other",
    "analytics-x/",
)
SHORT = {
    frozenset(ADMINISTER_KEY): "administer it, neither use nor lend it",
    frozenset(LOOK_AT_SECRET): "look at it from outside",
}


def table() -> str:
    """Who may do what, and who may be them, in Markdown."""
    lines = ["| who | may | on |", "|---|---|---|"]
    for principal, name in WHO.items():
        rights = {
            target: frozenset(actions)
            for target, actions in EXPECTED[principal].items()
            if not any(probe in target for probe in PROBES) and ("direct" in target) <= ("direct" in principal)
        }
        if not rights:
            lines.append(f"| {name} | nothing | |")
        by_actions = sorted(rights.items(), key=lambda right: (len(right[1]), sorted(right[1])))
        for actions, group in groupby(by_actions, key=lambda right: right[1]):
            on = "<br>".join(target for target, _ in group)
            lines.append(f"| {name} | {_told(actions)} | {on} |")
            name = ""
    lines += ["", "| role | is taken by |", "|---|---|"]
    lines += [f"| {WHO[role]} | {'; '.join(sorted(callers))} |" for role, callers in ASSUMED_BY.items() if role in WHO]
    return "\n".join(lines) + "\n"


def _told(actions: frozenset[str]) -> str:
    if actions == EVERYTHING:
        return "everything"
    told = []
    for known, words in SHORT.items():
        if known <= actions:
            told, actions = [words], actions - known
    return ", ".join([*told, *(f"`{action}`" for action in sorted(actions))])


def written() -> str:
    """The page with the table as it must be."""
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(written())
