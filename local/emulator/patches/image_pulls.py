"""ECR: the time of the last pull of an image, and the age of images.

AWS:
- DescribeImages returns lastRecordedPullTime, "when Amazon ECR recorded the last image pull". ECR "refreshes the last
  image pull timestamp at least once every 24 hours" (API reference, ImageDetail). An image that was never pulled has
  no lastRecordedPullTime.

MiniStack:
- Records no pulls.

The patch:
- Records a pull when a client gets the manifest of an image from the registry or with BatchGetImage. We do not know
  which of the requests of a pull AWS records.
- Records each pull at once. On AWS, the time can be up to a day late.
- Makes images older when the clock is moved, because clients compare these times with the computer's clock.
"""

import json
import time
from typing import Any

from ministack.core.responses import json_response
from ministack.services import ecr

from local.emulator.patches import clock

_get_manifest = ecr._v2_get_manifest
_batch_get_image = ecr._batch_get_image

PUSHED, PULLED = "imagePushedAt", "lastRecordedPullTime"


def get_manifest(name: str, reference: str) -> Any:
    answer = _get_manifest(name, reference)
    if answer[0] == 200:
        _record_pull(name, {"imageDigest": reference} if ":" in reference else {"imageTag": reference})
    return answer


def batch_get_image(request: dict[str, Any]) -> Any:
    answer = _batch_get_image(request)
    if answer[0] == 200:
        for image_id in request.get("imageIds", []):
            _record_pull(request["repositoryName"], image_id)
    return answer


def _record_pull(repository: str, image_id: dict[str, str]) -> None:
    image = ecr._find_image(repository, image_id)
    if image:
        image[PULLED] = int(time.time())


def _with_pulls(repository: str, answer: Any) -> Any:
    """Add the pulls to an answer of DescribeImages."""
    details = json.loads(answer[2])["imageDetails"]
    for detail in details:
        image = ecr._find_image(repository, {"imageDigest": detail["imageDigest"]})
        if PULLED in image:
            detail[PULLED] = image[PULLED]
    return json_response({"imageDetails": details})


def make_older(minutes: int) -> None:
    """Move the times of all images back, because the clock was moved forward."""
    for images in list(ecr._images._data.values()):
        for image in images:
            image |= {key: image[key] - 60 * minutes for key in (PUSHED, PULLED) if key in image}


def apply() -> None:
    # image_listing.py replaces the same function, so this patch calls the function that it finds.
    describe_other_details = ecr._describe_images

    def describe_images(request: dict[str, Any]) -> Any:
        answer = describe_other_details(request)
        return _with_pulls(request["repositoryName"], answer) if answer[0] == 200 else answer

    ecr._describe_images = describe_images
    ecr._v2_get_manifest = get_manifest
    ecr._batch_get_image = batch_get_image
    clock.when_moved(make_older)
