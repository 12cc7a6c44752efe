"""For every test: an embedded AWS, with or without `local` deployed, and the order in which files run.

The tests on an embedded AWS share what it holds. Each names its own resources, and leaves the rest as it was.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from local.account import WORKER_ROLE_ARN, Account, assume, outputs
from local.deployment import start_and_deploy
from local.embedded_aws import EmbeddedAws

# Node 20, which jsii no longer supports, does run it; make says the same.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")


# The tests that take longest start first, so that no worker has to finish a long one alone. The others follow in the
# order of their names.
START_FIRST = (
    "tests/upgrade/",
    "tests/local/test_rollback.py",
    "tests/local/test_commands.py",
    "tests/permissions/",
    "tests/stacks/test_app.py",
    "tests/local/test_deployment.py",
    "tests/faults/test_soak.py",
    "tests/faults/",
)
# The tests of these files run in several workers, because they wait for timeouts. All other files run in one worker.
SPLIT_BY_TEST = ("tests/faults/test_ecr.py", "tests/faults/test_function.py", "tests/faults/test_secrets_manager.py")
TOGETHER = "tests/permissions/"  # these files share the synthesized account and its requests
# These take long and test what rarely breaks alone: `make rehearse` and CI run them, `make test` does not.
REHEARSALS = ("tests/local/test_commands.py", "tests/stacks/test_app.py::test_the_examples_pass_cdks_own_validation")
NEEDS_THE_EMULATOR = ("tests/local/", "tests/faults/")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "emulator: a test that needs an embedded AWS; set by tests/conftest.py")
    config.addinivalue_line("markers", "rehearsal: a long test that `make rehearse` runs; set by tests/conftest.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the emulator and the rehearsals, and put the longest tests first."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.nodeid.startswith(NEEDS_THE_EMULATOR) or {"deployed", "empty_aws"}.intersection(fixtures):
            item.add_marker(pytest.mark.emulator)
        if item.nodeid.startswith(REHEARSALS):
            item.add_marker(pytest.mark.rehearsal)
    items.sort(key=_place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Hand the tests to the workers file by file and in their order, whatever --dist says.

    --dist loadfile would start with the files that have most tests. --dist loadgroup of pytest-xdist 3.8 does not see
    groups under pytest 9.2.
    """
    config.option.loadscopereorder = False
    return ByFile(config, log)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist's scheduler is typed as Any here
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in SPLIT_BY_TEST:
            return nodeid.partition("[")[0]
        return TOGETHER if file.startswith(TOGETHER) else file


def _place(item: pytest.Item) -> int:
    found = (place for place, prefix in enumerate(START_FIRST) if item.nodeid.startswith(prefix))
    return next(found, len(START_FIRST))


@dataclass(frozen=True)
class Deployed:
    """`local`, deployed once for all workers of a test run.

    Attributes:
        snapshot: what the embedded AWS holds after the deploy.
        state: the folder of the embedded AWS that was deployed to. It has ended.
        account: the credentials of its principals.
    """

    snapshot: Path
    state: Path
    account: Account


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """`local` as the first worker that needs it has deployed it. The others wait for that."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    state, snapshot, credentials = (shared / f"deployed{suffix}" for suffix in ("", ".snapshot", ".json"))
    with locked(shared / "deployed.lock"):
        if not credentials.exists():
            aws, account = start_and_deploy(state)
            with aws:
                aws.save_snapshot(snapshot)
            credentials.write_text(json.dumps(asdict(account)))
    return Deployed(snapshot, state, Account(**json.loads(credentials.read_text())))


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let one process at a time run the body."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def empty_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An embedded AWS with an empty account."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws")) as running:
        yield running


@pytest.fixture(scope="session")
def aws(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An embedded AWS with `local` deployed: a copy for this worker."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), snapshot=deployed.snapshot) as running:
        yield running


@pytest.fixture(scope="session")
def account(deployed: Deployed) -> Account:
    """Its principals, as `make demo` creates them."""
    return deployed.account


@pytest.fixture(scope="session")
def local(aws: EmbeddedAws) -> dict[str, str]:
    """The outputs of `local`."""
    return outputs(aws)


@pytest.fixture(scope="session")
def worker_role(aws: EmbeddedAws, account: Account) -> Any:
    """Secrets Manager as an Airflow worker may use it; its session lasts as long as the tests."""
    return aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))


@pytest.fixture
def worker(aws: EmbeddedAws, account: Account) -> Any:
    """Secrets Manager as an Airflow worker may use it."""
    return aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))
