"""The OIDC providers of GitHub and GitLab in IAM."""

from collections.abc import Iterator

from ops.clients import Clients, unless_missing
from ops.fixes import iam
from ops.preflight.findings import Finding, Planned, listed
from ops.together import in_parallel
from settings.regions import PARTITIONS


def find_missing_oidc_providers(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find OIDC providers that workflows need, and that do not exist or lack the workflows' audience.

    The deployment creates no OIDC provider, because all environments and roles of an account share it.
    """
    audiences: dict[str, set[str]] = {}  # by the issuer of the ID tokens
    for team in planned.environment.teams.values():
        for workflow in team.push.workflows:
            audiences.setdefault(workflow.issuer, set()).add(workflow.audience)

    def look_at(issuer: str) -> Finding | None:
        partition, account = PARTITIONS[planned.environment.region].name, planned.environment.account
        arn = f"arn:{partition}:iam::{account}:oidc-provider/{issuer}"
        get = clients.iam.get_open_id_connect_provider
        found = unless_missing(get, "NoSuchEntity", OpenIDConnectProviderArn=arn)
        if not found:
            client_ids = " ".join(sorted(audiences[issuer]))
            return Finding(
                f"The account has no OIDC provider for https://{issuer}. Its workflows cannot push.",
                "Run: " + iam(f"create-open-id-connect-provider --url https://{issuer} --client-id-list {client_ids}"),
                stops=False,
            )
        if missing := sorted(audiences[issuer] - set(found["ClientIDList"])):
            add = f"add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {arn} --client-id"
            return Finding(
                f"The OIDC provider {arn} lacks the audience {listed(missing)}. Its workflows cannot push.",
                f"Run: {' && '.join(iam(f'{add} {audience}') for audience in missing)}",
                stops=False,
            )
        return None

    yield from filter(None, in_parallel(look_at, list(audiences)))
