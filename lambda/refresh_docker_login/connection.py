"""Turns ECR's answer into the document that Airflow reads as a docker connection.

Pure functions: no clock and no calls to AWS.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


class UnusableLogin(Exception):
    """ECR's answer must not replace the current login. The message never quotes the answer, which holds the token."""


def airflow_connection(reply: Mapping[str, Any], registry_host: str, now: datetime) -> dict[str, Any]:
    """Turn an answer of GetAuthorizationToken into an Airflow connection.

    Args:
        reply: The answer as botocore returns it. Its token is the base64 encoding of `AWS:<password>`.
        registry_host: The registry that this connection is for, without a scheme.
        now: The current time, with a time zone. A login that has expired by then is refused.

    Returns:
        The connection as data for a JSON document. `host` is the registry's name without a scheme: with a scheme,
        docker could log in with this password and pull with an older one from its own configuration.

    Raises:
        UnusableLogin: The answer does not hold exactly one token, the token is not a login of the user AWS, the
            endpoint is another registry's, or the login has expired.
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
    # Raised outside the except block, so that Python does not chain a parsing error that may quote the token to it.
    raise UnusableLogin(problem)
