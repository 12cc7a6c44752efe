"""Count the failed reads of a connection while another process rewrites the connection's docker login."""

import itertools
import json
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.airflow_host import AirflowHost
from bench.environments import AIRFLOW, LAMBDA, bare_environment
from bench.processes import BenchFailed
from bench.readers.reading import Reads
from local.account import WORKER_ROLE_ARN, Account, assume, outputs
from local.embedded_aws import EmbeddedAws
from tools import ROOT

_READERS = 2


@dataclass(frozen=True)
class Result:
    """The number of rewrites, and the reads of all readers together."""

    rewrites: int
    reads: Reads


def by_one_write(aws: EmbeddedAws, account: Account) -> Result:
    """Count failed reads while the deployed function writes new versions of the secret.

    The readers read the secret with the workers' role.
    """
    worker = assume(aws, WORKER_ROLE_ARN, account.operator)
    environment = {
        **bare_environment(LAMBDA),
        **aws.client_environment(),
        "AWS_ACCESS_KEY_ID": worker["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": worker["SecretAccessKey"],
        "AWS_SESSION_TOKEN": worker["SessionToken"],
    }
    function = outputs(aws)["RefreshFunctionNameDockerDefault"]
    functions = aws.client("lambda")
    configuration = functions.get_function_configuration(FunctionName=function)
    # By default, a run keeps a login that is only minutes old.
    variables = configuration["Environment"]["Variables"] | {"SHORTEST_INTERVAL_MINUTES": "0.0001"}
    functions.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
    functions.get_waiter("function_updated_v2").wait(FunctionName=function)

    refreshes = itertools.count(1)

    def refresh() -> None:
        # Secrets Manager keeps all versions of 24 hours and limits their number.
        if next(refreshes) % 100 == 0:
            aws.advance_clock(25 * 60, sessions_expire=False)
        if "FunctionError" in functions.invoke(FunctionName=function):
            raise BenchFailed("the deployed function failed")

    return _read_while(refresh, LAMBDA, "bench.readers.secrets_manager", environment)


def by_delete_and_add(host: AirflowHost) -> Result:
    """Count failed reads while the cron script deletes and adds the connection.

    The readers use Airflow to read the connection from the metadata database.
    """
    return _read_while(host.run_cron_script, AIRFLOW, "bench.readers.airflow_database", host.environment)


def _read_while(rewrite: Callable[[], object], venv: Path, reader: str, environment: Mapping[str, str]) -> Result:
    readers = [
        subprocess.Popen(
            [venv / "bin" / "python", "-m", reader],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(_READERS)
    ]
    try:
        for process in readers:
            _wait_until_ready(process)
        for process in readers:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        rewrites = 0
        while any(process.poll() is None for process in readers):
            rewrite()
            rewrites += 1
        return Result(rewrites, _together([Reads(**json.loads(process.communicate()[0])) for process in readers]))
    finally:
        for process in readers:
            process.kill()
            process.communicate()


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    for line in process.stdout:
        if line == "ready\n":
            return
    raise BenchFailed("a reader ended before its first read")


def _together(readers: list[Reads]) -> Reads:
    failures = sum((Counter(reader.failures) for reader in readers), Counter[str]())
    return Reads(
        reads=sum(reader.reads for reader in readers),
        failures=dict(failures),
        longest_gap_seconds=max(reader.longest_gap_seconds for reader in readers),
        logins=max(reader.logins for reader in readers),
    )
