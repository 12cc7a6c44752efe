"""The maximum duration and the expiry of role sessions."""

import json
from typing import Any

from botocore.exceptions import ClientError

from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.local.emulator.patches.support import Credentials, allow, refused, session_of_a_role, trust


def role_with_longest_session(aws: EmbeddedAws, name: str, hours: int) -> str:
    document = json.dumps(trust(AWS=f"arn:aws:iam::{ACCOUNT}:root"))
    role = aws.client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=document, MaxSessionDuration=3600 * hours
    )
    return str(role["Role"]["Arn"])


def request(role_arn: str, hours: float) -> dict[str, Any]:
    return {"RoleArn": role_arn, "RoleSessionName": "session", "DurationSeconds": int(3600 * hours)}


def answer_to(aws: EmbeddedAws, credentials: Credentials) -> str:
    try:
        aws.client("ecr", credentials).describe_repositories()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "allowed"


def test_a_session_lasts_at_most_as_long_as_its_role_allows(aws: EmbeddedAws) -> None:
    sts = aws.client("sts")
    role = role_with_longest_session(aws, "two-hours", 2)
    sts.assume_role(**request(role, 2))
    assert refused(sts.assume_role, **request(role, 2.1)) == (
        "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    )


def test_a_session_that_a_session_requests_lasts_at_most_an_hour(aws: EmbeddedAws) -> None:
    role = role_with_longest_session(aws, "chained", 12)
    sts = aws.client("sts", session_of_a_role(aws, "chains", allow("sts:AssumeRole")))
    sts.assume_role(**request(role, 1))
    assert refused(sts.assume_role, **request(role, 1.1)) == (
        "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit "
        "for roles assumed by role chaining."
    )


def test_a_session_expires_when_the_clock_is_moved(aws_in_time: EmbeddedAws) -> None:
    aws = aws_in_time
    short = session_of_a_role(aws, "expires", allow("ecr:DescribeRepositories"))
    long_role = role_with_longest_session(aws, "expires-later", 12)
    aws.client("iam").put_role_policy(
        RoleName="expires-later",
        PolicyName="permissions",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("ecr:DescribeRepositories")]}),
    )
    long = aws.client("sts").assume_role(**request(long_role, 12))["Credentials"]

    aws.advance_clock(100, sessions_expire=False)
    aws.advance_clock(50)
    assert [answer_to(aws, session) for session in (short, long)] == ["allowed", "allowed"]
    aws.advance_clock(10)
    assert [answer_to(aws, session) for session in (short, long)] == ["ExpiredTokenException", "allowed"]
    role_with_longest_session(aws, "another", 1)
    aws.client("sts").assume_role(**request(f"arn:aws:iam::{ACCOUNT}:role/another", 1))
    assert answer_to(aws, short) == "ExpiredTokenException", "still, after another session was created"
    assert refused(aws.client("sts", short).get_caller_identity).startswith("ExpiredToken: ")
    aws.advance_clock(11 * 60)
    assert answer_to(aws, long) == "ExpiredTokenException"
