"""A function with boto3 and with Logger and Metrics of Powertools. Many teams write functions in this way."""

import base64
import json
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="refresh")
metrics = Metrics(namespace="DockerLogin", service="refresh")
ecr = boto3.client("ecr")
secrets_manager = boto3.client("secretsmanager")


@logger.inject_lambda_context
@metrics.log_metrics
def handle(_event: dict[str, Any], _context: LambdaContext) -> None:
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
    metrics.add_metric(name="Refreshed", unit=MetricUnit.Count, value=1)
    logger.info("The docker login is fresh", expires_at=connection["extra"]["expires_at"])
