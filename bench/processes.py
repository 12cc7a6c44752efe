"""Run cold processes and measure their cost."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tools import ROOT

_TIMEOUT_SECONDS = 300


class BenchFailed(Exception):
    """A measured command failed, so its cost is not a result."""


@dataclass(frozen=True)
class Cost:
    """The cost of one process and its child processes."""

    wall_seconds: float
    cpu_milliseconds: float  # user and system
    peak_mebibytes: float  # resident memory of the largest process


def cost_of(
    command: Sequence[str | Path], environment: Mapping[str, str], folder: Path, *, until: Event | None = None
) -> Cost:
    """Run a command and return its cost.

    Args:
        command: The program with its arguments.
        environment: All environment variables of the command.
        folder: The working folder.
        until: The event at which the command is ended. Without an event, the command must end by itself.

    Raises:
        BenchFailed: The command failed, or it ended before the event.
    """
    measured = subprocess.Popen(
        [sys.executable, "-I", "-S", ROOT / "bench" / "cold_process.py", *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while until and not until.wait(0.05) and measured.poll() is None:
            pass
        if until and until.is_set():
            measured.send_signal(signal.SIGTERM)
        printed, messages = measured.communicate(timeout=_TIMEOUT_SECONDS)
    finally:
        if measured.poll() is None:
            measured.send_signal(signal.SIGTERM)
            measured.communicate()
    result = json.loads(printed)
    if result["exit_code"] != (-signal.SIGTERM if until else 0):
        raise BenchFailed(f"{command[0]} exited with status {result['exit_code']}:\n{messages[-2000:]}")
    return Cost(**result["cost"])
