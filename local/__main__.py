"""`python -m local demo|up|down`: the commands behind `make demo`, `make up` and `make down`.

`up` takes the name of an environment, by default `local`.
"""

import os
import signal
import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from local import demo, up
from local.cdk import CdkFailed
from local.demo import ClaimFailed
from local.embedded_aws import EmbeddedAwsError
from local.registry_client import RegistryRefused
from settings.files import SettingsError

COMMANDS: dict[str, Callable[..., None]] = {"demo": demo.main, "up": up.up, "down": up.down}


def main() -> None:
    command, *arguments = sys.argv[1:] or [""]
    if command not in COMMANDS or len(arguments) > (command == "up"):
        print("usage: python -m local {demo,up [<environment>],down}", file=sys.stderr)
        sys.exit(2)
    # Treat `kill` and a closed terminal like Ctrl-C, so that everything that was started is stopped.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        COMMANDS[command](*arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The process that reads the output has ended, as in `make demo | head`. End by SIGPIPE, as other commands do.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    except (
        BotoCoreError,
        CdkFailed,
        ClaimFailed,
        ClientError,
        EmbeddedAwsError,
        RegistryRefused,
        SettingsError,
    ) as error:
        sys.exit(f"\n  ✗ {error}")
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)  # 128 + the number of SIGINT is the exit status that shells use after Ctrl-C.


if __name__ == "__main__":
    main()
