"""The folder of settings files: read them all, and say in one line each what is wrong and how to mend it."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import pydantic

from settings.environment import Environment, Problem
from settings.names import repository_name
from settings.value_types import did_you_mean


class SettingsError(Exception):
    """Settings that cannot be deployed: one line per problem, `<file>: <key>: <what is wrong>; <how to mend>`."""


def load_environments(folder: Path) -> list[Environment]:
    """Every environment of the folder, by name. Raises SettingsError with the problems of all files.

    How the settings of a file fit together is looked at once each of them is valid.
    """
    files = sorted(folder.glob("[!.]*.toml"), key=lambda file: file.stem)
    if not files:
        what = "holds no .toml file" if folder.is_dir() else "is no folder"
        raise SettingsError(f"{folder}: folder: {what}; keep one file per environment there, such as dev.toml")
    environments, problems = [], []
    for file in files:
        try:
            environments.append(_load(file))
        except SettingsError as error:
            problems.append(str(error))
    problems += _name_problems(environments)
    if problems:
        raise SettingsError("\n".join(problems))
    return environments


def _load(file: Path) -> Environment:
    try:
        settings = tomllib.loads(file.read_text("utf-8-sig"))
        if not settings:
            problems = [("file", "holds no settings; fill it as in another environment, or delete it")]
        elif "name" in settings:
            problems = [("name", "is no setting; remove it, the file's name is the environment's")]
        else:
            return Environment.model_validate({**settings, "name": file.stem})
    except OSError as error:
        problems = [("file", f"cannot be read ({error.strerror}); make it a readable file")]
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems = [(f"line {line}", "is not UTF-8; save the file in that encoding")]
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).removesuffix(")").rpartition(" (at ")
        problems = [(place, f"is not TOML: {what}; text needs quotes, a key or table stands once")]
    except pydantic.ValidationError as error:
        problems = [problem for detail in error.errors() for problem in _in_words(detail)]
    except (RecursionError, ValueError):  # too deeply nested for Python, or a number of thousands of digits
        problems = [("file", "is not TOML that can be read; write it like the files in examples/")]
    raise SettingsError("\n".join(_line(file.name, *problem) for problem in problems))


def _line(file: str, key: str, message: str) -> str:
    return f"{file}: {key}: {message}"


_GOT = {bool: "true or false", int: "a whole number", float: "a decimal", str: "text", list: "a list", dict: "a table"}
_WANTED = {
    "string": "text, in quotes",
    "int": "a whole number",
    "bool": "true or false",
    "tuple": "a list, in brackets",
}


def _in_words(error: Any) -> list[Problem]:
    """Pydantic's error as problems of ours."""
    path = [part for part in error["loc"] if isinstance(part, str)]
    if path[-1:] == ["[key]"]:  # pydantic's mark: it is the table's name that is wrong
        path.pop()
    key = ".".join(part if re.fullmatch("[A-Za-z0-9_-]+", part) else repr(part) for part in path)
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            reason = context["error"].args[0]
            return reason if isinstance(reason, list) else [(key, reason)]
        case "missing":
            message = f"is missing; add {_fields(path[:-1])[path[-1]].examples[0]}"
        case "extra_forbidden":
            known = [field for field in _fields(path[:-1]) if field != "name"]
            message = f"is no setting; {did_you_mean(path[-1], known)}keys here: {', '.join(known)}"
        case "too_short" if error["input"]:
            return []  # pydantic counts valid entries only, and the others have their own problems
        case "too_short":
            message = "is empty; name at least one"
        case "too_long":
            message = f"is too long; keep {context['max_length']} at most"
        case "literal_error":
            message = f"{error['input']!r} is not possible; write {context['expected']}"
        case kind:
            wanted = _WANTED.get(kind.removesuffix("_type"), "a table, under a [heading]")
            message = f"{_GOT.get(type(error['input']), 'a date')} does not belong here; write {wanted}"
    return [(key, message)]


def _fields(table: Iterable[str]) -> dict[str, Any]:
    """The settings of the table at this key."""
    kind: Any = Environment
    for part in table:
        kind = get_args(kind)[1] if get_args(kind) else kind.model_fields[part].annotation
        if type(None) in get_args(kind):  # of `Ecs | None`, Ecs
            kind = get_args(kind)[0]
    fields: dict[str, Any] = kind.model_fields
    return fields


def _names(environment: Environment) -> Iterator[tuple[str, str, str, int, tuple[str, ...]]]:
    """What AWS gets to see: key, kind of name, name, its longest length and where there may be one only."""
    account, region = environment.account, environment.region
    for team, settings in environment.teams.items():
        yield f"teams.{team}", "push role", environment.push_role_name(team), 64, (account,)
        for repository in settings.repositories:
            yield (
                f"teams.{team}.repositories",
                "repository",
                repository_name(team, repository),
                256,
                (environment.name,),
            )
        # Rights go by the team's name: two environments' teams of one name would have each other's repositories.
        yield f"teams.{team}", "team", team, 64, (account, region)
    for connection in environment.connections:
        yield f"connections.{connection}", "secret", environment.secret_name(connection), 512, (account, region)


def _name_problems(environments: Iterable[Environment]) -> Iterator[str]:
    """Names that AWS would refuse: too long, or those of another environment."""
    owners: dict[tuple[str, str, tuple[str, ...]], str] = {}
    for file, environment in ((f"{environment.name}.toml", environment) for environment in environments):
        for key, kind, name, limit, place in _names(environment):
            if len(name) > limit:
                yield _line(file, key, f"{kind} {name!r} has {len(name)} characters; shorten it to {limit}")
            if (owner := owners.setdefault((kind, name, place), file)) != file:
                mend = "connections_prefix" if kind == "secret" else "team name"
                yield _line(file, key, f"{kind} {name!r} is that of {owner} too; give one of them another {mend}")
