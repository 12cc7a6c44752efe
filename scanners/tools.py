"""The three scanners. Each scanner reads the templates with acknowledgements and the templates without them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

from scanners.assembly import Assembly, Finding
from tools import ROOT


class ScannerFailed(Exception):
    """A scanner failed. The message contains the reason."""


@dataclass(frozen=True)
class Scan:
    """The result of a scanner. Each finding has the scanner's message.

    Attributes:
        checked: The number of templates, resources or checks.
        unit: The unit of `checked`: `templates`, `resources` or `checks`.
        findings_left: The findings in the templates with acknowledgements.
        all_findings: The findings in the templates without acknowledgements.
    """

    checked: int
    unit: str
    findings_left: dict[Finding, str]
    all_findings: dict[Finding, str]


def cfn_lint(assembly: Assembly) -> Scan:
    """Check whether CloudFormation accepts the templates."""
    files = [str(file.relative_to(assembly.folder)) for file in sorted(assembly.folder.glob("*/*.template.json"))]
    program = Path(sys.executable).with_name("cfn-lint")
    matches = _run(assembly, program, "--format", "json", "--non-zero-exit-code", "none", "--template", *files)
    found: dict[str, dict[Finding, str]] = {"shipped": {}, "bare": {}}
    for match in matches:
        folder, file = Path(match["Filename"]).parts
        section, *rest = match["Location"]["Path"] or [""]
        resource = assembly.path(file, rest[0]) if section == "Resources" else f"{file}: {section}"
        found[folder][Finding(match["Rule"]["Id"], resource)] = match["Message"]
    return Scan(len(files) // 2, "templates", found["shipped"], found["bare"])


class _EveryFinding(AwsSolutionsChecks):
    """The rules of AwsSolutions in a pack with another name.

    An acknowledgement contains the name of a pack, so the acknowledgements for AwsSolutions do not apply to this pack.
    """

    def __init__(self, scope: IConstruct) -> None:
        super().__init__(scope)
        self._pack_name = "Every"


def cdk_nag(assembly: Assembly) -> Scan:
    """Check the constructs with the rules of cdk-nag's pack AwsSolutions."""

    def found(checks: AwsSolutionsChecks) -> dict[Finding, str]:
        return {
            Finding(violation.rule_name.replace("Every-", "AwsSolutions-", 1), str(resource.construct_path)): (
                violation.description
            )
            for violation in checks.validate_scope(assembly.app).violations
            for resource in violation.violating_resources
        }

    resources = sum(len(template["Resources"]) for template in assembly.templates.values())
    return Scan(resources, "resources", found(AwsSolutionsChecks(assembly.app)), found(_EveryFinding(assembly.app)))


# checkov has no checks for these resource types. Its report does not mention a template that contains no other types.
_UNKNOWN_TO_CHECKOV = {"AWS::CloudFormation::WaitConditionHandle", "AWS::SSM::Association"}


def checkov(assembly: Assembly) -> Scan:
    """Check the templates with checkov.

    Raises:
        ScannerFailed: checkov failed, or did not read every template.
    """
    report = _run(
        assembly,
        ROOT / ".venv-checkov" / "bin" / "checkov",
        *("--directory", ".", "--framework", "cloudformation", "--output", "json"),
        *("--compact", "--skip-download", "--soft-fail"),
    )
    results = report.get("results", {})
    found: dict[str, dict[Finding, str]] = {"shipped": {}, "bare": {}}
    seen = []
    for result in ("passed_checks", "failed_checks", "skipped_checks"):
        for record in results.get(result, []):
            _, folder, file = record["file_path"].split("/")
            seen.append((folder, file))
            if result == "failed_checks":
                resource = assembly.path(file, record["resource"].split(".")[1])
                found[folder][Finding(record["check_id"], resource)] = record["check_name"]
    # checkov reports no error if it cannot read a file.
    checked = [
        file
        for file, template in assembly.templates.items()
        if {resource["Type"] for resource in template["Resources"].values()} - _UNKNOWN_TO_CHECKOV
    ]
    if unread := {(folder, file) for folder in found for file in checked} - set(seen):
        names = ", ".join(f"{folder}/{file}" for folder, file in sorted(unread))
        raise ScannerFailed(f"checkov did not read {names}; run checkov on these files to see the reason")
    return Scan(sum(folder == "shipped" for folder, _ in seen), "checks", found["shipped"], found["bare"])


def _run(assembly: Assembly, program: Path, *arguments: str) -> Any:
    """Run a program in the folder of the templates and return its JSON output.

    The variable HOME is set to this folder, so that the program does not read the user's configuration.

    Raises:
        ScannerFailed: The program did not exit with status 0.
    """
    done = subprocess.run(
        [str(program), *arguments],
        cwd=assembly.folder,
        env={"PATH": os.environ["PATH"], "HOME": str(assembly.folder)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ScannerFailed(f"{program.name} exited with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)
