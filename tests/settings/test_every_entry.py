"""A problem is reported with the same key and message if there are valid entries before and after the wrong entry.

The files are those of tests/settings/refusals.py, each with more teams, connections, tasks and entries of lists.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic
import pytest

from settings.consistency import problems_in
from settings.environment import Environment
from settings.invalid_values import problems_of
from settings.problem import Problem
from tests.settings.edits import ROLE, USER
from tests.settings.refusals import FORMS, LIMITS, TOGETHER, TYPES
from tests.settings.test_foreign_registries import REFUSED as OF_OTHER_REGISTRIES

ROLES = [ROLE.replace("ci", name) for name in ("more/a-first", "z-last")]
# For each key of a list, a valid entry that becomes the first entry, and one that becomes the last entry.
ENTRIES: dict[str, tuple[Any, Any]] = {
    "repositories": ("a-first", "z-last"),
    "existing_repositories": ("a_first", "z/last"),
    "mutable_tags": ("a-first", "z-last-*"),
    "protected_tags": ("a-first", "z-last-*"),
    "permission_sets": ("AFirst", "ZLast"),
    "role_arns": (ROLES[0], ROLES[1]),
    "user_arns": (USER.replace("ana", "a-first"), USER.replace("ana", "z-last")),
    "break_glass_role_arns": (ROLES[0], ROLES[1]),
    "pull_accounts": ("888888888888", "999999999999"),
    "emails": ("a@example.com", "z@example.com"),
    "teams": ("a-first", "z-last"),
    "github": (
        {"repository": "acme/a-first", "branch": "main"},
        {"repository": "acme/z-last", "branch": "main"},
    ),
    "gitlab": ({"project": "acme/a-first", "branch": "main"}, {"project": "acme/z-last", "branch": "main"}),
}

# The messages about these files contain a number or a list that the other entries change.
OTHER_MESSAGE = (
    *("49 protected patterns", "six tag patterns", "11 e-mail addresses", "201 teams", "491 repositories"),
    *("36 connections", "611 teams in all connections", "too many resources in the stack of the repositories"),
    *(
        "a workflow of GitHub twice",
        "a workflow of GitHub twice with another one between",
        "an unknown team",
        "no team and no registry",
        "a job of GitLab twice, once with the default URL",
    ),
)


def team(name: str) -> dict[str, Any]:
    return {"repositories": ["app", "b"], "existing_repositories": [f"{name}_old"], "push": {"role_arns": [ROLE]}}


def around(table: Mapping[str, Any], first: Mapping[str, Any], last: Mapping[str, Any]) -> dict[str, Any]:
    return {**first, **table, **last}


def with_more_tables(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with more teams, connections, tasks and settings of single repositories."""
    found = {**settings}
    if isinstance(settings.get("teams"), dict):
        found["teams"] = around(settings["teams"], {"a-first": team("a-first")}, {"z-last": team("z-last")})
        for own in settings["teams"].values():
            if own.get("repository") and own.get("repositories"):
                rules = {"lifecycle": {"protected_tags": ["v*"], "keep_images": 9}}
                own["repository"] = around(own["repository"], {own["repositories"][0]: rules}, {})
    if isinstance(settings.get("connections"), dict):
        found["connections"] = around(
            settings["connections"],
            {"docker_a_first": {"teams": ["a-first"]}},
            {"docker_z_last": {"teams": ["z-last"]}},
        )
    if isinstance(settings.get("ecs"), dict):
        tasks = {"a-first/app": {"image_tag": "1"}}, {"z-last_old": {"image_tag": "1"}}
        found["ecs"] = {"tasks": around(settings["ecs"]["tasks"], *tasks)}
    return found


def with_more_entries(settings: dict[str, Any], path: list[str]) -> dict[str, Any] | None:
    """Return the settings with more entries in the list at a path, or None if there is no such list."""
    key, *rest = path
    value = settings.get(key)
    if rest:
        inner = with_more_entries(value, rest) if isinstance(value, dict) else None
        return inner and {**settings, key: inner}
    if not isinstance(value, list) or not value or key not in ENTRIES:
        return None
    first, last = ENTRIES[key]
    return {**settings, key: [first, *value, last]}


def reported(settings: dict[str, Any]) -> list[Problem]:
    try:
        environment = Environment.model_validate({**settings, "name": "dev"})
    except pydantic.ValidationError as error:
        return problems_of(error, settings)
    return [*problems_in(environment)]


def cases() -> Iterator[Any]:
    of_others = [(name, content, *text.partition(": ")[::2], "") for name, content, text, _ in OF_OTHER_REGISTRIES]
    for name, content, key, wrong, fix in (*TYPES, *FORMS, *LIMITS, *TOGETHER, *of_others):
        if name in OTHER_MESSAGE:
            continue
        assert isinstance(content, str)
        settings = tomllib.loads(content)
        yield pytest.param(with_more_tables(settings), key, wrong, fix, id=f"tables: {name}")
        for path in ([*key.split(".")], ["teams", "analytics", *key.split(".")[2:]]):
            if more := with_more_entries(tomllib.loads(content), path):
                yield pytest.param(more, key, wrong, fix, id=f"entries: {name}")
                break


@pytest.mark.parametrize(("settings", "key", "wrong", "fix"), [*cases()])
def test_a_problem_is_found_between_valid_entries(settings: dict[str, Any], key: str, wrong: str, fix: str) -> None:
    found = [problem for problem in reported(settings) if problem.key == key]
    assert [problem for problem in found if wrong in f"{problem.message}\n" and fix in problem.message]
