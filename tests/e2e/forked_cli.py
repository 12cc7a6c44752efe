"""Run many commands of Airflow's CLI. Each command runs in a fork of this process.

To import Airflow takes seconds of CPU time. A fork takes almost no time, and the command behaves the same in it. Each
line of standard input is a command in JSON: its arguments, additional environment variables, and a file for its output.
The program answers each line with the command's exit code. It runs with the Python of the Airflow installation.

Airflow creates its secrets backends while it is imported. It creates them again for a command, but only if no backend
except the built-in backends exists. Therefore the settings of the secrets backend must be in the environment of a
command, and not in the environment of this process.
"""

import asyncio
import json
import os
import sys
import traceback

import airflow
import airflow.cli.commands.task_command
import airflow.providers.amazon.aws.secrets.secrets_manager
import airflow.providers.docker.operators.docker
import airflow.providers.standard.operators.bash
import httpx
from airflow.__main__ import main


def serve() -> None:
    if airflow.__version__.startswith("3."):
        asyncio.run(build_api())
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if child == 0:
            become(**command)
        _, status = os.waitpid(child, 0)
        print(f"{ANSWER}{os.waitstatus_to_exitcode(status)}", flush=True)


async def build_api() -> None:
    """Build the API before the first fork. `tasks test` and `dags test` serve this API to their task.

    The API is built when it receives its first request.
    """
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    transport = httpx.ASGITransport(app=in_process_api_server().app)
    async with httpx.AsyncClient(transport=transport, base_url="http://in-process") as client:
        await client.get("/health")


def become(arguments: list[str], environment: dict[str, str], output: str) -> None:
    """Run a command in this process, and exit with the exit code of the command."""
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, stream in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(descriptor, stream)
    os.environ.update(environment)
    sys.argv = ["airflow", *arguments]
    code = 0
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


ANSWER = "exit code: "  # marks an answer, because Airflow prints other lines during its import

if __name__ == "__main__":
    serve()
