"""`ecr-login status`: whether the docker logins are fresh."""

from datetime import UTC, datetime, timedelta

import click

from ops.clients import Clients, NoAnswer, answers
from ops.deployment import Connection, read_deployment
from ops.results import Check, State, end, print_checks
from ops.target import Target, for_environment

LOGIN_LIFETIME = timedelta(hours=12)
"""How long a token of ECR is valid (Amazon ECR API Reference, GetAuthorizationToken)."""


@click.command(name="status")
@for_environment
def command(target: Target, as_json: bool) -> None:
    """Show whether the docker logins of ENVIRONMENT are fresh."""
    clients = target.clients()
    deployment = read_deployment(clients, target.environment)
    checks = [_freshness(clients, connection) for connection in deployment.connections.values()]
    if not as_json:
        print_checks(checks)
    end(checks, as_json=as_json, verdict=f"{target.environment.name}: {len(checks)} docker logins")


def _freshness(clients: Clients, connection: Connection) -> Check:
    try:
        with answers():
            versions = clients.secretsmanager.list_secret_version_ids(SecretId=connection.secret_arn)["Versions"]
    except NoAnswer as error:
        return Check(f"login_{connection.id}", State.UNKNOWN, str(error))
    [current] = [version for version in versions if "AWSCURRENT" in version.get("VersionStages", [])]
    age = datetime.now(UTC) - current["CreatedDate"]
    state = State.BROKEN if age >= LOGIN_LIFETIME else State.OK
    return Check(f"login_{connection.id}", state, f"{age.total_seconds() / 60:.0f} minutes old")
