"""Run the command in the arguments and print its cost as JSON. The output of the command goes to stderr.

This is a separate, small program. The peak memory of a process includes the memory of the process that forked it, and
a small program has little memory. On SIGTERM, this program ends the command with all child processes and prints the
cost until then.
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The benchmark handles Ctrl-C and ends this process.
    _, status, usage = os.wait4(pid, 0)  # `usage` includes the child processes that the command waited for.
    cost = {
        "wall_seconds": time.monotonic() - started,
        "cpu_milliseconds": (usage.ru_utime + usage.ru_stime) * 1000,
        "peak_mebibytes": usage.ru_maxrss / 1024,  # Linux reports KiB.
    }
    json.dump({"exit_code": os.waitstatus_to_exitcode(status), "cost": cost}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
