"""A function like AWS's template for rotation functions. Each of the four steps of a rotation is one invocation.

This function creates the clients once. AWS's template creates its client in each invocation, which is slower.
"""

import base64
import json
import logging
from typing import Any

import boto3

logger = logging.getLogger()
logger.setLevel(logging.INFO)
ecr = boto3.client("ecr")
secrets_manager = boto3.client("secretsmanager")


def handle(event: dict[str, str], _context: Any) -> None:
    arn, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    metadata = secrets_manager.describe_secret(SecretId=arn)
    if not metadata["RotationEnabled"]:
        raise ValueError(f"Secret {arn} is not enabled for rotation")
    if step == "createSecret":
        create_secret(arn, token)
    elif step == "setSecret":
        logger.info("setSecret: this step does nothing, because ECR created the login")
    elif step == "testSecret":
        test_secret(arn, token)
    elif step == "finishSecret":
        finish_secret(arn, token, metadata["VersionIdsToStages"])
    else:
        raise ValueError("Invalid step parameter")


def create_secret(arn: str, token: str) -> None:
    secrets_manager.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")
    try:
        secrets_manager.get_secret_value(SecretId=arn, VersionId=token, VersionStage="AWSPENDING")
        logger.info("createSecret: the version exists")
    except secrets_manager.exceptions.ResourceNotFoundException:
        data = ecr.get_authorization_token()["authorizationData"][0]
        login, password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)
        connection = {
            "conn_type": "docker",
            "host": data["proxyEndpoint"].removeprefix("https://"),
            "login": login,
            "password": password,
            "extra": {"expires_at": data["expiresAt"].isoformat()},
        }
        secrets_manager.put_secret_value(
            SecretId=arn, ClientRequestToken=token, SecretString=json.dumps(connection), VersionStages=["AWSPENDING"]
        )
        logger.info("createSecret: put the new version")


def test_secret(arn: str, token: str) -> None:
    pending = secrets_manager.get_secret_value(SecretId=arn, VersionId=token, VersionStage="AWSPENDING")
    connection = json.loads(pending["SecretString"])
    if connection["login"] != "AWS" or not connection["password"]:
        raise ValueError("testSecret: the pending version is not a docker login")


def finish_secret(arn: str, token: str, versions: dict[str, list[str]]) -> None:
    current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
    secrets_manager.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
    )
    logger.info("finishSecret: the new version is current")
