"""The secret value that Airflow reads, and the answers of ECR that must not replace a usable login."""

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
    """Return a usable answer of GetAuthorizationToken with these fields changed."""
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


def converted(answer: Any) -> dict[str, Any]:
    return airflow_connection(answer, registry_host=HOST, token_endpoint_host=HOST, now=NOW)


def test_the_connection_has_the_form_that_every_airflow_version_reads() -> None:
    # Some versions of Airflow or docker fail if there is another top-level key, a scheme in the host, or a URL-encoded
    # password.
    connection = json.loads(json.dumps(converted(reply())))

    assert connection == {
        "conn_type": "docker",
        "host": HOST,
        "login": "AWS",
        "password": PASSWORD,
        "extra": {"expires_at": "2026-11-25T00:00:00+00:00"},
    }


def test_the_expiry_is_converted_to_utc() -> None:
    expires_at = datetime.fromisoformat("2026-11-24T20:00:00-04:00")

    connection = converted(reply(expiresAt=expires_at))

    assert connection["extra"] == {"expires_at": "2026-11-25T00:00:00+00:00"}


REFUSED = {
    "no token": {"authorizationData": []},
    "two tokens": {"authorizationData": reply()["authorizationData"] * 2},
    "an empty answer": {},
    "no expiry": {"authorizationData": [{"authorizationToken": token(f"AWS:{PASSWORD}")}]},
    "an expiry that is not a date": reply(expiresAt="soon"),
    "a token that is not base64": reply(authorizationToken=f"AWS:{PASSWORD}"),
    "a token with a character that base64 does not have": reply(authorizationToken=f"!{token(f'AWS:{PASSWORD}')}"),
    "a token with a line break": reply(authorizationToken=f"{token(f'AWS:{PASSWORD}')}\n"),
    "a token that is not UTF-8": reply(authorizationToken=base64.b64encode(b"\xff\xfe" + PASSWORD.encode()).decode()),
    "another user": reply(authorizationToken=token(f"root:{PASSWORD}")),
    "a password without a user": reply(authorizationToken=token(PASSWORD.replace(":", ""))),
    "an empty password": reply(authorizationToken=token("AWS:")),
    "a login that expired": reply(expiresAt=NOW - timedelta(seconds=1)),
    "a login that expires now": reply(expiresAt=NOW),
    "another account's registry": reply(proxyEndpoint="https://999999999999.dkr.ecr.us-east-1.amazonaws.com"),
    "another region's registry": reply(proxyEndpoint="https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
    "a registry without a scheme": reply(proxyEndpoint=HOST),
    "a registry over plain http": reply(proxyEndpoint=f"http://{HOST}"),
    "a registry whose name starts with ours": reply(proxyEndpoint=f"https://{HOST}.example.com"),
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED.keys())
def test_an_unusable_answer_is_refused_without_quoting_it(answer: dict[str, Any]) -> None:
    with pytest.raises(UnusableLogin) as refusal:
        converted(answer)

    told = "".join(traceback.format_exception(refusal.value))
    assert PASSWORD not in told
    assert PASSWORD.replace(":", "") not in told
    assert token(f"AWS:{PASSWORD}") not in told
    # `raise … from None` keeps the parsing error in __context__. A logger that prints __context__ prints the token.
    assert refusal.value.__context__ is None


def test_a_login_for_another_account_has_the_other_host_and_the_answer_of_the_own_registry() -> None:
    other = "444455556666.dkr.ecr.us-east-1.amazonaws.com"
    login = airflow_connection(reply(), registry_host=other, token_endpoint_host=HOST, now=NOW)
    assert (login["host"], login["password"]) == (other, PASSWORD)

    answer = reply(proxyEndpoint=f"https://{other}")
    with pytest.raises(UnusableLogin, match=f"another registry than {HOST}"):
        airflow_connection(answer, registry_host=other, token_endpoint_host=HOST, now=NOW)
