"""`make lock`: write the lock files again after a change of a requirements file.

A package that is already pinned keeps its version, if the requirements still allow this version.
"""

import subprocess

from tools import ROOT
from tools.set_up import PYTHON, index_options

# A file comes after the files that its requirements refer to.
LOCKS = {
    "requirements.lock": "requirements.txt",
    "ops/requirements.lock": "ops/requirements.txt",
    "requirements-dev.lock": "requirements-dev.txt",
    "docs/requirements.lock": "docs/requirements.txt",
    "scanners/requirements-checkov.lock": "scanners/requirements-checkov.txt",
    "bench/requirements-lambda.lock": "bench/requirements-lambda.txt",
    "bench/requirements-airflow.lock": "bench/requirements-airflow.txt",
    "tests/e2e/requirements-airflow-2.lock": "tests/e2e/requirements-airflow-2.txt",
    "tests/e2e/requirements-airflow-3.lock": "tests/e2e/requirements-airflow-3.txt",
}
# The header would contain the command, which can contain the address of a private package index.
OPTIONS = ["--quiet", "--universal", "--no-header"]


def main() -> None:
    for lock, requirements in LOCKS.items():
        print(f"{requirements} → {lock}", flush=True)
        command = [PYTHON, "-m", "uv", "pip", "compile", *OPTIONS, "--python-version", "3.11", *index_options()]
        subprocess.run([*command, requirements, "-o", lock], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
