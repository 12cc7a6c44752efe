"""The deployed refresh function: how tests start it, read the login that it writes, and look at its log."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.account import docker_login
from local.demo import log_in, read
from local.embedded_aws import ROOT_CREDENTIALS, EmbeddedAws
from tests.local.logins import places_with_a_login

IMAGE = "analytics/web-scraper:faults"
FILES = {"marker": "opened"}


@dataclass(frozen=True)
class Login:
    """A version of the secret and a digest of its password. Unlike the password, both may be printed."""

    version: str
    password_digest: str


@dataclass(frozen=True)
class Run:
    """The answer and the log lines of a run.

    Attributes:
        error: the message of its error; None for a run that succeeded.
        reasons: the reasons in its error lines for this connection.
        texts: its whole answer and log. Do not print it: a faulty function could put a token there.
    """

    error: str | None
    reasons: list[str]
    texts: dict[str, str] = field(repr=False)

    def reason(self) -> str:
        """The one reason that both its error and its log give. Neither may hold a token."""
        leaks = places_with_a_login(self.texts)
        assert leaks == []
        assert self.reasons == [self.error]
        return str(self.error)


class Refresh:
    def __init__(self, aws: EmbeddedAws, deployed: dict[str, str], worker: Any) -> None:
        self.aws = aws
        self.function = deployed["RefreshFunctionNameDockerDefault"]
        self.pull_role = deployed["PullRoleArnDockerDefault"].rsplit("/", 1)[-1]
        self.secret = deployed["SecretNameDockerDefault"]
        self._worker = worker
        self._lambda = aws.client("lambda")
        self.log_group = self._lambda.get_function_configuration(FunctionName=self.function)["LoggingConfig"][
            "LogGroup"
        ]

    def push_an_image(self) -> None:
        """Push the image that every login must be able to pull."""
        docker_login(self.aws, ROOT_CREDENTIALS).push(IMAGE, FILES)

    def run(self, event: object = None) -> Run:
        """Start the function and wait for its end."""
        started = int(time.time() * 1000)
        answer = self._lambda.invoke(FunctionName=self.function, Payload=json.dumps(event or {}))
        text = answer["Payload"].read().decode()
        lines = self.lines(started)
        error = json.loads(text)["errorMessage"] if "FunctionError" in answer else None
        return Run(error, reasons(lines), {"its answer": text, "its log": "\n".join(lines)})

    def lines(self, since: int) -> list[str]:
        """The log lines of its runs since a time, in ms since the epoch."""
        pages = self.aws.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=self.log_group, startTime=since)
        return [event["message"] for page in found for event in page["events"]]

    def login(self) -> Login:
        """Read the login as an Airflow worker does, and pull with it."""
        version, connection = read(self._worker, self.secret)
        opened = log_in(self.aws, connection).pull(IMAGE)
        assert opened == FILES
        return Login(version, hashlib.sha256(connection["password"].encode()).hexdigest())

    def versions(self) -> set[str]:
        """The versions that have a stage: the current and the previous one."""
        described = self.aws.client("secretsmanager").describe_secret(SecretId=self.secret)
        return set(described["VersionIdsToStages"])

    def variables(self) -> dict[str, str]:
        """The environment variables of the deployed function."""
        configuration = self._lambda.get_function_configuration(FunctionName=self.function)
        variables: dict[str, str] = configuration["Environment"]["Variables"]
        return variables

    def failure_queue(self) -> str:
        """The URL of the queue for runs that failed after all retries."""
        on_latest = {"FunctionName": self.function, "Qualifier": "$LATEST"}
        configuration = self._lambda.get_function_event_invoke_config(**on_latest)
        arn = configuration["DestinationConfig"]["OnFailure"]["Destination"]
        url: str = self.aws.client("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
        return url

    def processes(self) -> set[int]:
        """The processes of the version that the schedule starts, running or waiting for the next event."""
        mine = {
            f"AWS_ENDPOINT_URL={self.aws.endpoint_url}",  # The function of another embedded AWS may have the same name.
            f"AWS_LAMBDA_FUNCTION_NAME={self.function}",
            "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
        }
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = set((process / "environ").read_text(errors="replace").split("\0"))
            except OSError:
                continue  # The process has ended, or belongs to another user.
            if mine <= environment:
                found.add(int(process.name))
        return found

    @contextmanager
    def configured(self, *, variables: dict[str, str] | None = None, **settings: Any) -> Iterator[None]:
        """Change settings or add environment variables of the function until the end of the body."""
        before = self._lambda.get_function_configuration(FunctionName=self.function)
        own = self.variables()
        self._configure(Environment={"Variables": {**own, **(variables or {})}}, **settings)
        try:
            yield
        finally:
            self._configure(Environment={"Variables": own}, **{name: before[name] for name in settings})

    @contextmanager
    def denied(self, action: str) -> Iterator[None]:
        """Take a permission from the function's role until the end of the body."""
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
        """Stop the function as the runbook describes, until the end of the body."""
        self._lambda.put_function_concurrency(FunctionName=self.function, ReservedConcurrentExecutions=0)
        try:
            yield
        finally:
            self._lambda.delete_function_concurrency(FunctionName=self.function)

    def _configure(self, **settings: Any) -> None:
        self._lambda.update_function_configuration(FunctionName=self.function, **settings)
        self._lambda.get_waiter("function_updated_v2").wait(FunctionName=self.function, WaiterConfig={"Delay": 0.05})


@contextmanager
def schedules_off(aws: EmbeddedAws, *, but: str = "") -> Iterator[None]:
    """Disable every schedule until the end of the body, except that of one function."""
    scheduler = aws.client("scheduler")
    enabled = [s for s in scheduler.list_schedules()["Schedules"] if s["State"] == "ENABLED"]
    others = [s["Name"] for s in enabled if not s["Target"]["Arn"].endswith(f":function:{but}")]

    def switch(state: str) -> None:
        for name in others:
            known = scheduler.get_schedule(Name=name)
            kept = ("Name", "Description", "ScheduleExpression", "FlexibleTimeWindow", "Target")
            scheduler.update_schedule(**{field: known[field] for field in kept}, State=state)

    switch("DISABLED")
    try:
        yield
    finally:
        switch("ENABLED")


def reasons(lines: list[str]) -> list[str]:
    """The reasons in the lines that name the connection. The runtime client's own line is left out."""
    parsed = (json.loads(line) for line in lines if line.startswith("{"))
    return [line["reason"] for line in parsed if line.get("connection") == "docker_default" and "reason" in line]


def expect_failure(refresh: Refresh, reason: str) -> None:
    """Assert that a run fails with this reason in its answer and in one log line, and keeps the login."""
    before = refresh.login()

    run = refresh.run()

    assert run.reason() == reason
    assert refresh.login() == before


def expect_success(refresh: Refresh, event: object = None) -> None:
    """Assert that a run writes one new login and keeps the one before as the previous version."""
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
