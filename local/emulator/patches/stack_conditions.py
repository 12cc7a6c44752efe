"""CloudFormation: Fn::Join in the conditions of a template.

AWS:
- A condition may use Fn::Join (template reference, condition functions). The CDK's bootstrap template asks with
  Fn::Join whether a list parameter is empty, and gives the deployment role AdministratorAccess if it is.

MiniStack:
- Compares the function itself instead of its result. The deployment role of the bootstrap template gets no policy.

The patch:
- Replaces each Fn::Join in conditions by its result before MiniStack evaluates the conditions.
"""

from typing import Any

from ministack.services.cloudformation import changesets, engine, handlers, stacks

Parameters = dict[str, dict[str, Any]]

_evaluate_conditions = engine._evaluate_conditions


def evaluate_conditions(template: dict[str, Any], parameters: Parameters) -> dict[str, bool]:
    conditions = _without_joins(template.get("Conditions", {}), parameters)
    evaluated: dict[str, bool] = _evaluate_conditions({**template, "Conditions": conditions}, parameters)
    return evaluated


def _without_joins(value: Any, parameters: Parameters) -> Any:
    if isinstance(value, list):
        return [_without_joins(item, parameters) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" in value:
        delimiter, items = value["Fn::Join"]
        return delimiter.join(_texts(items, parameters))
    return {name: _without_joins(item, parameters) for name, item in value.items()}


def _texts(items: Any, parameters: Parameters) -> list[str]:
    """Return the items of Fn::Join: a list of strings and references, or a reference to a list parameter."""
    if isinstance(items, list):
        return [text for item in items for text in ([item] if isinstance(item, str) else _texts(item, parameters))]
    value = parameters[items["Ref"]]["Value"]
    return [item.strip() for item in str(value).split(",")]


def apply() -> None:
    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = evaluate_conditions
