"""`python -m local demo|up|down`: what the Makefile's targets of these names run."""

import signal
import sys

from botocore.exceptions import BotoCoreError, ClientError

from local import demo, up
from local.cdk import CdkFailed
from local.demo import ClaimFailed
from local.embedded_aws import EmbeddedAwsError
from local.registry_client import RegistryRefused

COMMANDS = {"demo": demo.main, "up": up.up, "down": up.down}


def main() -> None:
    # As Ctrl-C, also when the terminal is closed: whatever was started is stopped on the way out.
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)
    try:
        COMMANDS[sys.argv[1]]()
    except (BotoCoreError, CdkFailed, ClaimFailed, ClientError, EmbeddedAwsError, RegistryRefused) as error:
        sys.exit(f"\n  ✗ {error}")
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)  # 128 and the number of SIGINT, as a shell says it


if __name__ == "__main__":
    main()
