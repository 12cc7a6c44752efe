"""`python -m scanners`, which `make check` runs.

It fails on a finding that is not acknowledged, and on an acknowledgement without a finding.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from scanners.assembly import Assembly, Finding
from scanners.tools import Scan, ScannerFailed, cdk_nag, cfn_lint, checkov
from settings.files import SettingsError

TOOLS = {"cfn-lint": cfn_lint, "cdk-nag": cdk_nag, "checkov": checkov}


def main() -> None:
    """Run every scanner, print a line for each, and exit with 1 if there are problems."""
    problems: list[str] = []
    try:
        with TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
            assembly = Assembly(Path(folder))
            acknowledged = assembly.acknowledged()
            scans = {name: pool.submit(tool, assembly) for name, tool in TOOLS.items()}
            for name, running in scans.items():
                scan = running.result()
                print(
                    f"{name}: {scan.checked} {scan.unit}, {len(scan.findings_left)} findings, "
                    f"{len(acknowledged[name])} acknowledged"
                )
                problems += [f"✗ {name}: {problem}" for problem in problems_of(scan, acknowledged[name])]
    except (ScannerFailed, SettingsError) as failure:
        sys.exit(f"✗ {failure}")
    if problems:
        sys.exit("\n".join(problems))


def problems_of(scan: Scan, acknowledged: set[Finding]) -> list[str]:
    """Return the problems of a scan, a line each.

    Args:
        scan: What a scanner found.
        acknowledged: The findings that are acknowledged on the resource itself. An acknowledgement for a whole stack
            or for the app does not count.
    """
    not_acknowledged = scan.findings_left | {
        finding: text for finding, text in scan.all_findings.items() if finding not in acknowledged
    }
    problems = [f"{resource}: {check}: {text}" for (check, resource), text in sorted(not_acknowledged.items())]
    problems += [
        f"{resource}: {check}: acknowledged but not found; remove the acknowledgement"
        for check, resource in sorted(acknowledged - scan.all_findings.keys())
    ]
    if not scan.checked:
        problems.append("the scanner checked nothing; see that it reads the templates")
    return problems


if __name__ == "__main__":
    main()
