"""Filter patterns of FilterLogEvents."""

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
