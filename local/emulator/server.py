"""The process that is the embedded AWS: MiniStack with its mends, served on a socket that its starter has bound.

MiniStack's own main() is not used: it would also bind port 443, and chooses its port by looking whether one is free.
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
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the starter is gone")
    parser.add_argument("--snapshot", type=Path, help="file of a snapshot to start from")
    arguments = parser.parse_args()

    if arguments.until_stdin_closes:
        threading.Thread(target=_end_when_stdin_closes, daemon=True).start()
    patches.apply()
    if arguments.snapshot:
        snapshots.load(arguments.snapshot)
    asyncio.run(_serve(arguments.socket))


async def _serve(socket: int) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _end)
    config = Config()
    config.bind = [f"fd://{socket}"]
    config.certfile = os.environ["MINISTACK_SSL_CERT"]
    config.keyfile = os.environ["MINISTACK_SSL_KEY"]
    config.keep_alive_timeout = 75
    # Nothing asks for a graceful shutdown: there is no state to save, so SIGTERM need not wait for open connections.
    await serve(control.app, config, shutdown_trigger=asyncio.Event().wait)


def _end() -> None:
    lambda_runtime.reset()  # ends the functions' processes, and reaps them
    os._exit(0)


def _end_when_stdin_closes() -> None:
    sys.stdin.buffer.read()
    os.killpg(os.getpid(), signal.SIGKILL)  # the starter has made this process the leader of a group of its own


if __name__ == "__main__":
    main()
