"""Write settings/schema.json and docs/settings.md, which are generated from the models.

Run `python -m settings.reference` after a change of the models, of the value types or of examples/dev.toml.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from settings import consistency, fargate_sizes
from settings.environment import EcsTask, Environment
from settings.json_schema import schema_of, schema_of_file
from settings.tables import LISTED_TABLES, NAMED_TABLES, heading, model_of
from settings.value_types import Pattern

_ROOT = Path(__file__).parents[1]
SCHEMA = _ROOT / "settings" / "schema.json"
PAGE = _ROOT / "docs" / "settings.md"


class _Section(NamedTuple):
    path: str  # the path of the table, or an empty string for the settings outside of tables
    model: type[BaseModel]
    facts: list[str]  # sentences about the table itself


def schema_text() -> str:
    """Return the text of settings/schema.json."""
    return json.dumps(schema_of_file(), indent=2) + "\n"


def page_text() -> str:
    """Return the text of docs/settings.md, a Markdown page with one sentence per line."""
    sections = [*_sections("", Environment, [])]
    return _PAGE.format(
        name=_sentence(_advice(Environment.model_fields["name"]).removeprefix("rename the file: ")),
        example=(_ROOT / "examples" / "dev.toml").read_text().strip(),
        overview=_table(
            ["Setting", "Default"],
            [
                [f"[`{path}`](#{_anchor(path)})", _default(field)]
                for each in sections
                for path, field in _settings(each)
            ],
        ),
        sections="\n\n".join(block for section in sections for block in _blocks(section)),
        limits=_table(
            ["In one environment", "At most"],
            [
                ["Teams", consistency.MAX_TEAMS],
                ["Repositories of all teams", consistency.MAX_REPOSITORIES],
                ["Connections", consistency.MAX_CONNECTIONS],
                ["Entries in the `teams` of all connections", consistency.MAX_TEAMS_OF_CONNECTIONS],
            ],
        ),
        names=_table(
            ["Name on AWS", "Longest", "Unique in"],
            [
                [
                    "push role `<environment>-ecr-push-<team>`",
                    f"{consistency.LONGEST_ROLE_NAME} characters",
                    "the account",
                ],
                [
                    "repository `<team>/<name>`",
                    f"{consistency.LONGEST_REPOSITORY_NAME} characters",
                    "the account and Region",
                ],
                [
                    "secret `<connections_prefix>/<id>`",
                    f"{consistency.LONGEST_SECRET_NAME} characters",
                    "the account and Region",
                ],
                [
                    "task family `<environment>-<team>-<name>`",
                    f"{consistency.LONGEST_TASK_FAMILY} characters",
                    "the account and Region",
                ],
            ],
        ),
    )


_PAGE = """\
# Settings

An environment is one deployment of airflow-ecr-login.
Each environment has one TOML file in `environments/`, and the file's name without `.toml` is the environment's name.
The names of stacks and push roles start with the environment's name.
For example, `prod.toml` creates the stack `prod-Registry` and the push roles `prod-ecr-push-<team>`.
{name}

## Example

This is `examples/dev.toml`, a small environment that leaves most settings at their defaults.
`examples/prod.toml` shows all settings, some of them as comments.
Copy one of the two files to `environments/<name>.toml` and edit the copy.

```toml
{example}
```

## Completion in an editor

The first line of the example names the JSON schema `settings/schema.json`.
Editors with Taplo or Tombi use this schema to complete settings, to show descriptions and to mark wrong values.

## Checks before a deployment

`make settings`, `make diff` and `make deploy` check all files in `environments/`.
`make settings` needs no AWS credentials, and `make settings ENV=<name>` also prints what the file means.
Each problem is one line with the file, the setting, what is wrong and how to fix it.
The commands deploy nothing until all problems are fixed.

```output
dev.toml: account: '1111' is not the ID of an AWS account; write its 12 digits in quotes
```

A warning has the same form and does not stop a deployment.
A warning names a principal or a topic of another account.
The reason is that a copied file often contains an account number of the original file.
Another warning names clean-ups of two environments that select the same instances.
A warning also names `keep_images` without `protected_tags`, because ECR can then delete an image that a DAG runs.

## All settings

{overview}

A list cannot contain the same entry twice.

{sections}

## Limits

CloudFormation limits the size of a template.
The checks refuse a larger environment before anything is deployed.

{limits}

IAM limits the length of a policy.
The checks refuse principals, teams, connections and tasks that would make a policy too long.

AWS also limits the length of names.

{names}

Two environments in one account and Region cannot have a team of the same name.
The permissions use the team's name, so each environment could use the repositories of the other environment.

In a task family, every character that is not a letter or a digit becomes a hyphen.
For example, `risk/var` in the environment `prod-eu` and `eu-risk/var` in the environment `prod` have the same family.
The checks refuse two equal task families in one account and Region.
Otherwise the workers of each environment could run the task of the other environment.

## How this page is made

`python -m settings.reference` generates this page and the JSON schema from `settings/environment.py`.
"""


def _sections(path: str, model: type[BaseModel], facts: list[str]) -> Iterator[_Section]:
    """Return the section of a table and the sections of the tables in this table."""
    yield _Section(path, model, facts)
    for key, field in model.model_fields.items():
        if table := model_of(field):
            inner = f"{path}.{key}".lstrip(".")
            if placeholder := NAMED_TABLES.get(key):
                required = f"At least one `[{inner}.{placeholder}]` is required."
                facts = [required if field.is_required() else "This table is optional."]
                if advice := _advice(field):
                    facts.append(f"For `{placeholder}`, {_code(advice)}.")
                yield from _sections(f"{inner}.{placeholder}", table, facts)
            else:
                kind = "list of tables" if key in LISTED_TABLES else "table"
                fact = f"This {kind} is {'required' if field.is_required() else 'optional'}."
                yield from _sections(inner, table, [fact])


def _settings(section: _Section) -> Iterator[tuple[str, FieldInfo]]:
    """Return the path and the field of each setting in a section. Settings that are tables are left out."""
    for key, field in section.model.model_fields.items():
        if not model_of(field) and (section.path or key != "name"):
            yield f"{section.path}.{key}".lstrip("."), field


def _blocks(section: _Section) -> Iterator[str]:
    if section.path:
        yield f"## `{heading(section.path.split('.'))}`"
        yield "\n".join([*_lines(section.model.__doc__), *section.facts])
    else:
        yield "## Top-level settings"
        yield "Write these settings at the top of the file, before the first table."
    schemas = schema_of(section.model)["properties"]
    for path, field in _settings(section):
        schema = schemas[path.rpartition(".")[2]]
        yield f"### `{path}`"
        yield "\n".join(_lines(field.description))
        default = "none, this setting is required" if field.is_required() else _default(field)
        facts = [f"Type: {_TYPES[schema['type']]}", f"Default: {default}", *_allowed(field, schema)]
        yield "\n".join(f"- {fact}" for fact in facts)
    if section.model is EcsTask:
        yield _table(
            ["`cpu_units`", "`memory_mib`"],
            [[cpu, fargate_sizes.memory_in_words(cpu)] for cpu in fargate_sizes.MEMORY_MIB],
        )


_TYPES = {
    "string": "string",
    "integer": "whole number",
    "boolean": "`true` or `false`",
    "array": "list of strings",
    "object": "table of strings",
}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "none" if field.default is None else f"`{json.dumps(field.default)}`"


def _allowed(field: FieldInfo, schema: dict[str, Any]) -> Iterator[str]:
    """Return the limits of a setting in words."""
    if values := [f"`{json.dumps(value)}`" for value in schema.get("enum", [])]:
        few = len(values) < 10
        yield (
            f"Allowed: {', '.join(values[:-1])} or {values[-1]}"
            if few
            else f"Example: `{json.dumps(schema['examples'][0])}`"
        )
    if "minimum" in schema:
        yield f"Allowed: {schema['minimum']} to {schema['maximum']}"
    if "minItems" in schema:
        yield f"Entries: {schema['minItems']} or more"
    if "maxItems" in schema:
        yield f"Entries: {schema['maxItems']} or fewer"
    if "maxProperties" in schema:
        yield f"Entries: {schema['maxProperties']} or fewer"
    if length := {**schema, **schema.get("items", {})}.get("maxLength"):
        yield f"Length: {length} characters or fewer"
    if advice := _advice(field):
        kinds = {"array": "Each entry", "object": "Each key"}
        yield f"{kinds.get(schema['type'], 'Format')}: {_code(advice)}"


def _advice(field: FieldInfo) -> str:
    """Return how to write the strings of a setting, or the names of the tables in the setting."""
    return next((pattern.advice for pattern in _patterns(field.annotation, *field.metadata)), "")


def _patterns(*annotations: Any) -> Iterator[Pattern]:
    for annotation in annotations:
        if isinstance(annotation, Pattern):
            yield annotation
        yield from _patterns(*getattr(annotation, "__metadata__", ()), *get_args(annotation))


def _lines(text: str | None) -> list[str]:
    """Return the sentences of a docstring."""
    return re.split(r"(?<=\.) (?=[A-Z0-9`])", " ".join((text or "").split()))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _code(advice: str) -> str:
    """Return advice as Markdown, where paths, ARNs and other special words are code."""
    return re.sub(r"cron\([^)]*\)|[^\s,;]*[_:/=@*#][^\s,;]*", lambda match: f"`{match[0]}`", advice)


def _anchor(path: str) -> str:
    """Return the anchor that GitHub and MyST give to the heading of a setting."""
    return re.sub(r"[^\w-]", "", path.lower())


def _table(head: list[str], rows: Iterable[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    SCHEMA.write_text(schema_text())
    PAGE.write_text(page_text())
