"""`python -m tests.e2e`: what `make e2e` runs. These tests, on a Linux machine of their own inside this one.

Mounts, network and processes are in namespaces that end with this command. The engine never sees this machine's
network, whose firewall it would rewrite.

Where that cannot be, the tests are skipped, each with the reason. With `--must-run`, as in CI, that is a failure.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e import INSIDE
from tools import ROOT

NAMESPACES = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
TOOLS = ("unshare", "tini", "ip", "mount", "dockerd", "docker", "busybox", "docker-credential-ecr-login", "psql")
TESTS = [sys.executable, "-m", "pytest", "-q", "--rootdir", ".", "tests/e2e"]
CGROUPS = Path("/sys/fs/cgroup")


def main() -> None:
    # As Ctrl-C: what was started is cleared away on the way out.
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)
    options = [option for option in sys.argv[1:] if option != "--must-run"]
    reason = why_it_cannot_run()
    if reason is None:
        subprocess.run(["python3", "-m", "tools.set_up", "e2e"], cwd=ROOT, check=True)  # noqa: S607
        sys.exit(run_inside(options))
    if "--must-run" in sys.argv:
        sys.exit(f"make e2e cannot run here: {reason}")
    print(f"make e2e cannot run here, and skips its tests: {reason}", flush=True)
    sys.exit(subprocess.run([*TESTS, *options], env={**os.environ, INSIDE: f"no: {reason}"}).returncode)


def why_it_cannot_run() -> str | None:
    """In one line, or None where it can."""
    if sys.platform != "linux":
        return "it needs Linux, with its namespaces"
    if os.geteuid() != 0:
        return "it needs root, for namespaces and a docker engine"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not on PATH: {', '.join(missing)} (.ci/packages installs them on Debian)"
    refused = subprocess.run(["unshare", *NAMESPACES, "true"], capture_output=True, text=True)  # noqa: S607
    if refused.returncode:
        return f"no namespaces: {refused.stderr.strip()}"
    return None


def run_inside(options: list[str]) -> int:
    """Run the tests in namespaces of their own; returns pytest's exit code."""
    # The first process of a namespace has to reap whom the engine and Airflow leave behind, which pytest does not.
    tests = ["unshare", *NAMESPACES, "tini", "--", *TESTS, *options]
    # Control groups are the one thing of the engine's that no namespace takes away again.
    group = f"airflow-ecr-login-e2e-{os.getpid()}"
    temporary = Path(".local", "e2e", "tmp").resolve()
    temporary.mkdir(parents=True, exist_ok=True)
    running = subprocess.Popen(tests, env={**os.environ, INSIDE: group, "TMPDIR": str(temporary)})
    try:
        return running.wait()
    finally:
        running.kill()  # and with it, as --kill-child says, all that is below
        running.wait()
        remove_groups(group)


def remove_groups(name: str) -> None:
    """Remove the control groups of this name, once the last of their processes is gone; say what stays."""
    ours = [Path(folder) for folder, _, _ in os.walk(CGROUPS) if name in Path(folder).parts]
    deadline = time.monotonic() + 10
    for folder in sorted(ours, key=lambda path: -len(path.parts)):
        while folder.exists():
            try:
                folder.rmdir()
            except OSError as error:
                if time.monotonic() > deadline:
                    print(f"left behind: {folder} ({error.strerror})", file=sys.stderr)
                    break
                time.sleep(0.1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)  # 128 and the number of SIGINT, as a shell says it
