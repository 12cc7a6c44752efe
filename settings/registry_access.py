"""The policy that the owner of a registry in another account adds to each repository, so that our roles may pull."""

import hashlib
from collections.abc import Sequence
from typing import Any

from settings.names import PULL_ACTIONS, pascal_case


def policy_to_paste(partition: str, reader_arns: Sequence[str]) -> dict[str, Any]:
    """Return a repository policy that allows roles of another account to pull.

    The principal is the reader's account, and a condition names the roles. IAM stores a role in `Principal` by its
    unique ID. A policy with such a principal stops working when the role is created again with the same name (IAM User
    Guide, "AWS JSON policy elements: Principal").

    A repository has one policy, and other readers may be in it. Therefore, the statement has a Sid of its own: the name
    of the first role and a short hash of the role's ARN. The Sid stays the same when other roles are added.

    Args:
        partition: The AWS partition, such as `aws`.
        reader_arns: The ARNs of the roles that pull: first the pull role, and with `pull_directly` the workers' roles.
            At least one.
    """
    accounts = dict.fromkeys(arn.split(":")[4] for arn in reader_arns)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": _sid(reader_arns[0]),
                "Effect": "Allow",
                "Principal": {"AWS": [f"arn:{partition}:iam::{account}:root" for account in accounts]},
                "Action": [*PULL_ACTIONS],
                "Condition": {"ArnEquals": {"aws:PrincipalArn": [*dict.fromkeys(reader_arns)]}},
            }
        ],
    }


def _sid(role_arn: str) -> str:
    # A Sid has only letters and digits, so the names of two roles can become the same words.
    digest = hashlib.sha256(role_arn.encode()).hexdigest()[:8]
    return f"PullBy{pascal_case(role_arn.rpartition('/')[2])}{digest}"
