"""The set-up installs the packages of a task only once. `deploy` installs no development packages."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import ROOT, set_up
from tools.set_up import DEPLOY, DEV, OPS, TASKS, Part

OLD_PYTHON = (3, 6)  # the Python of the oldest Linux distributions that are still in use


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty checkout with the lock files of this checkout. The set-up's commands are recorded, but do not run."""
    for part in (part for parts in TASKS.values() for part in parts):
        (tmp_path / part.lock).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part.lock).write_text("a==1\n")
    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    monkeypatch.setattr(set_up, "index_options", list)
    recorded: list[str] = []

    def record(*command: str) -> str:
        folder = next((folder for folder in command if Path(folder).parent == tmp_path), None)
        if "venv" in command and folder:
            empty(Path(folder))
        elif command[:2] == ("npm", "ci"):
            empty(tmp_path / "node_modules")
        elif "freeze" in command:
            return "pip==26\na==1\n"
        recorded.append(" ".join(Path(word).name if word.startswith("/") else word for word in command))
        return ""

    monkeypatch.setattr(set_up, "run", record)
    return recorded


def empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def installs(commands: list[str], *tasks: str) -> list[str]:
    """Set up these tasks, and return the lock files that were installed."""
    del commands[:]
    set_up.install_missing(set_up.parts_of(list(tasks)))
    npm = {True: "package-lock.json without development", False: "package-lock.json"}
    return [
        npm["--omit=dev" in command] if command.startswith("npm") else command.split()[-1]
        for command in commands
        if command.startswith("npm ci") or " -r " in command
    ]


DEPLOYING = ["requirements.lock", "ops/requirements.lock", "package-lock.json without development"]


def test_deploying_installs_its_own_lock_the_command_line_and_the_cdk_cli_only(commands: list[str]) -> None:
    assert installs(commands, "deploy") == DEPLOYING


def test_operating_installs_the_command_line_only(commands: list[str], tmp_path: Path) -> None:
    assert installs(commands, "ops") == ["ops/requirements.lock"]
    command = (tmp_path / ".venv/bin/ecr-login").read_text()
    assert command == f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {set_up.PYTHON} -P -m ops "$@"\n'


def test_deploying_adds_to_an_environment_for_operating(commands: list[str]) -> None:
    installs(commands, "ops")
    assert installs(commands, "deploy") == [DEPLOYING[0], DEPLOYING[2]]
    assert not any("--clear" in command for command in commands)
    assert installs(commands, "ops", "deploy") == []


@pytest.mark.parametrize("lock", ["requirements.lock", "ops/requirements.lock"])
def test_deploying_and_operating_start_from_an_empty_environment_after_a_change_of_a_lock(
    commands: list[str], tmp_path: Path, lock: str
) -> None:
    installs(commands, "deploy")
    (tmp_path / lock).write_text("a==2\n")
    assert sorted(installs(commands, "deploy")) == ["ops/requirements.lock", "requirements.lock"]
    assert len([command for command in commands if "--clear" in command]) == 1
    assert installs(commands, "deploy") == []


def test_nothing_is_installed_twice(commands: list[str]) -> None:
    for task in TASKS:
        assert installs(commands, task) != []
        assert installs(commands, task) == []


def test_a_development_environment_is_enough_for_deploying(commands: list[str]) -> None:
    assert installs(commands, "dev") == ["requirements-dev.lock", "package-lock.json"]
    assert installs(commands, "deploy") == []


def test_development_adds_to_an_environment_for_deploying(commands: list[str]) -> None:
    installs(commands, "deploy")
    assert installs(commands, "dev") == ["requirements-dev.lock", "package-lock.json"]
    assert not any("--clear" in command for command in commands)
    assert installs(commands, "deploy") == []
    assert installs(commands, "dev") == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_development_starts_from_an_empty_environment_after_a_change_of_a_lock(
    commands: list[str], tmp_path: Path, lock: str
) -> None:
    installs(commands, "dev")
    for changed in {lock, "requirements-dev.lock"}:  # `make lock` changes both when deploying's versions change
        (tmp_path / changed).write_text("a==2\n")
    assert installs(commands, "dev") == ["requirements-dev.lock"]
    assert any("--clear" in command for command in commands)


def test_an_interrupted_installation_is_repeated(commands: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    installs(commands, "deploy")
    with monkeypatch.context() as patched:
        patched.setattr(set_up, "install_packages", interrupt)
        with pytest.raises(KeyboardInterrupt):
            installs(commands, "dev")
    assert installs(commands, "dev") == ["requirements-dev.lock", "package-lock.json"]


def interrupt(_part: Part) -> None:
    raise KeyboardInterrupt


def test_several_tasks_install_each_part_once_and_first_the_environment_that_contains_uv() -> None:
    parts = set_up.parts_of(["docs", "deploy", "dev", "checkov"])
    assert [part.lock for part in parts] == [
        "requirements-dev.lock",
        "docs/requirements.lock",
        "package-lock.json",
        "scanners/requirements-checkov.lock",
    ]


def test_every_task_needs_the_environment_that_contains_uv() -> None:
    assert {set_up.parts_of([task])[0] for task in TASKS} == {OPS, DEPLOY[0], DEV[0]}


def test_an_old_python_can_run_the_version_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("__init__.py", "set_up.py"):
        ast.parse((ROOT / "tools" / module).read_text(), feature_version=OLD_PYTHON)
    monkeypatch.setattr("sys.version_info", (3, 9, 18))
    with pytest.raises(SystemExit, match=r"^Python 3\.11 or newer is needed, but python3 is .+ first on PATH\.$"):
        set_up.refuse_old_python()


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "tools.set_up", "everything"], cwd=ROOT, capture_output=True, text=True
    )
    assert refused.returncode == 1
    assert refused.stderr == f"Unknown: everything. Choose from: {', '.join(TASKS)}.\n"
