"""ECR: repository creation templates, and repositories that a push creates.

AWS (ECR user guide, "Templates to control repositories created during a pull through cache, create on push, or
replication action"; API reference, CreateRepositoryCreationTemplate; template reference of
AWS::ECR::RepositoryCreationTemplate):
- A push to a repository that does not exist creates the repository, if a template applies to CREATE_ON_PUSH and has a
  prefix of the repository's name. Without such a template, the push fails with 404 NAME_UNKNOWN.
- "There is always an assumed / applied to the end of the prefix." The longest prefix applies. The prefix ROOT applies
  to the names that no other template has a prefix of.
- The repository gets the tags, the mutability, the repository policy and the lifecycle policy of the template.
- ECR creates the repository with the role in customRoleArn. A template with tags needs this role.
- `Ref` of the resource is the prefix. A registry has one template for each prefix.

MiniStack:
- Has no templates. A push to a repository that does not exist fails.

The patch does what AWS does. Where the documentation has a gap, the patch does this:
- The first POST of a layer or PUT of a manifest creates the repository. Other requests do not create it.
- The permissions of the principal that pushes are evaluated as if the repository existed, with the template's tags and
  policy. If the principal may not push, the repository is not created. AWS does not document this order. A user reports
  that a push that was denied left an empty repository behind (aws/containers-roadmap, issue 853).
- The role needs ecr:CreateRepository, and ecr:TagResource, ecr:SetRepositoryPolicy and ecr:PutLifecyclePolicy for the
  parts that the template has. The template's repository policy must not deny them. The user guide gives the role only
  ecr:CreateRepository, ecr:TagResource and ecr:ReplicateImage, so AWS may need less.
- A push that fails because of the role is answered with 403 DENIED.
- Templates for pull through cache and replication have no effect.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
)
from ministack.services import ecr, iam
from ministack.services.cloudformation import provisioners

from local.emulator import authorization

SERVICE = "ecr.amazonaws.com"
CREATE_ON_PUSH = "CREATE_ON_PUSH"
ROOT = "ROOT"

Template = dict[str, Any]
Properties = dict[str, Any]
# The physical id of a resource, and its attributes for Fn::GetAtt.
Provisioned = tuple[str, dict[str, Any]]

_templates = AccountRegionScopedDict()  # by prefix


def create_repository(name: str) -> str | None:
    """Create a repository with the template that applies to its name. Do nothing if no template applies.

    Returns:
        The reason why the template's role cannot create the repository, or None.
    """
    template = _template_for(name)
    if template is None:
        return None
    arn = ecr._repo_arn(name)
    refusal = _role_refusal(template, arn, "ecr:CreateRepository")
    if refusal is None:
        _create(name, template)
        used = {
            "ecr:TagResource": template.get("resourceTags"),
            "ecr:SetRepositoryPolicy": template.get("repositoryPolicy"),
            "ecr:PutLifecyclePolicy": template.get("lifecyclePolicy"),
        }
        refusals = (_role_refusal(template, arn, action) for action, value in used.items() if value)
        refusal = next(filter(None, refusals), None)
    if refusal:
        delete_repository(name)
    return refusal


def delete_repository(name: str) -> None:
    """Delete a repository that was created for a push that is refused."""
    for store in (ecr._repositories, ecr._images, ecr._lifecycle_policies, ecr._repo_policies):
        store.pop(name, None)


def _template_for(name: str) -> Template | None:
    applying = {prefix: template for prefix, template in _templates.items() if CREATE_ON_PUSH in template["appliedFor"]}
    prefixes = [prefix for prefix in applying if prefix != ROOT and name.startswith(f"{prefix.rstrip('/')}/")]
    return applying.get(max(prefixes, key=len, default=ROOT))


def _create(name: str, template: Template) -> None:
    request = {
        "repositoryName": name,
        "imageTagMutability": template.get("imageTagMutability", "MUTABLE"),
        "imageTagMutabilityExclusionFilters": template.get("imageTagMutabilityExclusionFilters", []),
        "encryptionConfiguration": template.get("encryptionConfiguration", {"encryptionType": "AES256"}),
        "tags": list(template.get("resourceTags", [])),
    }
    ecr._create_repository(request)
    if policy := template.get("repositoryPolicy"):
        ecr._set_repository_policy({"repositoryName": name, "policyText": policy})
    if policy := template.get("lifecyclePolicy"):
        ecr._put_lifecycle_policy({"repositoryName": name, "lifecyclePolicyText": policy})


def _role_refusal(template: Template, repository_arn: str, action: str) -> str | None:
    """Return the error message if the role of a template lacks a permission, or None."""
    role_arn = template.get("customRoleArn")
    if not role_arn:  # ECR uses its service-linked role.
        return None
    role = iam._roles.get(role_arn.rpartition("/")[2])
    if role is None or not _trusts_ecr(json.loads(role["AssumeRolePolicyDocument"]), role_arn):
        return f"{SERVICE} cannot assume the role {role_arn}"
    principal = authorization.principal_of(authorization.session_of_role(role_arn, "ECRTemplate"))
    if authorization.decide(principal, action, repository_arn).decision == "Allow":
        return None
    return f"User: {principal.arn} is not authorized to perform: {action} on resource: {repository_arn}"


def _trusts_ecr(document: dict[str, Any], role_arn: str) -> bool:
    """Return whether a trust policy allows ECR to assume the role. ECR's request has no condition keys."""
    statements = document["Statement"]
    statements = statements if isinstance(statements, list) else [statements]
    # MiniStack compares only names under "AWS" with the caller.
    as_caller = [{**each, "Principal": {"AWS": each["Principal"].get("Service", [])}} for each in statements]
    context = iam_evaluator.EvalContext(SERVICE, "Service", "", "sts:AssumeRole", role_arn, get_region())
    return bool(iam_evaluator.evaluate_trust_policy({"Statement": as_caller}, SERVICE, context))


# The API


def create_template(request: dict[str, Any]) -> Any:
    prefix = request["prefix"]
    if prefix in _templates:
        message = f"The repository creation template with prefix '{prefix}' already exists"
        return error_response_json("TemplateAlreadyExistsException", message, 400)
    return _put({**request, "createdAt": int(time.time())})


def update_template(request: dict[str, Any]) -> Any:
    template = _templates.get(request["prefix"])
    return _put({**template, **request}) if template else _not_found(request["prefix"])


def delete_template(request: dict[str, Any]) -> Any:
    template = _templates.pop(request["prefix"], None)
    return _answer(template) if template else _not_found(request["prefix"])


def describe_templates(request: dict[str, Any]) -> Any:
    wanted = request.get("prefixes") or list(_templates)
    found = [template for prefix, template in _templates.items() if prefix in wanted]
    return json_response({"registryId": get_account_id(), "repositoryCreationTemplates": found})


def _put(template: Template) -> Any:
    if template.get("resourceTags") and not template.get("customRoleArn"):
        return error_response_json("InvalidParameterException", "Resource tags require a customRoleArn", 400)
    _templates[template["prefix"]] = {**template, "updatedAt": int(time.time())}
    return _answer(_templates[template["prefix"]])


def _answer(template: Template) -> Any:
    return json_response({"registryId": get_account_id(), "repositoryCreationTemplate": template})


def _not_found(prefix: str) -> Any:
    message = f"The repository creation template with prefix '{prefix}' does not exist"
    return error_response_json("TemplateNotFoundException", message, 400)


_OPERATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "CreateRepositoryCreationTemplate": create_template,
    "UpdateRepositoryCreationTemplate": update_template,
    "DeleteRepositoryCreationTemplate": delete_template,
    "DescribeRepositoryCreationTemplates": describe_templates,
}


async def handle_request(handle: Any, method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
    operation = _OPERATIONS.get(headers.get("x-amz-target", "").rpartition(".")[2])
    if operation:
        return operation(json.loads(body))
    return await handle(method, path, headers, body, query_params)


# CloudFormation


def create_resource(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    return _provision(create_template, properties)


def update_resource(prefix: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
    if prefix != new["Prefix"]:  # CloudFormation replaces the template, and deletes the old template afterwards.
        return _provision(create_template, new)
    _templates.pop(prefix, None)  # The update also removes the properties that the stack no longer has.
    return _provision(create_template, new)


def delete_resource(prefix: str, properties: Properties) -> None:
    _templates.pop(prefix, None)


def _provision(operation: Callable[[dict[str, Any]], Any], properties: Properties) -> Provisioned:
    status, _, body = operation(_request(properties))
    if status != 200:
        raise ValueError(f"{json.loads(body)['message']} (Service: Ecr, Status Code: {status})")
    return properties["Prefix"], {}


def _request(properties: Properties) -> dict[str, Any]:
    """Return the properties of a resource as the API has them."""
    request = {
        "prefix": properties["Prefix"],
        "appliedFor": properties["AppliedFor"],
        "description": properties.get("Description"),
        "customRoleArn": properties.get("CustomRoleArn"),
        "encryptionConfiguration": provisioners._ecr_cfn_to_api(properties)["encryptionConfiguration"],
        "imageTagMutability": properties.get("ImageTagMutability"),
        "imageTagMutabilityExclusionFilters": [
            {
                "filterType": entry["ImageTagMutabilityExclusionFilterType"],
                "filter": entry["ImageTagMutabilityExclusionFilterValue"],
            }
            for entry in properties.get("ImageTagMutabilityExclusionFilters", [])
        ],
        "lifecyclePolicy": properties.get("LifecyclePolicy"),
        "repositoryPolicy": properties.get("RepositoryPolicy"),
        "resourceTags": properties.get("ResourceTags"),
    }
    return {name: value for name, value in request.items() if value}


def apply() -> None:
    # Other patches may have replaced MiniStack's function before.
    ecr.handle_request = partial(handle_request, ecr.handle_request)
    provisioners._RESOURCE_HANDLERS["AWS::ECR::RepositoryCreationTemplate"] = {
        "create": create_resource,
        "update": update_resource,
        "delete": delete_resource,
    }
