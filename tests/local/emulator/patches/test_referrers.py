"""The referrers API of the registry, with which clients find signatures and other attachments of an image."""

import hashlib
import json
from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws
from tests.local.emulator.patches.support import Docker, allow, arn_of, grant, session_of_a_role


def manifest(kind: str, subject: str | None = None) -> str:
    refers = {"subject": {"mediaType": "any", "digest": subject, "size": 1}} if subject else {}
    return json.dumps({"schemaVersion": 2, "artifactType": f"example/{kind}", **refers})


def digest_of(content: str) -> str:
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


IMAGE = digest_of(manifest("image"))


@pytest.fixture(scope="module")
def docker(aws: EmbeddedAws) -> Docker:
    aws.client("ecr").create_repository(repositoryName="signed/image", imageTagMutability="IMMUTABLE")
    return Docker(aws)


def referrers(docker: Docker, query: str = "") -> list[dict[str, Any]]:
    answer = docker.send("GET", f"signed/image/referrers/{IMAGE}{query}")
    assert answer.status == 200
    found: list[dict[str, Any]] = json.loads(answer.data)["manifests"]
    return found


def test_the_registry_lists_the_manifests_that_refer_to_an_image(docker: Docker) -> None:
    assert docker.push("signed/image", "1", manifest("image")) == 201
    assert referrers(docker) == []
    for kind in ("signature", "sbom"):
        content = manifest(kind, IMAGE)
        answer = docker.send("PUT", f"signed/image/manifests/{digest_of(content)}", content.encode())
        assert (answer.status, answer.headers["OCI-Subject"]) == (201, IMAGE)

    assert [found["artifactType"] for found in referrers(docker)] == ["example/signature", "example/sbom"]
    [sbom] = referrers(docker, "?artifactType=example/sbom")
    assert sbom["digest"] == digest_of(manifest("sbom", IMAGE))
    assert docker.status("GET", f"unknown/image/referrers/{IMAGE}") == 404


def test_the_referrers_of_an_image_need_the_permission_to_read_the_image(aws: EmbeddedAws) -> None:
    reader = Docker(aws, session_of_a_role(aws, "reader", allow("ecr:GetAuthorizationToken")))
    assert reader.status("GET", f"signed/image/referrers/{IMAGE}") == 403
    grant(aws, "reader", allow("ecr:BatchGetImage", on=arn_of("signed/*")))
    assert reader.status("GET", f"signed/image/referrers/{IMAGE}") == 200
