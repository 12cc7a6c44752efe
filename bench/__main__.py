"""Run all benchmarks, print their tables and write docs/benchmarks.md. `make bench` runs this module."""

import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import backend_reads, deploying, page, refresh, rewriting, synthesizing
from bench.airflow_host import AirflowHost
from bench.aws_stub import NotWritten, aws_stub
from bench.environments import AIRFLOW, LAMBDA, check_bytecode, file_of
from bench.goals import backend_goal, goals, synthesis_goal
from bench.in_turn import Runs, in_turn
from bench.processes import BenchFailed
from bench.readers.reading import PAUSE_SECONDS
from bench.rewriting import Result
from bench.tables import cpu_table, goals_table, readers_table, waiting_table
from local.account import outputs
from local.cdk import CdkFailed
from local.deployment import start_and_deploy
from local.embedded_aws import EmbeddedAws, EmbeddedAwsError
from tools import ROOT

_REFRESH_ROUNDS = 21
_READ_ROUNDS = 21
_WAITING_ROUNDS = 5


def main() -> None:
    # These signals have the same effect as Ctrl-C, so that the benchmark stops the processes that it started.
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)
    check_bytecode(LAMBDA, "botocore")
    check_bytecode(AIRFLOW, "airflow")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print("One refresh in a cold process, in every variant")
        host = AirflowHost(folder / "airflow")
        runs = refresh_runs(folder, host)
        refreshes = cpu_table(runs, refresh.PLAIN_BOTO3, "one refresh, cold")
        print(f"\n{refreshes}\n")

        print("Reads by the secrets backends of Airflow")
        reads = backend_runs(folder, host)
        backends = "\n\n".join(
            [
                cpu_table(reads, backend_reads.USUAL, f"{backend_reads.READS} reads"),
                goals_table([backend_goal(reads)]),
            ]
        )
        print(f"{backends}\n")

        print("Readers while the docker login is rewritten, and waiting times")
        aws, account = start_and_deploy(folder / "aws")
        with aws:
            kept = goals_table(goals(runs, zip_bytes=deployed_bytes(aws)))
            print(f"\n{kept}\n")
            results: dict[str, Result] = {
                "one write": rewriting.by_one_write(aws, account),
                "delete and add": rewriting.by_delete_and_add(host),
            }
            readers = readers_table(results)
            print(f"{readers}\n")
            waits = in_turn(deploying.variants(aws, folder), _WAITING_ROUNDS)
        waiting = waiting_table(waits, deploying.BASELINE)
        print(f"{waiting}\n")

        print("Synthesis of many repositories")
        synths = in_turn(synthesizing.variants(folder), _WAITING_ROUNDS)
        synthesis = "\n\n".join(
            [cpu_table(synths, synthesizing.FEW, "one synthesis"), goals_table([synthesis_goal(synths)])]
        )
        print(f"{synthesis}\n")
    page.write(
        refresh=refreshes,
        goals=kept,
        backends=backends,
        readers=readers,
        waiting=waiting,
        synthesis=synthesis,
        refresh_rounds=_REFRESH_ROUNDS,
        read_rounds=_READ_ROUNDS,
        batch=backend_reads.READS,
        waiting_rounds=_WAITING_ROUNDS,
        pause_milliseconds=PAUSE_SECONDS * 1000,
    )
    print(f"Written to {page.PAGE.relative_to(ROOT)}")


def refresh_runs(folder: Path, host: AirflowHost) -> dict[str, Runs]:
    """Return a dict of variant to its runs of one refresh."""
    with aws_stub(folder / "stub", file_of(LAMBDA, "botocore", "cacert.pem")) as stub:
        return in_turn(refresh.variants(stub, host), _REFRESH_ROUNDS)


def backend_runs(folder: Path, host: AirflowHost) -> dict[str, Runs]:
    """Return a dict of variant to its runs of reads by a secrets backend."""
    stub_folder = folder / "stub-of-reads"
    with (
        aws_stub(stub_folder, file_of(AIRFLOW, "botocore", "cacert.pem")) as stub,
        backend_reads.variants(stub, host, stub_folder) as variants,
    ):
        return in_turn(variants, _READ_ROUNDS)


def deployed_bytes(aws: EmbeddedAws) -> int:
    """Return the size of the function's deployment package in bytes."""
    name = outputs(aws)["RefreshFunctionNameDockerDefault"]
    size: int = aws.client("lambda").get_function(FunctionName=name)["Configuration"]["CodeSize"]
    return size


if __name__ == "__main__":
    try:
        main()
    except (BenchFailed, CdkFailed, EmbeddedAwsError, NotWritten) as failure:
        sys.exit(f"\n  ✗ {failure}")
    except subprocess.CalledProcessError as failure:
        sys.exit(f"\n  ✗ {failure.cmd[0]} exited with status {failure.returncode}")
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, which is the exit status that a shell uses
