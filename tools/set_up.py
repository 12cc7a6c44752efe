"""Install what this checkout needs into `.venv` and `node_modules`, once for every change of the lock files.

With an argument also the environments of that tool, each of its own because its dependencies clash with ours.
Runs before anything is installed, and so on the standard library of whatever Python there is. Two at once are fine: the
second waits for the first.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time

from tools import ROOT

UV = "uv==0.13.9"  # Installs in seconds what takes pip most of a minute.
# The environments that only some need, with their locks, by the argument that asks for them.
TOOLS = {
    "checkov": {".venv-checkov": "scanners/requirements-checkov.lock"},
    "bench": {
        ".venv-bench": "bench/requirements-lambda.lock",
        ".venv-bench-airflow": "bench/requirements-airflow.lock",
    },
    "e2e": {
        ".venv-airflow-2": "tests/e2e/requirements-airflow-2.lock",
        ".venv-airflow-3": "tests/e2e/requirements-airflow-3.lock",
    },
}
PYTHON = os.path.join(ROOT, ".venv", "bin", "python")


def main() -> None:
    refuse_unfit_tools()
    os.makedirs(os.path.join(ROOT, ".local"), exist_ok=True)
    with open(os.path.join(ROOT, ".local", "set-up.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up of this checkout is at work; waiting for it …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        steps = [
            ("Python packages", ".venv", "requirements.lock", install_python),
            ("CDK CLI", "node_modules", "package-lock.json", install_node),
        ]
        for tool in sys.argv[1:]:
            steps += [(tool, folder, lock_file, install_environment) for folder, lock_file in TOOLS[tool].items()]
        for what, folder, lock_file, install in steps:
            stamp = os.path.join(ROOT, folder, ".installed-from")
            wanted = fingerprint(lock_file)
            if read(stamp) != wanted:
                print(f"Installing {what} into {folder} …", end=" ", flush=True)
                started = time.monotonic()
                install(folder, lock_file)
                with open(stamp, "w") as file:
                    file.write(wanted)
                print(f"{time.monotonic() - started:.0f} s")


def refuse_unfit_tools() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - a newcomer's Python may well be older than ours
        sys.exit(f"Python 3.11 or newer is needed, python3 is {sys.version.split()[0]}: put a newer one first on PATH.")
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is needed and not on PATH: install Node.js 20 or newer, which brings npm.")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607
    if int(version.lstrip("v").split(".")[0]) < 20:
        sys.exit(f"Node.js 20 or newer is needed, node is {version}: put a newer one first on PATH.")


def install_python(folder: str, lock_file: str) -> None:
    run(sys.executable, "-m", "venv", "--clear", os.path.join(ROOT, folder))
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV)
    install_packages(folder, lock_file)


def install_environment(folder: str, lock_file: str) -> None:
    run(PYTHON, "-m", "uv", "venv", "--quiet", "--clear", "--python", sys.executable, os.path.join(ROOT, folder))
    install_packages(folder, lock_file)


def install_packages(folder: str, lock_file: str) -> None:
    # uv does not read pip's settings by itself: the machine's certificates, and an index of one's own.
    index = subprocess.run([PYTHON, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True)
    options = ["--system-certs", *(["--default-index", index.stdout.strip()] if index.returncode == 0 else [])]
    target = ["--python", os.path.join(ROOT, folder)]
    run(PYTHON, "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode", *options, *target, "-r", lock_file)


def install_node(_folder: str, _lock_file: str) -> None:
    run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")


def run(*command: str) -> None:
    # An activated environment elsewhere must not draw the installation to itself.
    environment = {**os.environ, "VIRTUAL_ENV": os.path.join(ROOT, ".venv")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"\n{done.stdout}\nThis failed: {' '.join(command)}")


def fingerprint(lock_file: str) -> str:
    with open(os.path.join(ROOT, lock_file), "rb") as file:
        # With the folder: a virtual environment does not survive being moved.
        return hashlib.sha256(file.read() + f"{UV} {sys.version} {ROOT}".encode()).hexdigest()


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped; what is half installed will be installed anew.", file=sys.stderr)
        sys.exit(130)  # 128 and the number of SIGINT, as a shell says it
