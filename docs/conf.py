"""Sphinx settings of the documentation site; `make docs` builds it.

The build fetches nothing: the theme brings its own files and uses the fonts of the reader's system.
"""

import html
import re
from typing import Any

project = "airflow-ecr-login"
language = "en"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
# Headings get the anchors that GitHub gives them: alarms and other pages link to them.
myst_heading_anchors = 4
# A link that does not resolve is a warning, and `make docs` turns warnings into errors.
nitpicky = True

html_theme = "furo"
html_title = "airflow-ecr-login"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["layout.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

# Up to this number of characters, code stays on one line.
SHORT = 14


def name_that_breaks(word: re.Match[str]) -> str:
    """Let a long name break after punctuation, before a capital and before a placeholder."""
    name = word[1]
    if len(html.unescape(name)) > SHORT:
        name = re.sub(r"(?<=[._/:@])(?=[A-Za-z]{4}|&)|(?<=[a-z])(?=[A-Z])|(?<=\w)(?=&lt;)", "<wbr>", name)
    return f'<span class="pre">{name}</span>'


def keep_together(code: re.Match[str]) -> str:
    """Keep short code on one line, and elsewhere each option (`--role-name`) and each placeholder (`<role-name>`)."""
    if code[1] == "code" and len(html.unescape(re.sub("<.*?>", "", code[0]))) <= SHORT:
        return f'<span class="together">{code[0]}</span>'
    return re.sub(r"(?<![\w-])--?[a-z][\w-]*|&lt;[\w -]+&gt;", r'<span class="together">\g<0></span>', code[0])


def improve_line_breaks(_app: Any, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Set where code may break, in the HTML of a page. Browsers break it after any hyphen, and nowhere else."""
    body = re.sub(r'<span class="pre">([^<]+)</span>', name_that_breaks, context.get("body", ""))
    context["body"] = re.sub(r"<(code|pre)\b.*?</\1>", keep_together, body, flags=re.DOTALL)


def link_to_pages(_app: Any, _including: Any, _included: str, content: list[str]) -> None:
    """Turn links to CONTRIBUTING.md and CHANGELOG.md, which work on GitHub, into links to the pages of the site."""
    content[0] = re.sub(r"\]\((CONTRIBUTING|CHANGELOG)\.md", lambda link: f"](docs/{link[1].lower()}.md", content[0])


def setup(app: Any) -> None:
    """Connect the functions above to the build."""
    app.connect("html-page-context", improve_line_breaks)
    app.connect("include-read", link_to_pages)
