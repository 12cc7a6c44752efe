"""What `status` shows about a repository."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.clients import Clients, NoAnswer
from ops.images import in_words, read_images, read_lifecycle_policy

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")


@dataclass(frozen=True)
class Repository:
    """The answers about a repository. An answer is NoAnswer if AWS refused the request.

    Attributes:
        name: The full name.
        images: The images as DescribeImages answers, or None if the repository does not exist.
        lifecycle_policy: The text of the deployed lifecycle policy, or None.
    """

    name: str
    images: list[dict[str, Any]] | NoAnswer | None
    lifecycle_policy: str | NoAnswer | None

    @property
    def exists(self) -> bool:
        return self.images is not None

    @property
    def newest(self) -> Mapping[str, Any] | None:
        """The image that was pushed last."""
        return max(self._images, key=lambda image: image["imagePushedAt"], default=None)

    @property
    def pushed_at(self) -> datetime | None:
        return self.newest["imagePushedAt"] if self.newest else None

    @property
    def pulled_at(self) -> datetime | None:
        """The last recorded pull. ECR may record a pull a day late."""
        pulls = [image["lastRecordedPullTime"] for image in self._images if "lastRecordedPullTime" in image]
        return max(pulls, default=None)

    @property
    def findings(self) -> dict[str, int] | None:
        """The findings by severity in the newest image that was scanned, or None if no image was scanned."""
        scanned = [image for image in self._images if "imageScanFindingsSummary" in image]
        if not scanned:
            return None
        newest = max(scanned, key=lambda image: image["imagePushedAt"])
        counts = Counter(newest["imageScanFindingsSummary"].get("findingSeverityCounts", {}))
        return {severity: counts[severity] for severity in SEVERITIES if counts[severity]}

    @property
    def lifecycle(self) -> str:
        return "unknown" if isinstance(self.lifecycle_policy, NoAnswer) else in_words(self.lifecycle_policy)

    @property
    def _images(self) -> list[dict[str, Any]]:
        return [] if isinstance(self.images, NoAnswer) or self.images is None else self.images


def requests(clients: Clients, name: str) -> dict[str, Callable[[], Any]]:
    """Return the requests that `Repository` needs, by the name of its attribute. They can run in parallel."""
    return {
        "images": lambda: read_images(clients, name),
        "lifecycle_policy": lambda: read_lifecycle_policy(clients, name),
    }


def findings_in_words(findings: Mapping[str, int] | None) -> str:
    """Return findings, such as `2 critical, 5 high`."""
    if findings is None:
        return "not scanned"
    return ", ".join(f"{count} {severity.lower()}" for severity, count in findings.items()) or "none"
