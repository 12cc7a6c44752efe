"""CloudFormation: `Ref` of an instance profile.

AWS: `Ref` of AWS::IAM::InstanceProfile is the name of the instance profile (template reference).

MiniStack returns the ARN.

The patch returns the name.
"""

from typing import Any

from ministack.services import iam
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]
# The physical id of a resource, and its attributes for Fn::GetAtt.
Provisioned = tuple[str, dict[str, Any]]

_create = provisioners._iam_ip_create
_update = provisioners._iam_ip_update
_delete = provisioners._iam_ip_delete


def create_profile(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    arn, attributes = _create(logical_id, properties, stack_name)
    return _name(arn), attributes


def update_profile(
    name: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
) -> Provisioned:
    arn, attributes = _update(_arn(name), old, new, stack_name, logical_id)
    return _name(arn), attributes


def delete_profile(name: str, properties: Properties) -> None:
    _delete(_arn(name), properties)


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _arn(name: str) -> str:
    return str(iam._instance_profiles.get(name, {}).get("Arn", ""))


def apply() -> None:
    provisioners._RESOURCE_HANDLERS["AWS::IAM::InstanceProfile"].update(
        create=create_profile, update=update_profile, delete=delete_profile
    )
