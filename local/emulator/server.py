"""The server process of the AWS emulator: MiniStack with our patches, on a socket that the parent process has bound.

MiniStack's main() is not used, because it also binds port 443. It also checks only that its main port is free, and does
not accept a socket that is already bound.
"""

import argparse
import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.core import lambda_runtime

from local.emulator import control, patches, snapshots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=int, required=True, help="file descriptor of the bound socket")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the parent process ends")
    parser.add_argument("--snapshot", type=Path, help="file of a snapshot to start from")
    arguments = parser.parse_args()

    if arguments.until_stdin_closes:
        threading.Thread(target=_kill_group_when_stdin_closes, daemon=True).start()
    patches.apply()
    if arguments.snapshot:
        snapshots.load(arguments.snapshot)
    asyncio.run(_serve(arguments.socket))


async def _serve(socket: int) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _stop)
    config = Config()
    config.bind = [f"fd://{socket}"]
    config.certfile = os.environ["MINISTACK_SSL_CERT"]
    config.keyfile = os.environ["MINISTACK_SSL_KEY"]
    config.keep_alive_timeout = 75
    # This shutdown trigger is never set. SIGTERM calls _stop(), which ends the process at once, because the server has
    # no state to save.
    await serve(control.app, config, shutdown_trigger=asyncio.Event().wait)


def _stop() -> None:
    lambda_runtime.reset()  # Stop and reap the processes of functions.
    os._exit(0)


def _kill_group_when_stdin_closes() -> None:
    """Wait until the parent process ends, even if it is killed. Then kill all processes of the emulator."""
    sys.stdin.buffer.read()
    os.killpg(os.getpid(), signal.SIGKILL)  # The parent started this process as the leader of a new group.


if __name__ == "__main__":
    main()
