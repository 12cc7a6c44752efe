"""The variants of one refresh. Each variant runs in a cold process."""

from collections.abc import Callable
from functools import partial

from bench import functions
from bench.airflow_host import AirflowHost
from bench.aws_stub import AwsStub
from bench.processes import Cost

THIS_HANDLER = "this handler"
PLAIN_BOTO3 = "plain boto3"
CRON_SCRIPT = "cron script"

FUNCTIONS = {
    "empty handler": functions.EMPTY_HANDLER,
    THIS_HANDLER: functions.THIS_HANDLER,
    PLAIN_BOTO3: functions.PLAIN_BOTO3,
    "AWS's rotation template": functions.ROTATION_TEMPLATE,
    "boto3 with Powertools": functions.WITH_POWERTOOLS,
}


def variants(stub: AwsStub, host: AirflowHost) -> dict[str, Callable[[], Cost]]:
    """Return a dict of a variant's name to a function that runs the variant."""
    runs: dict[str, Callable[[], Cost]] = {
        name: partial(functions.cold_run, function, stub) for name, function in FUNCTIONS.items()
    }
    return {**runs, CRON_SCRIPT: host.run_cron_script}
