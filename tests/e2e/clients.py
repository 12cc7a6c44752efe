"""A person's machine with the registry clients of a Debian release, AWS credentials and a docker configuration."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.account import Credentials
from local.embedded_aws import EmbeddedAws
from tests.e2e import debian, host

SECONDS = 120


@dataclass(frozen=True)
class Ended:
    """The exit code of a command, and its standard output and error output together."""

    exit_code: int
    output: str = field(repr=False)

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0

    @property
    def last_line(self) -> str:
        return self.output.rstrip().rpartition("\n")[2]


class Laptop:
    """The machine of a person who pushes and pulls images.

    Args:
        folder: a new folder for the person's home.
        aws: the emulator.
        credentials: the AWS credentials of the person.
        engine: the docker engine.
        release: the Debian release of the programs. None: the machine's own programs.
    """

    def __init__(
        self, folder: Path, aws: EmbeddedAws, credentials: Credentials, engine: host.Engine, release: str | None = None
    ) -> None:
        self._config = folder / ".docker" / "config.json"
        self._config.parent.mkdir(parents=True)
        self._plugins: dict[str, Any] = {}
        self.environment = aws.client_environment() | {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DOCKER_HOST": engine.host,
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
            "AWS_ECR_DISABLE_CACHE": "true",
            # cosign, oras and `docker buildx imagetools` do not read /etc/docker/certs.d.
            "SSL_CERT_FILE": str(aws.ca_bundle),
        }
        if release:
            self.environment["PATH"] = f"{debian.path(release)}:{os.environ['PATH']}"
            plugins = debian.programs(release) / "usr" / "libexec" / "docker" / "cli-plugins"
            self._plugins = {"cliPluginsExtraDirs": [str(plugins)]}
            libraries = debian.programs(release).glob("usr/lib/*-linux-gnu")
            self.environment["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))
        self.log_out()

    def run(self, *command: str, stdin: str = "", **environment: str) -> Ended:
        """Run a command. More environment variables can be given by name."""
        __tracebackhide__ = True  # Standard input may be a password, which the traceback would show.
        done = subprocess.run(
            command,
            env=self.environment | environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        return Ended(done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout))

    def succeeds(self, *command: str, **environment: str) -> str:
        """Run a command that must succeed, and return its output."""
        ended = self.run(*command, **environment)
        assert ended.succeeded, f"{' '.join(command)}:\n{ended.output}"
        return ended.output

    def fails(self, *command: str, **environment: str) -> str:
        """Run a command that must fail, and return its output."""
        ended = self.run(*command, **environment)
        assert not ended.succeeded, f"{' '.join(command)}:\n{ended.output}"
        return ended.output

    def use_helper(self) -> None:
        """Configure Amazon's credential helper for the registry. A docker login is not needed then."""
        self._configure({"credHelpers": {host.REGISTRY: "ecr-login"}})

    def log_in(self, password: str) -> None:
        """Log in with `docker login`."""
        __tracebackhide__ = True
        ended = self.run("docker", "login", "--username=AWS", "--password-stdin", host.REGISTRY, stdin=password)
        assert ended.succeeded, ended.output

    def log_out(self) -> None:
        """Remove every docker login and helper from the configuration."""
        self._configure({})

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The content of the docker configuration file."""
        content: Mapping[str, Any] = json.loads(self._config.read_text())
        return content

    def _configure(self, settings: dict[str, Any]) -> None:
        self._config.write_text(json.dumps(self._plugins | settings))
