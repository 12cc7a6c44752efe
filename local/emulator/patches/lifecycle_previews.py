"""ECR: previews of lifecycle policies.

AWS:
- StartLifecyclePolicyPreview evaluates the policy of the request, or the policy of the repository. It deletes nothing.
- GetLifecyclePolicyPreview returns the images that the policy would delete or archive (API reference).
- The answer LifecyclePolicyNotFoundException means that neither the request nor the repository has a policy.
  LifecyclePolicyPreviewNotFoundException means that no preview was started.

MiniStack has neither operation.

The patch:
- Evaluates the policy with settings/lifecycle_evaluation.py, at once. Images become older when the clock is moved.
  The parts of a multi-platform image do not count as images of their own: AWS does not document whether they do.
- Ignores the filters and the page size of GetLifecyclePolicyPreview.

Lifecycle policies still delete nothing in the emulator.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, error_response_json, get_account_id, json_response
from ministack.services import ecr

from local.emulator.patches.image_pulls import PULLED
from settings.lifecycle_evaluation import Image, evaluate

_previews = AccountRegionScopedDict()  # answers of GetLifecyclePolicyPreview, by the repository's name


def start(request: dict[str, Any]) -> Any:
    name = request["repositoryName"]
    if name not in ecr._repositories:
        return _error("RepositoryNotFound", f"The repository with name '{name}' does not exist")
    text = request.get("lifecyclePolicyText") or ecr._lifecycle_policies.get(name)
    if not text:
        return _error("LifecyclePolicyNotFound", f"Lifecycle policy does not exist for '{name}'")
    images = {image["imageDigest"]: image for image in ecr._images.get(name, [])}
    try:
        outcomes = evaluate(text, _evaluated(images), datetime.now(UTC), count_parts=False)
    except (KeyError, TypeError, ValueError) as error:
        what = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint"
        return _error("InvalidParameter", f"{what}: 'Lifecycle policy validation failure: {error}'")
    results = [
        {
            "imageDigest": outcome.digest,
            "imageTags": images[outcome.digest]["imageTags"],
            "imagePushedAt": images[outcome.digest]["imagePushedAt"],
            "action": {"type": outcome.action.upper()},
            "appliedRulePriority": outcome.priority,
        }
        for outcome in outcomes
    ]
    about = {"registryId": get_account_id(), "repositoryName": name, "lifecyclePolicyText": text}
    expiring = sum(outcome.action == "expire" for outcome in outcomes)
    summary = {"expiringImageTotalCount": expiring}
    _previews[name] = {**about, "status": "COMPLETE", "previewResults": results, "summary": summary}
    return json_response({**about, "status": "IN_PROGRESS"})


def get(request: dict[str, Any]) -> Any:
    name = request["repositoryName"]
    if name not in ecr._repositories:
        return _error("RepositoryNotFound", f"The repository with name '{name}' does not exist")
    if name not in _previews:
        return _error("LifecyclePolicyPreviewNotFound", f"There is no lifecycle policy preview for '{name}'")
    return json_response(_previews[name])


def _evaluated(images: dict[str, Any]) -> list[Image]:
    """Return MiniStack's images for the evaluation. The manifests say which image is part of which other image."""
    manifests = {digest: _manifest(image["imageManifest"]) for digest, image in images.items()}
    index_of = {
        part["digest"]: digest for digest, manifest in manifests.items() for part in manifest.get("manifests", [])
    }
    return [
        Image(
            digest,
            datetime.fromtimestamp(image["imagePushedAt"], UTC),
            image["imageTags"],
            datetime.fromtimestamp(image[PULLED], UTC) if PULLED in image else None,
            index=index_of.get(digest),
            subject=(manifests[digest].get("subject") or {}).get("digest"),
        )
        for digest, image in images.items()
    ]


def _manifest(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError:  # MiniStack accepts every text
        return {}


def _error(code: str, message: str) -> Any:
    return error_response_json(f"{code}Exception", message, 400)


_OPERATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "StartLifecyclePolicyPreview": start,
    "GetLifecyclePolicyPreview": get,
}


def apply() -> None:
    # Other patches replace the same function, so this patch calls the function that it finds.
    handle_other_request = ecr.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        operation = _OPERATIONS.get(headers.get("x-amz-target", "").rpartition(".")[2])
        if operation:
            return operation(json.loads(body))
        return await handle_other_request(method, path, headers, body, query_params)

    ecr.handle_request = handle_request
