"""The words for the state of a docker login. docs/operate.md contains the same definitions."""

from datetime import datetime, timedelta
from enum import StrEnum

from settings.login_age import LOGIN_MINUTES, not_refreshed_after_minutes

UNREAD_DAYS = 7
"""A login is unread if nobody read its secret for longer than this."""


class Freshness(StrEnum):
    """The state of a docker login. If several words apply, the first one counts."""

    UNKNOWN = "unknown"
    """AWS refused or did not answer the question for the age of the login."""
    EXPIRED = "expired"
    """The login is 12 hours old or older, or the secret has no current version."""
    STALE = "stale"
    """The login is older than two intervals and 30 minutes, and valid. More than one refresh is missing."""
    UNREAD = "unread"
    """The login is not stale, and nobody read the secret for more than 7 days, or never."""
    FRESH = "fresh"
    """The login is not stale, and its secret was read in the last 7 days."""


def expiry(written_at: datetime) -> datetime:
    """Return when a login expires."""
    return written_at + timedelta(minutes=LOGIN_MINUTES)


def freshness(
    written_at: datetime | None, read_at: datetime | None, now: datetime, refresh_every_minutes: int
) -> Freshness:
    """Return the state of a docker login.

    Args:
        written_at: The creation date of the version AWSCURRENT, or None if there is no such version.
        read_at: The day of the last read, or None if nobody ever read the secret.
        now: The current time, with a time zone.
        refresh_every_minutes: The interval of the connection.
    """
    if written_at is None or now >= expiry(written_at):
        return Freshness.EXPIRED
    if now - written_at > timedelta(minutes=not_refreshed_after_minutes(refresh_every_minutes)):
        return Freshness.STALE
    return Freshness.UNREAD if is_unread(read_at, now) else Freshness.FRESH


def is_unread(read_at: datetime | None, now: datetime) -> bool:
    """Return whether nobody read a secret for more than UNREAD_DAYS. Secrets Manager knows only the day of a read."""
    return read_at is None or (now.date() - read_at.date()).days > UNREAD_DAYS
