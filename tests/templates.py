"""The templates of the app, synthesized in this process."""

from pathlib import Path
from typing import Any

from app import add_stages, create_app
from settings.files import load_environments

Template = dict[str, Any]
Templates = dict[str, Template]  # by stack name


def synthesize(settings: Path, output: Path, context: dict[str, Any] | None = None) -> Templates:
    """Return the templates of a folder of settings files, with the constructs' paths, by stack name.

    Args:
        settings: The folder.
        output: The folder for the cloud assembly.
        context: Additional context values of the CDK.
    """
    # One test runs CDK's built-in validation. It takes seconds.
    app = create_app(output, {"aws:cdk:enable-path-metadata": True, **(context or {})}, validate=False)
    add_stages(app, load_environments(settings))
    stages = app.synth().nested_assemblies
    return {stack.stack_name: stack.template for stage in stages for stack in stage.nested_assembly.stacks}
