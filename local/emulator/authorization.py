"""Decide whether a principal has a permission now, outside of the check that MiniStack makes for each signed request.

The result is the same as that of MiniStack's iam_evaluator.enforce() for a signed request.
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam, tagging

Principal = Any  # MiniStack's PrincipalInfo
Credential = Any  # MiniStack's ResolvedCredential
Decision = Any  # MiniStack's EvalResult


def caller() -> Credential:
    """Return the credential that signed the current request."""
    # The access key whose signature MiniStack has verified. MiniStack does not verify signatures of the root user.
    return iam_evaluator.resolve_credential(iam_evaluator._verified_key.get(), get_account_id())


def session_of_role(role_arn: str, session_name: str) -> Credential:
    """Return the credential of a session of a role that an AWS service assumes."""
    account, role_name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    role = iam._roles.get_scoped(account, None, role_name) or {}
    return iam_evaluator.ResolvedCredential(
        access_key_id=session_name,
        secret_access_key="",
        account_id=account,
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}",
        principal_id=f"{role.get('RoleId', '')}:{session_name}",
        principal_type="AssumedRole",
    )


def principal_of(credential: Credential) -> Principal:
    """Return the principal of a credential, with its current policies."""
    return iam_evaluator.resolve_principal(credential.access_key_id, credential.account_id, credential)


def decide(principal: Principal, action: str, resource_arn: str, context: dict[str, Any] | None = None) -> Decision:
    """Return the decision of IAM: "Allow", "Deny" or "ImplicitDeny" in the attribute `decision`.

    Args:
        principal: the principal. The root user may do everything in its own account in MiniStack, also against a key
            policy. In another account, the policy of the resource must allow it.
        action: the action, such as kms:Decrypt.
        resource_arn: the ARN of the resource.
        context: the condition keys of the service, with their values.
    """
    is_root, same_account = principal.policies is None, principal.account == get_account_id()
    if is_root and same_account:
        return iam_evaluator.EvalResult("Allow", principal.arn)
    service = action.partition(":")[0]
    request = _request(principal, action, resource_arn, context)
    decision = _identity_decision(principal, request)
    policy = iam_evaluator._resource_policy(service, resource_arn)
    if policy is None:
        return decision if same_account else iam_evaluator.EvalResult("ImplicitDeny", principal.arn)
    return iam_evaluator.combine_resource_policy(
        decision,
        request,
        *policy,
        required=service in iam_evaluator._POLICY_REQUIRED,
        limits=principal.limits,
    )


def is_allowed_by_own_policies(principal: Principal, action: str, resource_arn: str) -> bool:
    """Return whether the principal's own policies allow an action. The policy of the resource has no effect."""
    return bool(_identity_decision(principal, _request(principal, action, resource_arn)).decision == "Allow")


def _request(principal: Principal, action: str, resource_arn: str, context: dict[str, Any] | None = None) -> Any:
    tags = tagging.resource_tags(resource_arn) or {}
    return iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        service_context={
            "aws:tagkeys": None,
            **{f"aws:resourcetag/{key}".lower(): value for key, value in tags.items()},
            **{key.lower(): value for key, value in (context or {}).items()},
        },
        principal_keys=principal.keys,
    )


def _identity_decision(principal: Principal, request: Any) -> Decision:
    """Return the decision of the principal's own policies. The root user has no policies, and may do everything."""
    if principal.policies is None:
        return iam_evaluator.EvalResult("Allow", principal.arn)
    return iam_evaluator.evaluate(request, principal.policies, *principal.limits)


def topic_allows(topic: dict[str, Any], service: str, source_arn: str) -> bool:
    """Return whether the policy of an SNS topic allows a service to publish.

    Args:
        topic: MiniStack's record of the topic.
        service: the service principal, such as cloudwatch.amazonaws.com.
        source_arn: the ARN of the resource of the current account that publishes, such as an alarm.
    """
    request = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="sns:Publish",
        resource_arn=topic["arn"],
        region=get_region(),
        secure_transport=True,
        service_context={
            "aws:sourcearn": source_arn,
            "aws:sourceaccount": get_account_id(),
            "aws:sourceowner": get_account_id(),
        },
    )
    policy = topic["attributes"].get("Policy")
    decision = iam_evaluator.evaluate_resource_policy(policy, request, service=service)
    return bool(decision.decision == "Allow")
