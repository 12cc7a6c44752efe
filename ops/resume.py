"""`ecr-login resume`: let a stopped refresh function run again."""

import click

from ops.clients import NoAnswer, answers
from ops.deployment import read_deployment
from ops.invocation import run_refresh
from ops.results import CannotTell, Check, State, end, print_checks
from ops.target import Target, for_environment

START_SECONDS = 30
"""How long Lambda can still refuse a function after its limit is removed. This time is our estimate."""


@click.command(name="resume")
@for_environment
@click.argument("connection")
def command(target: Target, connection: str, as_json: bool) -> None:
    """Let the stopped function of CONNECTION run again, and write a new docker login at once.

    The second step of a rollback, after the cause is fixed.
    """
    clients = target.clients()
    found = read_deployment(clients, target.environment).connection(connection)
    try:
        with answers():
            limit = clients.lambda_.get_function_concurrency(FunctionName=found.function_name)
            was_stopped = limit.get("ReservedConcurrentExecutions") == 0
            if was_stopped:
                clients.lambda_.delete_function_concurrency(FunctionName=found.function_name)
    except NoAnswer as error:
        raise CannotTell(
            f"the function of {connection} was not started again: {error}. Use credentials that may stop and start it"
        ) from None
    started = "the function runs again" if was_stopped else "the function was not stopped"
    checks = [
        Check(f"function_{connection}", State.OK, f"{connection}: {started}."),
        run_refresh(clients, found, target.environment, write=True, start_seconds=START_SECONDS),
    ]
    if not as_json:
        print_checks(checks)
    end(checks, as_json=as_json)
