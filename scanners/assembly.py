"""The templates that the scanners read. Each template exists with and without the acknowledgements of the stacks."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import aws_cdk as cdk

from app import add_stages, create_app
from settings.environment import Environment
from settings.files import load_environments
from tools import ROOT

# The order matters: an environment replaces the example of the same name, from which people copy it.
_FOLDERS = (ROOT / "environments", ROOT / "examples", ROOT / "scanners" / "environments")


def environments_in(folders: Iterable[Path]) -> list[Environment]:
    """Return the environments of several folders. Of two with the same name, the one in the earlier folder counts.

    Raises:
        SettingsError: The settings of an environment have problems.
    """
    found: dict[str, Environment] = {}
    for folder in folders:
        for environment in load_environments(folder):
            found.setdefault(environment.name, environment)
    return list(found.values())


class Finding(NamedTuple):
    """A finding of a scanner about one resource."""

    check: str  # the name of the scanner's check, such as CKV_AWS_27
    resource: str  # the construct's path


class Assembly:
    """The synthesized app, and its templates in two folders: `shipped`, and `bare` without acknowledgements.

    Attributes:
        app: The app.
        folder: The folder that contains `shipped` and `bare`.
        templates: A dict of file name to template.
    """

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: An empty folder for the cloud assembly and the templates.

        Raises:
            SettingsError: The settings of an environment have problems.
        """
        # CDK's built-in validation is off, because it has the rules of cfn-lint, and cfn-lint is one of the scanners.
        self.app = create_app(folder / "cdk.out", {"aws:cdk:enable-path-metadata": True}, validate=False)
        add_stages(self.app, environments_in(_FOLDERS))
        stages = self.app.synth().nested_assemblies
        self.folder = folder / "templates"
        self.templates: dict[str, dict[str, Any]] = {}
        for stack in (stack for stage in stages for stack in stage.nested_assembly.stacks):
            file = f"{stack.stack_name}.template.json"
            self.templates[file] = template = stack.template
            _write(self.folder / "shipped" / file, template)
            _write(self.folder / "bare" / file, _bare(template))

    def path(self, file: str, logical_id: str) -> str:
        """Return the construct path of a resource.

        Args:
            file: The file name of the template.
            logical_id: The logical id of the resource.
        """
        path: str = self.templates[file]["Resources"][logical_id]["Metadata"]["aws:cdk:path"]
        return path

    def acknowledged(self) -> dict[str, set[Finding]]:
        """Return a dict of scanner to the findings that the stacks acknowledge."""
        resources = [r for template in self.templates.values() for r in template["Resources"].values()]
        metadata = [resource["Metadata"] for resource in resources]
        return {
            "cfn-lint": {
                Finding(check, m["aws:cdk:path"])
                for m in metadata
                for check in m.get("cfn-lint", {}).get("config", {}).get("ignore_checks", [])
            },
            "cdk-nag": {
                Finding(check.removeprefix("Annotation::"), path.removeprefix("/"))
                for file in Path(self.app.outdir).glob("*/*.metadata.json")
                for path, entries in json.loads(file.read_text()).items()
                for entry in entries
                if entry["type"] == cdk.Validations.ACKNOWLEDGED_RULES_METADATA_KEY
                for check in entry["data"]
            },
            "checkov": {
                Finding(skip["id"], m["aws:cdk:path"])
                for m in metadata
                for skip in m.get("checkov", {}).get("skip", [])
            },
        }


def _bare(template: dict[str, Any]) -> dict[str, Any]:
    resources = {
        logical_id: {**resource, "Metadata": {"aws:cdk:path": resource["Metadata"]["aws:cdk:path"]}}
        for logical_id, resource in template["Resources"].items()
    }
    return {**template, "Metadata": {}, "Resources": resources}


def _write(file: Path, template: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(template, indent=1))
