"""`ecr-login logs` on a deployed environment."""

from local.embedded_aws import EmbeddedAws
from tests.faults.aws_answers import error
from tests.ops import in_process


def test_the_runs_are_shown_with_the_reasons_of_failures(aws: EmbeddedAws) -> None:
    # A run that somebody invokes and waits for is not retried, unlike a scheduled run.
    with aws.fault("PutSecretValue", **error("LimitExceededException")):
        in_process.run(aws, "refresh", "local", "docker_default", "--write")
        failed = in_process.run(aws, "logs", "local", "docker_default", "--hours", "2")
    in_process.run(aws, "refresh", "local", "docker_default", "--write")
    succeeded = in_process.run(aws, "logs", "local", "docker_default", "--hours", "2", "--json")

    assert failed.code == 1
    assert failed.out.splitlines()[0].endswith("UTC  failed: PutSecretValue failed: LimitExceededException")
    assert failed.out.splitlines()[-1].startswith("! docker_default: the last run failed: PutSecretValue failed")
    assert succeeded.code == 0, succeeded.out
    assert [run["result"] for run in succeeded.json["runs"]][:2] == ["wrote", "failed"]


def test_an_unknown_option_is_one_line(aws: EmbeddedAws) -> None:
    done = in_process.run(aws, "logs", "local", "docker_default", "--days", "2")

    assert (done.code, done.out, done.error.count("\n")) == (3, "", 1)
