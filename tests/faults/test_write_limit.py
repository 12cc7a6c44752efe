"""Tests of the limit on writes: runs in a loop, or at the same time, add few versions, and the next refresh writes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.account import Account, outputs
from local.embedded_aws import EmbeddedAws
from tests.conftest import Deployed
from tests.faults.refresh import Refresh, Worker, schedules_off
from tests.local.emulator.patches.support import eventually
from tests.local.logins import places_with_a_login

DEPLOYMENTS = 20  # in 24 hours


@pytest.fixture(scope="module")
def aws(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An emulator of this module. The tests use up the deployments of a day."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), snapshot=deployed.snapshot) as running:
        yield running


@pytest.fixture
def refresh(aws: EmbeddedAws, account: Account) -> Iterator[Refresh]:
    """The deployed refresh function, a day after the last deployment. Only its own schedule is enabled."""
    deployed = Refresh(aws, outputs(aws), Worker(aws, account))
    with schedules_off(aws, but=deployed.function):
        before = deployed.login_version()
        aws.advance_clock(24 * 60)
        eventually(lambda: deployed.login_version() != before)
        yield deployed


def test_a_second_run_keeps_the_login_and_says_so(refresh: Refresh) -> None:
    before, versions = refresh.login_version(), refresh.all_versions()

    run = refresh.run()

    assert (run.error, run.reasons) == (None, [])
    assert run.answer.keys() == {"connection", "version_id", "written_at"}
    assert run.answer["version_id"] == before
    assert refresh.all_versions() == versions
    leaks = places_with_a_login(run.texts)
    assert leaks == []


def test_a_loop_of_200_runs_adds_few_versions_and_the_next_scheduled_run_writes(
    aws: EmbeddedAws, refresh: Refresh
) -> None:
    earlier = refresh.all_versions()
    published = refresh.published_version()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(refresh.invoke, ["$LATEST", published] * 100))

    added = refresh.all_versions() - earlier
    assert len(added) == DEPLOYMENTS
    assert all(version_id.startswith("deploy-") for version_id in added)

    before = refresh.login_version()
    aws.advance_clock(30)
    eventually(lambda: refresh.login_version() != before)
    assert len(refresh.all_versions() - earlier) == DEPLOYMENTS + 1


def test_a_deployment_writes_again_a_day_later(aws: EmbeddedAws, refresh: Refresh) -> None:
    published = refresh.published_version()
    for _ in range(DEPLOYMENTS + 1):
        answer = refresh.invoke(published)
    assert answer.keys() == {"connection", "version_id"}

    aws.advance_clock(24 * 60)

    assert refresh.invoke(published)["version_id"].startswith("deploy-")


@pytest.mark.parametrize("is_deployment", [False, True], ids=["scheduled", "deployment"])
def test_of_runs_that_see_the_same_old_login_one_writes_and_all_succeed(
    aws: EmbeddedAws, refresh: Refresh, is_deployment: bool
) -> None:
    version = refresh.published_version() if is_deployment else "$LATEST"
    with schedules_off(aws), ThreadPoolExecutor() as threads:
        aws.advance_clock(30)
        earlier = refresh.all_versions()
        # Each request waits until the fault is removed.
        with aws.fault("PutSecretValue", delay_seconds=600) as hits:
            runs = [threads.submit(refresh.invoke, version) for _ in range(3)]
            eventually(lambda: hits() >= 3)
        answers = [run.result() for run in runs]

        assert refresh.all_versions() - earlier == {refresh.login_version()}
        assert {answer["version_id"] for answer in answers} == {refresh.login_version()}
        assert sorted("expires_at" in answer for answer in answers) == [False, False, True]


def test_a_login_that_was_rolled_back_is_replaced_by_the_next_scheduled_run(aws: EmbeddedAws, refresh: Refresh) -> None:
    secrets = aws.client("secretsmanager")
    written = refresh.login_version()
    [replaced] = refresh.versions() - {written}
    secrets.update_secret_version_stage(
        SecretId=refresh.secret, VersionStage="AWSCURRENT", RemoveFromVersionId=written, MoveToVersionId=replaced
    )

    assert "expires_at" in refresh.invoke("$LATEST")

    assert refresh.login_version() not in {written, replaced}
