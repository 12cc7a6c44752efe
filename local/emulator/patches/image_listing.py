"""ECR: the lists and the details of images.

AWS (API reference):
- ListImages returns one identifier for each tag, with the digest of the image. An untagged image has one identifier
  without a tag. The filter tagStatus selects TAGGED or UNTAGGED.
- DescribeImages fails with ImageNotFoundException if an image of the request does not exist. An untagged image has no
  imageTags.
- DescribeImageScanFindings fails with ImageNotFoundException if the image does not exist, and with
  ScanNotFoundException if the image has no scan. The status of a scan is COMPLETE with basic scanning and ACTIVE with
  enhanced scanning.
- "The new version of Amazon ECR Basic Scanning doesn't use the ImageDetail:imageScanFindingsSummary" (API reference,
  DescribeImages). Only DescribeImageScanFindings returns the findings.

MiniStack:
- ListImages returns one identifier for each image, with the last tag that the image got, also after the tag moved.
- DescribeImages leaves out an image that does not exist. An untagged image has an empty list of tags.
- DescribeImageScanFindings does not exist.

The patch does what AWS does, with two differences:
- The emulator scans no image. The event of a scan (`POST /_local/events`) is the scan of its image, with the number of
  findings of each severity, and without the findings themselves.
- As in MiniStack, an answer has no pages.
"""

import json
import time
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, json_response
from ministack.services import ecr

# The key in MiniStack's record of an image for the answer of DescribeImageScanFindings.
_SCAN = "LocalScan"
_SCAN_STATUS = {"ECR Image Scan": "COMPLETE", "Inspector2 Scan": "ACTIVE"}

_list_images = ecr._list_images
_describe_images = ecr._describe_images


def list_images(request: dict[str, Any]) -> Any:
    answer = _list_images(request)
    if answer[0] != 200:
        return answer
    wanted = request.get("filter", {}).get("tagStatus", "ANY")
    found = [image_id for image in ecr._images[request["repositoryName"]] for image_id in _image_ids(image)]
    return json_response({"imageIds": [image_id for image_id in found if wanted in ("ANY", _tag_status(image_id))]})


def _image_ids(image: dict[str, Any]) -> list[dict[str, str]]:
    digest = {"imageDigest": image["imageDigest"]}
    return [{**digest, "imageTag": tag} for tag in image["imageTags"]] or [digest]


def _tag_status(image_id: dict[str, str]) -> str:
    return "TAGGED" if "imageTag" in image_id else "UNTAGGED"


def describe_images(request: dict[str, Any]) -> Any:
    answer = _describe_images(request)
    if answer[0] != 200:
        return answer
    name = request["repositoryName"]
    for image_id in request.get("imageIds", []):
        if ecr._find_image(name, image_id) is None:
            message = f"The image with imageId {_text(image_id)} does not exist within {_place(name)}"
            return error_response_json("ImageNotFoundException", message, 400)
    details = json.loads(answer[2])["imageDetails"]
    return json_response({"imageDetails": [_without_empty_tags(detail) for detail in details]})


def _without_empty_tags(detail: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in detail.items() if (key, value) != ("imageTags", [])}


def describe_image_scan_findings(request: dict[str, Any]) -> Any:
    name, image_id = request["repositoryName"], request["imageId"]
    answer = describe_images({"repositoryName": name, "imageIds": [image_id]})
    if answer[0] != 200:
        return answer
    image = ecr._find_image(name, image_id)
    if _SCAN not in image:
        message = f"Image scan does not exist for the image with '{_text(image_id)}' in {_place(name)}"
        return error_response_json("ScanNotFoundException", message, 400)
    return json_response({"registryId": get_account_id(), "repositoryName": name, **image[_SCAN]})


def record_scan(event: dict[str, Any]) -> None:
    """Remember the result of a scan of an image. Other events, and scans of images that do not exist, are ignored."""
    status = _SCAN_STATUS.get(event["detail-type"])
    detail = event["detail"]
    digest = {"imageDigest": detail.get("image-digest")}
    # An event of basic scanning has the name of the repository. An event of enhanced scanning has the ARN.
    repository = str(detail.get("repository-name")).rpartition(":repository/")[2]
    image = ecr._find_image(repository, digest)
    if status and image:
        counts = {severity: n for severity, n in detail["finding-severity-counts"].items() if severity != "TOTAL"}
        findings = {"imageScanCompletedAt": int(time.time()), "findingSeverityCounts": counts, "findings": []}
        image_id = {**digest, **({"imageTag": image["imageTags"][0]} if image["imageTags"] else {})}
        image[_SCAN] = {"imageId": image_id, "imageScanStatus": {"status": status}, "imageScanFindings": findings}


def _text(image_id: dict[str, str]) -> str:
    digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
    return f"{{imageDigest:'{digest}', imageTag:'{tag}'}}"


def _place(name: str) -> str:
    return f"the repository with name '{name}' in the registry with id '{get_account_id()}'"


def apply() -> None:
    ecr._list_images = list_images
    ecr._describe_images = describe_images
    # Other patches replace the same function, so this patch calls the function that it finds.
    handle_other_request = ecr.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        if headers.get("x-amz-target", "").endswith(".DescribeImageScanFindings"):
            return describe_image_scan_findings(json.loads(body))
        return await handle_other_request(method, path, headers, body, query_params)

    ecr.handle_request = handle_request
