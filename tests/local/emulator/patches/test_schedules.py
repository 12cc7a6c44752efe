"""EventBridge Scheduler schedules, and the clock that tests move forward."""

from datetime import UTC, datetime, timedelta

from local.embedded_aws import EmbeddedAws
from tests.local.emulator.patches.support import a_schedule, deploy, destroy, eventually, received, resource


def test_a_rate_schedule_fires_at_its_creation_and_then_once_in_each_interval(aws_in_time: EmbeddedAws) -> None:
    aws = aws_in_time
    schedule = a_schedule("rate(30 minutes)", "Queue", {"every": 30})
    queue = deploy(aws, "half-hourly", Queue=resource("SQS::Queue", {}), Schedule=schedule).refs["Queue"]
    assert eventually(lambda: received(aws, queue), 5) == [{"every": 30}]
    for minutes, fired in ((29, []), (1, [{"every": 30}]), (29, []), (300, [{"every": 30}])):
        aws.advance_clock(minutes)
        assert received(aws, queue) == fired
    destroy(aws, "half-hourly")


def test_a_schedule_becomes_older_when_the_clock_is_moved(aws_in_time: EmbeddedAws) -> None:
    aws, scheduler = aws_in_time, aws_in_time.client("scheduler")
    resources = {"Queue": resource("SQS::Queue", {}), "Schedule": a_schedule("rate(30 minutes)", "Queue", {})}
    name = deploy(aws, "aging", **resources).refs["Schedule"]

    def created() -> datetime:
        date: datetime = scheduler.get_schedule(Name=name)["CreationDate"]
        assert [each["CreationDate"] for each in scheduler.list_schedules(NamePrefix=name)["Schedules"]] == [date]
        return date

    before = created()
    assert datetime.now(UTC) - timedelta(minutes=1) < before < datetime.now(UTC)
    aws.advance_clock(90)
    assert abs(created() - (before - timedelta(minutes=90))) < timedelta(milliseconds=1)
    destroy(aws, "aging")


def test_a_nightly_schedule_fires_once_a_day(aws_in_time: EmbeddedAws) -> None:
    aws = aws_in_time
    schedule = a_schedule("cron(0 0 * * ? *)", "Queue", {"every": "night"})
    queue = deploy(aws, "nightly", Queue=resource("SQS::Queue", {}), Schedule=schedule).refs["Queue"]
    aws.advance_clock(24 * 60)
    assert received(aws, queue) == [{"every": "night"}]
    destroy(aws, "nightly")


def test_a_schedule_that_is_created_again_does_not_count_from_runs_of_the_deleted_one(aws_in_time: EmbeddedAws) -> None:
    aws = aws_in_time
    resources = {"Queue": resource("SQS::Queue", {}), "Schedule": a_schedule("rate(30 minutes)", "Queue", {})}
    deploy(aws, "destroyed", **resources)
    aws.advance_clock(1)
    destroy(aws, "destroyed")
    assert aws.client("scheduler").list_schedules()["Schedules"] == []

    queue = deploy(aws, "destroyed", **resources).refs["Queue"]
    assert eventually(lambda: received(aws, queue), 5) == [{}], "the new schedule did not fire at its creation"
    aws.advance_clock(29)
    assert received(aws, queue) == [], "the new schedule counted from a run of the deleted one"
    destroy(aws, "destroyed")


def test_a_schedule_fires_within_seconds_after_it_falls_due(aws: EmbeddedAws) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    schedule = a_schedule(f"at({now})", "Queue", {"at": "once"})
    queue = deploy(aws, "at-once", Queue=resource("SQS::Queue", {}), Schedule=schedule).refs["Queue"]
    assert eventually(lambda: received(aws, queue), 5) == [{"at": "once"}]
