"""ECR: the referrers of an image, such as signatures and SBOMs (software bills of materials).

AWS:
- Supports the referrers API of the OCI distribution specification 1.1 (ECR user guide, "Private images in Amazon ECR").
- The API operation ListImageReferrers needs ecr:BatchGetImage (API reference). The documentation does not say which
  action a request to the registry's own referrers API needs.
- Answers a push of a manifest with a subject with the header OCI-Subject (sigstore/sigstore-js, pull request 1183).

MiniStack:
- Does not know the path. Clients then write the list of referrers to the tag `sha256-<digest>`, which fails for an
  immutable tag at the second referrer.

The patch does what the specification says, and asks for ecr:BatchGetImage.
"""

import json
import re
from typing import Any

from ministack import app
from ministack.services import ecr

PATH = re.compile(r"/v2/(?P<name>.+)/referrers/(?P<digest>sha256:[0-9a-f]{64})/?")
INDEX = "application/vnd.oci.image.index.v1+json"

_is_registry_path = app._is_ecr_registry_path
_parse_v2_path = ecr._parse_v2_path


def is_registry_path(path: str) -> bool:
    return PATH.fullmatch(path) is not None or _is_registry_path(path)


def parse_v2_path(path: str) -> Any:
    found = PATH.fullmatch(path)
    return ("referrers", found["name"], found["digest"]) if found else _parse_v2_path(path)


def get(name: str, digest: str, query: dict[str, list[str]]) -> Any:
    """Answer a request for the referrers of an image."""
    return ecr._ensure_repo_exists(name) or _list(name, digest, query.get("artifactType"))


def _list(name: str, digest: str, artifact_types: list[str] | None) -> Any:
    found = [_descriptor(image) for image in ecr._images.get(name, []) if _subject(image["imageManifest"]) == digest]
    headers = {"Content-Type": INDEX}
    if artifact_types:
        found = [descriptor for descriptor in found if descriptor["artifactType"] in artifact_types]
        headers["OCI-Filters-Applied"] = "artifactType"
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": found}
    return ecr._registry_ok(200, headers, json.dumps(index).encode())


def _descriptor(image: dict[str, Any]) -> dict[str, Any]:
    manifest = json.loads(image["imageManifest"])
    return {
        "mediaType": image["imageManifestMediaType"],
        "digest": image["imageDigest"],
        "size": len(image["imageManifest"].encode()),
        "artifactType": manifest.get("artifactType") or manifest.get("config", {}).get("mediaType", ""),
        "annotations": manifest.get("annotations", {}),
    }


def with_subject(answer: Any, manifest: bytes) -> Any:
    """Add the header OCI-Subject to the answer to a push, if the manifest refers to another image."""
    status, headers, content = answer
    subject = _subject(manifest.decode(errors="replace"))
    return (status, {**headers, "OCI-Subject": subject}, content) if status == 201 and subject else answer


def _subject(manifest: str) -> str | None:
    """Return the digest of the image that a manifest refers to, or None."""
    try:
        digest: str | None = json.loads(manifest).get("subject", {}).get("digest")
    except (ValueError, AttributeError):
        return None
    return digest


def apply() -> None:
    app._is_ecr_registry_path = is_registry_path
    ecr._parse_v2_path = parse_v2_path
