"""Check the settings files and print what they mean: `python -m settings [--folder FOLDER] [ENVIRONMENT]`.

The command needs no AWS credentials and does not call AWS. Reviewers of a change can run it.
It prints each problem as one line to standard error, and exits with status 1 if there is a problem.
It also prints warnings to standard error. Warnings do not change the exit status.
"""

import argparse
import signal
import sys
from pathlib import Path

from settings.files import SettingsError, load_environments
from settings.problem import did_you_mean
from settings.summary import in_full, in_one_line
from settings.warnings import warnings_about


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m settings", description=(__doc__ or "").partition(":")[0] + ".")
    parser.add_argument("environment", nargs="?", help="the environment whose settings are printed in full")
    parser.add_argument("--folder", type=Path, default=Path("environments"), help="the folder of the settings files")
    arguments = parser.parse_args()
    try:
        environments = load_environments(arguments.folder)
    except SettingsError as error:
        sys.exit(str(error))
    by_name = {environment.name: environment for environment in environments}
    if not arguments.environment:
        print("\n".join(map(in_one_line, environments)))
    elif arguments.environment in by_name:
        print(in_full(by_name[arguments.environment]))
    else:
        fix = did_you_mean(arguments.environment, by_name, f"write one of {', '.join(by_name)}")
        sys.exit(f"{arguments.folder}: folder: has no {arguments.environment}.toml; {fix}")
    sys.stdout.flush()
    for warning in warnings_about(environments):
        print(warning, file=sys.stderr)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # exit quietly when `head` or a pager closes the pipe
    main()
