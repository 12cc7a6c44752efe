"""The registries of other accounts and Regions that docker logins are for."""

from collections.abc import Iterator
from functools import partial

from ops.clients import Clients, answers, unless_missing
from ops.fixes import aws
from ops.images import repository_names
from ops.preflight.findings import Finding, Planned, listed
from settings.names import repository_name
from settings.registries import PulledImages


def find_unusable_registries(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find Regions of other registries that are not enabled, and repositories of this account that do not exist there.

    The credentials belong to this account, so repositories of other accounts are not checked.
    """
    environment = planned.environment
    for connection_id, connection in environment.connections.items():
        if not connection.registry:
            continue
        images = environment.pulled_images(connection_id)
        region = images.registry.region
        if region != environment.region and not _is_enabled(clients, region):
            yield Finding(
                f"The Region {region} of connections.{connection_id}.registry is not enabled in the account "
                f"{environment.account}, so ECR gives no token there. The first refresh would fail.",
                "Run: " + aws(environment, f"account enable-region --region-name {region}"),
            )
        elif images.registry.account == environment.account:
            yield from _missing(clients.in_region(region), connection_id, images)


def _is_enabled(clients: Clients, region: str) -> bool:
    with answers():
        status = clients.account.get_region_opt_status(RegionName=region)["RegionOptStatus"]
    return status in ("ENABLED", "ENABLED_BY_DEFAULT")


def _missing(clients: Clients, connection_id: str, images: PulledImages) -> Iterator[Finding]:
    """Yield a notice if repositories do not exist in another Region of the account."""
    describe = clients.ecr.describe_repositories
    missing = [
        name
        for name in images.repositories
        if not unless_missing(partial(describe, repositoryNames=[name]), "RepositoryNotFoundException")
    ]
    if images.teams:
        names = repository_names(clients)
        prefixes = [repository_name(team, "") for team in images.teams]
        missing += [f"{prefix}*" for prefix in prefixes if not any(name.startswith(prefix) for name in names)]
    if missing:
        yield Finding(
            f"ECR in {images.registry.region} has no repository {listed(missing)}, which {connection_id} pulls from.",
            f"Create the repositories there, or correct connections.{connection_id}.",
            stops=False,
        )
