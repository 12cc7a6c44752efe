"""A page: rendered from a template, printed, and divided into sections."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from rich.text import Text

from ops.results import console

TEMPLATES = Path(__file__).parent / "templates"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


def render(audience: str, values: Mapping[str, Any]) -> str:
    """Return the page for an audience as Markdown.

    Args:
        audience: The name of the template.
        values: The variables of the template.
    """
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(),  # It escapes HTML only, and the pages are Markdown.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["code"] = "`{}`".format
    page = templates.get_template(f"{audience}.md.j2").render(values)
    return re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"


def sections(page: str) -> list[dict[str, str]]:
    """Return the sections of a page, without the text above the first heading of the second level.

    Each section has the keys `title`, `notes`, `text` and `language`. `text` is what is pasted, and `notes` explains
    it. In a section without a block, `text` is the explanation, and `language` is `markdown`.
    """
    found = []
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title, _, content = part.partition("\n")
        block = _BLOCK.search(content)
        notes = _BLOCK.sub("", content).strip()
        section = {"title": title, "notes": "", "text": notes, "language": "markdown"}
        if block:
            section |= {"notes": notes, "text": block[2], "language": block[1]}
        found.append(section)
    return found


def print_page(page: str) -> None:
    """Print a page. A terminal shows headings in bold type and fences dim. A pipe gets the page as it is."""
    out = console()
    for line in page.splitlines():
        style = "bold" if line.startswith(("# ", "## ")) else "dim" if line.startswith("```") else ""
        out.print(Text(line, style=style))
