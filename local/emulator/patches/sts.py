"""STS: the maximum duration of role sessions, and the error for expired sessions.

AWS:
- AssumeRole fails with ValidationError if the session is longer than the role's MaxSessionDuration. It also fails if
  a session of more than one hour is requested with temporary credentials (role chaining; API reference, AssumeRole).
  The error messages are taken from reports of users.
- Requests with an expired session fail with ExpiredToken or ExpiredTokenException.

MiniStack:
- Returns a session of any length.
- Removes expired sessions when it creates the next session. After that, it answers that their tokens are invalid.

The patch:
- Refuses both kinds of long sessions, and keeps expired sessions. clock.py expires sessions with the movable clock.
"""

import time
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam, sts

LONGEST_CHAINED_SESSION_SECONDS = 60 * 60

_handle_request = sts.handle_request
_register_session = sts.register_session


class _SessionRefused(Exception):
    """The requested session is too long. The argument is the error message."""


async def handle_request(*request: Any, **named: Any) -> Any:
    try:
        return await _handle_request(*request, **named)
    except _SessionRefused as refusal:
        return sts._error(400, "ValidationError", str(refusal), ns="sts")


def register_session(access_key: str, session: dict[str, Any]) -> None:
    """Keep a session. MiniStack calls this when it has checked all permissions, for every kind of session."""
    if session.get("PrincipalType") == "AssumedRole" and "Expiration" in session:
        seconds = round(session["Expiration"] - time.time())
        role = iam._roles.get_scoped(
            session["AccountId"], None, iam_evaluator._role_name_from_assumed_arn(session["Arn"])
        )
        if role and seconds > role["MaxSessionDuration"]:
            raise _SessionRefused("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        if session.get("SourceAccessKeyId") in sts._sessions and seconds > LONGEST_CHAINED_SESSION_SECONDS:
            raise _SessionRefused(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
            )
    _register_session(access_key, session)


def keep_expired_sessions() -> None:
    """Replace MiniStack's removal of expired sessions."""


def apply() -> None:
    sts._evict_expired_sessions = keep_expired_sessions
    sts.handle_request = handle_request
    sts.register_session = register_session
