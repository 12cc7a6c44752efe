"""Translation of pydantic's validation errors to problems in plain words."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

import pydantic
from pydantic.fields import FieldInfo

from settings.environment import Environment
from settings.image_names import how_to_shorten
from settings.problem import Problem, did_you_mean
from settings.tables import LISTED_TABLES, NAMED_TABLES, heading, model_of, tables
from settings.value_types import REPOSITORY_NAME


def problems_of(error: pydantic.ValidationError, settings: Mapping[str, Any]) -> list[Problem]:
    """Return the problems of a settings file.

    Args:
        error: Pydantic's error for the file.
        settings: The content of the file.
    """
    found = [(detail, _path_of(detail)) for detail in error.errors()]
    # A setting in the wrong table is also missing in the right table. One move solves both problems.
    moved = {path[-1] for detail, path in found if detail["type"] == "extra_forbidden" and _where_to_move(path)}
    return [
        problem
        for detail, path in found
        if not (detail["type"] == "missing" and path[-1] in moved)
        if (problem := _in_words(detail, path, settings))
    ]


def _path_of(error: Any) -> list[str]:
    path = [part for part in error["loc"] if isinstance(part, str)]
    return path[:-1] if path[-1:] == ["[key]"] else path  # pydantic adds this part to errors in a table's name


_KINDS = {"string": "a string", "int": "a whole number", "bool": "true or false", "tuple": "a list"}
_FIXES = {
    "string": "put the string in quotes",
    "int": "write a whole number without quotes",
    "bool": "write true or false without quotes",
    "tuple": "write a list in brackets",
}


def _in_words(error: Any, path: list[str], settings: Mapping[str, Any]) -> Problem | None:
    """Return pydantic's error as a problem, or None if another error already describes it."""
    context, value = error.get("ctx", {}), error["input"]
    match error["type"]:
        case "value_error" if fix := _how_to_shorten(error["loc"], settings):
            message = f"{value!r} is not the name of an ECR repository; {fix}"
        case "value_error":
            message = str(context["error"])
        case "missing":
            message = f"is missing; add {_how_to_add(path)}"
        case "extra_forbidden" if place := _where_to_move(path):
            message = f"is not a setting here; {place}"
        case "extra_forbidden":
            known = [key for key in _fields(path[:-1]) if key != "name"]
            otherwise = f"write one of {', '.join(known)}"
            message = f"is not a setting; {did_you_mean(path[-1], known, otherwise)}"
        case "too_short" if value:
            return None  # pydantic counts only the valid entries, and reports the invalid entries separately
        case "too_short":
            message = "is empty; add at least one entry"
        case "too_long":
            message = f"has {len(value)} entries; keep at most {context['max_length']}"
        case "string_too_short":
            message = f"{value!r} is empty; write at least one character"
        case "string_too_long":
            message = f"{value!r} has {len(value)} characters; shorten it to {context['max_length']}"
        case "greater_than_equal" | "less_than_equal":
            field = _fields(path[:-1])[path[-1]]
            limits = {type(limit).__name__: limit for limit in _constraints(field.annotation, *field.metadata)}
            message = f"{value} is out of range; write a number from {limits['Ge'].ge} to {limits['Le'].le}"
        case "literal_error":
            message = f"{_shown(value)} is not a value of this setting; write {context['expected']}"
        case "tuple_type" if path[-1] in LISTED_TABLES:
            message = f"{_shown(value)} is not a list of tables; write {heading(path)} with two brackets"
        case kind:
            wanted = kind.removesuffix("_type")
            fix = _FIXES.get(wanted, "write a table under a [heading]")
            message = f"{_shown(value)} is not {_KINDS.get(wanted, 'a table')}; {fix}"
    return Problem(".".join(map(_quoted, path)), message)


def _quoted(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else repr(key)


def _shown(value: Any) -> str:
    """Return a value as messages show it. A list or a table is shown as `a list` or `a table`."""
    match value:
        case list():
            return "a list"
        case dict():
            return "a table"
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return repr(value)
    return f"the date or time {value}"


def _how_to_add(path: list[str]) -> str:
    """Return an example of the setting at this path, for the message that the setting is missing."""
    examples = _fields(path[:-1])[path[-1]].examples or []
    if not isinstance(examples[0], dict):
        return f"{path[-1]} = {json.dumps(examples[0])}"
    keys = [key for example in examples for key in example]
    if all(isinstance(value, dict) for value in examples[0].values()):  # the examples are tables that contain tables
        return f"a table [{'.'.join(map(_quoted, [*path, keys[0]]))}]"
    return f"a table [{'.'.join(map(_quoted, path))}] with {', '.join(keys[:-1])} or {keys[-1]}"


def _fields(table: Iterable[str]) -> dict[str, FieldInfo]:
    """Return the settings of the table at this path."""
    kind: Any = Environment
    for part in table:
        kind = get_args(kind)[1] if get_args(kind) else kind.model_fields[part].annotation
        if type(None) in get_args(kind):  # `Ecs` of `Ecs | None`
            kind = get_args(kind)[0]
        if get_origin(kind) is tuple:  # a list of tables
            kind = get_args(kind)[0]
    fields: dict[str, FieldInfo] = kind.model_fields
    return fields


def _constraints(*annotations: Any) -> Iterator[Any]:
    """Return the constraints of a setting, such as the smallest number. `int | None` has them in its first part."""
    for annotation in annotations:
        yield from annotation.metadata if isinstance(annotation, FieldInfo) else [annotation]
        yield from _constraints(*getattr(annotation, "__metadata__", ()), *get_args(annotation))


def _how_to_shorten(place: tuple[str | int, ...], settings: Mapping[str, Any]) -> str | None:
    """Return how to shorten the name of a repository, or None if the result would not be a valid name."""
    match place:
        case ("teams", str(team), "repositories", int(position)):
            fix = how_to_shorten(team, settings["teams"][team]["repositories"], position)
        case ("teams", str(team), "existing_repositories", int(position)):
            fix = how_to_shorten("", settings["teams"][team]["existing_repositories"], position)
        case _:
            return None
    written = re.fullmatch("write '(.*)'", fix or "")
    return fix if not written or re.fullmatch(REPOSITORY_NAME.regex, written[1]) else None


def _where_to_move(path: list[str]) -> str | None:
    """Return the place of a setting that is in the wrong table, or None if no table has this setting."""
    *table, key = path
    # A table of a single repository repeats a table of the team. A table of another registry repeats the account and
    # the Region.
    of_all = [(home, model.model_fields) for home, model in tables() if not {"repository", "registry"} & {*home}]
    homes = {home: fields[key] for home, fields in of_all if key in fields and key != "name"}
    if not homes:
        return None
    nearest = max(_length_in_common(home, table) for home in homes)
    places = []
    for home, field in homes.items():
        length = _length_in_common(home, table)
        if length == nearest and not home and not model_of(field):
            return "it belongs above the first table"
        if length == nearest:
            parts = [*table[:length], *home[length:], *([key, NAMED_TABLES.get(key)] if model_of(field) else [])]
            places.append(heading(part for part in parts if part))
    return f"it belongs in {' or '.join(places)}"


def _length_in_common(home: tuple[str, ...], table: list[str]) -> int:
    """Return how many parts at the start of two paths are equal. A placeholder such as `<team>` equals every name."""
    pairs = zip(home, table, strict=False)
    different = (n for n, (part, other) in enumerate(pairs) if part != other and part not in NAMED_TABLES.values())
    return next(different, min(len(home), len(table)))
