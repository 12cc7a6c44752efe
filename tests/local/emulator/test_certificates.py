"""Tests of the AWS emulator's certificates, with TLS handshakes and strict verification."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.emulator.certificates import VALID_DAYS, Certificates, write_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("tls"), ["us-east-1", "eu-west-1"])


def connect(certificates: Certificates, host: str) -> ssl.SSLObject:
    """Do a TLS handshake in memory. The client verifies the certificate as Python 3.13 and later do by default."""
    trust = ssl.create_default_context(cafile=str(certificates.authority))
    trust.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.load_cert_chain(certificates.server, certificates.server_key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(to_client, to_server, server_hostname=host)
    server = identity.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue  # This side waits for the other one.
    return client


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "api.ecr.us-east-1.amazonaws.com",
    ],
)
def test_strict_verification_accepts_the_server_certificate_for_its_hosts(
    certificates: Certificates, host: str
) -> None:
    assert connect(certificates, host).version() == "TLSv1.3"


@pytest.mark.parametrize("host", ["s3.us-east-1.amazonaws.com", "123456789012.dkr.ecr.us-west-2.amazonaws.com"])
def test_the_server_certificate_is_not_valid_for_other_hosts(certificates: Certificates, host: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(certificates, host)


def test_the_server_certificate_expires_after_thirty_days(certificates: Certificates) -> None:
    described = connect(certificates, "localhost").getpeercert()
    assert described is not None
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(described["notAfter"])), UTC)
    assert abs(expires - datetime.now(UTC) - timedelta(days=VALID_DAYS)) < timedelta(minutes=10)


def test_two_runs_have_different_cas(certificates: Certificates, tmp_path: Path) -> None:
    other = write_certificates(tmp_path, ["us-east-1"])
    assert other.authority.read_text() != certificates.authority.read_text()


def test_the_private_key_of_the_ca_is_not_written(certificates: Certificates) -> None:
    folder = certificates.authority.parent
    assert {file.name for file in folder.iterdir()} == {"ca.pem", "server.pem", "server.key"}
    keys = [file.name for file in folder.iterdir() for _ in range(file.read_text().count("PRIVATE KEY-----\n"))]
    assert keys == ["server.key", "server.key"], "there must be one private key, with a first line and a last line"
