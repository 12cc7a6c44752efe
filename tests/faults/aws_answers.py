"""Answers of AWS, in the form of faults for the embedded AWS."""

import base64
import time
from typing import Any

from local.embedded_aws import ACCOUNT, REGION

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
# As long as a password of ECR, so that the tests find every line that quotes it.
PASSWORD = base64.b64encode(bytes(range(256)) * 6).decode()


def error(code: str, message: str = "", status: int = 400) -> dict[str, Any]:
    """The answer with which AWS refuses a call."""
    return {"status": status, "body": {"__type": code, "message": message}}


def token(login: str) -> str:
    """A docker login, encoded like a token of ECR."""
    return base64.b64encode(login.encode()).decode()


def minted(**changes: Any) -> dict[str, Any]:
    """ECR's answer with some fields changed. None removes a field."""
    good = {
        "authorizationToken": token(f"AWS:{PASSWORD}"),
        "expiresAt": time.time() + 12 * 60 * 60,
        "proxyEndpoint": f"https://{HOST}",
    }
    data = {name: value for name, value in {**good, **changes}.items() if value is not None}
    return {"status": 200, "body": {"authorizationData": [data]}}
