"""`ecr-login refresh`: refresh the docker logins now."""

import sys

import click

from ops.deployment import read_deployment
from ops.invocation import SECONDS, run_refresh
from ops.results import end, print_checks
from ops.target import Target, for_environment
from ops.together import in_parallel


@click.command(name="refresh")
@for_environment
@click.argument("connection", required=False)
@click.option("--write", is_flag=True, help="Write a new login even if the current login is young.")
def command(target: Target, connection: str | None, write: bool, as_json: bool) -> None:
    """Refresh the docker login of CONNECTION, or of all connections, and wait for the results."""
    clients = target.clients()
    deployment = read_deployment(clients, target.environment)
    chosen = [deployment.connection(connection)] if connection else list(deployment.connections.values())
    if sys.stderr.isatty():
        click.echo(f"Waiting for the results, for up to {SECONDS} seconds …", err=True)
    try:
        checks = in_parallel(lambda each: run_refresh(clients, each, target.environment, write=write), chosen)
    except KeyboardInterrupt:
        click.echo("\nThe refreshes on AWS continue.", err=True)
        raise
    if not as_json:
        print_checks(checks)
    end(checks, as_json=as_json)
