"""The account that the templates make, synthesized and read once."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest

from app import add_stage
from local.cdk import ROOT
from stacks.settings_files import load_environments
from tests.rights import simulator
from tests.rights.account import SETTINGS, SETTINGS_DIRECT, Account, Template, account_of
from tests.rights.requests import SERVICES, Request, Target, requests_of, targets_of


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Account:
    folder = tmp_path_factory.mktemp("environments")
    (folder / "env.toml").write_text(SETTINGS)
    (folder / "direct.toml").write_text(SETTINGS_DIRECT)
    return account_of(synthesized(folder))


@pytest.fixture(scope="session")
def targets(account: Account) -> dict[str, Target]:
    return targets_of(account)


@pytest.fixture(scope="session")
def actions() -> dict[str, list[str]]:
    """Every action of the services, with the types of resources that it knows."""
    return simulator.actions_of(SERVICES)


@pytest.fixture(scope="session")
def requests(account: Account, targets: dict[str, Target], actions: dict[str, list[str]]) -> list[Request]:
    return list(requests_of(account, targets, actions))


def synthesized(environments: Path) -> dict[str, Template]:
    """The templates of a folder of settings, with the constructs' paths in them."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(
        context={**context, "aws:cdk:enable-path-metadata": True},
        outdir=str(environments / "cdk.out"),
        builtin_cloud_formation_validation=False,
    )
    for environment in load_environments(environments):
        add_stage(app, environment)
    return {
        stack.stack_name: stack.template
        for stage in app.synth().nested_assemblies
        for stack in stage.nested_assembly.stacks
    }
