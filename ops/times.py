"""Times and durations as people read them. All times are in UTC."""

from datetime import UTC, datetime, timedelta


def length(duration: timedelta) -> str:
    """Return a duration, such as `12 min`, `11 h 48 min` or `3 days`."""
    minutes = max(0, int(duration.total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"{minutes // (24 * 60)} days"


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago something happened, such as `12 min ago`."""
    return f"{length(now - then)} ago" if now - then >= timedelta(minutes=1) else "just now"


def clock_time(when: datetime) -> str:
    """Return the time of a day, such as `23:48 UTC`."""
    return f"{when.astimezone(UTC):%H:%M} UTC"


def iso(moment: datetime | None) -> str | None:
    """Return a time in ISO 8601, in UTC and without fractions of a second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None
