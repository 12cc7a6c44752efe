"""Start, use and stop an AWS emulator: MiniStack with our patches in a separate process. IAM policies are enforced."""

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
from urllib.parse import urlencode

import boto3
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.session import Session

from local.emulator.certificates import Certificates, write_certificates
from tools import ROOT

# The account and Region of environments/local.toml
ACCOUNT = "123456789012"
REGION = "us-east-1"
# The server certificate is valid for the registries of these Regions and of the server's Region.
REGISTRY_REGIONS = (REGION, "eu-west-1")

_START_SECONDS = 30
_STOP_SECONDS = 5
# MiniStack accepts these credentials as those of the root user of the account that it starts with.
ROOT_CREDENTIALS = {"AccessKeyId": "test", "SecretAccessKey": "test"}


class EmbeddedAwsError(Exception):
    """The emulator did not start, refused a command, or received no request that matches an injected fault."""


class EmbeddedAws:
    """A running AWS emulator.

    Attributes:
        state: the folder for everything that the emulator writes.
        port: its port on 127.0.0.1.
        pid: the process id of the server, which is also the id of its process group.
        account: the number of its account.
        region: the Region that clients use by default.
        root_credentials: the credentials of the root user of its account.
    """

    def __init__(
        self,
        state: Path,
        port: int,
        pid: int,
        process: subprocess.Popen[bytes] | None = None,
        *,
        account: str = ACCOUNT,
        region: str = REGION,
    ) -> None:
        self.state = state
        self.port = port
        self.pid = pid
        self.account = account
        self.region = region
        self.root_credentials = ROOT_CREDENTIALS
        self._process = process
        self._session: boto3.Session | None = None
        self._stopped = False

    @classmethod
    def start(
        cls,
        state: Path,
        *,
        keep_running: bool = False,
        snapshot: Path | None = None,
        account: str = ACCOUNT,
        region: str = REGION,
    ) -> Self:
        """Start an emulator with an empty account, or with the content of a snapshot.

        Args:
            state: the folder for everything that the emulator writes.
            keep_running: whether the emulator keeps running when the calling process ends. By default, the emulator
                ends in the same moment, even if the calling process is killed.
            snapshot: a file that `save_snapshot` wrote.
            account: the number of its account.
            region: the Region that clients use by default.

        Raises:
            EmbeddedAwsError: the emulator did not start. The message contains the end of the log.
        """
        state = state.resolve()
        for folder in (state / "home", state / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        certificates = write_certificates(_tls(state), dict.fromkeys([region, *REGISTRY_REGIONS]))
        arguments = [] if keep_running else ["--until-stdin-closes"]
        if snapshot:
            arguments.append(f"--snapshot={snapshot}")
        # The server inherits the bound socket, so no other process can take the port in between.
        with socket.socket() as bound, (state / "server.log").open("wb") as log:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            process = subprocess.Popen(
                [sys.executable, "-m", "local.emulator.server", f"--socket={bound.fileno()}", *arguments],
                cwd=ROOT,
                env=_server_environment(state, port, certificates, account, region),
                stdin=subprocess.DEVNULL if keep_running else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[bound.fileno()],
            )
        aws = cls(state, port, process.pid, process, account=account, region=region)
        try:
            aws._wait_until_healthy(process)
        except BaseException:
            aws.stop()
            raise
        if keep_running:
            record = {name: getattr(aws, name) for name in ("port", "pid", "account", "region")}
            aws._record.write_text(json.dumps(record))
        return aws

    @classmethod
    def running(cls, state: Path) -> Self | None:
        """Return the emulator that was started in `state` with `keep_running`, or None if it no longer runs."""
        state = state.resolve()
        try:
            record = json.loads((state / "server.json").read_text())
            aws = cls(state, **record)
            # TLS proves that this is the right server: no other server has a certificate of the CA in `state`.
            status = aws._control("GET", "/_local/status")
        except (OSError, ValueError, TypeError, http.client.HTTPException, EmbeddedAwsError):
            return None
        return aws if status.get("pid") == aws.pid else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def elsewhere(self, *, account: str = "", region: str = "") -> Self:
        """Return the same server with another account or Region as the default of its clients.

        Args:
            account: the number of the account. By default, the same account.
            region: the Region. By default, the same Region. The server certificate must be valid for its registry.
        """
        other = type(self)(
            self.state, self.port, self.pid, account=account or self.account, region=region or self.region
        )
        # MiniStack accepts the number of an account as the access key of the account's root user.
        other.root_credentials = {**ROOT_CREDENTIALS, "AccessKeyId": other.account}
        return other

    @property
    def endpoint_url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_bundle(self) -> Path:
        return _tls(self.state) / "ca.pem"

    def client_environment(self) -> dict[str, str]:
        """Return the environment variables that point the AWS CLI, boto3 and the CDK CLI at the emulator.

        A caller must add PATH and HOME, but not all of os.environ: tools would use an AWS_PROFILE in os.environ.
        """
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_CA_BUNDLE": str(self.ca_bundle),
            "NODE_EXTRA_CA_CERTS": str(self.ca_bundle),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ACCESS_KEY_ID": self.root_credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.root_credentials["SecretAccessKey"],
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
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
        region: str | None = None,
        config: Config | None = None,
    ) -> Any:
        """Return a boto3 client.

        Args:
            service: the name of the service in boto3.
            credentials: credentials as STS returns them; by default those of the account's root user.
            region: the Region of the client; by default that of the emulator.
            config: further settings of the client.
        """
        self._session = self._session or _session_without_settings()
        identity = credentials or self.root_credentials
        return self._session.client(
            service,
            region_name=region or self.region,
            endpoint_url=self.endpoint_url,
            verify=str(self.ca_bundle),
            aws_access_key_id=identity["AccessKeyId"],
            aws_secret_access_key=identity["SecretAccessKey"],
            aws_session_token=identity.get("SessionToken"),
            config=Config(proxies={}).merge(config or Config()),
        )

    def advance_clock(self, minutes: int, *, sessions_expire: bool = True) -> None:
        """Move the clock forward for schedules, role sessions, docker logins and alarms.

        Args:
            minutes: the number of minutes. A schedule whose time is in these minutes invokes its target once.
            sessions_expire: whether role sessions that end in these minutes expire.
        """
        sessions = "" if sessions_expire else "&sessions=keep"
        self._control("POST", f"/_local/advance?minutes={minutes}{sessions}")

    def finish_due_runs(self) -> None:
        """Wait until no function runs. Schedules that are due invoke their targets before."""
        self._control("POST", "/_local/finish")

    def send_event(self, event: dict[str, Any]) -> None:
        """Send an event of an AWS service, such as a scan of ECR. PutEvents refuses the sources of AWS services.

        Args:
            event: the event's `source`, `detail-type`, `detail` and `resources`.
        """
        self._control("POST", "/_local/events", event)

    def confirm_subscriptions(self, address: str) -> None:
        """Confirm the pending subscriptions of an e-mail address, as its owner does with the link in the e-mails.

        Raises:
            EmbeddedAwsError: the address has no pending subscription.
        """
        self._control("POST", f"/_local/subscriptions?{urlencode({'confirm': address})}")

    @contextmanager
    def slow_stacks(self, milliseconds: int = 50) -> Iterator[None]:
        """Let CloudFormation wait after each resource until the end of the `with` statement.

        Without a pause, other requests see all changes of a deployment at once.
        """
        self._control("POST", f"/_local/stacks?pause_milliseconds={milliseconds}")
        try:
            yield
        finally:
            self._control("POST", "/_local/stacks?pause_milliseconds=0")

    def save_snapshot(self, file: Path) -> None:
        """Write the whole state to a file that `start` accepts as a snapshot. No function or deployment may run now."""
        self._control("POST", "/_local/snapshot", {"file": str(file.resolve())})

    @contextmanager
    def concurrency_limit(self, executions: int) -> Iterator[None]:
        """Limit the functions that run at the same time until the end of the `with` statement."""
        self._control("POST", f"/_local/concurrency?limit={executions}")
        try:
            yield
        finally:
            self._control("DELETE", "/_local/concurrency")

    @contextmanager
    def fault(self, operation: str, **fields: Any) -> Iterator[Callable[[], int]]:
        """Inject a fault into the requests of an operation until the end of the `with` statement.

        Args:
            operation: the name of the operation in AWS's API, such as PutSecretValue.
            fields: the other fields of `Fault` in local/emulator/faults.py, which say what happens to the requests.

        Yields:
            A function that returns the number of requests that had the fault so far.

        Raises:
            EmbeddedAwsError: the fault is not valid, or no request had it.
        """

        def hits() -> int:
            return int(self._control("GET", "/_local/status")["faults"][-1]["hits"])

        self._control("POST", "/_local/faults", {"operation": operation, **fields})
        try:
            yield hits
            if not hits():
                raise EmbeddedAwsError(f"no request had the fault: nothing called {operation}")
        finally:
            self._control("DELETE", "/_local/faults")

    def stop(self) -> None:
        """Stop the server and every process that it started."""
        if self._stopped:
            return
        self._stopped = True
        self._record.unlink(missing_ok=True)
        if not self._signal_group(signal.SIGTERM):
            self._signal_group(signal.SIGKILL)
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
            raise EmbeddedAwsError(str(answer.get("message") or f"{method} {path}: HTTP status {response.status}"))
        return answer

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise EmbeddedAwsError(
                    f"The emulator ended at its start, with exit code {process.returncode}. "
                    f"The end of its log:\n{self._log_tail()}"
                )
            try:
                self._control("GET", "/_ministack/health")
            except (ConnectionError, TimeoutError):
                time.sleep(0.02)
            else:
                return
        raise EmbeddedAwsError(
            f"The emulator did not answer within {_START_SECONDS} s. The end of its log:\n{self._log_tail()}"
        )

    def _log_tail(self) -> str:
        return "\n".join((self.state / "server.log").read_text(errors="replace").splitlines()[-20:])

    def _signal_group(self, number: signal.Signals) -> bool:
        """Send a signal to the server's process group, and return whether all of its processes ended in time."""
        deadline = time.monotonic() + _STOP_SECONDS
        try:
            os.killpg(self.pid, number)
            while time.monotonic() < deadline:
                if self._process is not None:
                    self._process.poll()  # Reap the server: a zombie still counts as a member of its group.
                time.sleep(0.02)
                os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):  # macOS refuses to signal a group of zombies.
            return True
        return False


def _tls(state: Path) -> Path:
    return state / "tls"


def _server_environment(
    state: Path, port: int, certificates: Certificates, account: str, region: str
) -> dict[str, str]:
    """Return all environment variables of the server, without the settings of the user's shell."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(state / "home"),
        "TMPDIR": str(state / "tmp"),
        "STATE_DIR": str(state / "tmp"),
        "LANG": "C.UTF-8",
        "AUTH": "true",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "MINISTACK_ACCOUNT_ID": account,
        "MINISTACK_REGION": region,
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificates.server),
        "MINISTACK_SSL_KEY": str(certificates.server_key),
        "AWS_CA_BUNDLE": str(certificates.authority),
        "IOT_MTLS_ENABLED": "0",
        # MiniStack removes containers that look like its containers, so it must not reach the user's docker.
        "DOCKER_HOST": f"unix://{state / 'no-docker.sock'}",
    }


def _session_without_settings() -> boto3.Session:
    """Return a session that reads no environment variables and no settings files."""
    variables = {
        name: (None, None, default, convert)
        for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    for file in ("config_file", "credentials_file"):
        variables[file] = (None, None, os.devnull, None)
    return boto3.Session(botocore_session=Session(session_vars=variables))
