"""A stand-in for docker, so that tests can run printed commands: `python -m tests.ops.docker_cli`.

The stand-in supports `login`, `build`, `tag` and `push`. `push` sends a small image to the AWS emulator under the real
host name of the registry, which a docker engine cannot do without changes to the machine. tests/e2e runs the same
commands with docker.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from local.registry_client import RegistryClient

LOGINS = Path(os.environ["HOME"]) / "logins.json"


def main() -> None:
    command, *words = sys.argv[1:]
    parser = argparse.ArgumentParser()
    if command == "login":
        parser.add_argument("--username", required=True)
        parser.add_argument("--password-stdin", action="store_true", required=True)
        parser.add_argument("host")
        options = parser.parse_args(words)
        LOGINS.write_text(json.dumps({options.host: [options.username, sys.stdin.read().strip()]}))
    elif command == "build":
        parser.add_argument("--platform", choices=["linux/amd64"], required=True)
        parser.add_argument("--provenance", choices=["false"], required=True)
        parser.add_argument("--tag", required=True)
        parser.add_argument("folder")
        parser.parse_args(words)
    elif command == "push":
        parser.add_argument("image")
        _push(parser.parse_args(words).image)
    else:
        sys.exit(f"unknown command: {command}")


def _push(image: str) -> None:
    host, _, name = image.partition("/")
    username, password = json.loads(LOGINS.read_text())[host]
    port = urlsplit(os.environ["AWS_ENDPOINT_URL"]).port
    assert port
    client = RegistryClient(host, username, password, port=port, ca_bundle=Path(os.environ["AWS_CA_BUNDLE"]))
    print(client.push(name, {"file": name}))


if __name__ == "__main__":
    main()
