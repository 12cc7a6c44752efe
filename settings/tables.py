"""Functions that find the tables of a settings file in the models."""

from collections.abc import Iterable, Iterator
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from settings.environment import Environment

NAMED_TABLES = {"teams": "<team>", "connections": "<id>", "tasks": '"<team>/<name>"', "repository": '"<name>"'}
"""The settings that contain tables with names, and the placeholder for a name in each of these settings."""

LISTED_TABLES = ("github", "gitlab")
"""The settings that are lists of tables."""

Path = tuple[str, ...]


def tables(path: Path = (), model: type[BaseModel] = Environment) -> Iterator[tuple[Path, type[BaseModel]]]:
    """Return the path and the model of a table and of all tables in it. The path of the whole file is empty."""
    yield path, model
    for key, field in model.model_fields.items():
        if table := model_of(field):
            name = (NAMED_TABLES[key],) if key in NAMED_TABLES else ()
            yield from tables((*path, key, *name), table)


def heading(path: Iterable[str]) -> str:
    """Return how the table at a path starts in a settings file: `[alerts]`, or `[[…]]` for a list of tables."""
    *_, key = path = [*path]
    return f"[[{'.'.join(path)}]]" if key in LISTED_TABLES else f"[{'.'.join(path)}]"


def model_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a setting that is a table or contains tables, or None for other settings."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
