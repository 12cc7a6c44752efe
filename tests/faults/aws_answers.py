"""Answers that AWS gives, as faults of the embedded one."""

import base64
import time
from typing import Any

from local.embedded_aws import ACCOUNT, REGION

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
# As long as ECR's, so that a line that quotes any of it is found.
PASSWORD = base64.b64encode(bytes(range(256)) * 6).decode()


def error(code: str, message: str = "", status: int = 400) -> dict[str, Any]:
    """As AWS refuses a call."""
    return {"status": status, "body": {"__type": code, "message": message}}


def token(login: str) -> str:
    """A login as ECR writes it."""
    return base64.b64encode(login.encode()).decode()


def minted(**changes: Any) -> dict[str, Any]:
    """As ECR answers, with some fields changed; None for none."""
    good = {
        "authorizationToken": token(f"AWS:{PASSWORD}"),
        "expiresAt": time.time() + 12 * 60 * 60,
        "proxyEndpoint": f"https://{HOST}",
    }
    data = {name: value for name, value in {**good, **changes}.items() if value is not None}
    return {"status": 200, "body": {"authorizationData": [data]}}
