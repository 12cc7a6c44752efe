"""The JSON schema accepts and refuses the same settings as the loader, if JSON Schema can express the rule."""

import json
import re
import shutil
import subprocess
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
    """Return the path and the schema of each property."""
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


def strings(value: Any) -> Iterator[str]:
    """Return all strings in a value, including the keys of tables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (key, *strings(each))
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def patterns(schema: Any) -> Iterator[str]:
    """Return all patterns of a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        yield from schema.get("patternProperties", {})
    for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from patterns(each)


NODE = """\
const { patterns, texts } = JSON.parse(require("fs").readFileSync(0));
const matches = (pattern) => texts.filter((text) => new RegExp(pattern, "u").test(text));
console.log(JSON.stringify(patterns.map(matches)));
"""


def test_javascript_and_python_agree_on_all_patterns_of_the_schema() -> None:
    """JSON Schema recommends JavaScript's regular expressions with the flag `u`, and editors follow this."""
    contents = [*ACCEPTED.values(), *(str(row[1]) for row in REFUSED_BY_SCHEMA)]
    texts = sorted({text for content in contents for text in strings(tomllib.loads(content.removeprefix("\ufeff")))})
    used = sorted(set(patterns(VALIDATOR.schema)))
    node = shutil.which("node")
    assert node

    request = json.dumps({"patterns": used, "texts": texts})
    done = subprocess.run([node, "-e", NODE], input=request, capture_output=True, text=True, check=True)

    in_javascript = dict(zip(used, json.loads(done.stdout), strict=True))
    assert in_javascript == {pattern: [text for text in texts if re.search(pattern, text)] for pattern in used}
    assert [pattern for pattern, matches in in_javascript.items() if not matches] == []


def test_the_schema_file_is_current() -> None:
    assert json.loads(SCHEMA.read_text()) == schema_of_file(), "run `python -m settings.reference`"
