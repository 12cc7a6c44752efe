"""TLS files for one run of the AWS emulator: certificates of a private CA (certificate authority) and of the server."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

VALID_DAYS = 30


@dataclass(frozen=True)
class Certificates:
    """The paths of the PEM files. The private key of the CA signs one certificate, and is never written to a file."""

    authority: Path
    server: Path
    server_key: Path


def write_certificates(folder: Path, regions: Iterable[str]) -> Certificates:
    """Write the certificate of a new CA, and a server certificate for loopback and the ECR hosts of these regions."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    registries = [f"{host}.ecr.{region}.amazonaws.com" for region in regions for host in ("*.dkr", "api")]

    authority = trustme.CA(path_length=0, organization_unit_name="AWS emulator authority")
    now = datetime.now(UTC)
    server = authority.issue_cert(
        *("127.0.0.1", "localhost", *registries),
        organization_unit_name="AWS emulator",
        not_before=now - timedelta(hours=1),  # A client's clock may be slow.
        not_after=now + timedelta(days=VALID_DAYS),
    )

    authority.cert_pem.write_to_path(files.authority)
    # MiniStack makes Node.js functions trust every certificate in this file, so the file must contain the CA
    # certificate.
    chain = [*server.cert_chain_pems, authority.cert_pem]
    files.server.write_bytes(b"".join(certificate.bytes() for certificate in chain))
    _write_private(files.server_key, server.private_key_pem.bytes())
    return files


def _write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read. The file has these permissions before it has content."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
