"""The environments that the variants run in, and what their processes get of ours."""

import importlib.util
import os
import subprocess
from pathlib import Path

from bench.processes import BenchFailed
from tools import ROOT

LAMBDA = ROOT / ".venv-bench"
AIRFLOW = ROOT / ".venv-bench-airflow"


def bare_environment(venv: Path) -> dict[str, str]:
    """Nothing of the user's settings, above all no PYTHONDONTWRITEBYTECODE."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    return {**kept, "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}


def file_of(venv: Path, package: str, file: str = "__init__.py") -> Path:
    """A file of an installed package."""
    [found] = venv.glob(f"lib/python3*/site-packages/{package}/{file}")
    return found


def check_bytecode(venv: Path, package: str) -> None:
    """Raise BenchFailed unless the package is compiled: importing it from source takes a multiple."""
    if not Path(importlib.util.cache_from_source(str(file_of(venv, package)))).exists():
        raise BenchFailed(f"{package} in {venv.name} has no bytecode")


def versions(venv: Path, *packages: str) -> str:
    """Packages with their versions, as text."""
    program = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    told = subprocess.run(
        [venv / "bin" / "python", "-c", program, *packages], check=True, capture_output=True, text=True
    )
    return ", ".join(f"{package} {version}" for package, version in zip(packages, told.stdout.split(), strict=True))
