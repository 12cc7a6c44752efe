"""ECR: tokens, permissions and immutable tags of the registry behind `docker login`.

AWS:
- GetAuthorizationToken returns a new password each time. The password is valid for 12 h, in the registries of all
  accounts in this Region, for every repository that the principal may use: "An authorization token's permission scope
  matches that of the IAM principal used to retrieve the authentication token" (ECR user guide, private registry
  authentication). It "can be used to access any Amazon ECR registry that your IAM principal has access to" (API
  reference, GetAuthorizationToken).
- The field proxyEndpoint is the registry of the principal's own account in this Region. The parameter registryIds is
  deprecated (API reference, GetAuthorizationToken), and the patch ignores it.
- The registry requires the password as Basic authentication of the user AWS. Without it, the registry answers 401. With
  an expired password, it answers 403 DENIED. A password of another Region gets the same answer as an expired password
  (reports of users).
- Each operation of the Registry API needs an IAM action on the repository. The registry evaluates the principal's
  current policies: identity-based policies, permissions boundary, repository policy. In the registry of another
  account, the principal's own policies and the repository policy must both allow the action. A Deny in either wins.
- Mounting a layer from another repository needs the permission to read the layer there.
- IMMUTABLE protects all tags. IMMUTABLE_WITH_EXCLUSION protects the tags that no filter matches.
  MUTABLE_WITH_EXCLUSION protects the tags that a filter matches (ECR user guide, image tag mutability).

MiniStack:
- The password is a constant. The registry does not check the password, and allows every operation.
- Tags are protected under IMMUTABLE only. CreateRepository, PutImageTagMutability and DescribeRepositories drop the
  filters.
- Ignores the tags of repositories in aws:ResourceTag conditions.

The patch:
- Does what AWS does, with three differences.
- In the emulator, expiresAt follows the computer's clock, as the functions that read it do. The registry uses the
  movable clock.
- In the emulator, a token remains valid after the end of the session that requested the token. We do not know whether
  AWS does the same.
- In the emulator, mounting layers is always possible, so that tests find a permission that is too wide. On AWS, the
  account must turn BLOB_MOUNTING on.
"""

import base64
import binascii
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import ecr, tagging

from local.emulator import authorization
from local.emulator.patches import clock, create_on_push, referrers

TOKEN_SECONDS = 12 * 60 * 60

Headers = dict[str, str]
Query = dict[str, list[str]]

_create_repository = ecr._create_repository
_handle_registry_request = ecr.handle_registry_request
_put_image = ecr._put_image
_put_image_tag_mutability = ecr._put_image_tag_mutability
_put_manifest = ecr._v2_put_manifest
_repository_shape = ecr._repo_shape

# The IAM action of each request to the Registry API, by method and by MiniStack's name for the path.
_ACTIONS = {
    ("POST", "blob_uploads"): "ecr:InitiateLayerUpload",
    ("PATCH", "blob_upload_session"): "ecr:UploadLayerPart",
    ("GET", "blob_upload_session"): "ecr:UploadLayerPart",
    ("DELETE", "blob_upload_session"): "ecr:UploadLayerPart",
    ("PUT", "blob_upload_session"): "ecr:CompleteLayerUpload",
    ("HEAD", "blob"): "ecr:BatchCheckLayerAvailability",
    ("GET", "blob"): "ecr:GetDownloadUrlForLayer",
    ("DELETE", "blob"): "ecr:BatchDeleteImage",
    ("PUT", "manifest"): "ecr:PutImage",
    ("HEAD", "manifest"): "ecr:BatchGetImage",
    ("GET", "manifest"): "ecr:BatchGetImage",
    ("DELETE", "manifest"): "ecr:BatchDeleteImage",
    ("GET", "referrers"): "ecr:BatchGetImage",
    ("GET", "tags_list"): "ecr:ListImages",
    ("GET", "catalog"): "ecr:DescribeRepositories",
}
# The requests that create a missing repository, if a template allows it. See create_on_push.py.
_CREATE_REPOSITORY = {("POST", "blob_uploads"), ("PUT", "manifest")}


@dataclass(frozen=True)
class Token:
    principal: Any  # MiniStack's ResolvedCredential
    region: str
    expires_at: float


_tokens: dict[str, Token] = {}


def get_authorization_token(request: dict[str, Any]) -> Any:
    password = base64.b64encode(secrets.token_bytes(1501)).decode()
    _tokens[password] = Token(authorization.caller(), get_region(), clock.now() + TOKEN_SECONDS)
    login = {
        "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
        "expiresAt": round(time.time() + TOKEN_SECONDS, 3),
        "proxyEndpoint": f"https://{get_account_id()}.dkr.ecr.{get_region()}.amazonaws.com",
    }
    return json_response({"authorizationData": [login]})


async def handle_registry_request(method: str, path: str, headers: Headers, body: bytes, query_params: Query) -> Any:
    target, name, reference = ecr._parse_v2_path(path) or ("", "", "")
    ecr._select_registry_request_scope(name, headers, query_params)
    token = _tokens.get(_password(headers.get("authorization", "")))
    if token is None:
        return _unauthorized(headers.get("host", ""))
    if clock.now() >= token.expires_at or token.region != get_region():
        return _denied("Your authorization token has expired. Reauthenticate and try again.")
    method = method.upper()
    is_missing = bool(name) and name not in ecr._repositories
    refusal = create_on_push.create_repository(name) if is_missing else None
    refusals = (
        _refusal(token.principal, action, ecr._repo_arn(repository))
        for action, repository in _required_permissions(method, target, name, query_params)
    )
    refusal = refusal or next(filter(None, refusals), None)
    if is_missing and (refusal or (method, target) not in _CREATE_REPOSITORY):
        create_on_push.delete_repository(name)
    if refusal:
        return _denied(refusal)
    if (method, target) == ("GET", "referrers"):
        return referrers.get(name, reference, query_params)
    return await _handle_registry_request(method, path, headers, body, query_params)


def _password(header: str) -> str:
    scheme, _, encoded = header.partition(" ")
    try:
        user, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password if (scheme.lower(), user) == ("basic", "AWS") else ""


def _unauthorized(host: str) -> Any:
    status, headers, body = ecr._registry_error(401, "UNAUTHORIZED", "Not Authorized")
    headers["WWW-Authenticate"] = f'Basic realm="https://{host}/",service="ecr.amazonaws.com"'
    return status, headers, body


def _denied(message: str) -> Any:
    return ecr._registry_error(403, "DENIED", message)


def _required_permissions(method: str, target: str, name: str, query: Query) -> list[tuple[str, str]]:
    """Return the IAM actions that a request needs, each with the name of its repository."""
    if (method, target) not in _ACTIONS:
        return []
    required = [(_ACTIONS[method, target], name or "*")]
    if target == "blob_uploads" and "digest" in query:  # This request uploads a whole layer.
        required += [("ecr:UploadLayerPart", name), ("ecr:CompleteLayerUpload", name)]
    if target == "blob_uploads" and "mount" in query and "from" in query:
        required.append(("ecr:GetDownloadUrlForLayer", query["from"][0]))
    return required


def _refusal(credential: Any, action: str, repository_arn: str) -> str | None:
    """Return the error message if the principal lacks the permission now, or None."""
    principal = authorization.principal_of(credential)
    result = authorization.decide(principal, action, repository_arn)
    if result.decision == "Allow":
        return None
    if result.decision == "Deny":
        kind = "a resource" if result.resource_policy_arn else "an identity"
        reason = f"with an explicit deny in {kind}-based policy"
    else:
        # In the principal's own account, the principal's own policies are enough.
        kind = "resource" if authorization.is_allowed_by_own_policies(principal, action, repository_arn) else "identity"
        reason = f"because no {kind}-based policy allows the {action} action"
    return f"User: {principal.arn} is not authorized to perform: {action} on resource: {repository_arn} {reason}"


def create_repository(request: dict[str, Any]) -> Any:
    response = _create_repository(request)
    if response[0] != 200:
        return response
    repository = ecr._repositories[request["repositoryName"]]
    _set_exclusion_filters(repository, request)
    return json_response({"repository": repository_shape(repository)})


def put_image_tag_mutability(request: dict[str, Any]) -> Any:
    response = _put_image_tag_mutability(request)
    if response[0] == 200:
        _set_exclusion_filters(ecr._repositories[request["repositoryName"]], request)
    return response


def _set_exclusion_filters(repository: dict[str, Any], request: dict[str, Any]) -> None:
    repository["imageTagMutabilityExclusionFilters"] = request.get("imageTagMutabilityExclusionFilters", [])


def repository_shape(repository: dict[str, Any]) -> dict[str, Any]:
    shape: dict[str, Any] = _repository_shape(repository)
    filters = repository.get("imageTagMutabilityExclusionFilters")
    return {**shape, "imageTagMutabilityExclusionFilters": filters} if filters else shape


def put_manifest(name: str, reference: str, headers: Headers, body: bytes) -> Any:
    refusal = _immutable_tag_refusal(name, reference, ecr._content_digest(body))
    if refusal:
        return ecr._registry_error(400, "TAG_INVALID", refusal)
    return referrers.with_subject(_put_manifest(name, reference, headers, body), body)


def put_image(request: dict[str, Any]) -> Any:
    digest = request.get("imageDigest") or ecr._image_digest(request.get("imageManifest", ""))
    refusal = _immutable_tag_refusal(request.get("repositoryName", ""), request.get("imageTag", ""), digest)
    if refusal:
        return error_response_json("ImageTagAlreadyExistsException", refusal, 400)
    return _put_image(request)


def _immutable_tag_refusal(name: str, tag: str, digest: str) -> str | None:
    image = ecr._find_image(name, {"imageTag": tag})
    if image is None or image["imageDigest"] == digest or not _is_immutable(ecr._repositories[name], tag):
        return None
    return (
        f"The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten "
        "because the tag is immutable."
    )


def _is_immutable(repository: dict[str, Any], tag: str) -> bool:
    mutability = repository["imageTagMutability"]
    filters = repository.get("imageTagMutabilityExclusionFilters", [])
    excluded = any(_matches(entry["filter"], tag) for entry in filters)
    if mutability == "MUTABLE_WITH_EXCLUSION":
        return excluded
    return mutability == "IMMUTABLE" or (mutability == "IMMUTABLE_WITH_EXCLUSION" and not excluded)


def _matches(wildcard: str, tag: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, wildcard.split("*"))), tag) is not None


def apply() -> None:
    # MiniStack has a collector for the tags of repositories, but does not use it for aws:ResourceTag.
    tagging._RESOURCE_TAG_COLLECTORS["ecr"] = tagging._collect_ecr
    ecr._get_authorization_token = get_authorization_token
    ecr.handle_registry_request = handle_registry_request
    ecr._create_repository = create_repository
    ecr._put_image_tag_mutability = put_image_tag_mutability
    ecr._repo_shape = repository_shape
    ecr._v2_put_manifest = put_manifest
    ecr._put_image = put_image
