"""The time of the last pull of an image, and the age of images."""

from datetime import UTC, datetime, timedelta

import pytest

from local.embedded_aws import EmbeddedAws
from tests.local.emulator.patches.support import Docker


@pytest.mark.parametrize("client", ["docker", "BatchGetImage"])
def test_a_pull_is_recorded_and_becomes_older_when_the_clock_is_moved(aws_in_time: EmbeddedAws, client: str) -> None:
    ecr, docker, name = aws_in_time.client("ecr"), Docker(aws_in_time), f"pulled-with-{client.lower()}"
    ecr.create_repository(repositoryName=name)
    for tag in ("pulled", "not-pulled"):
        docker.push(name, tag, tag)
    docker.status("HEAD", f"{name}/manifests/pulled")

    def times(tag: str) -> list[datetime | None]:
        [detail] = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"]
        return [detail["imagePushedAt"], detail.get("lastRecordedPullTime")]

    assert times("pulled")[1] is None
    if client == "docker":
        docker.status("GET", f"{name}/manifests/pulled")
    else:
        ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "pulled"}])
    pushed, pulled = times("pulled")
    assert pushed
    assert pulled
    assert datetime.now(UTC) - pulled < timedelta(minutes=1)
    assert times("not-pulled")[1] is None

    aws_in_time.advance_clock(90)
    assert times("pulled") == [pushed - timedelta(minutes=90), pulled - timedelta(minutes=90)]
