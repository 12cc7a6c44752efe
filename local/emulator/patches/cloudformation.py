"""CloudFormation's secrets, secret policies and repositories.

AWS (template reference of each type):
- Ref of AWS::SecretsManager::Secret is the ARN; with neither SecretString nor GenerateSecretString the secret is born
  without a version.
- AWS::SecretsManager::ResourcePolicy exists; its Ref is the secret's ARN.
- Creating a secret or a repository whose name is taken fails, whoever made the first one, and also when it was
  retained. A repository (its name is its identifier) can be adopted with ImportExistingResources; a secret (its ARN is)
  cannot.
- AWS::ECR::Repository has ImageTagMutabilityExclusionFilters.
- AWS::SSM::Association exists; its Ref is an id of its own.

MiniStack: Ref is the name; the secret has the value ''; the policy's type is refused; a taken secret is replaced and a
taken repository overwritten; repositories cannot be imported; the filters are dropped; the association's type is
refused. Here it is taken and does nothing: there are no instances.
"""

import json
import uuid
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import ecr, secretsmanager
from ministack.services.cloudformation import changesets, provisioners
from ministack.services.cloudformation.helpers import _sdk_error

from local.emulator.patches import secrets_manager

Properties = dict[str, Any]
# A physical id and the attributes that Fn::GetAtt reads.
Provisioned = tuple[str, dict[str, Any]]

_secret_create = provisioners._sm_secret_create
_secret_update = provisioners._sm_secret_update
_secret_delete = provisioners._sm_secret_delete
_repository_create = provisioners._ecr_repo_create
_repository_update = provisioners._ecr_repo_update
_repository_delete = provisioners._ecr_repo_delete


def create_secret(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    name = properties.get("Name") or provisioners._physical_name(stack_name, logical_id)
    if name in secretsmanager._secrets:
        raise ValueError(
            f"The operation failed because the secret {name} already exists. "
            "(Service: SecretsManager, Status Code: 400)"
        )
    _, attributes = _secret_create(logical_id, properties, stack_name)
    if "SecretString" not in properties and "GenerateSecretString" not in properties:
        secrets_manager.drop_versions(name)
    return attributes["Arn"], attributes


def update_secret(
    arn: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
) -> Provisioned:
    _, attributes = _secret_update(_secret_name(arn), old, new, stack_name, logical_id)
    return attributes["Arn"], attributes


def delete_secret(arn: str, properties: Properties) -> None:
    _secret_delete(_secret_name(arn), properties)


def _secret_name(arn_or_name: str) -> str:
    name, _ = secretsmanager._resolve(arn_or_name)
    return name or arn_or_name


def create_secret_policy(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    policy = properties["ResourcePolicy"]
    text = policy if isinstance(policy, str) else json.dumps(policy)
    status, _, body = secretsmanager._put_resource_policy({"SecretId": properties["SecretId"], "ResourcePolicy": text})
    answer = json.loads(body)
    if status != 200:
        raise ValueError(f"{answer['message']} (Service: SecretsManager, Status Code: {status})")
    return answer["ARN"], {"Id": answer["ARN"]}


def update_secret_policy(arn: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
    # On another secret it has another ARN, by which the engine knows that the old one is to be deleted.
    return create_secret_policy("", new, stack_name)


def delete_secret_policy(arn: str, properties: Properties) -> None:
    # The answer does not matter: a secret that is gone has taken its policy along.
    secretsmanager._delete_resource_policy({"SecretId": arn})


def create_repository(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    name = properties.get("RepositoryName") or provisioners._physical_name(
        stack_name, logical_id, lowercase=True, max_len=256
    )
    if name in ecr._repositories:
        raise ValueError(f"Resource of type 'AWS::ECR::Repository' with identifier '{name}' already exists.")
    _, attributes = _repository_create(logical_id, properties, stack_name)
    _set_exclusion_filters(name, properties)
    return name, attributes


def update_repository(
    name: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
) -> Provisioned:
    name, attributes = _repository_update(name, old, new, stack_name, logical_id)
    _set_exclusion_filters(name, new)
    return name, attributes


def adopt_repository(identifier: dict[str, str]) -> Provisioned:
    repository = ecr._repositories[identifier["RepositoryName"]]
    return identifier["RepositoryName"], {
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


def create_association(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    association_id = str(uuid.uuid4())
    return association_id, {"AssociationId": association_id}


def update_association(association_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
    return association_id, {"AssociationId": association_id}


def delete_association(association_id: str, properties: Properties) -> None:
    pass  # Nothing was made.


def _repository_import_problem(name: str) -> Any:
    if name in ecr._repositories:
        return None
    return _sdk_error(
        f"The repository with name '{name}' does not exist in the registry with id '{get_account_id()}'",
        "Ecr",
        400,
    )


def apply() -> None:
    provisioners._sm_secret_create = create_secret  # by this name its update creates a renamed secret

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
            "AWS::SSM::Association": {
                "create": create_association,
                "update": update_association,
                "delete": delete_association,
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
