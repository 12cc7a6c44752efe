"""The clean-up of the workers' instances. The end-to-end tests run the clean-up command on a real docker engine."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.stacks.conftest import the_one
from tests.templates import Templates


def test_tagged_instances_are_cleaned_up_at_night_and_not_during_a_deployment(templates: Templates) -> None:
    association = the_one(templates["rich-WorkerUpkeep"], "AWS::SSM::Association")

    assert association["Targets"] == [{"Key": "tag:role", "Values": ["airflow-worker"]}]
    assert association["ScheduleExpression"] == "cron(0 3 ? * * *)"
    assert association["ApplyOnlyAtCronInterval"] is True
    # A removal of many images takes minutes. A failure on one instance does not stop the others.
    assert association["Parameters"]["executionTimeout"] == ["1800"]
    assert (association["MaxConcurrency"], association["MaxErrors"]) == ("25%", "100%")


def test_the_command_has_the_ages_of_the_settings_and_needs_no_confirmation(templates: Templates) -> None:
    [first, *_] = the_one(templates["rich-WorkerUpkeep"], "AWS::SSM::Association")["Parameters"]["commands"]

    assert "docker container prune -f --filter until=24h" in first
    assert "docker image prune -af --filter until=72h" in first


@pytest.mark.parametrize(("failing", "status"), [("container", 3), ("image", 3), ("nothing", 0)])
def test_the_command_fails_if_one_of_the_removals_fails(
    templates: Templates, tmp_path: Path, failing: str, status: int
) -> None:
    commands = the_one(templates["rich-WorkerUpkeep"], "AWS::SSM::Association")["Parameters"]["commands"]
    for name, script in {"docker": f'echo "$@"; [ "$1" != {failing} ] || exit 3', "logger": "cat > /dev/null"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = subprocess.run(["/bin/sh", "-c", "\n".join(commands)], env=environment, capture_output=True, text=True)

    assert ended.returncode == status
    assert "container prune" in ended.stdout
