"""Registry clients of several Debian releases, unpacked into folders of this checkout.

The tests need a docker engine with a known fault and an engine without it, whatever the machine has installed. This
module downloads the packages with apt, which checks Debian's signatures, and unpacks them. It installs no package on
the machine.

A package's version is the one that its release has now, because Debian's mirrors keep no other version. A stable
release keeps its versions. Debian 14 is not released yet, so its versions still rise.
"""

import hashlib
import json
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import ROOT

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://ftp.debian.org/debian"
"""The mirror for machines of another distribution. On Debian, the machine's own mirror is used."""
ENGINE = ["docker.io", "docker-cli", "docker-buildx", "containerd"]
PACKAGES = {
    "bookworm": ["skopeo", "podman", "conmon", "golang-github-containers-image", "golang-github-containers-common"]
    + ["libgpgme11", "libassuan0", "libsubid4", "libdevmapper1.02.1"],
    "trixie": ENGINE,
    "forky": [*ENGINE, "cosign", "oras"],
}
FOLDER = ROOT / ".local" / "e2e" / "debian"


def programs(release: str) -> Path:
    """Return the folder of a release's unpacked packages. It has the layout of a root folder."""
    return FOLDER / release


def path(release: str) -> str:
    """Return the folders for PATH with the programs of a release."""
    return ":".join(str(programs(release) / folder) for folder in ("usr/bin", "usr/sbin"))


def install() -> None:
    """Download and unpack the packages, unless an earlier run did.

    Raises:
        subprocess.CalledProcessError: apt-get or dpkg-deb failed. Its output is on the terminal.
    """
    mirror = _mirror()
    stamp, inputs = FOLDER / "installed", hashlib.sha256(json.dumps([mirror, PACKAGES]).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == inputs:
        return
    print("Installing the registry clients of other Debian releases …", end=" ", flush=True)
    started = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    apt = FOLDER / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (apt / folder).mkdir(parents=True)
    sources = [f"deb [signed-by={KEYRING}] {mirror} {release} main\n" for release in PACKAGES]
    (apt / "sources.list").write_text("".join(sources))
    _apt_get(apt, "update")
    for release, names in PACKAGES.items():
        programs(release).mkdir()
        downloads = apt / "archives" / release
        downloads.mkdir()
        _apt_get(apt, "download", *(f"{name}/{release}" for name in names), cwd=downloads)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_unpack, apt.glob("archives/*/*.deb")))
    shutil.rmtree(apt)
    stamp.write_text(inputs)
    print(f"{time.monotonic() - started:.0f} s")


def _unpack(package: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", str(package), str(programs(package.parent.name))], check=True)  # noqa: S607


def _mirror() -> str:
    """Return the address from which this machine installs its Debian packages, or MIRROR."""
    targets = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian"]
    found = subprocess.run(targets, capture_output=True, text=True, check=True).stdout.split()
    return found[0].rstrip("/") if found else MIRROR


def _apt_get(apt: Path, *arguments: str, cwd: Path | None = None) -> None:
    """Run apt-get with settings, package lists and downloads in this folder."""
    empty = apt / "empty"
    empty.mkdir(exist_ok=True)
    options = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": empty,
        "Dir::Etc::preferencesparts": empty,
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt,
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    settings = [f"--option={name}={value}" for name, value in options.items()]
    subprocess.run(["apt-get", "-qq", *settings, *arguments], cwd=cwd, check=True)  # noqa: S607
