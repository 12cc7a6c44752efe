"""Lambda: how functions run, and how failed runs are retried.

AWS:
- A Python function runs under the runtime interface client (awslambdaric). The client writes the function's log lines,
  as JSON if LoggingConfig sets this format. The function sees its own environment variables and those that AWS sets
  (Lambda developer guide, "Defined runtime environment variables").
- EventBridge and EventBridge Scheduler invoke a function asynchronously. Lambda retries a failed run twice and then
  sends it to the on-failure destination (Lambda developer guide, asynchronous invocation).

MiniStack:
- Runs a Python function under its own worker, which loses log lines of the level INFO and ignores the log format. The
  function sees all environment variables of the server.
- EventBridge and EventBridge Scheduler run a function once. A failed run is not retried.

The patch:
- Runs Python functions under awslambdaric, with the environment variables that AWS sets. On macOS, which awslambdaric
  does not support, MiniStack's own worker stays.
- Retries failed runs that EventBridge or EventBridge Scheduler started.
"""

import importlib.util
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import eventbridge, lambda_svc

from local.emulator.patches import lambda_concurrency

Function = dict[str, Any]

_code_folder = lambda_svc._provided_runtime_code_dir
_environment = lambda_svc._provided_worker_env
_run = lambda_svc._execute_function_warm
_worker_class = lambda_runtime._worker_class_for
_dispatch_to_lambda = eventbridge._dispatch_to_lambda

_BOOTSTRAP = f"""#!/bin/sh
exec "{sys.executable}" -m awslambdaric "$_HANDLER"
"""


class PythonWorker(lambda_runtime.ProvidedWorker):  # type: ignore[misc]  # MiniStack is untyped
    """A worker for awslambdaric, which uses the Runtime API as the provided runtimes do."""

    def _drain_stderr_bounded(self, **_: float) -> str:
        # MiniStack waits 50 ms for the first line, and 5 ms for further lines. On a busy machine, a late line would go
        # to the log of the next run. Almost every run writes a line, so a long wait for the first line costs little.
        drained: str = super()._drain_stderr_bounded(first_line_wait=1.0, idle_confirm=0.05, hard_cap=2.0)
        return drained


def code_folder(zipped: bytes) -> str:
    """Unpack a function, and return its folder. A bootstrap script in the folder starts awslambdaric."""
    folder = Path(_code_folder(zipped))
    bootstrap = folder / "bootstrap"
    with lambda_svc._provided_code_lock:  # A script that is open for writing in a forked process cannot be executed.
        if not bootstrap.exists():
            bootstrap.write_text(_BOOTSTRAP)
            bootstrap.chmod(0o755)
    return str(folder)


def environment(config: Function, folder: str, port: int) -> dict[str, str]:
    """Return the environment variables of a function."""
    defined = _environment(config, folder, port)
    if not _is_python(config):
        return dict(defined)
    return {
        **{name: value for name, value in defined.items() if name not in os.environ},
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        **_variables_that_ministack_lacks(config),
        **lambda_svc._runtime_env_vars(config),
        "AWS_ENDPOINT_URL": f"https://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        "AWS_CA_BUNDLE": os.environ["AWS_CA_BUNDLE"],
    }


def _variables_that_ministack_lacks(config: Function) -> dict[str, str]:
    logs = config.get("LoggingConfig") or {}
    log_format = logs.get("LogFormat", "Text")
    variables = {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": log_format,
        "AWS_LAMBDA_LOG_GROUP_NAME": logs.get("LogGroup") or f"/aws/lambda/{config['FunctionName']}",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "TZ": ":UTC",
    }
    if log_format == "JSON":
        variables["AWS_LAMBDA_LOG_LEVEL"] = logs.get("ApplicationLogLevel", "INFO")
    return variables


def worker_class(config: Function) -> Any:
    return PythonWorker if _is_python(config) else _worker_class(config)


def run(function: Function, event: Any, request_id: str) -> Any:
    if _is_python(function.get("config") or function):
        return lambda_svc._execute_function_provided_warm(function, event, request_id)
    return _run(function, event, request_id)


def _is_python(config: Function) -> bool:
    return str(config.get("Runtime", "")).startswith("python")


def dispatch_to_lambda(arn: str, payload: str) -> None:
    """Invoke a function for EventBridge or EventBridge Scheduler, with retries."""
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        _dispatch_to_lambda(arn, payload)  # MiniStack logs that the function does not exist.
        return
    record = lambda_concurrency.queued(lambda_svc._execution_record_for_config(function, config))
    lambda_svc.invoke_async_with_retry(record, json.loads(payload))


def apply() -> None:
    eventbridge._dispatch_to_lambda = dispatch_to_lambda
    if importlib.util.find_spec("awslambdaric") is None:
        logging.getLogger("local").warning(
            "awslambdaric is not installed: the logs of Python functions lack lines of the level INFO"
        )
        return
    lambda_svc._provided_runtime_code_dir = code_folder
    lambda_svc._provided_worker_env = environment
    lambda_svc._execute_function_warm = run
    lambda_runtime._worker_class_for = worker_class
