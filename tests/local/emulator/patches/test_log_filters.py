"""Filter patterns of FilterLogEvents, and the age of log events."""

import json
import time

from local.embedded_aws import EmbeddedAws
from tests.local.emulator.patches.support import refused


def test_a_json_pattern_selects_the_events_with_a_property(aws: EmbeddedAws) -> None:
    logs, stream = aws.client("logs"), {"logGroupName": "filtered", "logStreamName": "stream"}
    logs.create_log_group(logGroupName="filtered")
    logs.create_log_stream(**stream)
    lines = ["START", json.dumps({"level": "INFO"}), json.dumps({"level": "ERROR"})]
    now = int(time.time() * 1000)
    logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": line} for line in lines])

    def found(pattern: str) -> list[str]:
        events = logs.filter_log_events(logGroupName="filtered", filterPattern=pattern)["events"]
        return [event["message"] for event in events]

    assert found('{ $.level = "ERROR" }') == lines[2:]
    assert found("?START ?ERROR") == [lines[0], lines[2]]
    refusal = refused(logs.filter_log_events, logGroupName="filtered", filterPattern="{ $.level")
    assert refusal.startswith("InvalidParameterException: ")


def test_log_events_become_older_when_the_clock_is_moved(aws_in_time: EmbeddedAws) -> None:
    logs, stream = aws_in_time.client("logs"), {"logGroupName": "aging", "logStreamName": "stream"}
    logs.create_log_group(logGroupName="aging")
    logs.create_log_stream(**stream)
    now = int(time.time() * 1000)
    logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": "any"}])

    aws_in_time.advance_clock(90)

    [event] = logs.filter_log_events(logGroupName="aging")["events"]
    [described] = logs.describe_log_streams(logGroupName="aging")["logStreams"]
    assert event["timestamp"] == described["lastEventTimestamp"] == now - 90 * 60_000
    assert logs.filter_log_events(logGroupName="aging", startTime=now - 60_000)["events"] == []
