"""IAM and STS: OIDC providers, and ID tokens of other issuers.

AWS:
- AssumeRoleWithWebIdentity needs an OIDC provider in the role's account for the issuer of the ID token. Otherwise it
  fails with InvalidIdentityToken, "No OpenIDConnect provider found in your account". The audience of the ID token must
  be a client ID of the provider. Otherwise it fails with InvalidIdentityToken, "Incorrect token audience". The error
  messages are taken from reports of users.
- A trust policy that trusts GitHub or gitlab.com must compare the subject of the ID token. Otherwise IAM refuses the
  policy (IAM user guide, "Identity-provider controls for shared OIDC providers"). The patch has a message of its own.
- AddClientIDToOpenIDConnectProvider adds a client ID.
- GetOpenIDConnectProvider returns the URL without https:// (API reference).

MiniStack:
- Accepts ID tokens of every issuer that a trust policy names. Checks the audience only if the trust policy does.
- Accepts every trust policy.
- Lacks AddClientIDToOpenIDConnectProvider, and returns the URL as the caller wrote it.

The patch:
- Does what AWS does. The signature and the expiry of an ID token are still not checked.
"""

from collections.abc import Iterable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import iam, sts

SHARED = ("token.actions.githubusercontent.com", "gitlab.com")

_web_identity_trust_denied = sts._web_identity_trust_denied
_create_provider = iam._create_oidc_provider


def web_identity_trust_denied(role_arn: str, params: dict[str, Any], use_json: bool) -> Any:
    """Return the error for an ID token that AWS refuses, or None."""
    token, provider_id = (iam._p(params, key) for key in ("WebIdentityToken", "ProviderId"))
    provider_arn, claims = sts._web_identity_principal(token, provider_id, role_arn)
    issuer = provider_arn.partition(":oidc-provider/")[2]
    if issuer:
        provider = iam._oidc_providers.get_scoped(role_arn.split(":")[4], None, provider_arn)
        if provider is None:
            return _refusal(f"No OpenIDConnect provider found in your account for https://{issuer}", use_json)
        if not set(_list(claims.get(f"{issuer}:aud".lower()))) & set(provider["ClientIDList"]):
            return _refusal("Incorrect token audience", use_json)
    return _web_identity_trust_denied(role_arn, params, use_json)


def _refusal(message: str, use_json: bool) -> Any:
    if use_json:
        return error_response_json("InvalidIdentityToken", message, 400)
    return sts._error(400, "InvalidIdentityToken", message, ns="sts")


def without_a_subject(statements: Iterable[Any]) -> str | None:
    """Return a provider that a trust policy trusts without a condition on the subject, or None."""
    for statement in statements:
        principal = statement.get("Principal")
        federated = principal.get("Federated") if isinstance(principal, dict) else None
        for provider in _list(federated):
            issuer = provider.partition(":oidc-provider/")[2]
            keys = {key.lower() for by_key in statement.get("Condition", {}).values() for key in by_key}
            if statement.get("Effect") == "Allow" and issuer in SHARED and f"{issuer}:sub" not in keys:
                return str(provider)
    return None


def _list(one_or_more: Any) -> list[Any]:
    if one_or_more is None:
        return []
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def create_provider(request: dict[str, Any]) -> Any:
    answer = _create_provider(request)
    for provider in iam._oidc_providers.values():
        provider["Url"] = provider["Url"].removeprefix("https://")
    return answer


def add_client_id(request: dict[str, Any]) -> Any:
    arn, client_id = (iam._p(request, key) for key in ("OpenIDConnectProviderArn", "ClientID"))
    provider = iam._oidc_providers.get(arn)
    if provider is None:
        return iam._error(404, "NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}", ns="iam")
    if client_id not in provider["ClientIDList"]:
        provider["ClientIDList"].append(client_id)
    return iam._xml(200, "AddClientIDToOpenIDConnectProviderResponse", "", ns="iam")


def apply() -> None:
    sts._web_identity_trust_denied = web_identity_trust_denied
    iam._IAM_HANDLERS["CreateOpenIDConnectProvider"] = create_provider
    iam._IAM_HANDLERS["AddClientIDToOpenIDConnectProvider"] = add_client_id
