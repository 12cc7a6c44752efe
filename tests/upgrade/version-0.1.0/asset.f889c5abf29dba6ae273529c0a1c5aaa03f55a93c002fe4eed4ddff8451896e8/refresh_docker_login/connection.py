"""From ECR's answer to the one document that every Airflow reads as a docker connection. Pure: no clock, no calls."""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


class UnusableLogin(Exception):
    """ECR's answer is no login to write over a good one. The message never quotes the answer: it holds the token."""


def airflow_connection(reply: Mapping[str, Any], registry_host: str, now: datetime) -> dict[str, Any]:
    """Turn a `GetAuthorizationToken` reply into an Airflow connection.

    Args:
        reply: what boto3 returns; its token is base64 of `AWS:<password>` and opens the registry at its endpoint.
        registry_host: the one registry this connection is for, without scheme.
        now: the present, with a time zone; a login that has expired by then is refused.

    Returns:
        The connection as JSON-ready data. `host` is the bare registry name: with a scheme in it, docker would log in
        with this password and pull with an older one from its own configuration.

    Raises:
        UnusableLogin: no data, a token that is no login of user AWS, another registry's endpoint, or an expired login.
    """
    try:
        [data] = reply["authorizationData"]
        user, _, password = base64.b64decode(data["authorizationToken"], validate=True).decode().partition(":")
        expires_at: datetime = data["expiresAt"].astimezone(UTC)
        endpoint: str = data["proxyEndpoint"]
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        problem = "ECR's answer does not hold exactly one authorization token"
    else:
        if user != "AWS" or not password:
            problem = "ECR's token is not a login of the user AWS"
        elif endpoint != f"https://{registry_host}":
            problem = f"ECR answered for another registry than {registry_host}"
        elif expires_at <= now:
            problem = f"ECR's token expired at {expires_at.isoformat()}"
        else:
            return {
                "conn_type": "docker",
                "host": registry_host,
                "login": user,
                "password": password,
                "extra": {"expires_at": expires_at.isoformat()},
            }
    # Raised outside the handler, so that no exception of the parsing, which may quote the token, hangs on to this one.
    raise UnusableLogin(problem)
