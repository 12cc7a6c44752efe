"""`make e2e`: run the end-to-end tests in Linux namespaces.

The mounts, the network and the processes of the tests are in namespaces that end with this command. The docker engine
has no access to the machine's network, because it would change the machine's firewall.

If the system does not allow namespaces, every test is skipped, and the command prints the reason. With `--must-run`,
which CI uses, the command fails instead.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e import INSIDE, debian
from tools import ROOT

NAMESPACES = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
TOOLS = (
    *("unshare", "tini", "ip", "mount", "dockerd", "docker", "busybox", "docker-credential-ecr-login", "psql"),
    "chromium",
    *("apt-get", "dpkg-deb"),  # They unpack the clients of other Debian releases.
)
TESTS = [sys.executable, "-m", "pytest", "-q", "--rootdir", ".", "tests/e2e"]
CGROUPS = Path("/sys/fs/cgroup")


def main() -> None:
    # Handle these signals like Ctrl-C, so that the `finally` blocks stop the processes that were started.
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)
    options = [option for option in sys.argv[1:] if option != "--must-run"]
    reason = why_it_cannot_run()
    if reason is None:
        subprocess.run(["python3", "-m", "tools.set_up", "e2e"], cwd=ROOT, check=True)  # noqa: S607
        debian.install()
        sys.exit(run_inside(options))
    if "--must-run" in sys.argv:
        sys.exit(f"The end-to-end tests cannot run here: {reason}")
    print(f"The end-to-end tests cannot run here and are skipped: {reason}", flush=True)
    sys.exit(subprocess.run([*TESTS, *options], env={**os.environ, INSIDE: f"no: {reason}"}).returncode)


def why_it_cannot_run() -> str | None:
    """Return the reason why the tests cannot run, in one line, or None if they can run."""
    if sys.platform != "linux":
        return "they need Linux namespaces"
    if os.geteuid() != 0:
        return "they need root, for namespaces and a docker engine"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"these commands are not on PATH: {', '.join(missing)}. On Debian, .ci/packages installs them"
    refused = subprocess.run(["unshare", *NAMESPACES, "true"], capture_output=True, text=True)  # noqa: S607
    if refused.returncode:
        return f"the system refuses namespaces: {refused.stderr.strip()}"
    return None


def run_inside(options: list[str]) -> int:
    """Run the tests in new namespaces and return the exit code of pytest."""
    # The first process of a PID namespace must reap the orphaned processes of the engine and of Airflow. tini reaps
    # them, but pytest does not.
    tests = ["unshare", *NAMESPACES, "tini", "--", *TESTS, *options]
    # Control groups stay when the namespaces end, so this function removes them.
    group = f"airflow-ecr-login-e2e-{os.getpid()}"
    temporary = Path(".local", "e2e", "tmp").resolve()
    temporary.mkdir(parents=True, exist_ok=True)
    running = subprocess.Popen(tests, env={**os.environ, INSIDE: group, "TMPDIR": str(temporary)})
    try:
        return running.wait()
    finally:
        running.kill()  # With --kill-child, the end of unshare also ends every process in the namespaces.
        running.wait()
        remove_groups(group)


def remove_groups(name: str) -> None:
    """Remove the control groups below this name when their last process ends. Print groups that cannot be removed."""
    ours = [Path(folder) for folder, _, _ in os.walk(CGROUPS) if name in Path(folder).parts]
    deadline = time.monotonic() + 10
    for folder in sorted(ours, key=lambda path: -len(path.parts)):
        while folder.exists():
            try:
                folder.rmdir()
            except OSError as error:
                if time.monotonic() > deadline:
                    print(f"Could not remove {folder}: {error.strerror}", file=sys.stderr)
                    break
                time.sleep(0.1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)  # 128 plus the number of SIGINT, as in a shell
