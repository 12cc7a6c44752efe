"""`ecr-login report`: write one HTML page about an environment.

The page contains no script, loads nothing, and forbids both with a Content Security Policy.
"""

import base64
import hashlib
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ops.deployment import read_deployment
from ops.overview import read_overview
from ops.report.access import access
from ops.report.picture import WIDTH, draw
from ops.report.refreshes import read_refreshes
from ops.repository_status import findings_in_words
from ops.results import CannotTell, end, worst
from ops.target import Target, for_environment

TEMPLATES = Path(__file__).parent


@click.command(name="report")
@for_environment
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
def command(target: Target, output: Path, as_json: bool) -> None:
    """Write a page about ENVIRONMENT: a picture, freshness, permissions, images and checks."""
    clients = target.clients()
    deployment = read_deployment(clients, target.environment)
    overview = read_overview(clients, deployment)
    page = render(
        environment=target.environment,
        picture=draw(target.environment),
        width=WIDTH,
        refreshes=read_refreshes(clients, deployment),
        access=access(target.environment),
        repositories=overview.repositories,
        findings_in_words=findings_in_words,
        checks=overview.checks,
        state=worst(overview.checks),
        verdict=overview.verdict,
        now=datetime.now(UTC),
    )
    _write(output, page)
    click.echo(f"{output} contains account numbers, ARNs and names. It contains no docker login.", err=True)
    end(overview.checks, as_json=as_json, data={"file": str(output)}, verdict=overview.verdict)


def render(**content: object) -> str:
    """Return the page."""
    style = (TEMPLATES / "style.css").read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    templates = Templates(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = templates.get_template("page.html.j2")
    # The stylesheet is ours, and its hash is in the policy.
    return page.render(style=Markup(style), policy=f"default-src 'none'; style-src 'sha256-{digest}'", **content)  # noqa: S704


def _write(file: Path, text: str) -> None:
    """Write a file as a whole, or not at all."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=file.absolute().parent, delete=False) as part:
            part.write(text)
        os.replace(part.name, file)
    except OSError as error:
        raise CannotTell(f"{file} cannot be written: {error.strerror}. Choose another file with -o") from None
