"""A healthy environment `local` for the tests of `doctor`, on an emulator of its own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from ops.clients import Clients, make_clients
from ops.deployment import read_deployment
from ops.doctor.findings import Result
from ops.doctor.run import examine
from ops.doctor.templates import Examined, read_templates
from ops.target import ENVIRONMENTS
from settings.environment import Environment
from settings.files import load_environments
from tests.conftest import Deployed


@pytest.fixture(scope="session")
def settings() -> Environment:
    [environment] = (each for each in load_environments(ENVIRONMENTS) if each.name == "local")
    return environment


@pytest.fixture(scope="session")
def healthy(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An emulator with `local` deployed and the e-mail address confirmed. A test repairs what it breaks."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("doctor"), snapshot=deployed.snapshot) as running:
        running.confirm_subscriptions("data-platform@example.com")
        yield running


@pytest.fixture(scope="session")
def clients(healthy: EmbeddedAws) -> Clients:
    with pytest.MonkeyPatch.context() as shell:
        for name, value in healthy.client_environment().items():
            shell.setenv(name, value)
        found = make_clients(ACCOUNT, REGION, None, "hnb659fds")
        for service in ("cloudformation", "cloudwatch", "ecr", "events", "iam", "kms", "lambda_", "scheduler"):
            getattr(found, service)
        for service in ("secretsmanager", "sns", "sqs"):
            getattr(found, service)
    return found


@pytest.fixture
def examined(clients: Clients, settings: Environment) -> Callable[[], Examined]:
    """Return a function that reads the deployment."""
    return lambda: read_templates(clients, read_deployment(clients, settings))


@pytest.fixture
def results(examined: Callable[[], Examined]) -> Callable[[], dict[str, Result]]:
    """Return a function that runs the checks that are not active."""
    return lambda: examine(examined(), active=False)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Result], Path]:
    """Return a function that writes the files of a result's fixes, and returns their parent folder."""

    def write_files(result: Result) -> Path:
        (tmp_path / "fixes").mkdir(exist_ok=True)
        for problem in result.problems:
            for name, content in problem.files.items():
                (tmp_path / "fixes" / name).write_text(json.dumps(content))
        return tmp_path

    return write_files
