"""The virtual environments of the variants, and the environment variables of their processes."""

import importlib.util
import os
import subprocess
from pathlib import Path

from bench.processes import BenchFailed
from tools import ROOT

LAMBDA = ROOT / ".venv-bench"
AIRFLOW = ROOT / ".venv-bench-airflow"


def bare_environment(venv: Path) -> dict[str, str]:
    """Return PATH, HOME and LANG. Other variables of the user, such as PYTHONDONTWRITEBYTECODE, are not included."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    return {**kept, "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}


def file_of(venv: Path, package: str, file: str = "__init__.py") -> Path:
    """Return the path of a file in an installed package."""
    [found] = venv.glob(f"lib/python3*/site-packages/{package}/{file}")
    return found


def check_bytecode(venv: Path, package: str) -> None:
    """Raise BenchFailed unless the package has bytecode. Without bytecode, an import takes several times as long."""
    if not Path(importlib.util.cache_from_source(str(file_of(venv, package)))).exists():
        raise BenchFailed(f"{package} in {venv.name} has no bytecode; delete {venv.name} and run `make bench` again")


def versions(venv: Path, *packages: str) -> str:
    """Return the packages with their versions, separated by commas."""
    program = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    told = subprocess.run(
        [venv / "bin" / "python", "-c", program, *packages], check=True, capture_output=True, text=True
    )
    return ", ".join(f"{package} {version}" for package, version in zip(packages, told.stdout.split(), strict=True))
