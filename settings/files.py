"""Loading of the settings files in a folder. Files that cannot be deployed are refused, with one line per problem."""

import tomllib
from pathlib import Path

import pydantic

from settings.consistency import problems_between, problems_in
from settings.environment import Environment
from settings.invalid_values import problems_of
from settings.problem import Problem
from settings.toml_slips import problem_in


class SettingsError(Exception):
    """Settings that cannot be deployed.

    The message has one line per problem: `<file>: <key>: <what is wrong>; <how to fix it>`.
    """


def load_environments(folder: Path) -> list[Environment]:
    """Return the environments of a folder, sorted by name.

    Each file is first checked alone. The files without type errors and other errors in single settings are then
    checked for settings that contradict each other.

    Raises:
        SettingsError: At least one file cannot be deployed. The message contains the problems of all files.
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
    except (RecursionError, ValueError):  # too deeply nested for Python, or a number with thousands of digits
        return [Problem("file", "cannot be read as TOML; write it like the files in examples/")]
    if not settings:
        return [Problem("file", "has no settings; copy them from a file in examples/, or delete the file")]
    if "name" in settings:
        return [
            Problem("name", "is not a setting; remove it, because the name of the file is the name of the environment")
        ]
    try:
        return Environment.model_validate({**settings, "name": file.stem})
    except pydantic.ValidationError as error:
        return problems_of(error, settings)
