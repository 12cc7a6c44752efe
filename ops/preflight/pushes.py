"""The principals that pushed lately, from the event history of CloudTrail."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.clients import Clients, answers
from ops.preflight.findings import Finding, Planned, listed
from ops.preflight.policies import denies_pushing
from ops.preflight.repositories import adopted_repositories, repository_policy, team_of
from ops.preflight.stacks import resources_of
from ops.together import in_parallel


def find_cut_off_pushers(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find principals that pushed to a repository lately, and that a new repository policy would deny."""
    environment = planned.environment
    closed = {name for name, team in environment.teams.items() if not team.others_may_push_because}
    deployed = set(resources_of(clients, planned.stack("Registry")).get("AWS::ECR::Repository", []))
    groups: dict[str, list[str]] = {}
    for name in sorted(planned.repositories & (deployed | set(adopted_repositories(clients, planned)))):
        if team_of(name) in closed:
            # All repositories of a team in the stack have the same policy, so the policy of one of them is enough.
            groups.setdefault(team_of(name) if name in deployed else name, []).append(name)
    policies = in_parallel(lambda key: repository_policy(clients, groups[key][0]), list(groups))
    changing = {
        name
        for names, policy in zip(groups.values(), policies, strict=True)
        if not denies_pushing(policy)
        for name in names
    }
    if not changing:
        return
    found: dict[str, set[str]] = {}
    for principal, repository in _recent_pushes(clients):
        team = team_of(repository)
        if repository in changing and principal not in planned.pushers(team):
            found.setdefault(team, set()).add(principal)
    for team, principals in sorted(found.items()):
        yield Finding(
            f"{listed(sorted(principals))} pushed to repositories of the team {team} lately. "
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
