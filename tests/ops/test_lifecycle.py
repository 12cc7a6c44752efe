"""`ecr-login lifecycle` on a deployed environment."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.account import docker_login
from local.embedded_aws import ROOT_CREDENTIALS, EmbeddedAws
from settings.environment import Lifecycle
from settings.lifecycle_policy import lifecycle_policy_text
from tests.conftest import Deployed
from tests.ops.in_process import run
from tools import ROOT

REPOSITORY = "analytics/churn-model"
RULES = 'lifecycle = { keep_images = 1, protected_tags = ["release-*"] }'
TEXT = lifecycle_policy_text(Lifecycle(keep_images=1, protected_tags=("release-*",)))


@pytest.fixture(scope="module")
def aws(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """A copy of the deployed emulator with four images in one repository."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("lifecycle"), snapshot=deployed.snapshot) as running:
        docker = docker_login(running, ROOT_CREDENTIALS)
        for tag in ("1", "release-1", "2", "3"):
            docker.push(f"{REPOSITORY}:{tag}", {"marker": tag})
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of `local` with lifecycle rules, which are not deployed."""
    folder = tmp_path_factory.mktemp("settings")
    settings = (ROOT / "environments/local.toml").read_text()
    heading = "[teams.analytics]\n"
    (folder / "local.toml").write_text(settings.replace(heading, f"{heading}{RULES}\n"))
    return folder


def test_the_rules_of_the_settings_are_evaluated_before_they_are_deployed(aws: EmbeddedAws, folder: Path) -> None:
    done = run(aws, "lifecycle", "local", REPOSITORY, "--json", folder=folder)

    found = done.json["repositories"][REPOSITORY]
    assert sorted(image["tags"] for image in found["deletes"]) == [["1"], ["2"]]
    assert {image["rule"] for image in found["deletes"]} == {2}
    assert (found["rules"], found["deployed_rules"]) == ("keeps newest 1, protects release-*", "deletes nothing")
    assert found["deployed_deletes"] == []
    state, detail, _ = done.checks[f"lifecycle_{REPOSITORY}"]
    assert (done.code, state) == (1, "degraded")
    assert detail == "ECR has other rules than the settings: deletes nothing"
    assert len(aws.client("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]) == 4


def test_the_preview_of_aws_is_compared(aws: EmbeddedAws, folder: Path) -> None:
    ecr = aws.client("ecr")
    ecr.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=TEXT)
    same = run(aws, "lifecycle", "local", REPOSITORY, "--preview", "--json", folder=folder)
    answer = {"status": "COMPLETE", "previewResults": [], "repositoryName": REPOSITORY}
    with aws.fault("GetLifecyclePolicyPreview", status=200, body=answer):
        other = run(aws, "lifecycle", "local", REPOSITORY, "--preview", "--json", folder=folder)
    ecr.delete_lifecycle_policy(repositoryName=REPOSITORY)

    found = same.json["repositories"][REPOSITORY]
    assert (same.code, found["preview"]) == (0, sorted(image["digest"] for image in found["deletes"]))
    assert (other.code, other.checks[f"lifecycle_{REPOSITORY}"][0]) == (1, "degraded")
    assert "differs in 2 images" in other.checks[f"lifecycle_{REPOSITORY}"][1]


def test_the_printed_command_restores_rules_that_a_person_changed_by_hand(aws: EmbeddedAws, folder: Path) -> None:
    ecr = aws.client("ecr")
    fixes = {}
    for settings in (folder, ROOT / "environments"):
        changed = run(aws, "lifecycle", "local", REPOSITORY, "--json", folder=settings)
        fixes[settings] = changed.checks[f"lifecycle_{REPOSITORY}"][2]
        if settings == folder:
            ecr.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=TEXT)
    program, *words = shlex.split(fixes[folder].partition("no difference: ")[2])
    ecr.delete_lifecycle_policy(repositoryName=REPOSITORY)

    assert (program, words[:2], words[-1]) == ("aws", ["ecr", "put-lifecycle-policy"], aws.region)
    assert words[words.index("--lifecycle-policy-text") + 1] == TEXT
    assert "ecr delete-lifecycle-policy" in fixes[ROOT / "environments"]


def test_settings_without_rules_delete_nothing(aws: EmbeddedAws) -> None:
    done = run(aws, "lifecycle", "local")

    assert done.code == 0, done.error
    assert done.out.splitlines()[-1] == "✔ local: the rules of the settings would delete 0 images today"


def test_a_repository_that_is_not_in_the_settings_is_one_line_with_a_suggestion(aws: EmbeddedAws) -> None:
    done = run(aws, "lifecycle", "local", "risk/vra")

    assert (done.code, done.out) == (3, "")
    assert done.error.startswith("Error: local manages no lifecycle rules of risk/vra; did you mean risk/var?")
    assert done.error.count("\n") == 1
