"""The cost of a cold process includes its child processes. A process that fails has no cost."""

import os
import sys
from pathlib import Path
from threading import Event, Timer

import pytest

from bench.processes import BenchFailed, Cost, cost_of

BURN = "import time\nwhile time.process_time() < 0.2: pass"


def run(tmp_path: Path, program: str, until: Event | None = None) -> Cost:
    return cost_of([sys.executable, "-S", "-c", program], dict(os.environ), tmp_path, until=until)


def test_the_cost_includes_the_cpu_time_of_child_processes(tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {BURN!r}])"

    assert 200 <= run(tmp_path, child).cpu_milliseconds < 1000


def test_the_cost_does_not_include_the_memory_of_the_benchmark(tmp_path: Path) -> None:
    ours = bytearray(os.urandom(1)) * (100 << 20)

    assert run(tmp_path, "pass").peak_mebibytes < 50
    assert len(ours) == 100 << 20


def test_the_event_ends_a_process_that_does_not_end_by_itself(tmp_path: Path) -> None:
    event = Event()
    Timer(0.3, event.set).start()

    assert run(tmp_path, "import time; time.sleep(60)", event).wall_seconds < 10


@pytest.mark.parametrize("until", [None, Event()], ids=["without an event", "with an event"])
def test_a_process_that_fails_has_no_cost(tmp_path: Path, until: Event | None) -> None:
    with pytest.raises(BenchFailed, match="exited with status 3"):
        run(tmp_path, "raise SystemExit(3)", until)
