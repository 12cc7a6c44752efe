"""The repository creation templates in ECR."""

from collections.abc import Iterator

from ops.clients import Clients, answers
from ops.fixes import aws
from ops.preflight.findings import Finding, Planned
from ops.preflight.stacks import ids_of, resources_of


def find_taken_creation_templates(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find repository creation templates of other owners for the repositories of a team with `create_on_push`."""
    teams = [name for name, team in planned.environment.teams.items() if team.create_on_push]
    if not teams:
        return
    stack = planned.stack("Registry")
    ours = ids_of(resources_of(clients, stack))
    pages = clients.ecr.get_paginator("describe_repository_creation_templates").paginate()
    with answers():
        prefixes = [template["prefix"] for page in pages for template in page["repositoryCreationTemplates"]]
    for team in teams:
        for prefix in prefixes:
            name = prefix.rstrip("/")
            if name == team and prefix not in ours:
                delete = aws(planned.environment, f"ecr delete-repository-creation-template --prefix {prefix}")
                yield Finding(
                    f"A repository creation template with the prefix {prefix} exists, and it is not part of the stack "
                    f"{stack}. CloudFormation may not be able to create it.",
                    f"Delete it ({delete}), or remove create_on_push of the team {team}.",
                )
            elif name.startswith(f"{team}/"):
                yield Finding(
                    f"A repository creation template with the prefix {prefix} exists. The longest prefix applies, so a "
                    f"push to {name}/<name> uses this template instead of the template of the team {team}.",
                    f"If it does not set the tag team={team}, pushes to these repositories are refused. Delete it, or "
                    "ignore this notice.",
                    stops=False,
                )
