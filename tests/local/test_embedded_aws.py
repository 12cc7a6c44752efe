"""Tests of the AWS emulator as a process: where it listens, which settings it reads, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.embedded_aws import ACCOUNT, EmbeddedAws, EmbeddedAwsError
from local.emulator.certificates import write_certificates

PROGRAM = "import sys\nfrom pathlib import Path\nfrom local.embedded_aws import EmbeddedAws\n"


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition was not met within {seconds} s"
        time.sleep(0.02)


def group_members(group: int) -> list[str]:
    """Return the command lines of the running processes in a process group."""
    table = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True)  # noqa: S607
    rows = [line.split(maxsplit=2) for line in table.stdout.splitlines()]
    return [row[-1] for row in rows if int(row[0]) == group and not row[1].startswith("Z")]


def listening(group: int) -> set[str]:
    """Return the addresses and ports on which the processes of a process group listen."""
    members = subprocess.run(["ps", "-eo", "pgid=,pid="], capture_output=True, text=True, check=True)  # noqa: S607
    pids = {pid for pgid, pid in map(str.split, members.stdout.splitlines()) if int(pgid) == group}
    inodes = {
        os.readlink(link)[len("socket:[") : -1]
        for pid in pids
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if os.readlink(link).startswith("socket:[")
    }
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in map(str.split, Path(table).read_text().splitlines()[1:]):
            if row[3] == "0A" and row[9] in inodes:
                address, port = row[1].split(":")
                found.add(f"{address}:{int(port, 16)}")
    return found


@pytest.fixture(scope="session")
def aws(empty_aws: EmbeddedAws) -> EmbeddedAws:
    """An emulator with an empty account."""
    return empty_aws


@pytest.fixture
def kept_running(tmp_path: Path) -> Iterator[EmbeddedAws]:
    """An emulator that still runs after the process that started it has ended, as after `make up`."""
    start = "EmbeddedAws.start(Path(sys.argv[1]), keep_running=True)"
    subprocess.run([sys.executable, "-c", f"{PROGRAM}{start}", str(tmp_path / "up")], check=True)
    running = EmbeddedAws.running(tmp_path / "up")
    assert running is not None
    with running:
        yield running


def deploy(aws: EmbeddedAws, stack: str, resources: dict[str, Any]) -> None:
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": resources}))
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName=stack, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})


def a_function(runtime: str, code: str) -> dict[str, Any]:
    role = f"arn:aws:iam::{ACCOUNT}:role/function"
    function = {"Role": role, "Runtime": runtime, "Handler": "index.handle", "Code": {"ZipFile": code}}
    return {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "function", **function}}


def keep_a_function_busy(aws: EmbeddedAws) -> None:
    code = "import time\ndef handle(event, context):\n    time.sleep(60)\n"
    deploy(aws, "busy", {"Function": a_function("python3.13", code)})
    aws.client("lambda").invoke(FunctionName="function", InvocationType="Event")
    wait_until(lambda: any("awslambdaric" in process for process in group_members(aws.pid)))


def test_two_emulators_at_the_same_time_have_separate_ports_and_states(tmp_path: Path) -> None:
    with EmbeddedAws.start(tmp_path / "one") as one, EmbeddedAws.start(tmp_path / "other") as other:
        assert one.port != other.port
        one.client("ecr").create_repository(repositoryName="only-here")
        assert other.client("ecr").describe_repositories()["repositories"] == []


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's /proc")
def test_the_emulator_listens_only_on_loopback_and_on_its_own_port(aws: EmbeddedAws) -> None:
    aws.client("sts").get_caller_identity()
    gateway = f"0100007F:{aws.port}"
    addresses = listening(aws.pid)
    assert gateway in addresses
    # The other addresses belong to the Runtime APIs of functions. The operating system chose their ports.
    assert all(address.startswith("0100007F:") for address in addresses)
    assert not any(address.endswith((":443", ":4566", ":8883", ":2222")) for address in addresses)


def test_stop_ends_every_process_of_the_emulators_group(tmp_path: Path) -> None:
    with EmbeddedAws.start(tmp_path) as aws:
        keep_a_function_busy(aws)
        aws.stop()
        assert group_members(aws.pid) == []
        aws.stop()


def test_the_emulator_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    program = f"{PROGRAM}aws = EmbeddedAws.start(Path(sys.argv[1]))\nprint(aws.port, aws.pid, flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        port, pid = map(int, starter.stdout.readline().split())
        aws = EmbeddedAws(tmp_path, port, pid)
        keep_a_function_busy(aws)
        starter.send_signal(signal.SIGKILL)
    wait_until(lambda: group_members(aws.pid) == [])


def test_an_emulator_that_is_kept_running_can_be_found_and_stopped_later(kept_running: EmbeddedAws) -> None:
    found = EmbeddedAws.running(kept_running.state)
    assert found is not None
    assert (found.pid, found.port) == (kept_running.pid, kept_running.port)
    assert found.client("sts").get_caller_identity()["Account"] == ACCOUNT

    found.stop()
    wait_until(lambda: group_members(kept_running.pid) == [])
    assert EmbeddedAws.running(kept_running.state) is None


def test_another_process_with_the_recorded_port_or_process_id_is_not_found(
    kept_running: EmbeddedAws, aws: EmbeddedAws
) -> None:
    record = kept_running.state / "server.json"
    original = record.read_text()

    record.write_text(original.replace(str(kept_running.pid), str(os.getpid())))
    assert EmbeddedAws.running(kept_running.state) is None, "the port is right, but the process id is wrong"
    record.write_text(
        original.replace(str(kept_running.port), str(aws.port)).replace(str(kept_running.pid), str(aws.pid))
    )
    assert EmbeddedAws.running(kept_running.state) is None, "the emulator has another state folder"
    record.write_text("{")
    assert EmbeddedAws.running(kept_running.state) is None
    record.write_text(original)
    assert EmbeddedAws.running(kept_running.state) is not None


def test_an_emulator_that_is_not_kept_running_cannot_be_found_later(aws: EmbeddedAws) -> None:
    assert EmbeddedAws.running(aws.state) is None


def test_a_failed_start_shows_the_end_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.embedded_aws._server_environment", lambda *_: {"PATH": os.environ["PATH"]})
    with pytest.raises(EmbeddedAwsError, match="MINISTACK_SSL_CERT"):
        EmbeddedAws.start(tmp_path)


def test_the_server_does_not_see_the_callers_environment_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICES", "s3")  # With this setting, MiniStack turns all other services off.
    with EmbeddedAws.start(tmp_path) as aws:
        assert aws.client("ecr").describe_repositories()["repositories"] == []


NODE_FUNCTION = """
const https = require("https");
exports.handle = (event) => new Promise((answered, failed) => {
  const { LogicalResourceId, StackId, RequestId } = event;
  const made = { Status: "SUCCESS", PhysicalResourceId: "made", LogicalResourceId, StackId, RequestId };
  const answer = JSON.stringify(made);
  const options = { method: "PUT", headers: { "content-length": answer.length } };
  https.request(event.ResponseURL, options, answered).on("error", failed).end(answer);
});
"""


def test_a_custom_resource_in_node_js_answers_over_https(aws: EmbeddedAws) -> None:
    token = {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "ServiceTimeout": 10}
    custom = {"Type": "Custom::Resource", "Properties": token}
    deploy(aws, "custom", {"Function": a_function("nodejs22.x", NODE_FUNCTION), "Custom": custom})


def test_a_client_ignores_the_users_aws_settings(
    aws: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "config"
    settings.write_text("[default]\nregion = us-west-2\nendpoint_url = https://198.51.100.1\nca_bundle = /nowhere\n")
    for name, value in {
        "AWS_CONFIG_FILE": str(settings),
        "AWS_PROFILE": "production",
        "AWS_CA_BUNDLE": "/nowhere",
        "AWS_ENDPOINT_URL": "https://198.51.100.1",
        "AWS_ENDPOINT_URL_STS": "https://198.51.100.1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_ACCESS_KEY_ID": "of-the-user",
        "AWS_SECRET_ACCESS_KEY": "of-the-user",
        "AWS_SESSION_TOKEN": "of-the-user",
        "HTTPS_PROXY": "http://198.51.100.1:3128",
    }.items():
        monkeypatch.setenv(name, value)
    same = EmbeddedAws(aws.state, aws.port, aws.pid)
    assert same.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert same.client("ecr", region="eu-west-1").meta.region_name == "eu-west-1"


def test_unknown_credentials_are_refused(aws: EmbeddedAws) -> None:
    unknown = {"AccessKeyId": "AKIAUNKNOWN000000000", "SecretAccessKey": "x", "SessionToken": "y"}
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        aws.client("sts", unknown).get_caller_identity()


def test_only_the_owner_can_read_the_servers_key(tmp_path: Path) -> None:
    certificates = write_certificates(tmp_path, ["us-east-1"])
    assert certificates.server_key.stat().st_mode & 0o777 == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {"ca.pem", "server.pem", "server.key"}
