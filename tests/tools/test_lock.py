"""The lock files: the packages for deploying, and the rules for all lock files."""

import json
import re

from tools import ROOT
from tools.lock import LOCKS
from tools.set_up import TASKS

DEVELOPMENT = ("pytest", "moto", "boto3", "ministack", "cfn-lint", "cdk-nag", "checkov", "mypy", "ruff", "sphinx")


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package in a lock file. A package with several versions gets the last one."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_deploying_installs_at_most_20_python_packages_and_none_for_development() -> None:
    deploying = pins("requirements.lock")
    assert {"aws-cdk-lib", "constructs", "pydantic"} <= set(deploying)
    assert len(deploying) <= 20
    assert set(deploying).isdisjoint(DEVELOPMENT)


def test_development_pins_the_same_versions_as_deploying() -> None:
    deploying, development = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: development.get(name) for name in deploying} == deploying


def test_deploying_installs_the_cdk_cli_only_from_npm() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if name and not package.get("dev")] == ["node_modules/aws-cdk"]


def test_every_python_lock_is_written_by_make_lock() -> None:
    used = {part.lock for parts in TASKS.values() for part in parts} - {"package-lock.json"}
    assert used == set(LOCKS)


def test_no_lock_file_names_a_package_index() -> None:
    files = [*(ROOT / lock for lock in LOCKS), *(ROOT / requirements for requirements in LOCKS.values())]
    texts = {
        str(file.relative_to(ROOT)): file.read_text() for file in (*files, ROOT / "package-lock.json") if file.exists()
    }
    assert len(texts) >= 3
    assert [name for name, text in texts.items() if re.search(r"://|--(extra-)?index-url|--find-links", text)] == []
