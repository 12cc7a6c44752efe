"""The command line `ecr-login`: check, show, hand over and repair a deployment.

Each command has a module of its own, which is imported only when the command runs.
"""

import signal
import sys
from importlib import import_module

import click

from ops.results import COULD_NOT_TELL

COMMANDS = {
    "status": "Show whether the docker logins are fresh, and the images.",
    "doctor": "Check that everything is as deployed and works, and how to fix it.",
}
"""The name of each command, which is also the name of its module, and its help in one line."""


class Commands(click.Group):
    """A group that imports the module of a command only when the command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"ops.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def ecr_login() -> None:
    """Check, show, hand over and repair a deployment of airflow-ecr-login.

    ENVIRONMENT is the name of a file in environments/, such as prod for environments/prod.toml. The commands use the
    AWS credentials of the shell.

    \b
    Exit codes:
      0  everything works
      1  degraded: something needs attention, Airflow still works
      2  broken: Airflow cannot pull images, or a deployment would fail
      3  the command could not tell, for example without credentials
    """


def main() -> None:
    """Run the command line. Every error is one line on standard error."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # exit quietly when `head` or a pager closes the pipe
    try:
        ecr_login.main(prog_name="ecr-login", standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.exceptions.NoArgsIsHelpError as help_text:
        print(help_text.format_message())
        sys.exit(COULD_NOT_TELL)
    except click.ClickException as error:
        print(f"Error: {' '.join(error.format_message().split())}", file=sys.stderr)
        sys.exit(COULD_NOT_TELL)
    except (click.Abort, KeyboardInterrupt):
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)  # 128 plus the number of SIGINT, as in a shell
