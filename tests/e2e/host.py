"""The machine of the Airflow workers: its host names, its addresses and its docker engines.

The engines trust the CA (certificate authority) of the AWS emulator.
"""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.e2e import INSIDE, debian

OTHER_ACCOUNT, OTHER_REGION = "444455556666", "eu-west-1"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
REGISTRY_OF_OTHER_ACCOUNT = f"{OTHER_ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
REGISTRY_OF_OTHER_REGION = f"{ACCOUNT}.dkr.ecr.{OTHER_REGION}.amazonaws.com"
REGISTRIES = (REGISTRY, REGISTRY_OF_OTHER_ACCOUNT, REGISTRY_OF_OTHER_REGION)
ECR_API = f"api.ecr.{REGION}.amazonaws.com"  # The credential helper has no setting for another endpoint.
# This address is reserved for documentation. A loopback address cannot be used here, because an engine accepts a
# registry on loopback without TLS.
ADDRESS = "198.51.100.10"
ENGINE_SECONDS = 60
SHOW_MARKER = '["/bin/busybox", "cat", "/marker"]'


def prepare() -> None:
    """Start the loopback interface, and mount a temporary /run and a temporary /etc, which end with this namespace."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    for folder in ("upper", "work"):
        Path("/run/etc", folder).mkdir(parents=True)
    run(
        "mount", "-t", "overlay", "overlay", "-o", "lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work", "/etc"
    )
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost\n{ADDRESS} {' '.join(REGISTRIES)} {ECR_API}\n")


def trust(aws: EmbeddedAws) -> None:
    """Copy the CA certificate of the emulator to the folders in which docker engines look for the CA of a registry."""
    for registry in REGISTRIES:
        folder = Path("/etc/docker/certs.d", registry)
        folder.mkdir(parents=True)
        shutil.copy(aws.ca_bundle, folder / "ca.crt")


def relay(port: int) -> None:
    """Forward connections from ADDRESS:443 to this port on loopback. The bytes, including TLS, do not change."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # The copy in the other direction ends too.
        finally:
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, onward_writer), copy(onward_reader, writer))

    async def serve() -> None:
        server = await asyncio.start_server(connected, ADDRESS, 443)
        listening.set()
        await server.serve_forever()

    listening = threading.Event()
    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    assert listening.wait(10)


def docker_host(name: str) -> str:
    """Return the address on which the engine with this name listens."""
    return f"unix:///run/docker-{name}.sock"


class Engine:
    """A docker engine that does not change the network. Containers have no network, and it writes no firewall rules.

    Args:
        scratch: the folder of the log.
        name: the name of the engine's socket and folders.
        release: the Debian release of an unpacked engine, which uses the containerd image store. None: the machine's
            engine, with the classic image store.
    """

    def __init__(self, scratch: Path, name: str, release: str | None = None) -> None:
        self.host = docker_host(name)
        self._config = Path(f"/run/docker-{name}-config")
        self._log = scratch / f"dockerd-{name}.log"
        self._environment = dict(os.environ)
        settings = Path(f"/run/docker-{name}.json")
        settings.write_text(json.dumps({"features": {"containerd-snapshotter": release is not None}}))
        if release:
            self._environment["PATH"] = f"{debian.path(release)}:{os.environ['PATH']}"
        dockerd = str(debian.programs(release) / "usr" / "sbin" / "dockerd") if release else "dockerd"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [dockerd, f"--config-file={settings}", f"--host={self.host}", f"--cgroup-parent=/{os.environ[INSIDE]}"]
                + [f"--{place}=/run/docker-{name}.{place}" for place in ("data-root", "exec-root", "pidfile")]
                + ["--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
        eventually(self._answers, ENGINE_SECONDS)

    def stop(self) -> None:
        """Stop the engine and its containers."""
        self._process.terminate()
        self._process.wait(30)

    def push(self, root: Path, image: str, ecr: Any) -> str:
        """Make an image from a folder and push it with a docker login from this ECR client. Return the image's digest.

        Afterwards, the engine has neither the image nor the docker login.
        """
        layer = subprocess.run(["tar", "-C", str(root), "-c", "."], capture_output=True, check=True).stdout  # noqa: S607
        self.docker("import", "--change", f"CMD {SHOW_MARKER}", "-", image, stdin=layer)
        # These steps are the same as `aws ecr get-login-password | docker login`.
        [data] = ecr.get_authorization_token()["authorizationData"]
        password = base64.b64decode(data["authorizationToken"]).removeprefix(b"AWS:")
        registry = image.partition("/")[0]
        self.docker("login", "--username=AWS", "--password-stdin", registry, stdin=password)
        self.docker("push", "--quiet", image)
        self.docker("logout", registry)
        digest = self.docker("image", "inspect", "--format={{index .RepoDigests 0}}", image).partition("@")[2]
        self.forget_images()
        return digest

    def forget_images(self) -> None:
        """Remove every image, so that the next task has to pull."""
        images = self.docker("image", "ls", "--quiet").split()
        if images:
            self.docker("image", "rm", "--force", *images)

    def docker(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run the docker CLI and return its output.

        Raises:
            DockerRefused: The CLI failed. The message is its error output.
        """
        __tracebackhide__ = True  # Standard input may be a password, which the traceback would show.
        done = subprocess.run(
            ["docker", "--host", self.host, "--config", str(self._config), *arguments],  # noqa: S607
            env=self._environment,
            input=stdin,
            capture_output=True,
        )
        if done.returncode:
            raise DockerRefused(done.stderr.decode().strip())
        return done.stdout.decode().strip()

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise EngineEnded(f"dockerd ended:\n{self._log.read_text(errors='replace')[-3000:]}")
        try:
            self.docker("version")
        except DockerRefused:
            return False
        return True


class DockerRefused(Exception):
    """The docker CLI failed. The message is its error output."""


class EngineEnded(Exception):
    """The engine stopped. The message is the end of its log."""


def eventually(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> None:
    """Check a condition every `every` seconds until it is true. Fail if it is not true after `seconds` seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition was not true within {seconds} s"
        time.sleep(every)


def run(*command: str) -> None:
    subprocess.run(command, check=True)
