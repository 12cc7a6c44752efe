"""The document that Airflow reads, and the answers of ECR that must not replace a good login."""

import base64
import json
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from refresh_docker_login.connection import UnusableLogin, airflow_connection

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PASSWORD = "ey+J/wYXlsb2FkIjoi:dG9r==ZW4K"


def reply(**changes: Any) -> dict[str, Any]:
    """Return a good answer of GetAuthorizationToken with some fields changed."""
    return {
        "authorizationData": [
            {
                "authorizationToken": token(f"AWS:{PASSWORD}"),
                "expiresAt": NOW + timedelta(hours=12),
                "proxyEndpoint": f"https://{HOST}",
                **changes,
            }
        ]
    }


def token(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


def test_the_connection_is_the_document_that_every_airflow_version_reads() -> None:
    # Another top-level key, a scheme in the host or a quoted password fails on some version of Airflow or docker.
    document = json.loads(json.dumps(airflow_connection(reply(), HOST, NOW)))

    assert document == {
        "conn_type": "docker",
        "host": HOST,
        "login": "AWS",
        "password": PASSWORD,
        "extra": {"expires_at": "2026-11-25T00:00:00+00:00"},
    }


def test_the_expiry_is_written_in_utc_whatever_its_time_zone() -> None:
    expires_at = datetime.fromisoformat("2026-11-24T20:00:00-04:00")

    document = airflow_connection(reply(expiresAt=expires_at), HOST, NOW)

    assert document["extra"] == {"expires_at": "2026-11-25T00:00:00+00:00"}


REFUSED = {
    "no token at all": {"authorizationData": []},
    "two tokens": {"authorizationData": reply()["authorizationData"] * 2},
    "no data": {},
    "no expiry": {"authorizationData": [{"authorizationToken": token(f"AWS:{PASSWORD}")}]},
    "an expiry that is not a date": reply(expiresAt="soon"),
    "a token that is not base64": reply(authorizationToken=f"AWS:{PASSWORD}"),
    "a token that is not text": reply(authorizationToken=base64.b64encode(b"\xff\xfe" + PASSWORD.encode()).decode()),
    "another user": reply(authorizationToken=token(f"root:{PASSWORD}")),
    "a password alone": reply(authorizationToken=token(PASSWORD.replace(":", ""))),
    "an empty password": reply(authorizationToken=token("AWS:")),
    "a login that expired": reply(expiresAt=NOW - timedelta(seconds=1)),
    "a login that expires this moment": reply(expiresAt=NOW),
    "another account's registry": reply(proxyEndpoint="https://999999999999.dkr.ecr.us-east-1.amazonaws.com"),
    "another region's registry": reply(proxyEndpoint="https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
    "a registry over plain http": reply(proxyEndpoint=f"http://{HOST}"),
    "a registry whose name starts with ours": reply(proxyEndpoint=f"https://{HOST}.example.com"),
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED.keys())
def test_an_unusable_answer_is_refused_without_quoting_it(answer: dict[str, Any]) -> None:
    with pytest.raises(UnusableLogin) as refusal:
        airflow_connection(answer, HOST, NOW)

    told = "".join(traceback.format_exception(refusal.value))
    assert PASSWORD not in told
    assert PASSWORD.replace(":", "") not in told
    assert token(f"AWS:{PASSWORD}") not in told
    # `raise … from None` would only hide the parsing error: a logger that walks the chain would print the token.
    assert refusal.value.__context__ is None
