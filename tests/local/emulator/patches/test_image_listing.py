"""Lists and details of images."""

import pytest

from local.embedded_aws import EmbeddedAws
from tests.local.emulator.patches.support import Docker, arn_of, refused

MISSING = [{"imageTag": "9"}, {"imageDigest": f"sha256:{'0' * 64}"}]


@pytest.fixture(scope="module")
def repository(aws: EmbeddedAws) -> str:
    """A repository with an image with the tags 1 and 7, an image with the tag latest, and an untagged image.

    The tag latest moved from the first image to the untagged image and then to its present image.
    """
    aws.client("ecr").create_repository(repositoryName="listed")
    docker = Docker(aws)
    for tag, content in (
        *(("1", "first"), ("7", "first"), ("latest", "first")),
        *(("latest", "untagged"), ("latest", "present")),
    ):
        assert docker.push("listed", tag, content) == 201
    return "listed"


def test_a_list_of_images_shows_each_tag_once_with_the_digest_that_the_tag_has_now(
    aws: EmbeddedAws, repository: str
) -> None:
    ecr = aws.client("ecr")
    details = ecr.describe_images(repositoryName=repository)["imageDetails"]
    digest_of = {tag: image["imageDigest"] for image in details for tag in image.get("imageTags", [])}
    [untagged] = [{"imageDigest": image["imageDigest"]} for image in details if "imageTags" not in image]
    tagged = [{"imageDigest": digest_of[tag], "imageTag": tag} for tag in ("1", "7", "latest")]
    assert digest_of["1"] == digest_of["7"] != digest_of["latest"]

    def listed(**request: dict[str, str]) -> list[dict[str, str]]:
        found: list[dict[str, str]] = ecr.list_images(repositoryName=repository, **request)["imageIds"]
        return sorted(found, key=lambda image_id: image_id.get("imageTag", "~"))

    assert listed() == listed(filter={"tagStatus": "ANY"}) == [*tagged, untagged]
    assert listed(filter={"tagStatus": "TAGGED"}) == tagged
    assert listed(filter={"tagStatus": "UNTAGGED"}) == [untagged]


@pytest.mark.parametrize("image_id", MISSING, ids=["tag", "digest"])
def test_an_image_that_does_not_exist_is_not_found(aws: EmbeddedAws, repository: str, image_id: dict[str, str]) -> None:
    ecr = aws.client("ecr")
    for refusal in (
        refused(ecr.describe_images, repositoryName=repository, imageIds=[{"imageTag": "1"}, image_id]),
        refused(ecr.describe_image_scan_findings, repositoryName=repository, imageId=image_id),
    ):
        assert refusal.startswith("ImageNotFoundException: The image with imageId ")
        [value] = image_id.values()
        assert value in refusal


def test_the_event_of_a_scan_gives_the_image_its_findings(aws: EmbeddedAws, repository: str) -> None:
    ecr = aws.client("ecr")
    [tagged] = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "1"}])["imageDetails"]

    def scan_of(tag: str) -> tuple[str, dict[str, int]]:
        answer = ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageTag": tag})
        assert answer["imageId"]["imageDigest"] == tagged["imageDigest"]
        return answer["imageScanStatus"]["status"], answer["imageScanFindings"]["findingSeverityCounts"]

    assert "ScanNotFound" in refused(scan_of, tag="1")
    for kind, name, status in (
        ("ECR Image Scan", repository, "COMPLETE"),
        ("Inspector2 Scan", arn_of(repository), "ACTIVE"),
    ):
        detail = {
            "repository-name": name,
            "image-digest": tagged["imageDigest"],
            "finding-severity-counts": {"CRITICAL": 2, "TOTAL": 2},
        }
        aws.send_event({"source": "aws.any", "detail-type": kind, "detail": detail})
        assert scan_of("7") == (status, {"CRITICAL": 2})
    assert "ScanNotFound" in refused(scan_of, tag="latest")
    assert "imageScanFindingsSummary" not in tagged


def test_an_image_in_a_repository_that_does_not_exist_is_not_found(aws: EmbeddedAws) -> None:
    ecr = aws.client("ecr")
    for refusal in (
        refused(ecr.list_images, repositoryName="missing"),
        refused(ecr.describe_images, repositoryName="missing", imageIds=[{"imageTag": "1"}]),
        refused(ecr.describe_image_scan_findings, repositoryName="missing", imageId={"imageTag": "1"}),
    ):
        assert refusal.startswith("RepositoryNotFoundException: ")
