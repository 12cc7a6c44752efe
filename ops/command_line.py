"""The command line `ecr-login`: check, show, hand over and repair a deployment.

Each command has a module of its own, which is imported only when the command runs.
"""

import os
import sys
import tomllib
from importlib import import_module

import click

from ops.results import COULD_NOT_TELL
from tools import ROOT

COMMANDS = {
    "preflight": "Check before a deployment what AWS would refuse.",
    "status": "Show whether the docker logins are fresh, and the images.",
    "doctor": "Check that everything is as deployed, and works.",
    "handoff": "Print what analysts, Airflow, CI or reviewers need.",
    "refresh": "Refresh the docker logins now, and wait for the results.",
    "rollback": "Stop the refresh of a connection, and make its previous docker login the current one.",
    "resume": "Let the refresh of a connection run again, and write a new docker login.",
    "logs": "Show the last runs of a connection, with the reasons of failures.",
    "lifecycle": "Show which images the lifecycle rules would delete today.",
    "report": "Write one HTML page about the environment.",
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


def _print_version(context: click.Context, _option: click.Parameter, is_wanted: bool) -> None:
    if is_wanted:
        with (ROOT / "pyproject.toml").open("rb") as file:
            click.echo(f"ecr-login {tomllib.load(file)['project']['version']}")
        context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Print the version."
)
def ecr_login() -> None:
    """Check, show, hand over and repair a deployment of airflow-ecr-login.

    ENVIRONMENT is the name of a file in environments/, such as prod for environments/prod.toml. The commands use the
    AWS credentials of the shell.

    \b
    Exit codes:
      0  everything works
      1  degraded: something needs attention, Airflow still works
      2  broken: Airflow cannot pull images, a docker login can do more than it
         may, or a deployment would fail
      3  the command could not tell, for example without credentials
    """


def main() -> None:
    """Run the command line. Every error is one line on standard error. Problems of the settings are one line each."""
    try:
        # Without the standalone mode, click returns the exit code.
        sys.exit(ecr_login.main(prog_name="ecr-login", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as help_text:
        print(help_text.format_message())
        sys.exit(COULD_NOT_TELL)
    except click.ClickException as error:
        print(f"Error: {error.format_message()}", file=sys.stderr)
        sys.exit(COULD_NOT_TELL)
    except BrokenPipeError:  # `head` or a pager closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes the output at the end.
        sys.exit(COULD_NOT_TELL)
    except (click.Abort, KeyboardInterrupt):
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)  # 128 plus the number of SIGINT, as in a shell
    except Exception as error:  # The message could contain an answer of AWS.
        what = f"ecr-login failed with {type(error).__name__}, which is a bug. Please report it."
        print(f"Error: {what}", file=sys.stderr)
        sys.exit(COULD_NOT_TELL)
