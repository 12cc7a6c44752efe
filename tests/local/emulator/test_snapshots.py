"""Tests of snapshots: a copy of an AWS emulator behaves like the original, and neither changes the other."""

from collections.abc import Iterator

import pytest

from local.account import WORKER_ROLE_ARN, assume, docker_login, outputs
from local.demo import claims
from local.embedded_aws import ROOT_CREDENTIALS, EmbeddedAws
from tests.conftest import Deployed


@pytest.fixture(scope="module")
def copy(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An emulator that starts from a snapshot of another emulator, in which `local` is deployed."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("copy"), snapshot=deployed.snapshot) as running:
        yield running


def test_a_copy_shows_everything_that_the_demo_claims(copy: EmbeddedAws, deployed: Deployed) -> None:
    # The claims cover the secret, the function, the schedule, the registry, the permissions and the alarms.
    assert len(list(claims(copy, deployed.account))) == 8


def test_the_url_of_a_queue_in_a_copy_has_the_port_of_the_copy(copy: EmbeddedAws) -> None:
    [url] = copy.client("sqs").list_queues()["QueueUrls"]
    assert url == outputs(copy)["FailureQueueUrl"]
    assert f":{copy.port}/" in url
    copy.client("sqs").get_queue_attributes(QueueUrl=url)


def test_a_copy_of_a_copy_has_its_content_and_changes_nothing_in_it(copy: EmbeddedAws, deployed: Deployed) -> None:
    files = {"marker": "of the copy"}
    docker_login(copy, ROOT_CREDENTIALS).push("analytics/web-scraper:copied", files)
    session = assume(copy, WORKER_ROLE_ARN, deployed.account.operator)
    copy.advance_clock(1)
    copy.save_snapshot(copy.state / "snapshot")

    with EmbeddedAws.start(copy.state / "second", snapshot=copy.state / "snapshot") as second:
        assert docker_login(second, ROOT_CREDENTIALS).pull("analytics/web-scraper:copied") == files
        assert second.client("sts", session).get_caller_identity()["Arn"].endswith("/airflow-worker/local")
        assert minutes_advanced(second) == minutes_advanced(copy) > 0
        second.client("ecr").create_repository(repositoryName="only-in-the-second")
        names = [found["repositoryName"] for found in copy.client("ecr").describe_repositories()["repositories"]]
    assert "analytics/web-scraper" in names
    assert "only-in-the-second" not in names


def minutes_advanced(aws: EmbeddedAws) -> int:
    return int(aws._control("GET", "/_local/status")["minutes_advanced"])
