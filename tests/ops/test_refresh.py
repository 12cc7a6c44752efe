"""`ecr-login refresh` on a deployed environment."""

from typing import Any

import pytest

from local.demo import read
from local.embedded_aws import EmbeddedAws
from tests.faults.aws_answers import error
from tests.faults.refresh import Refresh
from tests.local.logins import places_with_a_login
from tests.ops import in_process

NAME = "refresh_docker_default"


def test_a_refresh_keeps_a_young_login_and_replaces_it_on_request(
    aws: EmbeddedAws, local: dict[str, str], worker: Any
) -> None:
    before, _ = read(worker, local["SecretNameDockerDefault"])

    kept = in_process.run(aws, "refresh", "local", "docker_default", "--json")
    after_kept, _ = read(worker, local["SecretNameDockerDefault"])
    written = in_process.run(aws, "refresh", "local", "--write")
    after_written, _ = read(worker, local["SecretNameDockerDefault"])

    assert (kept.code, after_kept) == (0, before)
    assert "is kept, because it is young" in kept.checks[NAME][1]
    assert written.code == 0
    assert after_written != before
    assert "✔ refresh_docker_default: docker_default: a new docker login was written. It expires at " in written.out
    assert places_with_a_login({"refresh": kept.out + kept.error + written.out + written.error}) == []


@pytest.mark.parametrize(
    ("reason", "code", "state"), [("AccessDeniedException", 1, "degraded"), ("DecryptionFailure", 2, "broken")]
)
def test_the_reason_of_a_failed_refresh_is_shown(aws: EmbeddedAws, reason: str, code: int, state: str) -> None:
    with aws.fault("PutSecretValue", **error(reason)):
        # The request token is new, because the login is older.
        aws.advance_clock(30)
        done = in_process.run(aws, "refresh", "local", "docker_default", "--json")

    assert (done.code, done.checks[NAME][0]) == (code, state)
    assert f"PutSecretValue failed: {reason}." in done.checks[NAME][1]


def test_a_stopped_function_is_named_with_the_command_that_starts_it(
    aws: EmbeddedAws, local: dict[str, str], worker: Any
) -> None:
    with Refresh(aws, local, worker).stopped():
        done = in_process.run(aws, "refresh", "local", "docker_default", "--json")

    assert done.code == 1
    assert done.checks[NAME][2].endswith("ecr-login resume local docker_default")


def test_an_unknown_connection_is_refused_with_the_known_ones(aws: EmbeddedAws) -> None:
    done = in_process.run(aws, "refresh", "local", "docker_defualt")

    assert (done.code, done.out) == (3, "")
    known = "did you mean docker_default? If not, write one of docker_default"
    assert done.error == f"Error: local has no connection docker_defualt; {known}\n"
