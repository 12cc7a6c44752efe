"""The variants of reading the docker login in Airflow. Each variant reads in a process that runs until the end."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.airflow_host import AirflowHost
from bench.aws_stub import AwsStub
from bench.environments import AIRFLOW
from bench.processes import BenchFailed, Cost
from local.embedded_aws import REGION
from tools import ROOT

USUAL = "SecretsManagerBackend"
STRICT = "StrictSecretsManagerBackend"
READS = 100
"""The number of reads in one run of a variant."""
_BACKENDS: dict[str, tuple[str, dict[str, object]]] = {
    USUAL: ("airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend", {}),
    STRICT: (
        "strict_secrets_manager.StrictSecretsManagerBackend",
        {"required_connections": ["docker_default"]},
    ),
}
_PREFIX: dict[str, object] = {"connections_prefix": "airflow/connections"}


@contextmanager
def variants(stub: AwsStub, host: AirflowHost, folder: Path) -> Iterator[dict[str, Callable[[], Cost]]]:
    """Yield a dict of a variant's name to a function that runs the variant. The processes end with the `with` block.

    Args:
        stub: The stub with the secret.
        host: The Airflow host on which the processes run.
        folder: The folder for the error output of the processes.
    """
    stub.forget()
    stub.write_login()
    environment = {
        **host.environment,
        "PYTHONPATH": str(ROOT / "airflow_backend"),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": stub.url,
        "AWS_CA_BUNDLE": str(stub.ca_bundle),
    }
    with ExitStack() as readers:
        runs: dict[str, Callable[[], Cost]] = {}
        for name, (path, arguments) in _BACKENDS.items():
            program: list[str | Path] = [AIRFLOW / "bin" / "python", "-m", "bench.readers.secrets_backend"]
            command = [*program, path, json.dumps(_PREFIX | arguments), str(READS)]
            runs[name] = readers.enter_context(reader(command, environment, folder / f"{name}.log", stub))
        yield runs


@contextmanager
def reader(
    command: Sequence[str | Path], environment: Mapping[str, str], log: Path, stub: AwsStub, reads: int = READS
) -> Iterator[Callable[[], Cost]]:
    """Run a process that reads a batch on request. Yield a function that requests a batch and returns its cost.

    Args:
        command: The program with its arguments. See bench/readers/secrets_backend.py.
        environment: All environment variables of the program.
        log: The file for the error output of the program.
        stub: The stub that answers the reads.
        reads: The number of requests in a batch.

    Raises:
        BenchFailed: The process ended, or the stub did not answer each read of a batch.
    """
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )

    def line(start: str) -> str:
        """Return the next line that starts with this text. Airflow can print other lines."""
        assert process.stdout
        for printed in process.stdout:
            if printed.startswith(start):
                return printed
        raise BenchFailed(f"the process that reads the docker login ended:\n{log.read_text()[-2000:]}")

    def run() -> Cost:
        assert process.stdin
        before = len(stub.calls)
        process.stdin.write("\n")
        process.stdin.flush()
        cost = Cost(**json.loads(line("{")))
        if stub.calls[before:] != ["GetSecretValue"] * reads:
            raise BenchFailed(f"{reads} reads made {len(stub.calls) - before} requests")
        return cost

    try:
        line("ready")
        yield run
    finally:
        process.kill()
        process.communicate()
