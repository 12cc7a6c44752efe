"""Runs keep a young login, and every caller together can add only a limited number of versions to the secret."""

from datetime import UTC, datetime, timedelta

import pytest

from refresh_docker_login.write_limit import Version, plan_write

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
INTERVAL = timedelta(minutes=25)


def current(age: timedelta, version_id: str = "current") -> Version:
    return Version(version_id, NOW - age, labels=("AWSCURRENT",))


def marked(count: int, age: timedelta) -> list[Version]:
    return [Version(f"deploy-1-{number}-{age}", NOW - age, labels=()) for number in range(count)]


def plan(
    versions: list[Version] | None, *, deploy: bool = False, function_version: str = "1", now: datetime = NOW
) -> Version | str:
    published = function_version if deploy else None
    return plan_write(versions, published_version=published, now=now, shortest_interval=INTERVAL)


@pytest.mark.parametrize(
    ("age", "keeps"),
    [
        (timedelta(0), True),
        (INTERVAL - timedelta(seconds=1), True),
        (INTERVAL, False),
        (timedelta(days=400), False),
        # The clocks of AWS differ by seconds. A date that is hours in the future is wrong.
        (-timedelta(minutes=5), True),
        (-timedelta(minutes=5, seconds=1), False),
        (-timedelta(hours=10), False),
    ],
    ids=str,
)
def test_a_scheduled_run_keeps_a_login_that_is_younger_than_the_shortest_interval(age: timedelta, keeps: bool) -> None:
    login = current(age)
    assert (plan([login, *marked(1, timedelta(0))]) is login) == keeps


def test_a_login_with_more_labels_is_also_kept() -> None:
    login = Version("current", NOW, labels=("mine", "AWSCURRENT"))
    assert plan([login]) is login


@pytest.mark.parametrize("label", ["AWSPREVIOUS", "AWSPENDING", "mine"])
def test_a_young_version_that_is_not_current_does_not_keep_a_run_from_writing(label: str) -> None:
    # For example, an administrator has moved the label AWSCURRENT back to the login before.
    other, login = Version("other", NOW, labels=(label,)), current(INTERVAL)
    assert isinstance(plan([other, login]), str)
    assert isinstance(plan([other]), str)
    young = current(timedelta(0))
    assert plan([Version("other", NOW - INTERVAL, labels=(label,)), young]) is young


def test_a_run_writes_if_there_is_no_current_login() -> None:
    for versions in (None, [], [Version("previous", NOW, labels=())]):
        for deploy in (False, True):
            assert isinstance(plan(versions, deploy=deploy), str)


def test_a_deployment_writes_although_the_login_is_young() -> None:
    # Deployments of the last 24 hours count. Secrets Manager can keep older versions.
    deployments = [*marked(19, timedelta(hours=23, minutes=59)), *marked(99, timedelta(hours=24))]
    token = plan([current(timedelta(0)), *deployments], deploy=True)
    assert isinstance(token, str)
    assert token.startswith("deploy-1-")
    assert token not in {version.version_id for version in deployments}


def test_a_deployment_adds_no_version_to_a_young_login_after_20_deployments_in_24_hours() -> None:
    deployments = marked(20, timedelta(hours=23, minutes=59))
    young, old = current(timedelta(0)), current(INTERVAL)

    # Secrets Manager refuses to change a version that exists, but only if the run has the permission to write.
    assert plan([young, *deployments], deploy=True) in {version.version_id for version in deployments}
    # The write of an old login is not counted as a deployment. Scheduled runs have the same request token.
    assert plan([old, *deployments], deploy=True) == plan([old])


def test_deployments_of_several_versions_of_the_function_are_counted_together() -> None:
    login, deployments = current(timedelta(0)), marked(20, timedelta(hours=1))
    other = Version("deploy-2-a", NOW - timedelta(hours=2), labels=())
    # Version 2 has also written, even if the write is too old to be counted.
    for written in (other, other._replace(written_at=NOW - timedelta(hours=30))):
        planned = plan([login, *deployments, written], deploy=True, function_version="2")
        assert planned in {version.version_id for version in deployments}


def test_a_new_version_of_the_function_writes_after_any_number_of_deployments() -> None:
    versions = [current(timedelta(0)), *marked(200, timedelta(hours=1))]
    token = plan(versions, deploy=True, function_version="2")
    assert isinstance(token, str)
    assert token.startswith("deploy-2-")
    assert plan([*versions, Version(token, NOW, labels=())], deploy=True, function_version="2") not in {token}


def test_a_version_of_the_function_whose_number_begins_alike_counts_as_another_version() -> None:
    written = [Version(f"deploy-12-{number}", NOW - timedelta(hours=1), labels=()) for number in range(20)]
    token = plan([current(timedelta(0)), *written], deploy=True, function_version="1")
    assert isinstance(token, str)
    assert token.startswith("deploy-1-")


def test_runs_at_the_same_time_have_the_same_request_token() -> None:
    previous = [Version("before", NOW - timedelta(hours=1), labels=("AWSPREVIOUS",))]
    versions = [current(INTERVAL), *previous, *marked(3, timedelta(hours=1))]
    later = NOW + timedelta(seconds=20)
    for deploy in (False, True):
        assert plan(versions, deploy=deploy) == plan(versions[::-1], deploy=deploy, now=later)
    assert plan(None) == plan(None, now=later)
    assert plan(None, deploy=True) == plan(None, deploy=True, now=later)


@pytest.mark.parametrize("deploy", [False, True], ids=["scheduled", "deployment"])
def test_the_next_write_has_another_request_token(deploy: bool) -> None:
    replaced, written = "replaced", "written"
    versions = [current(timedelta(minutes=30), replaced), *marked(3, timedelta(hours=1))]
    token = plan(versions, deploy=deploy)

    another_login = [current(timedelta(minutes=30), written), *versions[1:]]
    rolled_back = [*versions, Version(written, NOW, labels=("AWSPREVIOUS",))]
    one_interval_later = [current(timedelta(minutes=55), replaced), *versions[1:]]
    for changed in (another_login, rolled_back, one_interval_later):
        assert plan(changed, deploy=deploy) != token


def test_without_a_list_of_versions_runs_write_once_in_each_interval() -> None:
    tokens = [plan(None, now=NOW + timedelta(minutes=minutes)) for minutes in range(24 * 60)]
    assert all(isinstance(token, str) for token in tokens)
    assert 57 <= len(set(tokens)) <= 59


def test_without_a_list_of_versions_each_published_version_writes_once() -> None:
    times = [NOW + timedelta(minutes=minutes) for minutes in range(24 * 60)]
    tokens = {plan(None, deploy=True, function_version=each, now=now) for now in times for each in ("1", "2")}
    assert len(tokens) == 2


def test_a_deployment_after_a_deployment_has_another_request_token_even_if_the_label_is_moved_back() -> None:
    login = current(INTERVAL)
    token = plan([login], deploy=True)
    assert isinstance(token, str)
    assert plan([login, Version(token, NOW, labels=())], deploy=True) not in {token, plan([login])}


@pytest.mark.parametrize("deploy", [False, True], ids=["scheduled", "deployment"])
def test_secrets_manager_accepts_the_request_tokens(deploy: bool) -> None:
    # ClientRequestToken has 32 to 64 characters (AWS Secrets Manager API Reference, PutSecretValue).
    for versions in (None, [], [current(INTERVAL)]):
        token = plan(versions, deploy=deploy)
        assert isinstance(token, str)
        assert 32 <= len(token) <= 64


@pytest.mark.parametrize("seconds_between_runs", [20, 26 * 60])
def test_a_loop_of_runs_of_all_versions_adds_at_most_78_versions_in_24_hours(seconds_between_runs: int) -> None:
    versions = [current(timedelta(hours=1), "first")]
    now = NOW
    while now < NOW + timedelta(hours=24):
        for deploy in (True, False):
            planned = plan(versions, deploy=deploy, now=now)
            if isinstance(planned, str) and planned not in {version.version_id for version in versions}:
                old = [version._replace(labels=()) for version in versions]
                versions = [*old, Version(planned, now, labels=("AWSCURRENT",))]
        now += timedelta(seconds=seconds_between_runs)
    assert len(versions) - 1 <= 24 * 60 // 25 + 1 + 20
