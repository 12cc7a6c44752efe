"""PostgreSQL for the metadata databases of Airflow. It listens only on a Unix socket, and ends with the namespace.

Each version of Airflow needs ten seconds to migrate its database. Therefore the migrated database cluster is kept.
Later runs use it until the lock files, this file or the version of PostgreSQL changes.
"""

import hashlib
import os
import pwd
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from tools import ROOT

# Debian uses this folder and this user.
SOCKETS = Path("/run/postgresql")
USER = "postgres"
DATA = SOCKETS / "data"
LOCKS = sorted((ROOT / "tests" / "e2e").glob("requirements-*.lock"))


def url(database: str) -> str:
    return f"postgresql+psycopg2://{USER}@/{database}?host={SOCKETS}"


def start(scratch: Path, databases: Iterable[str], migrate: Callable[[], None]) -> None:
    """Start PostgreSQL with these databases. If no cluster was kept, call `migrate` to create the tables."""
    user = pwd.getpwnam(USER)
    SOCKETS.mkdir()
    os.chown(SOCKETS, user.pw_uid, user.pw_gid)
    kept = scratch / f"postgres-{_fingerprint()}.tar"
    if kept.exists():
        subprocess.run(["tar", "-C", SOCKETS, "-xpf", kept], check=True)  # noqa: S607
        _control("start")
        return
    _run("initdb", "--auth=trust", "--encoding=UTF8", "--no-sync", f"--pgdata={DATA}")
    # The tests do not need the data after a crash, so the settings turn durability off.
    with (DATA / "postgresql.conf").open("a") as settings:
        settings.write(f"listen_addresses = ''\nunix_socket_directories = '{SOCKETS}'\nmax_connections = 200\n")
        settings.write("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")
    _control("start")
    for database in databases:
        _run("createdb", f"--host={SOCKETS}", database)
    migrate()
    _control("stop")
    for outdated in scratch.glob("postgres-*.tar"):
        outdated.unlink()
    unfinished = kept.with_suffix(".part")
    subprocess.run(["tar", "-C", SOCKETS, "-cf", unfinished, DATA.name], check=True)  # noqa: S607
    unfinished.rename(kept)
    _control("start")


def query(database: str, statement: str) -> str:
    """Return the rows of a statement's result. Each row is a line."""
    return _run("psql", f"--host={SOCKETS}", f"--dbname={database}", "--no-align", "--tuples-only", "-c", statement)


def stop() -> None:
    _control("stop")


def _control(action: str) -> None:
    _run("pg_ctl", action, f"--pgdata={DATA}", f"--log={SOCKETS / 'log'}", "--wait", "--silent", "--mode=fast")


def _run(command: str, *arguments: str) -> str:
    """Run a command of PostgreSQL as USER, and return its output. PostgreSQL refuses to run as root."""
    done = subprocess.run(
        [str(_commands() / command), *arguments],
        user=USER,
        group=USER,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.strip()


def _commands() -> Path:
    """Return the folder with the commands of the newest version. On Debian, this folder is not on PATH."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))


def _fingerprint() -> str:
    content = b"".join(lock.read_bytes() for lock in LOCKS) + Path(__file__).read_bytes() + bytes(_commands())
    return hashlib.sha256(content).hexdigest()[:16]
