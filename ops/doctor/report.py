"""A report that is safe to send to somebody outside the company.

The report contains no account numbers, ARNs, e-mail addresses and host names. It contains no names in the settings: of
the environment, connections, teams, repositories, principals and the topic. The same value has the same placeholder
everywhere, such as `<account-1>`. In a generated name, the names in the settings are replaced. The Region and other
names stay, such as image tags and policies that a person added.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ops.results import CannotTell
from settings.environment import Environment
from settings.names import pascal_case, repository_name

_PATTERNS = (
    ("url", re.compile(r"https?://[^\s'\"<>]+")),
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("arn", re.compile(r"arn:[\w-]+:[\w-]+:[\w-]*:(?:\d{12}|aws)?:[^\s'\"<>,;]*[^\s'\"<>,;.:)]")),
    ("host", re.compile(r"\b[\w-]+(?:\.[\w-]+)*\.(?:amazonaws\.com(?:\.cn)?|aws|api\.aws|on\.aws)\b")),
    ("address", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")),
    ("id", re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\bmrk-[0-9a-f]{32}\b")),
    ("account", re.compile(r"(?<!\d)\d{12}(?!\d)")),
)
_SERVICE = re.compile(r"[a-z]+\.amazonaws\.com")
"""Names of services such as `cloudwatch.amazonaws.com` are public."""


class Mask:
    """Replace values with placeholders.

    Args:
        environment: The settings, with the names that are replaced.
    """

    def __init__(self, environment: Environment) -> None:
        self._names = list(_names(environment))
        self._placeholders: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def apply(self, value: Any) -> Any:
        """Return a value of JSON whose strings are masked. Keys stay."""
        if isinstance(value, Mapping):
            return {key: self.apply(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.apply(each) for each in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        # Parts that are placeholders already are not replaced again.
        parts: list[tuple[bool, str]] = [(False, text)]
        for kind, pattern in _PATTERNS[:3]:
            parts = self._split(parts, kind, pattern)
        for kind, name in self._names:
            # In a logical id such as PushRoleArnAnalytics, letters come before the name.
            start = "" if name[0].isupper() else r"(?<![\w])"
            parts = self._split(parts, kind, re.compile(start + re.escape(name) + r"(?![a-z0-9])"))
        for kind, pattern in _PATTERNS[3:]:
            parts = self._split(parts, kind, pattern)
        return "".join(part for _, part in parts)

    def _split(self, parts: Iterable[tuple[bool, str]], kind: str, pattern: re.Pattern[str]) -> list[tuple[bool, str]]:
        found: list[tuple[bool, str]] = []
        for is_done, part in parts:
            end = 0
            for match in [] if is_done else pattern.finditer(part):
                if _SERVICE.fullmatch(match[0]):
                    continue
                found += [(False, part[end : match.start()]), (True, self._placeholder(kind, match[0]))]
                end = match.end()
            found.append((is_done, part[end:]))
        return found

    def _placeholder(self, kind: str, value: str) -> str:
        if value not in self._placeholders:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._placeholders[value] = f"<{kind}-{self._counts[kind]}>"
        return self._placeholders[value]


def write_report(file: Path, found: Mapping[str, Any], environment: Environment, *, force: bool) -> None:
    """Write the masked results as JSON to a file that only its owner can read.

    Args:
        file: The file.
        found: The results. The keys and the names of the checks are not masked.
        environment: The settings.
        force: Whether to replace a file that exists.

    Raises:
        CannotTell: The file exists, or cannot be written.
    """
    mask = Mask(environment)
    masked = {
        key: [_masked_entry(mask, entry) for entry in value] if isinstance(value, list) else mask.apply(value)
        for key, value in found.items()
    }
    try:
        if force:
            file.unlink(missing_ok=True)  # The new file has the right mode, also if the old file had another one.
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as report:
            report.write(json.dumps(masked, indent=2, ensure_ascii=False) + "\n")
    except FileExistsError:
        raise CannotTell(f"the file {file} exists. Choose another file, or replace it with --force") from None
    except OSError as error:
        raise CannotTell(f"the file {file} cannot be written: {error.strerror}") from None


def _masked_entry(mask: Mask, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value if key in ("name", "state", "shown", "source") else mask.apply(value) for key, value in entry.items()
    }


def _names(environment: Environment) -> Iterable[tuple[str, str]]:
    """Return the names in the settings that are masked, with their kind, the longest names first."""
    names: dict[str, str] = {environment.name: "environment"}
    for connection in environment.connections:
        names |= {connection: "connection", pascal_case(connection): "connection"}
        names[environment.secret_name(connection)] = "secret"
    for team, own in environment.teams.items():
        names |= {team: "team", pascal_case(team): "team"}
        for name in own.repositories:
            names |= {repository_name(team, name): "repository", name: "repository"}
            names[pascal_case(team) + pascal_case(name)] = "repository"
        names |= dict.fromkeys(own.existing_repositories, "repository")
        names |= dict.fromkeys(own.push.permission_sets, "principal")
        names |= {arn.rpartition("/")[2]: "principal" for arn in (*own.push.role_arns, *own.push.user_arns)}
    for arn in (*environment.workers.role_arns, *environment.break_glass_role_arns):
        names[arn.rpartition("/")[2]] = "principal"
    if environment.alerts.topic_arn:
        names[environment.alerts.topic_arn.rpartition(":")[2]] = "topic"
    return sorted(((kind, name) for name, kind in names.items()), key=lambda each: -len(each[1]))
