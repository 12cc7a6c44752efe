"""Print the AWS account and Region of an environment as `cdk bootstrap` expects them: `python -m settings.target prod`.

The command checks the settings files first. It prints each problem as one line, and exits with status 1.
"""

import sys
from pathlib import Path

from settings.files import SettingsError, load_environments


def main() -> None:
    try:
        environments = load_environments(Path("environments"))
    except SettingsError as error:
        sys.exit(str(error))
    print(*(f"aws://{each.account}/{each.region}" for each in environments if each.name == sys.argv[1]))


if __name__ == "__main__":
    main()
