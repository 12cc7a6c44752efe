"""Lambda functions that refresh a docker login. AWS's runtime client runs each function in a cold process."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.aws_stub import REGISTRY_HOST, SECRET_ARN, AwsStub
from bench.environments import LAMBDA, bare_environment
from bench.processes import BenchFailed, Cost, cost_of
from bench.runtime_api import runtime_api
from local.embedded_aws import REGION
from tools import ROOT

VARIANTS = ROOT / "bench" / "variants"


@dataclass(frozen=True)
class Function:
    """The code of a Lambda function, and the events of the invocations that together are one refresh."""

    source: Path  # a module or a package
    handler: str
    writes: bool = True
    events: list[dict[str, Any]] = field(default_factory=lambda: [{}])


THIS_HANDLER = Function(ROOT / "lambda" / "refresh_docker_login", "refresh_docker_login.handler.handle")
PLAIN_BOTO3 = Function(VARIANTS / "plain_boto3.py", "plain_boto3.handle")
WITH_POWERTOOLS = Function(VARIANTS / "boto3_with_powertools.py", "boto3_with_powertools.handle")
EMPTY_HANDLER = Function(VARIANTS / "empty_handler.py", "empty_handler.handle", writes=False)
ROTATION_TEMPLATE = Function(
    VARIANTS / "rotation_template.py",
    "rotation_template.handle",
    events=[
        {"SecretId": SECRET_ARN, "ClientRequestToken": "00000000-0000-0000-0000-000000000001", "Step": step}
        for step in ("createSecret", "setSecret", "testSecret", "finishSecret")
    ],
)


def cold_run(function: Function, stub: AwsStub) -> Cost:
    """Run one refresh in a new process. Return the cost from the start of the process to the last result.

    Raises:
        BenchFailed: The function failed.
        NotWritten: The function did not write the docker login.
    """
    stub.forget()
    with TemporaryDirectory() as folder, runtime_api(function.events) as api:
        task_root = Path(folder)
        if function.source.is_dir():
            shutil.copytree(
                function.source, task_root / function.source.name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(function.source, task_root)
        cost = cost_of(
            [LAMBDA / "bin" / "python", "-m", "awslambdaric", function.handler],
            _environment(function, stub, api.address),
            task_root,
            until=api.finished,
        )
        if api.failure:
            raise BenchFailed(f"{function.handler} failed: {api.failure}")
    if function.writes:
        stub.check_written()
    return cost


def _environment(function: Function, stub: AwsStub, runtime_api_address: str) -> dict[str, str]:
    return {
        **bare_environment(LAMBDA),
        # On AWS, the folder of a function is read-only, so Python cannot write bytecode for the function. The SDK has
        # bytecode.
        "PYTHONDONTWRITEBYTECODE": "1",
        "_HANDLER": function.handler,
        "AWS_LAMBDA_RUNTIME_API": runtime_api_address,
        "AWS_LAMBDA_FUNCTION_NAME": "refresh",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_ENDPOINT_URL": stub.url,
        "AWS_CA_BUNDLE": str(stub.ca_bundle),
        "TZ": ":UTC",
        "CONNECTION_ID": "docker_default",
        "SECRET_ARN": SECRET_ARN,
        "REGISTRY_HOST": REGISTRY_HOST,
        "REGISTRY_REGION": REGION,
        "TOKEN_ENDPOINT_HOST": REGISTRY_HOST,
        "NEW_RIGHTS_WAIT_SECONDS": "60",
        "SHORTEST_INTERVAL_MINUTES": "25",
    }
