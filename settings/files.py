"""Reads the settings files of a folder, and refuses what cannot be deployed with one line per problem."""

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import pydantic
from pydantic.fields import FieldInfo

from settings.consistency import problems_between, problems_in
from settings.environment import Environment
from settings.problem import Problem, did_you_mean
from settings.toml_slips import problem_in


class SettingsError(Exception):
    """Settings that cannot be deployed.

    The message has one line per problem: `<file>: <key>: <what is wrong>; <how to fix it>`.
    """


def load_environments(folder: Path) -> list[Environment]:
    """Return the environments of a folder, sorted by name.

    The checks that compare settings with each other run on the files whose settings are valid one by one.

    Raises:
        SettingsError: The settings of at least one file cannot be deployed. The message has the problems of all files.
    """
    files = sorted(folder.glob("[!.]*.toml"), key=lambda file: file.stem)
    if not files:
        what = "has no .toml file" if folder.is_dir() else "is not a folder"
        raise SettingsError(f"{folder}: folder: {what}; put one file per environment there, such as dev.toml")
    environments: list[Environment] = []
    problems: list[tuple[str, Problem]] = []
    for file in files:
        loaded = _load(file)
        if isinstance(loaded, Environment):
            environments.append(loaded)
            loaded = [*problems_in(loaded)]
        problems += [(file.name, problem) for problem in loaded]
    problems += [(f"{environment.name}.toml", problem) for environment, problem in problems_between(environments)]
    if problems:
        raise SettingsError("\n".join(f"{file}: {problem.key}: {problem.message}" for file, problem in problems))
    return environments


def _load(file: Path) -> Environment | list[Problem]:
    try:
        text = file.read_text("utf-8-sig")
        settings = tomllib.loads(text)
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        return [Problem("file", f"{what}; make it a file that you may read, or delete it")]
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return [Problem(f"line {line}", "is not UTF-8; save the file as UTF-8")]
    except tomllib.TOMLDecodeError as error:
        return [problem_in(text, error)]
    except (RecursionError, ValueError):  # nested too deep for Python, or a number with thousands of digits
        return [Problem("file", "cannot be read as TOML; write it like the files in examples/")]
    if not settings:
        return [Problem("file", "has no settings; copy them from a file in examples/, or delete the file")]
    if "name" in settings:
        return [Problem("name", "is not a setting; remove it, because the file's name is the environment's name")]
    try:
        return Environment.model_validate({**settings, "name": file.stem})
    except pydantic.ValidationError as error:
        return [problem for detail in error.errors() if (problem := _in_words(detail))]


_KINDS = {"string": "text", "int": "a whole number", "bool": "true or false", "tuple": "a list"}
_FIXES = {
    "string": "put it in quotes",
    "int": "write a whole number without quotes",
    "bool": "write true or false without quotes",
    "tuple": "write a list in brackets",
}


def _in_words(error: Any) -> Problem | None:
    """Return pydantic's error as a problem, or None if another error already describes it."""
    path = [part for part in error["loc"] if isinstance(part, str)]
    if path[-1:] == ["[key]"]:  # pydantic's mark for the name of a table
        path.pop()
    context, value = error.get("ctx", {}), error["input"]
    match error["type"]:
        case "value_error":
            message = str(context["error"])
        case "missing":
            message = f"is missing; add {_how_to_add(path)}"
        case "extra_forbidden":
            known = [key for key in _fields(path[:-1]) if key != "name"]
            otherwise = f"write one of {', '.join(known)}"
            message = f"is not a setting; {did_you_mean(path[-1], known, otherwise)}"
        case "too_short" if value:
            return None  # pydantic counts the valid entries only, and each of the others has an error of its own
        case "too_short":
            message = "is empty; add at least one entry"
        case "too_long":
            message = f"has {len(value)} entries; keep at most {context['max_length']}"
        case "string_too_short":
            message = f"{value!r} is empty; write at least one character"
        case "string_too_long":
            message = f"{value!r} has {len(value)} characters; shorten it to {context['max_length']}"
        case "greater_than_equal" | "less_than_equal":
            limits = {type(limit).__name__: limit for limit in _fields(path[:-1])[path[-1]].metadata}
            message = f"{value} is out of range; write a number from {limits['Ge'].ge} to {limits['Le'].le}"
        case "literal_error":
            message = f"{_shown(value)} is not a value of this setting; write {context['expected']}"
        case kind:
            wanted = kind.removesuffix("_type")
            fix = _FIXES.get(wanted, "write a table under a [heading]")
            message = f"{_shown(value)} is not {_KINDS.get(wanted, 'a table')}; {fix}"
    return Problem(".".join(map(_quoted, path)), message)


def _quoted(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else repr(key)


def _shown(value: Any) -> str:
    """Return a value as a message shows it: as in TOML, if it is short."""
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
    """Return how to write the setting with this path."""
    examples = _fields(path[:-1])[path[-1]].examples or []
    if not isinstance(examples[0], dict):
        return f"{path[-1]} = {json.dumps(examples[0])}"
    keys = [key for example in examples for key in example]
    if all(isinstance(value, dict) for value in examples[0].values()):  # a table of tables
        return f"a table [{'.'.join(map(_quoted, [*path, keys[0]]))}]"
    return f"a table [{'.'.join(map(_quoted, path))}] with {', '.join(keys[:-1])} or {keys[-1]}"


def _fields(table: Iterable[str]) -> dict[str, FieldInfo]:
    """Return the settings of the table at this path."""
    kind: Any = Environment
    for part in table:
        kind = get_args(kind)[1] if get_args(kind) else kind.model_fields[part].annotation
        if type(None) in get_args(kind):  # `Ecs` of `Ecs | None`
            kind = get_args(kind)[0]
    fields: dict[str, FieldInfo] = kind.model_fields
    return fields
