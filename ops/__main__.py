"""`.venv/bin/ecr-login`, or `python -m ops`."""

from ops.command_line import main

main()
