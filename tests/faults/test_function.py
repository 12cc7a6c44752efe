"""Tests of unusual runs: the function's process is killed during a run, or its clock is wrong."""

import importlib.util
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import ModuleType
from typing import Self

import botocore.auth
import pytest

from local.account import assume
from local.embedded_aws import ROOT_CREDENTIALS, EmbeddedAws
from tests.faults.aws_answers import error
from tests.faults.refresh import Refresh, expect_success
from tests.local.emulator.patches.support import eventually
from tests.refresh_docker_login.conftest import Context
from tools import ROOT

pytestmark = pytest.mark.usefixtures("every_run_writes")

# The delay is longer than any run. A delayed request continues when the fault is removed.
HANGS = {"delay_seconds": 600}
looks_at_processes = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads Linux's /proc")


@looks_at_processes
def test_a_run_that_is_killed_before_it_writes_keeps_the_login(aws: EmbeddedAws, refresh: Refresh) -> None:
    before = refresh.login()
    with refresh.configured(Timeout=3):
        with aws.fault("PutSecretValue", **HANGS):
            run = refresh.run()
            processes = refresh.processes()
        # The Lambda runtime writes this message.
        assert run.error == "Task timed out after 3.00 seconds"
        assert processes == set()
        assert refresh.login() == before

        expect_success(refresh)
        assert len(refresh.processes()) == 1


@looks_at_processes
def test_a_run_that_is_killed_after_its_write_has_written_a_login(aws: EmbeddedAws, refresh: Refresh) -> None:
    earlier = refresh.versions()
    with refresh.configured(Timeout=3):
        with aws.fault("PutSecretValue", after=True, **HANGS):
            run = refresh.run()
            processes = refresh.processes()
        assert run.error == "Task timed out after 3.00 seconds"
        assert processes == set()
        assert refresh.versions() - earlier == {refresh.login().version}

        expect_success(refresh)


@looks_at_processes
def test_a_run_that_is_out_of_memory_keeps_the_login(aws: EmbeddedAws, refresh: Refresh) -> None:
    before = refresh.login()
    # After a change of a setting, Lambda starts a new process. No other process of the function runs then.
    with refresh.configured(Timeout=60), ThreadPoolExecutor() as threads:
        # The request fails at the end of the delay. Otherwise, the emulator could perform it after the process ended.
        with aws.fault("PutSecretValue", **HANGS, **error("InternalServiceError", status=500)) as hits:
            running = threads.submit(refresh.run)
            eventually(lambda: hits() == 1)
            [process] = refresh.processes()
            os.kill(process, signal.SIGKILL)  # Linux sends the same signal when memory runs out.
            run = running.result()
        assert run.error is not None
        assert "Runtime exited" in run.error
        assert refresh.login() == before

        expect_success(refresh)


class ThirteenHoursAhead(datetime):
    """A clock that is 13 hours ahead. It shows ECR's tokens as expired, because they are valid for 12 hours."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(hours=13)


@pytest.fixture
def in_process(
    aws: EmbeddedAws, local: dict[str, str], refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The function's module in the test's process, with the pull role's credentials. A test can change its clock."""
    # In MiniStack, the account's root user may assume every role that a service such as Lambda may assume.
    role = assume(aws, local["PullRoleArnDockerDefault"], ROOT_CREDENTIALS)
    variables = {
        **aws.client_environment(),
        **refresh.variables(),
        "AWS_ACCESS_KEY_ID": role["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": role["SecretAccessKey"],
        "AWS_SESSION_TOKEN": role["SessionToken"],
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # The module gets another name here, because the unit tests import it with other clients.
    spec = importlib.util.spec_from_file_location("in_process", ROOT / "lambda/refresh_docker_login/handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_function_whose_clock_is_13_hours_ahead_refuses_a_fresh_login(
    refresh: Refresh, in_process: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = refresh.login()
    with monkeypatch.context() as patch:
        patch.setattr(in_process, "datetime", ThirteenHoursAhead)
        with pytest.raises(in_process.UnusableLogin, match="ECR's token expired at 20") as refusal:
            in_process.handle({}, Context())

    [line] = [vars(record) for record in caplog.records if record.name == "in_process"]
    assert (line["connection"], line["reason"]) == ("docker_default", str(refusal.value))
    assert refresh.login() == before
    assert in_process.handle({}, Context())["version_id"] == refresh.login().version != before.version


def test_a_run_reports_that_ecr_refuses_its_signature_when_its_clock_is_wrong(
    refresh: Refresh, in_process: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = refresh.login()
    signing_time = botocore.auth.get_current_datetime
    with monkeypatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_: signing_time() + timedelta(hours=13))
        with pytest.raises(in_process.RefreshFailed) as refusal:
            in_process.handle({}, Context())

    assert str(refusal.value) == "GetAuthorizationToken failed: InvalidSignatureException"
    warning, line = [vars(record) for record in caplog.records if record.name == "in_process"]
    assert (warning["operation"], warning["code"]) == ("ListSecretVersionIds", "InvalidSignatureException")
    assert (line["connection"], line["reason"]) == ("docker_default", str(refusal.value))
    assert refresh.login() == before
    assert in_process.handle({}, Context())["version_id"] == refresh.login().version != before.version
