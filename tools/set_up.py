"""Install what a task needs: `python3 -m tools.set_up [ops|deploy|dev|docs|checkov|bench|e2e ...]`, by default `dev`.

Operating and deploying need few packages, development needs many. They share `.venv` and `node_modules`:

- `ops` installs the command `.venv/bin/ecr-login`, without Node.js and without the CDK.
- `deploy` and `dev` add their packages to what is installed.
- A current development environment is enough for everything, because all lock files pin the same versions.

The other tasks also get separate virtual environments, because their dependencies conflict with ours.

Each folder records the lock file of its packages, and nothing is installed twice.
After a change of the lock file, of Python or of the checkout's path, the installation starts with an empty folder.
Two runs at the same time are safe: the second one waits.

This module runs before anything is installed. It imports only the standard library,
and its syntax is old enough for an old Python to reach the version check.
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

from tools import ROOT

UV = "uv==0.13.9"  # uv installs the same lock files as pip, several times faster
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
PYTHON = os.path.join(ROOT, ".venv", "bin", "python")
VENV_PACKAGES = ("pip", "setuptools", "uv")  # these packages are in every .venv and in no lock file


class Part(NamedTuple):
    """The packages that one task needs in one folder.

    Attributes:
        task: `ops`, `deploy`, `dev` or the name of a tool.
        folder: Where the packages are installed.
        lock: The file that pins the packages.
        content: The name of the packages in the progress line.
    """

    task: str
    folder: str
    lock: str
    content: str


OPS = Part("ops", ".venv", "ops/requirements.lock", "the Python packages of ecr-login")
DEPLOY = [
    Part("deploy", ".venv", "requirements.lock", "the Python packages for deploying"),
    Part("deploy", "node_modules", "package-lock.json", "the CDK CLI"),
]
DEV = [
    Part("dev", ".venv", "requirements-dev.lock", "the Python packages for development"),
    Part("dev", "node_modules", "package-lock.json", "the CDK CLI and the policy simulator"),
]
SHARED = [OPS, DEPLOY[0], DEV[0]]  # the parts in .venv
TASKS = {
    "ops": [OPS],
    "deploy": [*DEPLOY, OPS],
    "dev": DEV,
    "docs": [DEPLOY[0], Part("docs", ".venv-docs", "docs/requirements.lock", "Sphinx")],
    "checkov": [*DEV, Part("checkov", ".venv-checkov", "scanners/requirements-checkov.lock", "checkov")],
    "bench": [
        *DEV,
        Part("bench", ".venv-bench", "bench/requirements-lambda.lock", "the packages of the Lambda runtime"),
        Part("bench", ".venv-bench-airflow", "bench/requirements-airflow.lock", "Airflow for the benchmarks"),
    ],
    "e2e": [
        *DEV,
        Part("e2e", ".venv-airflow-2", "tests/e2e/requirements-airflow-2.lock", "Airflow 2"),
        Part("e2e", ".venv-airflow-3", "tests/e2e/requirements-airflow-3.lock", "Airflow 3"),
    ],
}


def main() -> None:
    tasks = sys.argv[1:] or ["dev"]
    unknown = [task for task in tasks if task not in TASKS]
    if unknown:
        sys.exit(f"Unknown: {', '.join(unknown)}. Choose from: {', '.join(TASKS)}.")
    parts = parts_of(tasks)
    refuse_old_node(parts)
    os.makedirs(os.path.join(ROOT, ".local"), exist_ok=True)
    with open(os.path.join(ROOT, ".local", "set-up.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another set-up of this checkout …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        install_missing(parts)


def refuse_old_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        version = sys.version.split()[0]
        sys.exit(f"Python 3.11 or newer is needed, but python3 is {version}. Put a newer python3 first on PATH.")


def refuse_old_node(parts: "list[Part]") -> None:
    if not any(part.folder == "node_modules" for part in parts):
        return
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is needed, but is not on PATH. Install Node.js {OLDEST_NODE} or newer; it contains npm.")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        sys.exit(f"Node.js {OLDEST_NODE} or newer is needed, but node is {version}. Put a newer node first on PATH.")


def parts_of(tasks: "list[str]") -> "list[Part]":
    """Return the parts of these tasks in the order of installation, without parts that another part contains."""
    parts = list(dict.fromkeys(part for task in tasks for part in TASKS[task]))
    parts.sort(key=lambda part: part.folder != ".venv")  # .venv contains uv, which installs the other parts
    return [part for part in parts if not any(part in contained_in(other) for other in parts)]


def contained_in(part: Part) -> "list[Part]":
    """Return the parts that an installation of this part also installs: `dev` contains `ops` and `deploy`."""
    return [other for other in (OPS, *DEPLOY) if part in DEV and other.folder == part.folder]


def install_missing(parts: "list[Part]") -> None:
    """Install the parts that are not installed. An installation can empty the folder and so remove another part."""
    while True:
        missing = [part for part in parts if not is_installed(part)]
        if not missing:
            return
        install(missing[0])


def is_installed(part: Part) -> bool:
    return read(stamp(part)) == fingerprint(part)


def install(part: Part) -> None:
    print(f"Installing {part.content} into {part.folder} …", end=" ", flush=True)
    started = time.monotonic()
    if part.folder == "node_modules":
        # `npm ci` first empties the folder, with the records of what was installed.
        run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", *(["--omit=dev"] if part in DEPLOY else []))
    else:
        make_environment(part)
        install_packages(part)
    if OPS in [part, *contained_in(part)]:
        write_command()
    for each in [part, *contained_in(part)]:
        with open(stamp(each), "w") as file:
            file.write(fingerprint(each))
    print(f"{count_packages(part.folder)}{time.monotonic() - started:.0f} s")


def make_environment(part: Part) -> None:
    """Make an empty virtual environment, or keep the environment to which this part adds packages."""
    folder = os.path.join(ROOT, part.folder)
    if part.folder != ".venv":
        run(PYTHON, "-m", "uv", "venv", "--quiet", "--clear", "--python", sys.executable, folder)
    elif starts_empty(part):
        run(sys.executable, "-m", "venv", "--clear", folder)
        run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV)


def starts_empty(part: Part) -> bool:
    """Return whether the folder is emptied first. It is kept if everything else in it is current."""
    installed = [other for other in SHARED if read(stamp(other)) != ""]
    return not installed or part in installed or not all(map(is_installed, installed))


def install_packages(part: Part) -> None:
    options = ["--quiet", "--compile-bytecode", "--python", os.path.join(ROOT, part.folder), *index_options()]
    run(PYTHON, "-m", "uv", "pip", "install", *options, "-r", part.lock)


def write_command() -> None:
    """Write `.venv/bin/ecr-login`, which works from every folder."""
    command = os.path.join(os.path.dirname(stamp(OPS)), "bin", "ecr-login")
    os.makedirs(os.path.dirname(command), exist_ok=True)
    with open(command, "w") as file:
        # `-P`: the current folder must not hide a module of ours or of a package.
        root, python = shlex.quote(str(ROOT)), shlex.quote(PYTHON)
        file.write(f'#!/bin/sh\nPYTHONPATH={root} exec {python} -P -m ops "$@"\n')
    os.chmod(command, 0o755)  # noqa: S103 # everybody may run it, like the other commands in this folder


def index_options() -> "list[str]":
    """Return the options that make uv use the machine's certificates and pip's package index.

    uv does not read pip's settings.
    """
    index = subprocess.run([PYTHON, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True)
    return ["--system-certs", *(["--default-index", index.stdout.strip()] if index.returncode == 0 else [])]


def count_packages(folder: str) -> str:
    """Return for example `17 packages, `, or an empty string if the folder is not a virtual environment."""
    if folder == "node_modules":
        return ""
    listed = run(PYTHON, "-m", "uv", "pip", "freeze", "--quiet", "--python", os.path.join(ROOT, folder))
    names = [line.split("==")[0] for line in listed.splitlines()]
    return f"{len([name for name in names if name not in VENV_PACKAGES])} packages, "


def run(*command: str) -> str:
    """Run a command in the checkout and return its output. End this program with the output if the command fails."""
    # The packages must not go into another virtual environment that is activated in the shell.
    environment = {**os.environ, "VIRTUAL_ENV": os.path.join(ROOT, ".venv")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"\n{done.stdout}\nThis command failed: {' '.join(command)}")
    return done.stdout


def stamp(part: Part) -> str:
    return os.path.join(ROOT, part.folder, f".installed-{part.task}")


def fingerprint(part: Part) -> str:
    """Return a hash of the inputs of this part's installation. If the hash changes, install the part again."""
    with open(os.path.join(ROOT, part.lock), "rb") as file:
        # The hash includes ROOT, because a virtual environment does not work after a move.
        return hashlib.sha256(file.read() + f"{UV} {sys.version} {ROOT}".encode()).hexdigest()


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    refuse_old_python()
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped. The next run installs again what is incomplete.", file=sys.stderr)
        sys.exit(130)  # 128 plus the number of SIGINT, as in a shell
