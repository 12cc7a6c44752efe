"""Systems Manager: State Manager associations in templates.

AWS:
- AWS::SSM::Association exists. Its `Ref` is the association's id. An update of its targets, its parameters, its
  schedule or its name is made in place (template reference).
- DescribeAssociation returns the association (API reference).

MiniStack refuses AWS::SSM::Association, and has no DescribeAssociation.

The patch keeps the properties of the template, and DescribeAssociation returns them. An association has no effect:
there are no instances.
"""

import json
import uuid
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, error_response_json, json_response
from ministack.services import ssm
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]
# The physical id of a resource, and its attributes for Fn::GetAtt.
Provisioned = tuple[str, dict[str, Any]]

_associations = AccountRegionScopedDict()  # properties of the template, by the association's id

_handle_request = ssm.handle_request


def create_association(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    return update_association(str(uuid.uuid4()), {}, properties, stack_name)


def update_association(association_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
    _associations[association_id] = new
    return association_id, {"AssociationId": association_id}


def delete_association(association_id: str, properties: Properties) -> None:
    _associations.pop(association_id, None)


async def handle_request(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
    if headers.get("x-amz-target") != "AmazonSSM.DescribeAssociation":
        return await _handle_request(method, path, headers, body, query_params)
    association_id = json.loads(body).get("AssociationId")
    properties = _associations.get(association_id)
    if properties is None:
        return error_response_json("AssociationDoesNotExist", "The specified association does not exist.", 400)
    return json_response({"AssociationDescription": {**properties, "AssociationId": association_id}})


def apply() -> None:
    ssm.handle_request = handle_request
    provisioners._RESOURCE_HANDLERS["AWS::SSM::Association"] = {
        "create": create_association,
        "update": update_association,
        "delete": delete_association,
    }
