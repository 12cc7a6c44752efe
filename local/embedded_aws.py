"""An AWS of one's own: MiniStack in its own process, on https and loopback, with IAM enforced."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.session import Session

from local.emulator.certificates import Certificates, write_certificates
from tools import ROOT

ACCOUNT = "123456789012"
REGION = "us-east-1"
# The registries that the server certificate names.
REGISTRY_REGIONS = (REGION, "eu-west-1")

_START_SECONDS = 30
_END_SECONDS = 5
# MiniStack takes these for the account's root.
ROOT_CREDENTIALS = {"AccessKeyId": "test", "SecretAccessKey": "test"}


class EmbeddedAwsError(Exception):
    """The embedded AWS did not start, or does not what it was told."""


class EmbeddedAws:
    """A running embedded AWS. Everything it writes is under `state`."""

    def __init__(self, state: Path, port: int, pid: int, process: subprocess.Popen[bytes] | None = None) -> None:
        self.state = state
        self.port = port
        self.pid = pid
        self._process = process
        self._session: boto3.Session | None = None
        self._stopped = False

    @classmethod
    def start(cls, state: Path, *, outlives_us: bool = False, snapshot: Path | None = None) -> Self:
        """Start a fresh one, or a copy of another one from its snapshot.

        Without `outlives_us` it ends with the process that called this, however that ends.
        """
        state = state.resolve()
        for folder in (state / "home", state / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        certificates = write_certificates(_tls(state), REGISTRY_REGIONS)
        arguments = [] if outlives_us else ["--until-stdin-closes"]
        if snapshot:
            arguments.append(f"--snapshot={snapshot}")
        # The child inherits the bound socket, so that nobody can take the port in between.
        with socket.socket() as bound, (state / "server.log").open("wb") as log:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            process = subprocess.Popen(
                [sys.executable, "-m", "local.emulator.server", f"--socket={bound.fileno()}", *arguments],
                cwd=ROOT,
                env=_server_environment(state, port, certificates),
                stdin=subprocess.DEVNULL if outlives_us else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[bound.fileno()],
            )
        aws = cls(state, port, process.pid, process)
        try:
            aws._wait_until_healthy(process)
        except BaseException:
            aws.stop()
            raise
        if outlives_us:
            aws._record.write_text(json.dumps({"pid": aws.pid, "port": aws.port}))
        return aws

    @classmethod
    def running(cls, state: Path) -> Self | None:
        """The one that was started in `state` to outlive its starter, if it still runs."""
        state = state.resolve()
        try:
            record = json.loads((state / "server.json").read_text())
            aws = cls(state, port=record["port"], pid=record["pid"])
            # TLS proves that it is ours: nobody else has a certificate of this folder's authority.
            answers = aws._control("GET", "/_local/status")
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            return None
        return aws if answers.get("pid") == aws.pid else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def endpoint_url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_bundle(self) -> Path:
        return _tls(self.state) / "ca.pem"

    def client_environment(self) -> dict[str, str]:
        """What points the AWS CLI, boto3 and the CDK CLI here.

        Add PATH and HOME to it, not the whole of os.environ: an AWS_PROFILE there would still be obeyed.
        """
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_CA_BUNDLE": str(self.ca_bundle),
            "NODE_EXTRA_CA_CERTS": str(self.ca_bundle),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ACCESS_KEY_ID": ROOT_CREDENTIALS["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": ROOT_CREDENTIALS["SecretAccessKey"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "CDK_HOME": str(self.state / "cdk"),
            "CDK_DISABLE_CLI_TELEMETRY": "1",
            "CDK_DISABLE_VERSION_CHECK": "1",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        }

    def client(
        self,
        service: str,
        credentials: dict[str, str] | None = None,
        region: str = REGION,
        config: Config | None = None,
    ) -> Any:
        """A boto3 client with these credentials, as STS returns them, or the account root's."""
        self._session = self._session or _session_without_settings()
        identity = credentials or ROOT_CREDENTIALS
        return self._session.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            verify=str(self.ca_bundle),
            aws_access_key_id=identity["AccessKeyId"],
            aws_secret_access_key=identity["SecretAccessKey"],
            aws_session_token=identity.get("SessionToken"),
            config=Config(proxies={}).merge(config or Config()),
        )

    def advance_clock(self, minutes: int) -> None:
        """Let this time pass for schedules, which fire when they fall due, and for the registry's tokens."""
        self._control("POST", f"/_local/advance?minutes={minutes}")

    def save_snapshot(self, file: Path) -> None:
        """Write all that it holds to a file, from which others can start. Nothing may be running in it meanwhile."""
        self._control("POST", "/_local/snapshot", {"file": str(file.resolve())})

    @contextmanager
    def fault(self, operation: str, **what: Any) -> Iterator[Callable[[], int]]:
        """Let calls of an operation fail until the end of the body, in the way that local/emulator/faults.py describes.

        Yields how many calls it has struck so far; not one by the end is an error of whoever asked for it.
        """

        def struck() -> int:
            return int(self._control("GET", "/_local/status")["faults"][-1]["struck"])

        self._control("POST", "/_local/faults", {"operation": operation, **what})
        try:
            yield struck
            if not struck():
                raise EmbeddedAwsError(f"nobody called {operation}: the fault struck nothing")
        finally:
            self._control("DELETE", "/_local/faults")

    def stop(self) -> None:
        """End the server and every process it started."""
        if self._stopped:
            return
        self._stopped = True
        self._record.unlink(missing_ok=True)
        if not self._end_group(signal.SIGTERM):
            self._end_group(signal.SIGKILL)
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    @property
    def _record(self) -> Path:
        return self.state / "server.json"

    def _control(self, method: str, path: str, request: dict[str, Any] | None = None) -> dict[str, Any]:
        trust = ssl.create_default_context(cafile=str(self.ca_bundle))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=trust)
        try:
            connection.request(method, path, json.dumps(request) if request else None)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"{method} {path}: {response.status} {answer}")
        return answer

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise EmbeddedAwsError(f"the embedded AWS ended with {process.returncode}:\n{self._log_tail()}")
            try:
                self._control("GET", "/_ministack/health")
            except (ConnectionError, TimeoutError):
                time.sleep(0.02)
            else:
                return
        raise EmbeddedAwsError(f"the embedded AWS did not answer in {_START_SECONDS} s:\n{self._log_tail()}")

    def _log_tail(self) -> str:
        return "\n".join((self.state / "server.log").read_text(errors="replace").splitlines()[-20:])

    def _end_group(self, how: signal.Signals) -> bool:
        """Signal the server's process group; whether all of it ended in time."""
        deadline = time.monotonic() + _END_SECONDS
        try:
            os.killpg(self.pid, how)
            while time.monotonic() < deadline:
                if self._process is not None:
                    self._process.poll()  # reaps it: a zombie still counts as a member of its group
                time.sleep(0.02)
                os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):  # macOS refuses to signal a group of zombies
            return True
        return False


def _tls(state: Path) -> Path:
    return state / "tls"


def _server_environment(state: Path, port: int, certificates: Certificates) -> dict[str, str]:
    """All that the server gets: nothing of the user's own settings."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(state / "home"),
        "TMPDIR": str(state / "tmp"),
        "STATE_DIR": str(state / "tmp"),
        "LANG": "C.UTF-8",
        "AUTH": "true",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificates.server),
        "MINISTACK_SSL_KEY": str(certificates.server_key),
        "AWS_CA_BUNDLE": str(certificates.authority),
        "IOT_MTLS_ENABLED": "0",
        # MiniStack removes the containers that it takes for its own: keep it away from the user's Docker.
        "DOCKER_HOST": f"unix://{state / 'no-docker.sock'}",
    }


def _session_without_settings() -> boto3.Session:
    """A session that reads neither the environment nor any file of the user's."""
    variables = {
        name: (None, None, default, convert)
        for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    for file in ("config_file", "credentials_file"):
        variables[file] = (None, None, os.devnull, None)
    return boto3.Session(botocore_session=Session(session_vars=variables))
