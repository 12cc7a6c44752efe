"""The server process of the embedded AWS: MiniStack with our patches, on a socket that its parent process has bound.

MiniStack's own main() is not used. It would also bind port 443, and it only checks whether its port is free.
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
    # The trigger is never set: there is no state to save, so SIGTERM does not wait for open connections.
    await serve(control.app, config, shutdown_trigger=asyncio.Event().wait)


def _stop() -> None:
    lambda_runtime.reset()  # Stops and reaps the processes of functions.
    os._exit(0)


def _kill_group_when_stdin_closes() -> None:
    """Wait until the parent process ends, however it ends, and then kill all processes of the embedded AWS."""
    sys.stdin.buffer.read()
    os.killpg(os.getpid(), signal.SIGKILL)  # The parent started this process as the leader of its own group.


if __name__ == "__main__":
    main()
