"""The stage that all tests share: the deployed stacks, and one Airflow worker for each version of Airflow."""

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from local import cdk
from local.account import WORKER_ROLE_ARN, Account, Credentials, assume, outputs
from local.cdk import ENVIRONMENTS
from local.deployment import assembly, start_and_deploy
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.e2e import host, postgres
from tests.e2e.airflows import VERSIONS, Airflow, Ended, backend_settings
from tools import ROOT

T = TypeVar("T")
SCRATCH = ROOT / ".local" / "e2e"
DAY = "2026-01-02"  # A day without a run. If the day had a run, Airflow 2 would not run the tasks again.
# The prefix of secrets with a wrong value. A test makes Airflow read secrets below this prefix instead of
# `airflow/connections`, so that no test has to change the real secret.
FAULTS = "airflow/faults"
MUTABLE_TAGS = '["latest", "cache-*", "sha256-*"]'  # build caches and signatures have tags that move
MORE_SETTINGS = """
[workers.clean_up]
tag_key = "role"
tag_value = "airflow-worker"
[ecs.tasks."risk/var"]
image_tag = "1"
[connections.docker_other_account]
registry = { account = "444455556666" }
teams = ["platform"]
[connections.docker_other_region]
registry = { region = "eu-west-1" }
teams = ["platform"]
"""
# The environments with the registries of another account and of another Region. Only their registries are deployed.
OTHER_SETTINGS = """
account = "{account}"
region = "{region}"
[teams.platform]
repositories = ["base"]
{readers}
[teams.platform.push]
user_arns = ["arn:aws:iam::{account}:user/pusher"]
[connections.docker_default]
teams = ["platform"]
[alerts]
off_because = "a test"
"""


@dataclass(frozen=True)
class Worker:
    """A machine with an Airflow installation and a docker engine."""

    airflow: Airflow
    engine: host.Engine


@dataclass(frozen=True)
class Stage:
    aws: EmbeddedAws
    account: Account
    outputs: dict[str, str]
    workers: list[Worker]
    marker: str
    """The output of the private image. A log with this marker proves that the image ran."""

    def on_each(self, act: Callable[[Airflow], T]) -> list[T]:
        """Call `act` for each Airflow version at the same time, and return the results."""
        with ThreadPoolExecutor(len(self.workers)) as pool:
            return list(pool.map(act, [worker.airflow for worker in self.workers]))

    def forget_images(self) -> None:
        """Remove every image on each worker, so that the next task has to pull."""
        for worker in self.workers:
            worker.engine.forget_images()

    def run_task(self, dag: str, task: str, **environment: str) -> list[Ended]:
        """Run a task with `airflow tasks test` on each worker."""
        return self.on_each(lambda airflow: airflow.command("tasks", "test", dag, task, DAY, **environment))

    def refresh(self) -> None:
        """Make the docker login old, and invoke the deployed function, which refreshes the docker login.

        The schedule also invokes the function. One run writes, and then the login is fresh.
        """
        self.aws.advance_clock(minutes=30, sessions_expire=False)
        function = self.outputs["RefreshFunctionNameDockerDefault"]
        answer = self.aws.client("lambda").invoke(FunctionName=function)
        assert "FunctionError" not in answer, answer["Payload"].read()

    @contextmanager
    def function_stopped(self) -> Iterator[None]:
        """Prevent refreshes until the end of the `with` block."""
        function = self.outputs["RefreshFunctionNameDockerDefault"]
        self.aws.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
        try:
            yield
        finally:
            self.aws.client("lambda").delete_function_concurrency(FunctionName=function)

    def login(self) -> dict[str, Any]:
        """Return the connection that a worker reads from the secret."""
        worker = self.aws.client("secretsmanager", worker_session(self.aws, self.account))
        login: dict[str, Any] = json.loads(
            worker.get_secret_value(SecretId=self.outputs["SecretNameDockerDefault"])["SecretString"]
        )
        return login


@contextmanager
def staged() -> Iterator[Stage]:
    """Start the emulator, the workers and PostgreSQL, and stop them at the end. The logs stay in SCRATCH."""
    host.prepare()
    for folder in (SCRATCH / name for name in ("aws", "dags", "environments", *(f"airflow-{v}" for v in VERSIONS))):
        shutil.rmtree(folder, ignore_errors=True)
    dags = _dags(SCRATCH / "dags")
    with ThreadPoolExecutor() as pool:
        airflows = [Airflow(v, SCRATCH, dags, host.docker_host(v)) for v in VERSIONS]
        engines = [pool.submit(host.Engine, SCRATCH, v) for v in VERSIONS]
        database = pool.submit(_start_postgres, airflows)
        aws, account = start_and_deploy(SCRATCH / "aws", environments=_environments(SCRATCH / "environments"))
        workers = [Worker(airflow, engine.result()) for airflow, engine in zip(airflows, engines, strict=True)]
        database.result()
    stage = Stage(aws, account, outputs(aws), workers, marker=f"private-marker-{secrets.token_hex(8)}")
    try:
        host.trust(aws)
        host.relay(aws.port)
        for name, registry in other_registries(aws).items():
            cdk.bootstrap(registry)
            cdk.deploy(registry, assembly(aws), f"{name}/Registry")
        digest = _push_images(stage)
        _make_faulty_secrets(aws)
        session = worker_session(aws, account)
        for worker in workers:
            worker.airflow.work_as(aws, session)
            worker.airflow.environment["AIRFLOW_VAR_ECR_REGISTRY"] = stage.outputs["RegistryHost"]
            worker.airflow.environment["AIRFLOW_VAR_WEB_SCRAPER_DIGEST"] = digest
            worker.airflow.environment["AIRFLOW_VAR_REGISTRY_OF_OTHER_ACCOUNT"] = host.REGISTRY_OF_OTHER_ACCOUNT
            worker.airflow.environment["AIRFLOW_VAR_REGISTRY_OF_OTHER_REGION"] = host.REGISTRY_OF_OTHER_REGION
        yield stage
    finally:
        for worker in workers:
            worker.engine.stop()
        postgres.stop()
        aws.stop()


def other_registries(aws: EmbeddedAws) -> dict[str, EmbeddedAws]:
    """Return the emulator for each environment whose registry belongs to another account or Region."""
    return {"central": aws.elsewhere(account=host.OTHER_ACCOUNT), "abroad": aws.elsewhere(region=host.OTHER_REGION)}


def worker_session(aws: EmbeddedAws, account: Account) -> Credentials:
    """Return credentials of the workers' role."""
    return assume(aws, WORKER_ROLE_ARN, account.operator)


def faulty(fault: str) -> dict[str, str]:
    """Return settings that make Airflow read the secret with this wrong value."""
    return looking_below(f"{FAULTS}/{fault}")


def looking_below(prefix: str) -> dict[str, str]:
    """Return the recommended settings with another prefix of the secrets' names."""
    recommended = json.loads(backend_settings()["AIRFLOW__SECRETS__BACKEND_KWARGS"])
    return {"AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(recommended | {"connections_prefix": prefix})}


def _dags(folder: Path) -> Path:
    """Copy the examples and the DAGs that only the tests need to a DAGs folder."""
    folder.mkdir(parents=True)
    for source in (ROOT / "dags", Path(__file__).parent / "dags"):
        for dag in source.glob("*.py"):
            shutil.copy(dag, folder)
    return folder


def _environments(folder: Path) -> Path:
    """Write the settings of `local` with optional parts: direct pulls, more mutable tags, the clean-up, Fargate."""
    folder.mkdir()
    settings = (ENVIRONMENTS / "local.toml").read_text()
    settings = settings.replace("[workers]\n", "[workers]\npull_directly = true\n")
    settings = settings.replace('mutable_tags = ["latest"]', f"mutable_tags = {MUTABLE_TAGS}")
    (folder / "local.toml").write_text(settings + MORE_SETTINGS)
    in_other_account = {"account": host.OTHER_ACCOUNT, "region": REGION, "readers": f'pull_accounts = ["{ACCOUNT}"]'}
    (folder / "central.toml").write_text(OTHER_SETTINGS.format(**in_other_account))
    in_other_region = {"account": ACCOUNT, "region": host.OTHER_REGION, "readers": 'pull_environments = ["local"]'}
    (folder / "abroad.toml").write_text(OTHER_SETTINGS.format(**in_other_region))
    return folder


def _start_postgres(airflows: list[Airflow]) -> None:
    def migrate() -> None:
        with ThreadPoolExecutor() as pool:
            for ended in pool.map(lambda airflow: airflow.command("db", "migrate"), airflows):
                assert ended.succeeded, ended.log

    postgres.start(SCRATCH, [airflow.database for airflow in airflows], migrate)


def _push_images(stage: Stage) -> str:
    """Push the private image as the analyst, and another team's image as the root user of the account.

    Returns:
        The digest of the private image.
    """
    root = Path("/run/image")
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin")
    (root / "marker").write_text(f"{stage.marker}\n")
    aws, engine, registry = stage.aws, stage.workers[0].engine, stage.outputs["RegistryHost"]
    analyst = assume(aws, stage.outputs["PushRoleArnAnalytics"], stage.account.analyst)
    engine.push(root, f"{registry}/risk/var:1", aws.client("ecr"))
    for other in other_registries(aws).values():
        host_of_other = f"{other.account}.dkr.ecr.{other.region}.amazonaws.com"
        engine.push(root, f"{host_of_other}/platform/base:1", other.client("ecr"))
    return engine.push(root, f"{registry}/analytics/web-scraper:1", aws.client("ecr", analyst))


def _make_faulty_secrets(aws: EmbeddedAws) -> None:
    """Create the secrets with wrong values, and allow the workers to read them."""
    login = {"conn_type": "docker", "host": host.REGISTRY, "login": "AWS", "password": "no-token-of-ecr"}
    values = {
        "wrong_password": json.dumps(login),
        "no_host": json.dumps({key: value for key, value in login.items() if key != "host"}),
        "empty_object": "{}",
        "plain_text": "the password itself",
        "invalid_json": json.dumps(login)[:-1],
    }
    secrets_manager = aws.client("secretsmanager")
    for fault, value in values.items():
        secrets_manager.create_secret(Name=f"{FAULTS}/{fault}/docker_default", SecretString=value)
        statement = {
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": f"arn:aws:secretsmanager:*:*:secret:{FAULTS}/*",
        }
    aws.client("iam").put_role_policy(
        RoleName=WORKER_ROLE_ARN.rpartition("/")[2],
        PolicyName="ReadFaults",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
