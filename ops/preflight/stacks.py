"""The stacks of an environment: which resources they have, and whether CloudFormation can update them."""

from collections.abc import Iterator
from typing import Any

from ops.clients import Clients, unless_missing
from ops.preflight.findings import Finding, Planned
from ops.together import in_parallel

# The stacks that the settings can remove, and how to delete them.
OPTIONAL_STACKS = {
    "EcsTasks": '"Remove Fargate tasks" in docs/changes.md',
    "WorkerUpkeep": '"Remove the clean-up" in docs/changes.md',
}


def find_stacks(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find stacks that cannot be updated, and stacks of this environment that the settings no longer contain."""
    environment = planned.environment
    wanted = ["Registry", "Access", "DockerLogin"]
    wanted += ["EcsTasks"] if environment.ecs else []
    wanted += ["WorkerUpkeep"] if environment.workers.clean_up else []
    removed = [stack_id for stack_id in OPTIONAL_STACKS if stack_id not in wanted]

    def status_of(stack_id: str) -> str | None:
        name = planned.stack(stack_id)
        answer = unless_missing(clients.cloudformation.describe_stacks, "ValidationError", StackName=name)
        return answer["Stacks"][0]["StackStatus"] if answer else None

    statuses = dict(zip(wanted + removed, in_parallel(status_of, wanted + removed), strict=True))
    for stack_id in wanted:
        status = statuses[stack_id] or ""
        if fix := _fix(status, planned.stack(stack_id)):
            problem = f"The stack {planned.stack(stack_id)} is in {status}, and CloudFormation cannot update it."
            yield Finding(problem, fix)
    for stack_id in removed:
        if statuses[stack_id] not in (None, "DELETE_COMPLETE"):
            name = planned.stack(stack_id)
            yield Finding(
                f"The settings no longer contain the stack {name}. The deployment does not delete it.",
                f"To delete the stack, see {OPTIONAL_STACKS[stack_id]}.",
                stops=False,
            )


def _fix(status: str, stack: str) -> str:
    """Return what to do about a stack that CloudFormation cannot update, or an empty string."""
    if status == "DELETE_FAILED":
        return 'Delete the stack first. See "If the removal fails" in docs/remove.md.'
    if status == "UPDATE_ROLLBACK_FAILED":
        return f'Finish the rollback of {stack} first. See "UPDATE_ROLLBACK_FAILED" in docs/locked-out.md.'
    # The status REVIEW_IN_PROGRESS has a stack that nobody deployed. The CDK CLI deploys it.
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        return "Wait for the end of the other deployment."
    return ""


def resources_of(clients: Clients, stack: str) -> dict[str, list[str]]:
    """Return the physical ids of the resources of a stack, by type. The result is empty if there is no such stack."""

    def list_resources() -> list[Any]:
        pages = clients.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        return [resource for page in pages for resource in page["StackResourceSummaries"]]

    found = clients.ask_once(f"resources of {stack}", lambda: unless_missing(list_resources, "ValidationError"))
    by_type: dict[str, list[str]] = {}
    for each in found or []:
        if _exists(each):
            by_type.setdefault(each["ResourceType"], []).append(each["PhysicalResourceId"])
    return by_type


def ids_of(resources: dict[str, list[str]]) -> set[str]:
    return {physical_id for ids in resources.values() for physical_id in ids}


def stack_with(clients: Clients, physical_id: str, kind: str) -> str | None:
    """Return the name of the stack that has a resource, or None."""
    found = unless_missing(
        clients.cloudformation.describe_stack_resources, "ValidationError", PhysicalResourceId=physical_id
    )
    for each in (found or {}).get("StackResources", []):
        if each.get("PhysicalResourceId") == physical_id and each["ResourceType"] == kind and _exists(each):
            return str(each["StackName"])
    return None


def _exists(resource: Any) -> bool:
    """Return whether a stack still has a resource. A stack lists deleted and retained resources for some time."""
    return resource["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED") and "PhysicalResourceId" in resource
