"""`python -m settings.target`: what `make bootstrap` passes to the CDK CLI."""

import subprocess
import sys
from pathlib import Path

from tools import ROOT


def run(folder: Path, environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "settings.target", environment]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


def test_the_target_is_the_account_and_region_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "environments").symlink_to(ROOT / "examples")

    assert run(tmp_path, "dev").stdout == "aws://111111111111/eu-west-1\n"


def test_an_environment_whose_name_begins_alike_is_another_target(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    text = (ROOT / "examples" / "dev.toml").read_text()
    (tmp_path / "environments" / "dev.toml").write_text(text)
    (tmp_path / "environments" / "dev-eu.toml").write_text(text.replace("eu-west-1", "eu-central-1"))

    assert run(tmp_path, "dev").stdout == "aws://111111111111/eu-west-1\n"
    assert run(tmp_path, "dev-eu").stdout == "aws://111111111111/eu-central-1\n"


def test_a_mistake_in_a_settings_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    settings = (ROOT / "examples" / "dev.toml").read_text().replace('region = "eu-west-1"', "region = eu-west-1")
    (tmp_path / "environments" / "dev.toml").write_text(settings)

    done = run(tmp_path, "dev")

    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("dev.toml: line 6")
