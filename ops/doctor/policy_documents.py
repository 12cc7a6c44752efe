"""Compare two IAM policies. The order of lists does not matter, and a list of one value equals the value."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Difference:
    """How a policy differs from the policy in the template.

    Attributes:
        missing: The statements of the template that the policy lacks, by Sid or content.
        added: The statements that the template does not have.
        refused_actions: The actions that the policy may refuse and the template allows, in lower case, with wildcards.
    """

    missing: tuple[str, ...]
    added: tuple[str, ...]
    refused_actions: tuple[str, ...]

    def refuses_one_of(self, actions: Iterable[str]) -> bool:
        """Return whether the policy may refuse one of these actions, which have no wildcards."""
        return any(fnmatchcase(action.lower(), pattern) for action in actions for pattern in self.refused_actions)

    def __str__(self) -> str:
        changed = [name for name in self.missing if name in self.added]
        parts = {
            "changed": changed,
            "missing": [name for name in self.missing if name not in changed],
            "added": [name for name in self.added if name not in changed],
        }
        return ", ".join(f"{what} {', '.join(names)}" for what, names in parts.items() if names)


def compare(expected: Any, actual: Any, account_root_arn: str) -> Difference | None:
    """Return how two policies differ, or None if they mean the same.

    Args:
        expected: The policy in the template, as a document or as JSON.
        actual: The policy that AWS has. None if there is no policy.
        account_root_arn: The ARN of the account's root user. AWS can write the account's number instead.
    """
    wanted, found = (_statements(policy, account_root_arn) for policy in (expected, actual))
    missing = {key: name for key, name in wanted.items() if key not in found}
    added = {key: name for key, name in found.items() if key not in wanted}
    if not missing and not added:
        return None
    refusing = [key for key in missing if json.loads(key)["effect"] == "Allow"]
    refusing += [key for key in added if json.loads(key)["effect"] == "Deny"]
    refused = {action for key in refusing for action in json.loads(key).get("Action", ["*"])}
    return Difference(tuple(missing.values()), tuple(added.values()), tuple(sorted(refused)))


def document(policy: Any) -> dict[str, Any]:
    """Return a policy as a document. AWS returns some policies as JSON."""
    found: dict[str, Any] = json.loads(policy) if isinstance(policy, str) else dict(policy or {})
    return found


def _statements(policy: Any, account_root_arn: str) -> dict[str, str]:
    """Return a comparable text for each statement, with its name. The Sid has no effect, so it is not compared."""
    statements = _list(document(policy).get("Statement"))
    return {_comparable(statement, account_root_arn): _name(statement) for statement in statements}


def _name(statement: Mapping[str, Any]) -> str:
    if sid := statement.get("Sid"):
        return str(sid)
    actions = _list(statement.get("Action", statement.get("NotAction")))
    return f"{statement.get('Effect')} {'+'.join(sorted(map(str, actions))[:3])}"


def _comparable(statement: Mapping[str, Any], account_root_arn: str) -> str:
    comparable: dict[str, Any] = {"effect": statement.get("Effect")}
    for key in ("Action", "NotAction"):  # The names of actions are case-insensitive. SQS returns `SQS:SendMessage`.
        if key in statement:
            comparable[key] = sorted({str(action).lower() for action in _list(statement[key])})
    for key in ("Resource", "NotResource"):
        if key in statement:
            comparable[key] = sorted(set(_list(statement[key])))
    for key in ("Principal", "NotPrincipal"):
        if key in statement:
            comparable[key] = _principals(statement[key], account_root_arn)
    if statement.get("Condition"):
        comparable["condition"] = {
            operator: {key.lower(): sorted({_text(value) for value in _list(values)}) for key, values in keys.items()}
            for operator, keys in statement["Condition"].items()
        }
    return json.dumps(comparable, sort_keys=True)


def _principals(principal: Any, account_root_arn: str) -> Any:
    if isinstance(principal, str):
        principal = {"AWS": principal}
    return {
        kind: sorted(
            {account_root_arn if value in account_root_arn and _is_account(value) else value for value in _list(values)}
        )
        for kind, values in principal.items()
    }


def _is_account(value: str) -> bool:
    return _ACCOUNT.fullmatch(value) is not None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list(one_or_more: Any) -> list[Any]:
    if one_or_more is None:
        return []
    return list(one_or_more) if isinstance(one_or_more, (list, tuple)) else [one_or_more]
