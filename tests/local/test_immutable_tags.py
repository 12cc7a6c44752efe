"""Immutable tags and clients that push more than one manifest under a tag.

Each test sends the requests of such a client. `make e2e` runs the clients themselves.
"""

import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.account import BREAK_GLASS_ROLE_ARN, Account, assume
from local.embedded_aws import EmbeddedAws
from tests.local.emulator.patches.support import Docker

REPOSITORY = "analytics/churn-model"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
NOTE = "attestation-manifest"


@pytest.fixture(scope="module")
def analyst(aws: EmbeddedAws, local: dict[str, str], account: Account) -> Docker:
    """A registry client of the push role of the team analytics."""
    return Docker(aws, assume(aws, local["PushRoleArnAnalytics"], account.analyst))


def an_image(name: str) -> tuple[str, str, str]:
    """Return the manifests of a build with an attestation: the platform's image, the attestation, and their index."""
    image, attestation = (json.dumps({"mediaType": MANIFEST, "name": name, "kind": kind}) for kind in ("image", NOTE))
    parts = [{"mediaType": MANIFEST, "digest": digest_of(part), "size": len(part)} for part in (image, attestation)]
    return image, attestation, json.dumps({"mediaType": INDEX, "manifests": parts})


def test_a_docker_engine_before_28_2_leaves_a_part_of_the_image_under_the_tag(
    aws: EmbeddedAws, analyst: Docker
) -> None:
    image, attestation, index = an_image("burned")
    assert [analyst.push(REPOSITORY, "burned", part) for part in (image, attestation, index)] == [201, 400, 400]
    assert tagged(aws, "burned") == digest_of(image)


def test_an_engine_since_28_2_pushes_the_parts_by_digest(aws: EmbeddedAws, analyst: Docker) -> None:
    image, attestation, index = an_image("complete")
    pushed = [analyst.push(REPOSITORY, digest_of(part), part) for part in (image, attestation)]
    assert [*pushed, analyst.push(REPOSITORY, "complete", index)] == [201, 201, 201]
    assert tagged(aws, "complete") == digest_of(index)


def test_the_break_glass_role_frees_a_tag_and_the_team_pushes_again(
    aws: EmbeddedAws, local: dict[str, str], account: Account, analyst: Docker
) -> None:
    image, _, index = an_image("freed")
    assert [analyst.push(REPOSITORY, "freed", part) for part in (image, index)] == [201, 400]
    delete = {"repositoryName": REPOSITORY, "imageIds": [{"imageTag": "freed"}]}
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("ecr", assume(aws, local["PushRoleArnAnalytics"], account.analyst)).batch_delete_image(**delete)

    on_call = aws.client("ecr", assume(aws, BREAK_GLASS_ROLE_ARN, account.operator))
    assert on_call.batch_delete_image(**delete)["failures"] == []
    assert analyst.push(REPOSITORY, digest_of(image), image) == 201
    assert analyst.push(REPOSITORY, "freed", index) == 201


def test_a_tag_that_a_client_moves_is_set_once(analyst: Docker) -> None:
    """A build cache has one tag. Clients move `sha256-<digest>` where a registry has no referrers API."""
    for tag in ("buildcache", f"sha256-{'0' * 64}", f"sha256-{'0' * 64}.sig"):
        assert [analyst.push(REPOSITORY, tag, f'{{"n": {n}}}') for n in (1, 1, 2)] == [201, 201, 400], tag


def tagged(aws: EmbeddedAws, tag: str) -> Any:
    """Return the digest of the manifest that a tag names."""
    [found] = aws.client("ecr").describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])["imageDetails"]
    return found["imageDigest"]


def digest_of(content: str) -> str:
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
