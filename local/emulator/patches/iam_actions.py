"""IAM: the action and the resource of a request.

AWS (service authorization reference):
- GetFunctionConcurrency needs the permission lambda:GetFunctionConcurrency. DeleteFunctionConcurrency needs
  lambda:DeleteFunctionConcurrency. GetAccountSettings needs lambda:GetAccountSettings. GetFunctionEventInvokeConfig
  needs lambda:GetFunctionEventInvokeConfig.
- DescribeRepositories, ListTagsForResource, TagResource and UntagResource of ECR are checked on the repository.
  DescribeRepositories without names is checked on all of them, repository/*.

MiniStack:
- Requires lambda:PutFunctionConcurrency for every request on the concurrency of a function, and no permission for
  GetAccountSettings. Requires lambda:GetFunction for GetFunctionEventInvokeConfig.
- Checks these requests of ECR on the resource *, so a permission on a repository is not enough.

The patch:
- Does what AWS does, except for DescribeRepositories with several names, which is still checked on *.
"""

import json
from typing import Any

from ministack.core import iam_actions

_lambda_action = iam_actions._lambda_action
_extract_resource_arn = iam_actions.extract_resource_arn

_CONCURRENCY_ACTIONS = {"GET": "GetFunctionConcurrency", "DELETE": "DeleteFunctionConcurrency"}


def lambda_action(method: str, path: str) -> str | None:
    if path.endswith("/concurrency") and method in _CONCURRENCY_ACTIONS:
        return _CONCURRENCY_ACTIONS[method]
    if path.rstrip("/").endswith("/account-settings") and method == "GET":
        return "GetAccountSettings"
    if path.endswith("/event-invoke-config") and method == "GET":
        return "GetFunctionEventInvokeConfig"
    action: str | None = _lambda_action(method, path)
    return action


def extract_resource_arn(
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    region: str,
    account_id: str,
) -> str:
    arn: str = _extract_resource_arn(service, method, path, headers, body, query_params, region, account_id)
    if service != "ecr" or arn != "*":
        return arn
    return _repository_arn(headers.get("x-amz-target", ""), body, f"arn:aws:ecr:{region}:{account_id}:repository/")


def _repository_arn(target: str, body: bytes, prefix: str) -> str:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return "*"
    if "resourceArn" in request:
        return str(request["resourceArn"])
    names = request.get("repositoryNames") or []
    if len(names) == 1:
        return f"{prefix}{names[0]}"
    return f"{prefix}*" if target.endswith(".DescribeRepositories") and not names else "*"


def apply() -> None:
    iam_actions._lambda_action = lambda_action
    iam_actions.extract_resource_arn = extract_resource_arn
