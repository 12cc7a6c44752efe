"""Push and pull images over the registry's HTTP API as docker does, under the real ECR host name.

A docker client would connect to the real registry with this host name. This client connects to the AWS emulator.
"""

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import oras.container
import oras.defaults
import oras.oci
import oras.provider
import requests
from requests.adapters import HTTPAdapter

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"


class RegistryRefused(Exception):
    """The registry answered with an error. The message contains the HTTP status and the registry's error message."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        try:
            message = response.json()["errors"][0]["message"]
        except (ValueError, LookupError):
            message = response.reason
        super().__init__(f"{self.status} {message}")


class RegistryClient:
    """A client with a docker login for one registry. It connects to a port on loopback, not to the registry's host."""

    def __init__(self, host: str, username: str, password: str, *, port: int, ca_bundle: Path) -> None:
        self._host = host
        self._registry = oras.provider.Registry(host, auth_backend="basic", tls_verify=str(ca_bundle))
        # The client uses only this login. It ignores proxies, ~/.netrc and ~/.docker/config.json.
        self._registry.session.trust_env = False
        self._registry.auth._auth_config = {"auths": {}}
        self._registry.auth.set_basic_auth(username, password)
        self._registry.session.mount(f"https://{host}/", _Loopback(port))
        self._registry.session.hooks["response"].append(self._keep_last_answer)

    def push(self, image: str, files: dict[str, str]) -> str:
        """Push an image with one layer, and return its digest.

        Args:
            image: `<repository>:<tag>`.
            files: a dict of name to content with the text files of the layer.

        Raises:
            RegistryRefused: the registry refused a request.
        """
        layer, diff_id = _layer(files)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            }
        ).encode()
        container = oras.container.Container(image, registry=self._host)
        manifest = oras.oci.NewManifest()
        manifest["config"] = self._upload(container, config, _CONFIG)
        manifest["layers"] = [self._upload(container, layer, _LAYER)]
        answer = _accepted(self._registry.upload_manifest(manifest, container))
        return str(answer.headers["Docker-Content-Digest"])

    def pull(self, image: str) -> dict[str, str]:
        """Pull an image, and return a dict of name to content with the text files of its layers.

        Args:
            image: `<repository>:<tag>` or `<repository>@<digest>`.

        Raises:
            RegistryRefused: the registry refused a request.
        """
        container = oras.container.Container(image, registry=self._host)
        manifest = _accepted(
            self._registry.do_request(
                f"https://{container.manifest_url()}", headers={"Accept": oras.defaults.default_manifest_media_type}
            )
        ).json()
        files = {}
        for layer in manifest["layers"]:
            blob = _accepted(self._registry.get_blob(container, layer["digest"])).content
            with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
                for member in archive:
                    content = archive.extractfile(member)
                    if content:
                        files[member.name] = content.read().decode()
        return files

    def _upload(self, container: Any, content: bytes, media_type: str) -> dict[str, object]:
        descriptor = {"mediaType": media_type, "size": len(content), "digest": _digest(content)}
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            try:
                _accepted(self._registry.upload_blob(file.name, container, descriptor))
            except ValueError:
                # oras found no upload URL in the registry's answer. The answer contains the reason.
                raise RegistryRefused(self._last_answer) from None
        return descriptor

    def _keep_last_answer(self, answer: requests.Response, *_args: object, **_kwargs: object) -> None:
        self._last_answer = answer


class _Loopback(HTTPAdapter):
    """Connect to a port on loopback for every host name, as with a hosts file. TLS and HTTP use the real host name."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        name = host["host"]
        request.headers["Host"] = name
        return {**host, "host": "127.0.0.1", "port": self._port}, {
            **pool,
            "server_hostname": name,
            "assert_hostname": name,
        }


def _accepted(answer: requests.Response) -> requests.Response:
    if not answer.ok:
        raise RegistryRefused(answer)
    return answer


def _layer(files: dict[str, str]) -> tuple[bytes, str]:
    """Return a gzipped tar of text files, and the digest of the tar before compression."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0), _digest(buffer.getvalue())


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
