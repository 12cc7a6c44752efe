"""Sphinx settings of the documentation site; `make docs` builds it.

The build fetches nothing: the theme brings its own files and uses the fonts of the reader's system.
"""

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
html_css_files = ["narrow-screens.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
