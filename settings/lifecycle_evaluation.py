"""An evaluator of ECR lifecycle policies. It has no state and calls no service.

The command `lifecycle` and the AWS emulator use it.

It follows the ECR user guide, "Lifecycle policy evaluation rules" and "Lifecycle policy properties". The tests compare
it with all examples of "Examples of lifecycle policies". The documentation leaves these questions open:

- Does an image that is part of a multi-platform image count for `imageCountMoreThan`? `count_parts` has the answer.
- Which of two images is newer if both have the same push time? Here, the image that is later in the list is newer.

The evaluator has no images that were archived and restored.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Image:
    """An image in a repository."""

    digest: str
    pushed_at: datetime
    tags: Sequence[str] = ()
    pulled_at: datetime | None = None
    """The last recorded pull, or None if the image was never pulled."""
    archived_at: datetime | None = None
    """The transition to the storage class `archive`, or None for the storage class `standard`."""
    index: str | None = None
    """The digest of the index (manifest list) that contains this image."""
    subject: str | None = None
    """The digest of the image that this image refers to, such as the image that this signature signs."""


@dataclass(frozen=True)
class Outcome:
    """An image that a lifecycle policy deletes or archives."""

    digest: str
    action: str
    """`expire` or `transition`."""
    priority: int
    """The `rulePriority` of the rule."""


def evaluate(text: str, images: Sequence[Image], now: datetime, *, count_parts: bool = True) -> list[Outcome]:
    """Return what a lifecycle policy does with the images of a repository, in the order of the images.

    Args:
        text: The lifecycle policy as JSON.
        images: All images of the repository.
        now: The time of the evaluation.
        count_parts: Whether images with an index or a subject count for `imageCountMoreThan`.

    Raises:
        ValueError: The lifecycle policy is not valid.
    """
    present = {image.digest for image in images}
    seen: set[str] = set()
    outcomes: dict[str, Outcome] = {}
    for rule in _rules(text):
        selection, action = rule["selection"], rule["action"]["type"]
        identified = _identified(images, selection)
        for image in _marked(identified, selection, now, count_parts=count_parts):
            # ECR deletes the parts of an index after the index, and an artifact together with its subject.
            if image.digest not in seen and not {image.index, image.subject} & present:
                outcomes[image.digest] = Outcome(image.digest, action, rule["rulePriority"])
        seen |= {image.digest for image in identified}
    for image in images:
        if image.subject in outcomes:
            subject = outcomes[image.subject]
            outcomes[image.digest] = Outcome(image.digest, subject.action, subject.priority)
    return [outcomes[image.digest] for image in images if image.digest in outcomes]


def _identified(images: Sequence[Image], selection: dict[str, Any]) -> list[Image]:
    """Return the images with the storage class and the tags that a rule selects."""
    is_archived = selection.get("storageClass") == "archive"
    of_class = [image for image in images if (image.archived_at is not None) == is_archived]
    if selection["tagStatus"] == "any":
        return of_class
    if selection["tagStatus"] == "untagged":
        return [image for image in of_class if not image.tags]
    patterns = selection.get("tagPatternList") or [f"{prefix}*" for prefix in selection["tagPrefixList"]]
    matches = [re.compile(".*".join(map(re.escape, pattern.split("*")))).fullmatch for pattern in patterns]
    return [image for image in of_class if all(any(map(match, image.tags)) for match in matches)]


def _marked(images: list[Image], selection: dict[str, Any], now: datetime, *, count_parts: bool) -> list[Image]:
    """Return the images that a rule would delete or archive if it were the only rule."""
    number = selection["countNumber"]
    if selection["countType"] == "imageCountMoreThan":
        counted = [image for image in images if count_parts or not (image.index or image.subject)]
        oldest_first = sorted(counted, key=lambda image: image.pushed_at)
        return oldest_first[: max(0, len(oldest_first) - number)]
    limit = now - timedelta(days=number)
    return [image for image in images if _time_of(image, selection["countType"]) < limit]


def _time_of(image: Image, count_type: str) -> datetime:
    if count_type == "sinceImageTransitioned" and image.archived_at:
        return image.archived_at
    if count_type == "sinceImagePulled" and image.pulled_at:
        return image.pulled_at
    return image.pushed_at


def _rules(text: str) -> list[dict[str, Any]]:
    """Return the rules of a lifecycle policy, those with the highest priority first."""
    if not 100 <= len(text) <= 30_720:
        raise ValueError(f"a lifecycle policy has 100 to 30720 characters, not {len(text)}")
    rules: list[dict[str, Any]] = sorted(json.loads(text)["rules"], key=lambda rule: rule["rulePriority"])
    if not 1 <= len(rules) <= 50:
        raise ValueError(f"a lifecycle policy has 1 to 50 rules, not {len(rules)}")
    if len({rule["rulePriority"] for rule in rules}) < len(rules):
        raise ValueError("two rules have the same rulePriority")
    tags: set[tuple[Any, ...]] = set()
    for position, rule in enumerate(rules, 1):
        selection = rule["selection"]
        try:
            _check(selection, rule["action"]["type"])
        except ValueError as error:
            raise ValueError(f"rule {rule['rulePriority']}: {error}") from None
        storage_class = selection.get("storageClass", "standard")
        following = [each["selection"].get("storageClass", "standard") for each in rules[position:]]
        if selection["tagStatus"] == "any" and storage_class in following:
            raise ValueError(f"rule {rule['rulePriority']}: a rule with the tag status any must be the last rule")
        lists = [tuple(sorted(selection.get(key, []))) for key in ("tagPatternList", "tagPrefixList")]
        key = (storage_class, selection["tagStatus"], *lists)
        if key in tags:
            raise ValueError(f"rule {rule['rulePriority']}: another rule selects the same tags")
        tags.add(key)
    return rules


def _check(selection: dict[str, Any], action: str) -> None:
    """Check one rule.

    Raises:
        ValueError: The rule is not valid.
    """
    patterns, prefixes = selection.get("tagPatternList", []), selection.get("tagPrefixList", [])
    kind, number = selection["countType"], selection["countNumber"]
    if bool(patterns or prefixes) != (selection["tagStatus"] == "tagged") or (patterns and prefixes):
        raise ValueError("tagPatternList or tagPrefixList goes with the tag status tagged")
    if any(pattern.count("*") > 4 for pattern in patterns):
        raise ValueError("a pattern has at most four wildcards")
    if type(number) is not int or number < 1:
        raise ValueError("countNumber is a positive integer")
    if ("countUnit" in selection) != kind.startswith("since"):
        raise ValueError("countUnit goes with a countType that starts with since")
    if kind == "sinceImagePulled" and action != "transition":
        raise ValueError("sinceImagePulled goes with the action transition")
    is_archive = selection.get("storageClass") == "archive"
    if is_archive != (kind == "sinceImageTransitioned") or (is_archive and (action != "expire" or number < 90)):
        raise ValueError("sinceImageTransitioned goes with the storage class archive, expire and at least 90 days")
