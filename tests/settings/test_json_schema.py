"""The JSON schema accepts and refuses the same settings as the loader, as far as a schema can."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from settings.json_schema import schema_of_file
from settings.reference import SCHEMA
from tests.settings.refusals import REFUSED_BY_SCHEMA
from tests.settings.test_files import ACCEPTED
from tools import ROOT

VALIDATOR = jsonschema.Draft202012Validator(schema_of_file())
SHIPPED = [*sorted((ROOT / "examples").glob("*.toml")), ROOT / "environments" / "local.toml"]


def properties(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Return all properties of a schema, by path."""
    for key, each in schema.get("properties", {}).items():
        yield f"{path}.{key}", each
        yield from properties(each, f"{path}.{key}")
    for name, each in schema.get("$defs", {}).items():
        yield from properties(each, name)


def test_the_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of_file())


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_shipped_settings_files_name_the_schema_and_are_valid(file: Path) -> None:
    text = file.read_text()
    first_line = text.partition("\n")[0]

    assert (file.parent / first_line.removeprefix("#:schema ")).resolve() == SCHEMA
    assert [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_settings_that_the_loader_accepts_are_valid(content: str) -> None:
    settings = tomllib.loads(content.removeprefix("\ufeff"))

    assert [error.message for error in VALIDATOR.iter_errors(settings)] == []


@pytest.mark.parametrize("content", [pytest.param(row[1], id=row[0]) for row in REFUSED_BY_SCHEMA])
def test_settings_that_the_loader_refuses_are_not_valid(content: str) -> None:
    assert not VALIDATOR.is_valid(tomllib.loads(content))


def test_every_property_has_a_description() -> None:
    described = dict(properties(schema_of_file()))

    assert len(described) > 30
    assert [path for path, each in described.items() if not each.get("description")] == []


def test_examples_and_defaults_of_the_schema_are_valid() -> None:
    for path, each in properties(schema_of_file()):
        inner = jsonschema.Draft202012Validator({**each, "$defs": VALIDATOR.schema["$defs"]})
        values = [*each.get("examples", []), *([each["default"]] if "default" in each else [])]

        assert [value for value in values if not inner.is_valid(value)] == [], path


def test_the_schema_file_is_current() -> None:
    assert json.loads(SCHEMA.read_text()) == schema_of_file(), "run `python -m settings.reference`"
