"""The three scanners, each asked twice: what is left of its findings as the app ships, and what there is in all."""

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
    """A scanner did not do its work; the message says how."""


@dataclass(frozen=True)
class Scan:
    """What a scanner found, with its words for each finding."""

    looked_at: int
    unit: str  # what `looked_at` counts
    left: dict[Finding, str]  # with what the stacks acknowledge
    every: dict[Finding, str]  # as if they acknowledged nothing


def cfn_lint(assembly: Assembly) -> Scan:
    """Is it a template that CloudFormation takes?"""
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
    """Reports what is acknowledged too: acknowledgements name a check of the pack by its name, and this is another."""

    def __init__(self, scope: IConstruct) -> None:
        super().__init__(scope)
        self._pack_name = "Every"


def cdk_nag(assembly: Assembly) -> Scan:
    """AWS's rules of thumb for solutions."""

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


# Of these it has no check, and so says nothing.
_UNKNOWN_TO_CHECKOV = {"AWS::SSM::Association"}


def checkov(assembly: Assembly) -> Scan:
    """The field's most used collection of checks."""
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
    # It passes over what it cannot read.
    checked = [
        file
        for file, template in assembly.templates.items()
        if {resource["Type"] for resource in template["Resources"].values()} - _UNKNOWN_TO_CHECKOV
    ]
    if unread := {(folder, file) for folder in found for file in checked} - set(seen):
        raise ScannerFailed(f"checkov did not read {sorted(unread)}")
    return Scan(sum(folder == "shipped" for folder, _ in seen), "checks", found["shipped"], found["bare"])


def _run(assembly: Assembly, program: Path, *arguments: str) -> Any:
    """What a program says of the templates, in JSON. Nobody's own settings count: its home is the templates' folder."""
    done = subprocess.run(
        [str(program), *arguments],
        cwd=assembly.folder,
        env={"PATH": os.environ["PATH"], "HOME": str(assembly.folder)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ScannerFailed(f"{program.name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)
