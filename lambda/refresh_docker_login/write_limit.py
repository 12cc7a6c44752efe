"""Limit the number of versions that the runs of the function add to the secret.

Secrets Manager keeps every version for 24 hours and has a quota of versions. At the quota, no run can write, and the
login expires. Therefore, a principal that invokes the function in a loop must not be able to fill the secret.

The code in this module is pure: it does not read the clock and does not call AWS.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

DEPLOYMENT_MARK = "deploy-"
"""The start of the ids of the versions that deployments write. The version of the function follows."""
DEPLOYMENT_WRITES = 20
"""How many versions deployments can write in COUNTED_PERIOD, independent of the age of the login.

Every published version of the function can write one more.
"""
COUNTED_PERIOD = timedelta(hours=24)
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)
"""A version cannot be further in the future than this: AWS refuses requests whose clock differs by more."""


class Version(NamedTuple):
    """A version of the secret."""

    version_id: str
    written_at: datetime  # with a time zone
    labels: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """Whether readers get this version."""
        return "AWSCURRENT" in self.labels


def parse_versions(page: Mapping[str, Any]) -> Iterable[Version]:
    """Convert an answer of ListSecretVersionIds.

    Args:
        page: The answer as botocore returns it.

    Raises:
        Exception: The answer is malformed. The type depends on the answer.
    """
    for version in page["Versions"]:
        labels = tuple(version.get("VersionStages", ()))
        yield Version(str(version["VersionId"]), version["CreatedDate"].astimezone(UTC), labels)


def plan_write(
    versions: Sequence[Version] | None, *, published_version: str | None, now: datetime, shortest_interval: timedelta
) -> Version | str:
    """Decide whether a run keeps the current login or requests a write.

    A scheduled run keeps a login that is younger than the shortest interval. A deployment's run always requests a
    write, because it must show that the function works with the deployed permissions. After DEPLOYMENT_WRITES versions
    in COUNTED_PERIOD, deployments add only one version for each published version of the function.

    Runs at the same time all see the same versions with labels. They derive the same request token from these versions,
    and Secrets Manager accepts a request token only once. Therefore, only one of these runs writes. The request token
    also depends on the age of the login, in whole intervals, so that no request token can be used up for longer.

    Args:
        versions: The versions of the secret. A deployment needs all of them, other runs need the current version. If
            None, the versions are unknown. Then a scheduled run can write once in each interval, counted from the
            epoch, and a deployment can write once for each published version.
        published_version: The version of the function that a deployment invoked. None for a scheduled run.
        now: The current time, with a time zone.
        shortest_interval: How old the login must be.

    Returns:
        The current version if the run keeps it. Otherwise, the request token of the write, which is the new version id.
        If a deployment may not add a version, this is the id of an existing version. Secrets Manager then checks the
        permission to write, and answers ResourceExistsException.
    """
    current = next((version for version in versions or () if version.is_current), None)
    start = current.written_at if current else datetime.fromtimestamp(0, UTC)
    age = now - start
    is_young = current is not None and -MAX_CLOCK_DIFFERENCE <= age < shortest_interval
    labelled = sorted(f"{version.version_id} {label}" for version in versions or () for label in version.labels)
    seen = [str(age // shortest_interval), *labelled]

    if published_version is not None:
        mark = f"{DEPLOYMENT_MARK}{published_version}-"
        if versions is None:
            return mark + _request_token([])
        by_deployments = [version for version in versions if version.version_id.startswith(DEPLOYMENT_MARK)]
        counted = sorted(version.version_id for version in by_deployments if now - version.written_at < COUNTED_PERIOD)
        has_written = any(version.version_id.startswith(mark) for version in by_deployments)
        if len(counted) < DEPLOYMENT_WRITES or not has_written:
            return mark + _request_token([*seen, *counted])
        if is_young:
            return counted[0]

    return current if current and is_young else _request_token(seen)


def _request_token(seen: Sequence[str]) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(seen)))
