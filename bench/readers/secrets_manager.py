"""Read the connection from Secrets Manager with the same call as Airflow's secrets backend."""

import json
from typing import Any

import boto3

from bench.readers.reading import main

if __name__ == "__main__":
    client = boto3.client("secretsmanager")

    def read() -> dict[str, Any]:
        secret = client.get_secret_value(SecretId="airflow/connections/docker_default")
        connection: dict[str, Any] = json.loads(secret["SecretString"])
        return connection

    main(read)
