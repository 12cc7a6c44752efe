"""Run the scanners with `python -m scanners`. `make check` runs this command.

The command fails if a finding is not acknowledged, or if an acknowledgement has no finding.
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
    """Run every scanner, print one line per scanner, and exit with status 1 if there are problems."""
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
    """Return the problems of a scan, one line per problem.

    Args:
        scan: The result of a scanner.
        acknowledged: The findings that are acknowledged on their resource. An acknowledgement for a whole stack or for
            the app does not count.
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
        problems.append("the scanner checked nothing; make sure that the scanner reads the templates")
    return problems


if __name__ == "__main__":
    main()
