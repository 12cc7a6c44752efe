"""The repositories of an environment, their images, and their lifecycle policies."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from ops.clients import Clients, answers
from ops.deployment import Deployment
from settings.environment import Environment
from settings.lifecycle_evaluation import Image
from settings.lifecycle_policy import MOST_IMAGES, lifecycle_policy_text
from settings.names import repository_name
from settings.registries import PulledImages

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
"""The media types of multi-platform images."""
SCANNED = ("COMPLETE", "ACTIVE")
"""The states of a scan with findings: of basic scanning, and of enhanced scanning."""
UNSUPPORTED_IMAGES = 3
"""How many of the newest images `read_findings` asks for, if ECR cannot scan them."""


def managed_repositories(environment: Environment) -> dict[str, str | None]:
    """Return the repositories that a deployment manages, with the text of the lifecycle policy of the settings."""
    return {
        repository_name(name, each): lifecycle_policy_text(team.lifecycle_of(each))
        for name, team in environment.teams.items()
        for each in team.repositories
    }


def created_on_push(clients: Clients, environment: Environment) -> dict[str, str | None]:
    """Return the repositories that a push created, with the lifecycle policy of the settings for new repositories.

    Raises:
        NoAnswer: AWS refused to list the repositories.
    """
    teams = {f"{name}/": team for name, team in environment.teams.items() if team.create_on_push}
    if not teams:
        return {}
    names = repository_names(clients)
    managed = managed_repositories(environment)
    return {
        name: lifecycle_policy_text(team.default_lifecycle)
        for name in names
        if name not in managed
        for prefix, team in teams.items()
        if name.startswith(prefix)
    }


def repository_names(clients: Clients) -> list[str]:
    """Return the full names of all repositories in the account and Region of the clients.

    Raises:
        NoAnswer: AWS refused to list the repositories.
    """
    with answers():
        pages = clients.ecr.get_paginator("describe_repositories").paginate()
        return [each["repositoryName"] for page in pages for each in page["repositories"]]


def pulled_repositories(clients: Clients, images: PulledImages) -> list[str]:
    """Return the full names of the repositories that a docker login can pull from. A single one may not exist.

    Args:
        clients: The clients for the account and Region of the registry.
        images: The images that the docker login can pull.

    Raises:
        NoAnswer: AWS refused to list the repositories.
    """
    prefixes = tuple(repository_name(team, "") for team in images.teams)
    listed = [name for name in repository_names(clients) if name.startswith(prefixes)] if prefixes else []
    return sorted({*listed, *images.repositories})


def deployed_repositories(deployment: Deployment) -> set[str]:
    """Return the repositories of the deployed stack."""
    stack = deployment.stacks.get("Registry")
    return set(stack.physical_ids("AWS::ECR::Repository")) if stack else set()


def read_images(clients: Clients, repository: str) -> list[dict[str, Any]] | None:
    """Return the images of a repository as DescribeImages answers, or None if the repository does not exist.

    Raises:
        NoAnswer: AWS refused the request.
    """
    with answers():
        try:
            pages = clients.ecr.get_paginator("describe_images").paginate(
                repositoryName=repository, PaginationConfig={"PageSize": 1000}
            )
            return [image for page in pages for image in page["imageDetails"]]
        except ClientError as error:
            if error.response["Error"]["Code"] != "RepositoryNotFoundException":
                raise
    return None


def read_findings(clients: Clients, repository: str, images: Sequence[dict[str, Any]]) -> dict[str, int] | None:
    """Return the numbers of findings by severity in the newest image that ECR can scan, or None without a scan.

    A scan that failed, has not ended or is no longer kept has no findings, so the result is None. If ECR does not
    support the newest image, for example because it is an attestation, the next image counts. DescribeImages has no
    findings of the current version of basic scanning (Amazon ECR API Reference, DescribeImages).

    Raises:
        NoAnswer: AWS refused the request.
    """
    can_scan = [
        image
        for image in images
        if image.get("imageManifestMediaType") not in INDEXES and "subjectManifestDigest" not in image
    ]
    newest_first = sorted(can_scan, key=lambda image: image["imagePushedAt"], reverse=True)
    for image in newest_first[:UNSUPPORTED_IMAGES]:
        with answers():
            try:
                found = clients.ecr.describe_image_scan_findings(
                    repositoryName=repository, imageId={"imageDigest": image["imageDigest"]}, maxResults=1
                )
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("ScanNotFoundException", "ImageNotFoundException"):
                    raise
                return None
        status = found.get("imageScanStatus", {}).get("status")
        if status in SCANNED:
            return dict(found.get("imageScanFindings", {}).get("findingSeverityCounts", {}))
        if status != "UNSUPPORTED_IMAGE":
            return None
    return None


def read_lifecycle_policy(clients: Clients, repository: str) -> str | None:
    """Return the text of the deployed lifecycle policy, or None if the repository has none.

    Raises:
        NoAnswer: AWS refused the request.
    """
    with answers():
        try:
            answer = clients.ecr.get_lifecycle_policy(repositoryName=repository)
            text: str = answer["lifecyclePolicyText"]
            return text
        except ClientError as error:
            if error.response["Error"]["Code"] not in (
                "LifecyclePolicyNotFoundException",
                "RepositoryNotFoundException",
            ):
                raise
    return None


def for_evaluation(clients: Clients, repository: str, images: Sequence[dict[str, Any]]) -> list[Image]:
    """Return images for the evaluation of a lifecycle policy. The manifests of multi-platform images are read.

    Args:
        clients: The clients.
        repository: The full name of the repository.
        images: The images as DescribeImages answers.

    Raises:
        NoAnswer: AWS refused the request.
    """
    indexes = [image["imageDigest"] for image in images if image.get("imageManifestMediaType") in INDEXES]
    index_of = {}
    for start in range(0, len(indexes), 100):  # BatchGetImage accepts 100 images.
        with answers():
            found = clients.ecr.batch_get_image(
                repositoryName=repository,
                imageIds=[{"imageDigest": digest} for digest in indexes[start : start + 100]],
                acceptedMediaTypes=list(INDEXES),
            )["images"]
        for index in found:
            for part in json.loads(index["imageManifest"]).get("manifests", []):
                index_of[part["digest"]] = index["imageId"]["imageDigest"]
    return [
        Image(
            digest=image["imageDigest"],
            pushed_at=image["imagePushedAt"],
            tags=image.get("imageTags", []),
            pulled_at=image.get("lastRecordedPullTime"),
            archived_at=_archived_at(image),
            index=index_of.get(image["imageDigest"]),
            subject=image.get("subjectManifestDigest"),
        )
        for image in images
    ]


def _archived_at(image: dict[str, Any]) -> datetime | None:
    if image.get("imageStatus") != "ARCHIVED":
        return None
    archived_at: datetime = image.get("lastArchivedAt") or image["imagePushedAt"]
    return archived_at


def same_rules(one: str | None, other: str | None) -> bool:
    """Return whether two lifecycle policies are the same JSON."""
    return (json.loads(one) if one else None) == (json.loads(other) if other else None)


def in_words(text: str | None) -> str:
    """Return the rules of a lifecycle policy in words, such as `newest 50, untagged 30 days, keeps release-*`."""
    if text is None:
        return "deletes nothing"
    deleting, protected = [], []
    for rule in sorted(json.loads(text)["rules"], key=lambda rule: rule["rulePriority"]):
        selection = rule["selection"]
        number, counts = selection["countNumber"], selection["countType"] == "imageCountMoreThan"
        tags = " ".join(selection.get("tagPatternList") or [f"{each}*" for each in selection.get("tagPrefixList", [])])
        if tags and counts and number >= MOST_IMAGES:
            protected.append(tags)
            continue
        which = {"untagged": "untagged ", "tagged": f"{tags} "}.get(selection["tagStatus"], "")
        verb = "archives" if rule["action"]["type"] == "transition" else "keeps"
        deleting.append(f"{verb} {which}{'newest ' if counts else ''}{number}{'' if counts else ' days'}")
    return ", ".join([*deleting, *(f"protects {tags}" for tags in protected)])
