"""What `status` shows about a repository."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from ops.clients import Clients, NoAnswer
from ops.images import in_words, read_findings, read_images, read_lifecycle_policy

T = TypeVar("T")

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")


@dataclass(frozen=True)
class Repository:
    """The answers about a repository. An answer is NoAnswer if AWS refused the request.

    Attributes:
        name: The full name.
        images: The images as DescribeImages answers, or None if the repository does not exist.
        findings: The findings by severity in the newest image, or None without a scan.
        lifecycle_policy: The text of the deployed lifecycle policy, or None.
    """

    name: str
    images: list[dict[str, Any]] | NoAnswer | None
    findings: dict[str, int] | NoAnswer | None
    lifecycle_policy: str | NoAnswer | None

    @property
    def exists(self) -> bool:
        return self.images is not None

    @property
    def image_count(self) -> str:
        """The number of images, or a word if there is none to count."""
        if isinstance(self.images, NoAnswer) or self.images is None:
            return "unknown" if self.exists else "missing"
        return str(len(self.images))

    @property
    def newest(self) -> Mapping[str, Any] | None:
        """The image that was pushed last."""
        return max(self._images, key=lambda image: image["imagePushedAt"], default=None)

    @property
    def pushed_at(self) -> datetime | None:
        """When the newest image was pushed, in UTC. botocore returns times in the time zone of the computer."""
        return self.newest["imagePushedAt"].astimezone(UTC) if self.newest else None

    @property
    def pulled_at(self) -> datetime | None:
        """The last recorded pull, in UTC. ECR may record a pull a day late."""
        pulls = [
            image["lastRecordedPullTime"].astimezone(UTC) for image in self._images if "lastRecordedPullTime" in image
        ]
        return max(pulls, default=None)

    @property
    def lifecycle(self) -> str:
        return "unknown" if isinstance(self.lifecycle_policy, NoAnswer) else in_words(self.lifecycle_policy)

    @property
    def _images(self) -> list[dict[str, Any]]:
        return [] if isinstance(self.images, NoAnswer) or self.images is None else self.images


def read_repository(clients: Clients, name: str) -> Repository:
    """Return the answers about a repository."""

    def ask(request: Callable[[], T]) -> T | NoAnswer:
        try:
            return request()
        except NoAnswer as refused:
            return refused

    images = ask(lambda: read_images(clients, name))
    findings = images if isinstance(images, NoAnswer) else ask(lambda: read_findings(clients, name, images or []))
    return Repository(name, images, findings, ask(lambda: read_lifecycle_policy(clients, name)))


def findings_in_words(findings: Mapping[str, int] | NoAnswer | None) -> str:
    """Return findings, such as `2 critical, 5 high`."""
    if isinstance(findings, NoAnswer):
        return "unknown"
    if findings is None:
        return "not scanned"
    known = [severity for severity in SEVERITIES if findings.get(severity)]
    return ", ".join(f"{findings[severity]} {severity.lower()}" for severity in known) or "none"
