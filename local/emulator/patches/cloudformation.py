"""CloudFormation: secrets, secret policies and repositories.

AWS (template reference of each resource type):
- `Ref` of AWS::SecretsManager::Secret is the secret's ARN. With neither SecretString nor GenerateSecretString, the
  secret is created without a version.
- AWS::SecretsManager::ResourcePolicy exists. Its `Ref` is the secret's ARN. Its deletion fails while the secret is
  scheduled for deletion, because DeleteResourcePolicy then fails.
- Creating a secret or a repository fails if the name exists already, even if the existing one was retained from another
  stack. ImportExistingResources adopts an existing repository, whose identifier is its name. It cannot adopt a secret,
  whose identifier is its ARN.
- An adopted repository gets the tags and the repository policy of the template, and loses others, in the deployment
  that adopts it. Each update of a repository applies the whole template: tags, policies, lifecycle and mutability (the
  resource type's public handler, and users' reports of 2026).
- AWS::ECR::Repository has ImageTagMutabilityExclusionFilters.

MiniStack:
- `Ref` of a secret is its name, and a secret without a value has the value ''.
- Refuses AWS::SecretsManager::ResourcePolicy.
- Replaces an existing secret and overwrites an existing repository. It cannot import repositories. An update of a
  repository keeps tags that are not in the template.
- Drops the exclusion filters.

The patch does what AWS does.
"""

import json
from contextvars import ContextVar
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import cloudformation, ecr, secretsmanager
from ministack.services.cloudformation import changesets, provisioners, stacks
from ministack.services.cloudformation.helpers import _sdk_error

from local.emulator.patches import repository_policies, secret_keys, secrets_manager, stack_role

Properties = dict[str, Any]
# The physical id of a resource, and its attributes for Fn::GetAtt.
Provisioned = tuple[str, dict[str, Any]]

_secret_create = provisioners._sm_secret_create
_secret_update = provisioners._sm_secret_update
_secret_delete = provisioners._sm_secret_delete
_repository_create = provisioners._ecr_repo_create
_repository_update = provisioners._ecr_repo_update
_repository_delete = provisioners._ecr_repo_delete
_with_stack_tags = stacks._with_stack_tags


def create_secret(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    name = properties.get("Name") or provisioners._physical_name(stack_name, logical_id)
    existing = secretsmanager._secrets.get(name)
    if existing:
        exists = f"The operation failed because the secret {name} already exists."
        message = secrets_manager.NAME_IS_SCHEDULED_FOR_DELETION if existing.get("DeletedDate") else exists
        raise ValueError(f"{message} (Service: SecretsManager, Status Code: 400)")
    _, attributes = _secret_create(logical_id, properties, stack_name)
    if "SecretString" not in properties and "GenerateSecretString" not in properties:
        secrets_manager.drop_versions(name)
    with secret_keys.acting_as(stack_role.credential()):
        refusal = secrets_manager.refuse_new_secret(name)
    if refusal:
        raise ValueError(f"{json.loads(refusal[2])['message']} (Service: SecretsManager, Status Code: {refusal[0]})")
    return attributes["Arn"], attributes


def update_secret(
    arn: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
) -> Provisioned:
    stack_role.check("UpdateSecret", arn)
    with secret_keys.acting_as(stack_role.credential()):
        _, attributes = _secret_update(_secret_name(arn), old, new, stack_name, logical_id)
    return attributes["Arn"], attributes


def delete_secret(arn: str, properties: Properties) -> None:
    name = _secret_name(arn)
    # If a resource fails to delete, CloudFormation keeps the resources that it depends on. MiniStack deletes them.
    if _policy_failed_to_delete(arn):
        raise ValueError("The policy of the secret failed to delete.")
    stack_role.check("DeleteSecret", arn)
    _secret_delete(name, properties)


def _policy_failed_to_delete(secret_arn: str) -> bool:
    """Return whether a stack could not delete the policy of a secret, and does not retain it."""
    return any(
        found["ResourceType"] == "AWS::SecretsManager::ResourcePolicy"
        and found["PhysicalResourceId"] == secret_arn
        and found["ResourceStatus"] == "DELETE_FAILED"
        for stack in cloudformation._stacks.values()
        for found in stack.get("_resources", {}).values()
    )


def _secret_name(arn_or_name: str) -> str:
    name, _ = secretsmanager._resolve(arn_or_name)
    return name or arn_or_name


def create_secret_policy(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    policy = properties["ResourcePolicy"]
    text = policy if isinstance(policy, str) else json.dumps(policy)
    stack_role.check("PutResourcePolicy", properties["SecretId"])
    status, _, body = secretsmanager._put_resource_policy({"SecretId": properties["SecretId"], "ResourcePolicy": text})
    answer = json.loads(body)
    if status != 200:
        raise ValueError(f"{answer['message']} (Service: SecretsManager, Status Code: {status})")
    return answer["ARN"], {"Id": answer["ARN"]}


def update_secret_policy(arn: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
    # The policy of another secret has another ARN, so CloudFormation deletes the old policy.
    return create_secret_policy("", new, stack_name)


def delete_secret_policy(arn: str, properties: Properties) -> None:
    stack_role.check("DeleteResourcePolicy", arn)
    status, _, body = secretsmanager._delete_resource_policy({"SecretId": arn})
    answer = json.loads(body)
    # If the secret was deleted, its policy was deleted with it.
    if status != 200 and answer["__type"] != "ResourceNotFoundException":
        raise ValueError(f"{answer['message']} (Service: SecretsManager, Status Code: {status})")


def create_repository(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    name = properties.get("RepositoryName") or provisioners._physical_name(
        stack_name, logical_id, lowercase=True, max_len=256
    )
    if name in ecr._repositories:
        raise ValueError(f"Resource of type 'AWS::ECR::Repository' with identifier '{name}' already exists.")
    _, attributes = _repository_create(logical_id, properties, stack_name)
    _set_exclusion_filters(name, properties)
    try:
        _set_policy(name, properties)
    except ValueError:
        _repository_delete(name, properties)
        raise
    return name, attributes


def update_repository(
    name: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
) -> Provisioned:
    if name in ecr._repositories:
        repository_policies.check(name, _actions_of_an_update(name, new))
        _set_policy(name, new)
    name, attributes = _repository_update(name, old, new, stack_name, logical_id)
    _set_exclusion_filters(name, new)
    ecr._repositories[name]["tags"] = provisioners._ecr_cfn_to_api(new)["tags"]
    return name, attributes


def _set_policy(name: str, properties: Properties) -> None:
    """Set or delete the repository policy, and raise ValueError if ECR refuses it. MiniStack ignores the refusal."""
    if policy := properties.get("RepositoryPolicyText"):
        repository_policies.set_policy(name, policy)
    else:
        ecr._repo_policies.pop(name, None)


def _actions_of_an_update(name: str, properties: Properties) -> list[str]:
    actions = ["PutImageScanningConfiguration", "PutImageTagMutability"]
    actions.append("PutLifecyclePolicy" if properties.get("LifecyclePolicy") else "DeleteLifecyclePolicy")
    if properties.get("RepositoryPolicyText"):
        actions.append("SetRepositoryPolicy")
    elif name in ecr._repo_policies:
        actions.append("DeleteRepositoryPolicy")
    wanted = provisioners._ecr_cfn_to_api(properties)["tags"]
    return actions + (["TagResource", "UntagResource"] if wanted != ecr._repositories[name].get("tags") else [])


# The properties of the repository that MiniStack provisions next. MiniStack does not pass properties to the
# handler of an import.
_next_repository: ContextVar[Properties] = ContextVar("next_repository")


def with_stack_tags(resource_type: str, properties: Properties, *of_the_stack: Any) -> Properties:
    """Return the properties that a resource is provisioned with. MiniStack calls this function just before."""
    tagged: Properties = _with_stack_tags(resource_type, properties, *of_the_stack)
    if resource_type == "AWS::ECR::Repository":
        _next_repository.set(tagged)
    return tagged


def adopt_repository(identifier: dict[str, str]) -> Provisioned:
    name, properties = identifier["RepositoryName"], _next_repository.get()
    repository = ecr._repositories[name]
    repository_policies.check(name, _actions_of_an_update(name, properties))
    repository["tags"] = provisioners._ecr_cfn_to_api(properties)["tags"]
    _set_policy(name, properties)
    return name, {
        "Arn": repository["repositoryArn"],
        "RepositoryUri": repository["repositoryUri"],
    }


def _set_exclusion_filters(name: str, properties: Properties) -> None:
    ecr._repositories[name]["imageTagMutabilityExclusionFilters"] = [
        {
            "filterType": entry["ImageTagMutabilityExclusionFilterType"],
            "filter": entry["ImageTagMutabilityExclusionFilterValue"],
        }
        for entry in properties.get("ImageTagMutabilityExclusionFilters", [])
    ]


def _repository_import_problem(name: str) -> Any:
    if name in ecr._repositories:
        return None
    return _sdk_error(
        f"The repository with name '{name}' does not exist in the registry with id '{get_account_id()}'",
        "Ecr",
        400,
    )


def apply() -> None:
    # MiniStack calls this function by this name when an update replaces a secret.
    provisioners._sm_secret_create = create_secret
    stacks._with_stack_tags = with_stack_tags

    provisioners._RESOURCE_HANDLERS.update(
        {
            "AWS::SecretsManager::Secret": {
                "create": create_secret,
                "update": update_secret,
                "update_with_logical_id": True,
                "delete": delete_secret,
            },
            "AWS::SecretsManager::ResourcePolicy": {
                "create": create_secret_policy,
                "update": update_secret_policy,
                "delete": delete_secret_policy,
            },
            "AWS::ECR::Repository": {
                "create": create_repository,
                "update": update_repository,
                "update_with_logical_id": True,
                "delete": _repository_delete,
                "import": adopt_repository,
            },
        }
    )
    changesets._IMPORT_LOOKUPS["AWS::ECR::Repository"] = (("RepositoryName",), _repository_import_problem)
