"""Change the DockerLogin template of an environment in a cloud assembly."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Edit = Callable[[dict[str, Any]], None]


def edit(assembly: Path, environment: str, change: Edit) -> None:
    """Change an environment's DockerLogin template in an assembly, in place."""
    [file] = assembly.glob(f"assembly-{environment}/{environment}DockerLogin*.template.json")
    template = json.loads(file.read_text())
    change(template)
    file.write_text(json.dumps(template))
    # The CDK CLI uploads a template only if the hash in the asset manifest is new, so the changed template needs a new
    # hash.
    assets = json.loads((file.parent / file.name.replace(".template.", ".assets.")).read_text())["files"]
    [old] = [name for name, asset in assets.items() if asset["source"]["path"] == file.name]
    new = hashlib.sha256(file.read_bytes()).hexdigest()
    for listing in file.parent.glob("*.json"):
        listing.write_text(listing.read_text().replace(old, new))


def wait_one_second_for_permissions(template: dict[str, Any]) -> None:
    """Shorten the time for which the first refresh retries a denial. In the emulator, permissions apply at once."""
    [variables] = [
        r["Properties"]["Environment"]["Variables"]
        for r in template["Resources"].values()
        if r["Type"] == "AWS::Lambda::Function" and "Environment" in r["Properties"]
    ]
    variables["NEW_RIGHTS_WAIT_SECONDS"] = "1"
