"""Run the command in the arguments and print its cost as JSON. The command's own output goes to stderr.

This is a small program of its own, because a process's peak memory includes that of the process it was forked from.
On SIGTERM it ends the command with all of its children, and prints the cost up to that moment.
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the benchmark handles Ctrl-C and ends this process
    _, status, usage = os.wait4(pid, 0)  # includes the children that it waited for
    cost = {
        "wall_seconds": time.monotonic() - started,
        "cpu_milliseconds": (usage.ru_utime + usage.ru_stime) * 1000,
        "peak_mebibytes": usage.ru_maxrss / 1024,  # Linux reports KiB
    }
    json.dump({"exit_code": os.waitstatus_to_exitcode(status), "cost": cost}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
