"""Write docs/benchmarks.md, which contains the tables, the method and the machine, from the template."""

import os
import platform
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from bench.environments import AIRFLOW, LAMBDA, versions
from tools import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
AIRFLOW_PACKAGES = ("apache-airflow", "apache-airflow-providers-amazon", "apache-airflow-providers-docker")
_TEMPLATE = ROOT / "bench" / "page.template.md"


def write(**values: object) -> None:
    """Write the page.

    Args:
        values: The tables and numbers, with the names of their placeholders in the template.
    """
    PAGE.write_text(
        _TEMPLATE.read_text().format(
            version=tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
            date=datetime.now(UTC).date(),
            cpu=_cpu_model(),
            cpu_count=os.cpu_count(),
            operating_system=platform.freedesktop_os_release()["PRETTY_NAME"],
            python=platform.python_version(),
            lambda_versions=versions(LAMBDA, "boto3", "awslambdaric", "aws-lambda-powertools"),
            airflow_versions=versions(AIRFLOW, *AIRFLOW_PACKAGES),
            cdk_versions=versions(ROOT / ".venv", "aws-cdk-lib", "ministack"),
            **values,
        )
    )


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
