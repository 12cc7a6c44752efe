"""Convert ECR's answer into the secret value that Airflow reads as a docker connection.

The code in this module is pure: it does not read the clock and does not call AWS.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


class UnusableLogin(Exception):
    """ECR's answer is not a usable login and must not replace the current login.

    The message never quotes the answer, because the answer contains the token.
    """


def airflow_connection(
    reply: Mapping[str, Any], *, registry_host: str, token_endpoint_host: str, now: datetime
) -> dict[str, Any]:
    """Convert an answer of GetAuthorizationToken into an Airflow connection.

    Args:
        reply: The answer as botocore returns it. The token in the answer is the base64 encoding of `AWS:<password>`.
        registry_host: The registry that this connection is for, without a scheme.
        token_endpoint_host: The registry that ECR must name in its answer, without a scheme. This is the registry of
            the caller's account in the same Region. Its token also opens the registries of other accounts.
        now: The current time, with a time zone. A login that expires at this time or earlier is refused.

    Returns:
        The connection as a dict, which the caller writes as JSON. `host` is the registry's name without a scheme. With
        a scheme, docker could log in with this password but pull with an older password from docker's configuration.

    Raises:
        UnusableLogin: The answer does not contain exactly one token, the token is not a login of the user AWS, the
            endpoint belongs to another registry, or the login has expired.
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
        elif endpoint != f"https://{token_endpoint_host}":
            problem = f"ECR answered for another registry than {token_endpoint_host}"
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
    # A parsing error may quote the token. The exception is raised outside the except block, so that Python does not
    # chain the parsing error to the exception.
    raise UnusableLogin(problem)
