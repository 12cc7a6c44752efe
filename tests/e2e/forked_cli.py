"""Run many commands of Airflow's command line, each in a fork of this process.

Importing Airflow takes seconds of CPU time, a fork takes almost none. The command itself behaves the same.
Each line of standard input is a command in JSON: its arguments, additional environment variables, and a file for its
output. The answer to each line is the exit code. This program runs on Airflow's Python.

Airflow creates its secrets backends during the import. It creates them again on demand if only its built-in ones exist.
So the settings of the secrets backend belong to a command and must not be in the environment of this process.
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
    """Build the API that `tasks test` and `dags test` serve to their task in the same process.

    The first request builds it.
    """
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    transport = httpx.ASGITransport(app=in_process_api_server().app)
    async with httpx.AsyncClient(transport=transport, base_url="http://in-process") as client:
        await client.get("/health")


def become(arguments: list[str], environment: dict[str, str], output: str) -> None:
    """Run the command in this process, and exit with its exit code."""
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


ANSWER = "exit code: "  # Airflow prints other lines to standard output while it is imported

if __name__ == "__main__":
    serve()
