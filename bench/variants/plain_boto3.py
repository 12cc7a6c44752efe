"""A simple function with boto3. It has two clients at module level, and it makes one read and one write."""

import base64
import json
import os
from typing import Any

import boto3

ecr = boto3.client("ecr")
secrets_manager = boto3.client("secretsmanager")


def handle(_event: object, _context: Any) -> None:
    data = ecr.get_authorization_token()["authorizationData"][0]
    login, password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)
    connection = {
        "conn_type": "docker",
        "host": data["proxyEndpoint"].removeprefix("https://"),
        "login": login,
        "password": password,
        "extra": {"expires_at": data["expiresAt"].isoformat()},
    }
    secrets_manager.put_secret_value(SecretId=os.environ["SECRET_ARN"], SecretString=json.dumps(connection))
