"""Run the command in the arguments and print what it took, as JSON; its own output goes to stderr.

A program of its own, and a small one: a process's peak memory counts from that of the process it was forked from. On
SIGTERM it ends the command with all that it started; the cost up to then is what it prints.
"""

import json
import os
import signal
import sys
import time


def main(command: list[str]) -> None:
    started = time.monotonic()
    to_stderr = [(os.POSIX_SPAWN_DUP2, 2, 1)]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=to_stderr, setpgroup=0)
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(pid, signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the bench, which then ends us.
    _, status, usage = os.wait4(pid, 0)  # with all of its children that it waited for
    cost = {
        "wall_seconds": time.monotonic() - started,
        "cpu_milliseconds": (usage.ru_utime + usage.ru_stime) * 1000,
        "peak_mebibytes": usage.ru_maxrss / 1024,  # Linux counts it in KiB
    }
    json.dump({"exit_code": os.waitstatus_to_exitcode(status), "cost": cost}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
