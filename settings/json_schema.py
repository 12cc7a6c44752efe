"""The JSON schema of a settings file, generated from the models.

Editors use the schema to complete and check settings files. `python -m settings.reference` writes the schema to
settings/schema.json.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from settings.environment import Environment


class _TomlJsonSchema(GenerateJsonSchema):
    """Pydantic's generator without null, because TOML has no null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        with_default = super().default_schema(schema)
        if isinstance(with_default.get("default"), dict | None):
            # The default is null, or a table whose settings have their own defaults.
            with_default.pop("default", None)
        return with_default

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        tables = super().dict_schema(schema)
        # By default, JSON Schema accepts a name that does not match the pattern.
        return {**tables, "additionalProperties": False} if "patternProperties" in tables else tables

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema_of(table: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a table. Line breaks in descriptions are replaced by spaces."""
    schema = table.model_json_schema(schema_generator=_TomlJsonSchema)
    for each in _subschemas(schema):
        if "description" in each:
            each["description"] = " ".join(each["description"].split())
    return schema


def schema_of_file() -> dict[str, Any]:
    """Return the JSON schema of a settings file."""
    schema = schema_of(Environment)
    del schema["properties"]["name"]  # comes from the name of the file
    schema["required"].remove("name")
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


def _subschemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for each in (*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()):
        yield from _subschemas(each)
