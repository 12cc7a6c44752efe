"""Lambda: when a new version of a function can be published.

AWS:
- "Lambda doesn't publish a version if the function's configuration and code haven't changed since the last version"
  (API reference, PublishVersion). The answer is then the last version. CloudFormation fails with "A version for this
  Lambda function exists ( 1 ). Modify the function to create a new version." (serverless issues 6349 and 7822).
- "If $LATEST is identical to a previously published version, you won't be able to create a new version" (developer
  guide, function versions). Tags, reserved concurrency and the location of the code are not part of a version.

MiniStack:
- Does the same, but recognizes a change by the RevisionId. Each update of a function in a template gives the function a
  new RevisionId, also an update that changes only tags or nothing.

The patch:
- Compares the configuration and the code.
"""

import copy
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

# The parts of a function's configuration in MiniStack that are not settings of the function.
_STATE = {
    *("RevisionId", "LastModified", "Version", "FunctionArn"),
    *("State", "StateReason", "StateReasonCode"),
    *("LastUpdateStatus", "LastUpdateStatusReason", "LastUpdateStatusReasonCode"),
}
# The key in MiniStack's record of a version for the settings of the function when the version was published.
_SETTINGS = "LocalSettings"

Function = dict[str, Any]

_publish_version = lambda_svc._publish_version
_version_create = provisioners._lambda_version_create


def publish_version(name: str, request: dict[str, Any]) -> Any:
    function = lambda_svc._functions.get(name)
    if function is None:
        return _publish_version(name, request)
    recognize_unchanged(function)
    answer = _publish_version(name, request)
    newest = _newest_version(function)
    if newest is not None:
        newest.setdefault(_SETTINGS, _settings(function))
    return answer


def create_version(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
    function, _ = provisioners._lambda_version_function(properties)
    if function:
        recognize_unchanged(function)
    return _version_create(logical_id, properties, stack_name)


def recognize_unchanged(function: Function) -> None:
    """Make MiniStack see that a function has not changed since its newest version, if this is so."""
    newest = _newest_version(function)
    if newest is not None and newest.get(_SETTINGS) == _settings(function):
        newest["function_revision"] = function["config"]["RevisionId"]


def _newest_version(function: Function) -> dict[str, Any] | None:
    newest: dict[str, Any] | None = function["versions"].get(max(function["versions"], key=int, default=None))
    return newest


def _settings(function: Function) -> dict[str, Any]:
    return copy.deepcopy({name: value for name, value in function["config"].items() if name not in _STATE})


def apply() -> None:
    lambda_svc._publish_version = publish_version
    # MiniStack calls this function by this name when an update publishes a new version.
    provisioners._lambda_version_create = create_version
    provisioners._RESOURCE_HANDLERS["AWS::Lambda::Version"]["create"] = create_version
