"""A stub of ECR and of Secrets Manager with one secret. It serves the calls of a refresh over HTTPS on loopback."""

import base64
import json
import secrets
import ssl
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.loopback import Answering, serving
from local.embedded_aws import REGION
from local.emulator.certificates import write_certificates

REGISTRY_HOST = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
SECRET_ARN = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:airflow/connections/docker_default-AbCdEf"
_FIRST_VERSION = "00000000-0000-0000-0000-000000000000"
_PASSWORD_BYTES = 1900  # 2.5 kB in base64, which is the size of ECR's password


class NotWritten(Exception):
    """A run did not write the docker login that it requested. The message never contains the login."""


class AwsStub:
    """The state of the stub, and the calls that the stub received."""

    def __init__(self, url: str, ca_bundle: Path) -> None:
        self.url = url
        self.ca_bundle = ca_bundle
        self.forget()

    def forget(self) -> None:
        """Reset the stub to the initial state: a secret with one version, and no calls."""
        self.calls: list[str] = []
        self._passwords: list[str] = []
        self._versions = {_FIRST_VERSION: "{}"}
        self._labels = {"AWSCURRENT": _FIRST_VERSION}  # staging label to version

    def write_login(self) -> None:
        """Write a new docker login to the secret, as a refresh does."""
        [data] = self._mint({})["authorizationData"]
        login = {
            "conn_type": "docker",
            "host": REGISTRY_HOST,
            "login": "AWS",
            "password": base64.b64decode(data["authorizationToken"]).decode().removeprefix("AWS:"),
            "extra": {"expires_at": datetime.fromtimestamp(data["expiresAt"], UTC).isoformat()},
        }
        self._put({"SecretString": json.dumps(login)})

    def check_written(self) -> None:
        """Raise NotWritten unless the secret's current version is the docker login that was issued last."""
        if not {"GetAuthorizationToken", "PutSecretValue"} <= set(self.calls):
            raise NotWritten(
                f"the run called only {self.calls}; a refresh calls GetAuthorizationToken and PutSecretValue"
            )
        login = json.loads(self._versions[self._labels["AWSCURRENT"]])
        extra = login.pop("extra", {})
        wanted = {"conn_type": "docker", "host": REGISTRY_HOST, "login": "AWS", "password": self._passwords[-1]}
        if login != wanted or not extra.get("expires_at"):
            raise NotWritten("the secret's current version is not the docker login that was issued last")

    def call(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Handle an API call and return the HTTP status and the answer."""
        self.calls.append(operation)
        answers = {
            "GetAuthorizationToken": self._mint,
            "DescribeSecret": self._describe,
            "GetSecretValue": self._get,
            "ListSecretVersionIds": self._list,
            "PutSecretValue": self._put,
            "UpdateSecretVersionStage": self._move_label,
        }
        try:
            return 200, answers[operation](request)
        except KeyError:  # The staging label has no version. AWS returns the same error.
            return 400, {"__type": "ResourceNotFoundException"}

    def _mint(self, _request: dict[str, Any]) -> dict[str, Any]:
        password = base64.b64encode(secrets.token_bytes(_PASSWORD_BYTES)).decode()
        self._passwords.append(password)
        data = {
            "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
            "expiresAt": time.time() + 12 * 3600,
            "proxyEndpoint": f"https://{REGISTRY_HOST}",
        }
        return {"authorizationData": [data]}

    def _describe(self, _request: dict[str, Any]) -> dict[str, Any]:
        labels = {version: [label for label, of in self._labels.items() if of == version] for version in self._versions}
        return {"ARN": SECRET_ARN, "RotationEnabled": True, "VersionIdsToStages": labels}

    def _list(self, _request: dict[str, Any]) -> dict[str, Any]:
        an_hour_ago = time.time() - 3600
        return {
            "ARN": SECRET_ARN,
            "Versions": [
                {"VersionId": version, "VersionStages": [label], "CreatedDate": an_hour_ago}
                for label, version in self._labels.items()
            ],
        }

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        version = self._labels[request.get("VersionStage", "AWSCURRENT")]
        return {"ARN": SECRET_ARN, "VersionId": version, "SecretString": self._versions[version]}

    def _put(self, request: dict[str, Any]) -> dict[str, Any]:
        version = request.get("ClientRequestToken") or str(uuid.uuid4())
        self._versions[version] = request["SecretString"]
        labels = request.get("VersionStages", ["AWSCURRENT"])
        self._labels.update(dict.fromkeys(labels, version))
        return {"ARN": SECRET_ARN, "VersionId": version, "VersionStages": labels}

    def _move_label(self, request: dict[str, Any]) -> dict[str, Any]:
        self._labels[request["VersionStage"]] = request["MoveToVersionId"]
        return {"ARN": SECRET_ARN}


@contextmanager
def aws_stub(folder: Path, real_ca_bundle: Path) -> Iterator[AwsStub]:
    """Serve the stub while the body of the `with` statement runs.

    Args:
        folder: The folder for the TLS files.
        real_ca_bundle: A file with the public certificate authorities (CAs). The stub's `ca_bundle` contains these CAs
            and the stub's CA, so that a function loads as many CAs as on AWS.
    """
    certificates = write_certificates(folder, [REGION])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.server, certificates.server_key)
    ca_bundle = folder / "ca-bundle.pem"
    ca_bundle.write_bytes(real_ca_bundle.read_bytes() + certificates.authority.read_bytes())

    class Calls(Answering):
        def do_POST(self) -> None:
            operation = self.headers["X-Amz-Target"].rpartition(".")[-1]
            status, answer = stub.call(operation, json.loads(self.body() or b"{}"))
            self.answer(status, json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.1"})

    with serving(Calls, tls) as port:
        stub = AwsStub(f"https://127.0.0.1:{port}", ca_bundle)
        yield stub
