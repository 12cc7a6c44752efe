"""The account's limit of concurrent executions in Lambda."""

from collections.abc import Iterator

from ops.clients import Clients, answers
from ops.fixes import aws
from ops.preflight.findings import Finding, Planned

FIRST_REFRESHES_AT_ONCE = 3
"""How many first refreshes a deployment runs at the same time."""

EXECUTIONS_OF_A_FIRST_REFRESH = 2
"""CDK's function, and the refresh function that it invokes."""


def find_low_concurrency(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find a limit of concurrent executions that the first refreshes of a deployment exceed."""
    with answers():
        limit = clients.lambda_.get_account_settings()["AccountLimit"]
    free, total = limit["UnreservedConcurrentExecutions"], limit["ConcurrentExecutions"]
    at_once = min(FIRST_REFRESHES_AT_ONCE, len(planned.environment.connections))
    needed = at_once * EXECUTIONS_OF_A_FIRST_REFRESH
    if free < needed:
        request = "service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384"
        yield Finding(
            f"Lambda runs at most {free} functions of the account at the same time without reserved concurrency, of "
            f"{total} in total. The deployment runs up to {needed} at the same time, for {at_once} first refreshes. "
            "A first refresh can fail with TooManyRequestsException, and the deployment then rolls back.",
            "Reduce the reserved concurrency of other functions, or request a higher quota: "
            + aws(planned.environment, f"{request} --desired-value 1000"),
            stops=False,
        )
