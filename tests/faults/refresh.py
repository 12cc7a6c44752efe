"""Help tests to invoke the deployed refresh function, to read the docker login from its secret, and to read its log."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.account import WORKER_ROLE_ARN, Account, assume, docker_login
from local.demo import log_in, read
from local.embedded_aws import ROOT_CREDENTIALS, EmbeddedAws
from tests.local.logins import places_with_a_login

IMAGE = "analytics/web-scraper:faults"
FILES = {"marker": "opened"}


@dataclass(frozen=True)
class Login:
    """A version id of the secret, and a digest of the password in this version. Both may be printed."""

    version: str
    password_digest: str


@dataclass(frozen=True)
class Run:
    """The answer and the log lines of one run of the function.

    Attributes:
        error: the error message in the answer; None if the run succeeded.
        answer: the answer, as a dict.
        reasons: the reasons in the error lines that the run logged for this connection.
        texts: the whole answer and the whole log. Do not print them: a faulty function could put a token there.
    """

    error: str | None
    answer: dict[str, Any] = field(repr=False)
    reasons: list[str]
    texts: dict[str, str] = field(repr=False)

    def reason(self) -> str:
        """Return the reason of a failed run.

        The answer and exactly one log line must contain the reason. The answer and the log must not contain a token.
        """
        leaks = places_with_a_login(self.texts)
        assert leaks == []
        assert self.reasons == [self.error]
        return str(self.error)


class Worker:
    """Reads secrets as an Airflow worker. It renews its session when it has expired, as AWS's SDKs do."""

    def __init__(self, aws: EmbeddedAws, account: Account) -> None:
        self._aws, self._account = aws, account
        self._renew()

    def get_secret_value(self, **request: Any) -> Any:
        try:
            return self._secrets.get_secret_value(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExpiredTokenException":
                raise
        self._renew()
        return self._secrets.get_secret_value(**request)

    def _renew(self) -> None:
        session = assume(self._aws, WORKER_ROLE_ARN, self._account.operator)
        self._secrets = self._aws.client("secretsmanager", session)


class Refresh:
    def __init__(self, aws: EmbeddedAws, deployed: dict[str, str], worker: Any) -> None:
        self.aws = aws
        self.function = deployed["RefreshFunctionNameDockerDefault"]
        self.pull_role = deployed["PullRoleArnDockerDefault"].rsplit("/", 1)[-1]
        self.secret = deployed["SecretNameDockerDefault"]
        self._worker = worker
        self._lambda = aws.client("lambda")
        configuration = self._lambda.get_function_configuration(FunctionName=self.function)
        self.log_group = configuration["LoggingConfig"]["LogGroup"]

    def push_an_image(self) -> None:
        """Push the image that every login must be able to pull."""
        docker_login(self.aws, ROOT_CREDENTIALS).push(IMAGE, FILES)

    def run(self, event: object = None) -> Run:
        """Invoke the function and wait until the run ends."""
        started = int(time.time() * 1000)
        answer = self._lambda.invoke(FunctionName=self.function, Payload=json.dumps(event or {}))
        text = answer["Payload"].read().decode()
        lines = self.lines(started)
        parsed = json.loads(text)
        error = parsed["errorMessage"] if "FunctionError" in answer else None
        return Run(error, parsed, reasons(lines), {"its answer": text, "its log": "\n".join(lines)})

    def invoke(self, version: str) -> dict[str, str]:
        """Invoke a version of the function, wait until the run ends well, and return its answer."""
        run = self._lambda.invoke(FunctionName=self.function, Qualifier=version)
        assert "FunctionError" not in run
        answer: dict[str, str] = json.loads(run["Payload"].read())
        return answer

    def published_version(self) -> str:
        """Return the newest version of the function that a deployment published."""
        return published_version(self.aws, self.function)

    def lines(self, since: int) -> list[str]:
        """Return the log lines of the function since a time, in milliseconds since the epoch."""
        pages = self.aws.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=self.log_group, startTime=since)
        return [event["message"] for page in found for event in page["events"]]

    def login(self) -> Login:
        """Read the docker login as an Airflow worker does, and check that it can pull an image."""
        version, connection = read(self._worker, self.secret)
        opened = log_in(self.aws, connection).pull(IMAGE)
        assert opened == FILES
        return Login(version, hashlib.sha256(connection["password"].encode()).hexdigest())

    def login_version(self) -> str:
        """Return the version id of the current login, without a check of the login."""
        return read(self._worker, self.secret)[0]

    def all_versions(self) -> set[str]:
        """Return the version ids of the secret, also those without a staging label."""
        request: dict[str, Any] = {"SecretId": self.secret, "IncludeDeprecated": True}
        found: set[str] = set()
        while True:
            page = self.aws.client("secretsmanager").list_secret_version_ids(**request)
            found.update(version["VersionId"] for version in page["Versions"])
            if "NextToken" not in page:
                return found
            request["NextToken"] = page["NextToken"]

    def versions(self) -> set[str]:
        """Return the version ids of the secret that have a staging label: the current one and the previous one."""
        described = self.aws.client("secretsmanager").describe_secret(SecretId=self.secret)
        return set(described["VersionIdsToStages"])

    def variables(self) -> dict[str, str]:
        """Return the environment variables of the deployed function."""
        configuration = self._lambda.get_function_configuration(FunctionName=self.function)
        variables: dict[str, str] = configuration["Environment"]["Variables"]
        return variables

    def failure_queue(self) -> str:
        """Return the URL of the queue for runs that failed after all retries."""
        on_latest = {"FunctionName": self.function, "Qualifier": "$LATEST"}
        configuration = self._lambda.get_function_event_invoke_config(**on_latest)
        arn = configuration["DestinationConfig"]["OnFailure"]["Destination"]
        url: str = self.aws.client("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
        return url

    def processes(self) -> set[int]:
        """Return the process ids of $LATEST, the version that the schedule invokes. Idle processes are included."""
        mine = {
            f"AWS_ENDPOINT_URL={self.aws.endpoint_url}",  # A function of another emulator can have the same name.
            f"AWS_LAMBDA_FUNCTION_NAME={self.function}",
            "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
        }
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = set((process / "environ").read_text(errors="replace").split("\0"))
            except OSError:
                continue  # The process has ended, or it belongs to another user.
            if mine <= environment:
                found.add(int(process.name))
        return found

    @contextmanager
    def configured(self, *, variables: dict[str, str] | None = None, **settings: Any) -> Iterator[None]:
        """Change settings of the function, or add environment variables, until the end of the `with` block."""
        before = self._lambda.get_function_configuration(FunctionName=self.function)
        own = self.variables()
        self._configure(Environment={"Variables": {**own, **(variables or {})}}, **settings)
        try:
            yield
        finally:
            self._configure(Environment={"Variables": own}, **{name: before[name] for name in settings})

    @contextmanager
    def denied(self, action: str) -> Iterator[None]:
        """Deny an action to the function's role until the end of the `with` block."""
        policy = {"RoleName": self.pull_role, "PolicyName": "Deny"}
        deny = {"Effect": "Deny", "Action": action, "Resource": "*"}
        iam = self.aws.client("iam")
        iam.put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
        try:
            yield
        finally:
            iam.delete_role_policy(**policy)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the function as the runbook describes, until the end of the `with` block."""
        self._lambda.put_function_concurrency(FunctionName=self.function, ReservedConcurrentExecutions=0)
        try:
            yield
        finally:
            self._lambda.delete_function_concurrency(FunctionName=self.function)

    def _configure(self, **settings: Any) -> None:
        self._lambda.update_function_configuration(FunctionName=self.function, **settings)
        self._lambda.get_waiter("function_updated_v2").wait(FunctionName=self.function, WaiterConfig={"Delay": 0.05})


def published_version(aws: EmbeddedAws, function: str) -> str:
    """Return the newest version of a function that a deployment published.

    A run of this version replaces a login of any age, up to 20 times in 24 hours.
    """
    versions = aws.client("lambda").list_versions_by_function(FunctionName=function)["Versions"]
    newest: str = max((each["Version"] for each in versions if each["Version"] != "$LATEST"), key=int)
    return newest


@contextmanager
def schedules_off(aws: EmbeddedAws, *, but: str = "") -> Iterator[None]:
    """Disable every schedule, except the schedule of the function `but`, until the end of the `with` block.

    The block starts when no function runs. At its end, the clock moves forward, so that every schedule is due, and the
    block waits for the runs. Otherwise, the runs would disturb the next test.
    """
    scheduler = aws.client("scheduler")
    enabled = [s for s in scheduler.list_schedules()["Schedules"] if s["State"] == "ENABLED"]
    others = [s["Name"] for s in enabled if s["Target"]["Arn"].rpartition(":function:")[2] != but]

    def switch(state: str) -> None:
        for name in others:
            known = scheduler.get_schedule(Name=name)
            kept = ("Name", "Description", "ScheduleExpression", "FlexibleTimeWindow", "Target")
            scheduler.update_schedule(**{field: known[field] for field in kept}, State=state)

    switch("DISABLED")
    aws.finish_due_runs()
    try:
        yield
    finally:
        # A schedule that is enabled first can be due twice: before and after the clock moves.
        aws.advance_clock(30)
        switch("ENABLED")
        aws.finish_due_runs()


def reasons(lines: list[str]) -> list[str]:
    """Return the reasons in the log lines that name the connection. The line of the runtime client does not name it."""
    parsed = (json.loads(line) for line in lines if line.startswith("{"))
    return [line["reason"] for line in parsed if line.get("connection") == "docker_default" and "reason" in line]


def expect_failure(refresh: Refresh, reason: str) -> None:
    """Assert that a run fails with this reason in its answer and in one log line, and that the login stays the same."""
    before = refresh.login()

    run = refresh.run()

    assert run.reason() == reason
    assert refresh.login() == before


def expect_success(refresh: Refresh, event: object = None) -> None:
    """Assert that a run writes one new login and that the earlier login becomes the previous version."""
    before, earlier = refresh.login(), refresh.versions()

    run = refresh.run(event)

    leaks = places_with_a_login(run.texts)
    assert leaks == []
    assert (run.error, run.reasons) == (None, [])
    after = refresh.login()
    assert after.version != before.version
    assert after.password_digest != before.password_digest
    assert refresh.versions() - earlier == {after.version}
    assert before.version in refresh.versions()
