"""`python -m scanners`: what `make check` runs. It fails on a finding that nobody acknowledged, and on the reverse."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from scanners.assembly import Assembly, Finding
from scanners.tools import Scan, ScannerFailed, cdk_nag, cfn_lint, checkov
from settings.files import SettingsError

TOOLS = {"cfn-lint": cfn_lint, "cdk-nag": cdk_nag, "checkov": checkov}


def main() -> None:
    problems: list[str] = []
    try:
        with TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
            assembly = Assembly(Path(folder))
            acknowledged = assembly.acknowledged()
            scans = {name: pool.submit(tool, assembly) for name, tool in TOOLS.items()}
            for name, running in scans.items():
                scan, ours = running.result(), acknowledged[name]
                print(f"{name}: {scan.looked_at} {scan.unit}, {len(scan.left)} findings, {len(ours)} acknowledged")
                problems += [f"✗ {name}: {problem}" for problem in problems_of(scan, ours)]
    except (ScannerFailed, SettingsError) as failure:
        sys.exit(f"✗ {failure}")
    if problems:
        sys.exit("\n".join(problems))


def problems_of(scan: Scan, acknowledged: set[Finding]) -> list[str]:
    """What a scan should not have come to, a line each."""
    # Acknowledged on the resource itself, and not for the whole of a stack or of the app.
    unmet = scan.left | {finding: words for finding, words in scan.every.items() if finding not in acknowledged}
    left = [f"{resource}: {check}: {words}" for (check, resource), words in sorted(unmet.items())]
    stale = [
        f"{resource}: {check}: acknowledged and not found; drop the acknowledgement"
        for check, resource in sorted(acknowledged - scan.every.keys())
    ]
    return [*left, *stale, *([] if scan.looked_at else ["looked at nothing"])]


if __name__ == "__main__":
    main()
