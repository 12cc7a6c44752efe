"""Answers of AWS, as arguments of `EmbeddedAws.fault` for fault injection."""

import base64
import time
from typing import Any

from local.embedded_aws import ACCOUNT, REGION

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
# This password is as long as a password of ECR, so that places_with_a_login finds every place that contains it.
PASSWORD = base64.b64encode(bytes(range(256)) * 6).decode()


def error(code: str, message: str = "", status: int = 400) -> dict[str, Any]:
    """Return an error answer of AWS with this error code."""
    return {"status": status, "body": {"__type": code, "message": message}}


def token(login: str) -> str:
    """Return a docker login, `user:password`, encoded as ECR encodes a token."""
    return base64.b64encode(login.encode()).decode()


def minted(**changes: Any) -> dict[str, Any]:
    """Return a successful answer to GetAuthorizationToken with some fields changed. The value None removes a field."""
    good = {
        "authorizationToken": token(f"AWS:{PASSWORD}"),
        "expiresAt": time.time() + 12 * 60 * 60,
        "proxyEndpoint": f"https://{HOST}",
    }
    data = {name: value for name, value in {**good, **changes}.items() if value is not None}
    return {"status": 200, "body": {"authorizationData": [data]}}
