"""The app, synthesized in this process."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from app import add_stage
from settings.files import load_environments
from tools import ROOT

Template = dict[str, Any]
Templates = dict[str, Template]  # by stack name


def synthesize(settings: Path, output: Path) -> Templates:
    """The templates of a folder of settings: with cdk.json's feature flags and the constructs' paths."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(
        context={**context, "aws:cdk:enable-path-metadata": True},
        outdir=str(output),
        builtin_cloud_formation_validation=False,
    )
    for environment in load_environments(settings):
        add_stage(app, environment)
    stages = app.synth().nested_assemblies
    return {stack.stack_name: stack.template for stage in stages for stack in stage.nested_assembly.stacks}
