"""`ecr-login status` on a deployed environment."""

from local.embedded_aws import EmbeddedAws
from tests.ops.ecr_login import ecr_login


def test_a_fresh_login_is_reported(aws: EmbeddedAws) -> None:
    done = ecr_login(aws, "status", "local", "--json")
    assert done.code == 0, done.error
    assert done.json["ok"]
