"""Check the settings files and print what they mean: `python -m settings [--folder FOLDER] [ENVIRONMENT]`.

The command needs no AWS credentials and does not call AWS. It is meant for the review of a change.
Problems go to standard error, in one line each, and the exit code is then 1. Warnings go to standard error, too.
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
    parser.add_argument("environment", nargs="?", help="print what this environment's settings mean")
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
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when the reader of a pipe ends, such as `head`
    main()
