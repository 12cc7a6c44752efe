"""Check the repositories, and find tags that refer to an incomplete image.

docs/push-images.md, "A tag refers to an incomplete image", has the reason: some docker clients push every part of an
image with the same tag. If the tag is immutable, the tag stays on the first part. An image of one platform whose other
parts never arrived looks like an image without attestations, so this check cannot find it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ops.clients import unless_missing
from ops.doctor.findings import Examine, Found, Problem, count, each
from ops.doctor.templates import Examined
from ops.fixes import aws
from ops.results import State

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_ATTESTATION = "application/vnd.in-toto+json"
_SMALL_BYTES = 20_000_000
"""An attestation contains a software bill of materials at most, so it is smaller than this."""
_ONE_PUSH = timedelta(minutes=10)
"""The parts of one push arrive within this time."""

Image = Mapping[str, Any]


def check_repositories(examined: Examined) -> Found:
    """Check that the repositories exist, including the repositories that the settings name as existing."""
    existing = examined.environment.existing_repositories(examined.environment.teams)

    def look_at(name: str) -> Iterator[Problem]:
        request = examined.clients.ecr.describe_repositories
        if not unless_missing(request, "RepositoryNotFoundException", repositoryNames=[name]):
            fix = f"Remove {name} from the settings, deploy, add it again, and deploy again"
            if name in existing:
                fix = f"Create the repository {name} again"
            text = f"The repository {name} does not exist, so Airflow cannot pull its images."
            yield Problem(text, f"{fix}. Then push the images", State.BROKEN)

    names = _repositories(examined)
    return Found(f"found {count(len(names), 'repository', 'repositories')}", each(look_at, names))


def check_tags(examined: Examined) -> Found:
    """Find tags that name an attestation, or one part of an image whose other parts have no tag."""
    names = _repositories(examined)

    def look_at(name: str) -> Iterator[Problem]:
        ecr = examined.clients.ecr
        pages = ecr.get_paginator("describe_images").paginate(repositoryName=name)
        images = unless_missing(
            lambda: [image for page in pages for image in page["imageDetails"]], "RepositoryNotFoundException"
        )
        suspects, indexes = _suspects(images or [])
        manifests = _manifests(ecr, name, [image["imageDigest"] for image in [*suspects, *indexes]])
        parts = {
            part["digest"] for image in indexes for part in manifests.get(image["imageDigest"], {}).get("manifests", [])
        }
        for image in suspects:
            digest = image["imageDigest"]
            if _is_attestation(manifests.get(digest, {})):
                what = "an attestation"
            elif digest in parts:
                what = "one part of an image whose index has no tag"
            else:
                continue
            for tag in image["imageTags"]:
                words = f"ecr batch-delete-image --repository-name {name} --image-ids imageTag={tag}"
                delete = aws(examined.environment, words)
                yield Problem(
                    f"The tag {name}:{tag} refers to {what}.",
                    f"{_who_deletes(examined)}{delete}, then push the image again",
                )

    problems = each(look_at, names)
    return Found(f"{count(len(names), 'repository', 'repositories')} without a tag of an incomplete image", problems)


def _repositories(examined: Examined) -> list[str]:
    names = [repository.physical_id for repository in examined.declared("AWS::ECR::Repository")]
    return [*names, *examined.environment.existing_repositories(examined.environment.teams)]


def _suspects(images: Sequence[Image]) -> tuple[list[Image], list[Image]]:
    """Return the tagged images that can be incomplete, and the indexes without a tag.

    Only the manifests of these images are read, because reading a manifest can count as a pull.
    """
    tagged = [image for image in images if image.get("imageTags") and image.get("imageManifestMediaType") == _MANIFEST]
    indexes = [
        image for image in images if not image.get("imageTags") and image.get("imageManifestMediaType") == _INDEX
    ]

    def is_near_an_index(image: Image) -> bool:
        return any(abs(image["imagePushedAt"] - index["imagePushedAt"]) <= _ONE_PUSH for index in indexes)

    return [
        image for image in tagged if image.get("imageSizeInBytes", 0) < _SMALL_BYTES or is_near_an_index(image)
    ], indexes


def _manifests(ecr: Any, name: str, digests: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    found = {}
    for start in range(0, len(digests), 100):  # the maximum of BatchGetImage
        ids = [{"imageDigest": digest} for digest in digests[start : start + 100]]
        for image in ecr.batch_get_image(repositoryName=name, imageIds=ids, acceptedMediaTypes=[_MANIFEST, _INDEX])[
            "images"
        ]:
            found[image["imageId"]["imageDigest"]] = json.loads(image["imageManifest"])
    return found


def _is_attestation(manifest: Mapping[str, Any]) -> bool:
    types = {manifest.get("artifactType"), manifest.get("config", {}).get("mediaType")}
    types |= {layer.get("mediaType") for layer in manifest.get("layers", [])}
    annotations = manifest.get("annotations") or {}
    return _ATTESTATION in types or annotations.get("vnd.docker.reference.type") == "attestation-manifest"


def _who_deletes(examined: Examined) -> str:
    return "With a break-glass role: " if examined.environment.break_glass_role_arns else ""


CHECKS: dict[str, Examine] = {"repositories": check_repositories, "image_tags": check_tags}
