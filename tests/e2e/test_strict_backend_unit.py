"""Tests of airflow_backend/ without Secrets Manager, with each version of Airflow."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.airflows import VERSIONS
from tools import ROOT

SCRIPT = Path(__file__).with_name("strict_backend_unit.py")
CHECKS = [line[4:].split("(")[0] for line in SCRIPT.read_text().splitlines() if line.startswith("def check_")]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_checks_of_the_strict_backend_succeed(version: str, tmp_path: Path) -> None:
    """One process runs all checks, because the import of Airflow takes some seconds."""
    environment = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT / "airflow_backend"),
        "AWS_ACCESS_KEY_ID": "not-used",
        "AWS_SECRET_ACCESS_KEY": "not-used",
    }
    python = ROOT / f".venv-airflow-{version}" / "bin" / "python"
    ended = subprocess.run([python, SCRIPT], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert [line for line in ended.stdout.splitlines() if line.startswith("check_")] == CHECKS
