"""Two policies are equal if they mean the same."""

from typing import Any

import pytest

from ops.doctor.policy_documents import compare

ROOT = "arn:aws:iam::123456789012:root"
ALLOW: dict[str, Any] = {
    "Sid": "Read",
    "Effect": "Allow",
    "Principal": {"AWS": ROOT},
    "Action": ["s3:Get", "s3:List"],
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "true"}, "StringLike": {"aws:PrincipalArn": ["a", "b"]}},
}
DENY: dict[str, Any] = {"Sid": "No", "Effect": "Deny", "Principal": "*", "NotAction": "s3:Get", "Resource": ["*"]}
POLICY = {"Version": "2012-10-17", "Statement": [ALLOW, DENY]}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    "same",
    [
        policy(DENY, ALLOW),
        policy({**ALLOW, "Action": ["S3:List", "s3:get"], "Resource": ["*"]}, DENY),
        policy({**ALLOW, "Principal": {"AWS": ["123456789012"]}}, DENY),
        policy(ALLOW, {**DENY, "Principal": {"AWS": "*"}, "Sid": "Renamed"}),
        policy(
            {
                **ALLOW,
                "Condition": {"Bool": {"AWS:SecureTransport": True}, "StringLike": {"aws:PrincipalArn": ["b", "a"]}},
            },
            DENY,
        ),
    ],
)
def test_another_notation_is_no_difference(same: dict[str, Any]) -> None:
    assert compare(POLICY, same, ROOT) is None


@pytest.mark.parametrize(
    ("other", "text", "takes_away"),
    [
        (policy(ALLOW), "missing No", False),
        (policy(DENY), "missing Read", True),
        (policy(ALLOW, {**DENY, "NotAction": "s3:List"}), "changed No", True),
        (policy(ALLOW, DENY, {**ALLOW, "Sid": "More", "Action": "s3:Put"}), "added More", False),
        (policy({**ALLOW, "Principal": {"AWS": "210987654321"}}, DENY), "changed Read", True),
        (policy({**ALLOW, "Condition": {}}, DENY), "changed Read", True),
        (policy({**ALLOW, "Resource": "arn:aws:s3:::b"}, DENY), "changed Read", True),
        (None, "missing Read, No", True),
    ],
)
def test_a_difference_is_named(other: Any, text: str, takes_away: bool) -> None:
    difference = compare(POLICY, other, ROOT)
    assert difference
    assert (str(difference), bool(difference.refused_actions)) == (text, takes_away)
