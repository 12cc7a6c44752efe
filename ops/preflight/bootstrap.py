"""The bootstrap of the CDK in the account and Region."""

from collections.abc import Iterator

from ops.clients import Clients, unless_missing
from ops.fixes import make
from ops.preflight.findings import Finding, Planned

OLDEST_VERSION = 6
"""The version of the bootstrap that the stacks need, `requiresBootstrapStackVersion` in the cloud assembly."""


def find_old_bootstrap(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find a bootstrap that is missing or too old."""
    name = f"/cdk-bootstrap/{planned.qualifier}/version"
    fix = f"Run: {make(f'bootstrap ENV={planned.environment.name}')}"
    answer = unless_missing(clients.ssm.get_parameter, "ParameterNotFound", Name=name)
    if not answer:
        yield Finding(
            f"The account has no bootstrap with the qualifier {planned.qualifier} in {planned.environment.region}. The "
            f"CDK would answer: SSM parameter {name} not found. Has the environment been bootstrapped?",
            fix,
        )
    elif (version := answer["Parameter"]["Value"]).isdecimal() and int(version) < OLDEST_VERSION:
        yield Finding(
            f"The bootstrap with the qualifier {planned.qualifier} has the version {version}. CloudFormation would "
            f"answer: CDK bootstrap stack version {OLDEST_VERSION} required.",
            fix,
        )
