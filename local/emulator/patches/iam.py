"""IAM: the condition key aws:PrincipalArn, principals of trust policies, and what CloudFormation does with IAM.

AWS:
- "For IAM roles, the request context returns the ARN of the role, not the ARN of the user that assumed the role"
  (IAM user guide, global condition keys). The ARN includes the role's path.
- A trust policy that names a user or role that does not exist is refused with MalformedPolicyDocument, "Invalid
  principal in policy" (IAM user guide, "Troubleshoot IAM policies"; CloudFormation reports the same message).
- A role has at most 10 managed policies by default. One more is refused with LimitExceeded, "Cannot exceed quota for
  PoliciesPerRole: 10" (IAM user guide, quotas).
- CloudFormation cannot create a role or a managed policy whose name is in use.
- CloudFormation cannot attach a managed policy to a role that does not exist.
- CloudFormation deletes a role with DeleteRole. It detaches only the policies of the template, so the
  deletion fails if a policy was attached by hand (API reference, DeleteRole).
- AWS::IAM::Role has PermissionsBoundary, which changes in place. The policy must exist.

MiniStack:
- Returns the ARN of the session as aws:PrincipalArn, arn:aws:sts::<account>:assumed-role/<role>/<session>.
- Accepts every principal in a trust policy, and any number of managed policies.
- Replaces an existing role or managed policy of the same name. Ignores roles that do not exist.
- Deletes a role of a stack with all of its policies. Ignores the boundary of a role in a template.

The patch:
- Does what AWS does. The patch accepts all principals of other accounts. AWS checks these principals too.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam
from ministack.services.cloudformation import provisioners

from local.emulator.patches import oidc_providers

MANAGED_POLICIES_PER_ROLE = 10

Properties = dict[str, Any]
# The physical id of a resource, and its attributes for Fn::GetAtt.
Provisioned = tuple[str, dict[str, Any]]

_resolve_condition_key = iam_evaluator._resolve_condition_key
_trust_policy_error = iam._trust_policy_not_principal_error
_attach_managed_policy = iam.attach_managed_policy
_attach_role_policy = iam._attach_role_policy
_role_create = provisioners._iam_role_create
_role_update = provisioners._iam_role_update
_role_delete = provisioners._iam_role_delete
_managed_policy_create = provisioners._iam_managed_policy_create
_managed_policy_update = provisioners._iam_managed_policy_update


def resolve_condition_key(key: str, context: Any) -> Any:
    if key.lower() == "aws:principalarn" and ":assumed-role/" in context.principal_arn:
        return _role_arn(context.principal_arn, context.principal_account)
    return _resolve_condition_key(key, context)


def _role_arn(session_arn: str, account: str) -> str:
    name = iam_evaluator._role_name_from_assumed_arn(session_arn)
    role = iam._roles.get_scoped(account, None, name)
    return str(role["Arn"]) if role else f"arn:aws:iam::{account}:role/{name}"


def trust_policy_error(document: Any) -> str | None:
    """Return why IAM refuses a trust policy, or None. Requests and templates both use this check."""
    error: str | None = _trust_policy_error(document)
    if error:
        return error
    try:
        policy = json.loads(document) if isinstance(document, str) else document
    except ValueError:
        return None  # MiniStack accepts a document that is not JSON.
    statements = _list((policy or {}).get("Statement"))
    for arn in _aws_principals(statements):
        if not _may_exist(arn):
            return f'Invalid principal in policy: "AWS":"{arn}"'
    if provider := oidc_providers.without_a_subject(statements):
        return f"The trust policy must compare the subject of ID tokens of {provider}"
    return None


def _aws_principals(statements: Iterable[Any]) -> Iterator[str]:
    for statement in statements:
        principal = statement.get("Principal")
        if isinstance(principal, dict):
            yield from _list(principal.get("AWS"))


def _list(one_or_more: Any) -> list[Any]:
    if one_or_more is None:
        return []
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def _may_exist(principal: str) -> bool:
    """Return whether a principal exists, or belongs to another account."""
    found = re.fullmatch(r"arn:[^:]+:iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)", principal)
    if found is None or found[1] != get_account_id():
        return True
    entity = (iam._users if found[2] == "user" else iam._roles).get(found[3])
    return entity is not None and entity["Arn"] == principal


def attach_managed_policy(entity: dict[str, Any], policy_arn: str) -> None:
    """Attach a managed policy to a user, group or role. Raise ValueError if the role already has the maximum."""
    attached = entity.get("AttachedPolicies", [])
    if "RoleName" in entity and policy_arn not in attached and len(attached) >= MANAGED_POLICIES_PER_ROLE:
        raise ValueError(_TOO_MANY_POLICIES)
    _attach_managed_policy(entity, policy_arn)


_TOO_MANY_POLICIES = f"Cannot exceed quota for PoliciesPerRole: {MANAGED_POLICIES_PER_ROLE}"


def attach_role_policy(request: dict[str, Any]) -> Any:
    try:
        return _attach_role_policy(request)
    except ValueError as error:
        return iam._error(409, "LimitExceeded", str(error))


def create_role(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    name = properties.get("RoleName")
    if name in iam._roles:
        raise ValueError(f"Role with name {name} already exists. (Service: Iam, Status Code: 409)")
    _check_boundary(properties)
    provisioned: Provisioned = _role_create(logical_id, properties, stack_name)
    iam._roles[provisioned[0]]["PermissionsBoundary"] = properties.get("PermissionsBoundary")
    return provisioned


def update_role(
    name: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
) -> Provisioned:
    _check_boundary(new)
    provisioned: Provisioned = _role_update(name, old, new, stack_name, logical_id)
    iam._roles[provisioned[0]]["PermissionsBoundary"] = new.get("PermissionsBoundary")
    return provisioned


def _check_boundary(properties: Properties) -> None:
    arn = properties.get("PermissionsBoundary")
    if arn and iam._boundary_policy_error(arn):
        raise ValueError(f"Scope ARN: {arn} does not exist or is not attachable. (Service: Iam, Status Code: 404)")


def delete_role(name: str, properties: Properties) -> None:
    role = iam._roles.get(name)
    if role is None:
        return
    of_the_template = {policy["PolicyName"] for policy in properties.get("Policies", [])}
    if set(role["AttachedPolicies"]) - set(properties.get("ManagedPolicyArns", [])):
        raise ValueError(
            "Cannot delete entity, must detach all policies first. (Service: Iam, Status Code: 409)",
        )
    if set(role["InlinePolicies"]) - of_the_template:
        raise ValueError("Cannot delete entity, must delete policies first. (Service: Iam, Status Code: 409)")
    _role_delete(name, properties)


def create_managed_policy(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    name = properties.get("ManagedPolicyName")
    arn = f"arn:aws:iam::{get_account_id()}:policy{properties.get('Path', '/')}{name}"
    if name and arn in iam._policies:
        raise ValueError(
            f"A policy called {name} already exists. Duplicate names are not allowed. (Service: Iam, Status Code: 409)"
        )
    _check_roles(properties.get("Roles") or [])
    provisioned: Provisioned = _managed_policy_create(logical_id, properties, stack_name)
    return provisioned


def update_managed_policy(
    arn: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
) -> Provisioned:
    _check_roles(sorted(set(new.get("Roles") or []) - set(old.get("Roles") or [])))
    provisioned: Provisioned = _managed_policy_update(arn, old, new, stack_name, logical_id)
    return provisioned


def _check_roles(names: list[str]) -> None:
    """Raise ValueError before any change if a policy cannot be attached to one of these roles."""
    provisioners._iam_policy_require_entities({"Roles": names})
    if any(len(iam._roles[name]["AttachedPolicies"]) >= MANAGED_POLICIES_PER_ROLE for name in names):
        raise ValueError(_TOO_MANY_POLICIES)


def apply() -> None:
    iam_evaluator._resolve_condition_key = resolve_condition_key
    iam._trust_policy_not_principal_error = trust_policy_error
    iam.attach_managed_policy = attach_managed_policy
    iam._IAM_HANDLERS["AttachRolePolicy"] = attach_role_policy

    # MiniStack calls these functions by these names when an update replaces a role.
    provisioners._iam_role_create = create_role
    provisioners._iam_role_delete = delete_role
    provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"].update(create=create_role, update=update_role, delete=delete_role)
    provisioners._RESOURCE_HANDLERS["AWS::IAM::ManagedPolicy"].update(
        create=create_managed_policy, update=update_managed_policy
    )
