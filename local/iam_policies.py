"""IAM policies and names for the users and roles that exist before this project is deployed."""

import json
from typing import Any


def name_of(arn: str) -> str:
    """Return the name of a user, role or managed policy, without its path."""
    return arn.rsplit("/", 1)[-1]


def allow(*actions: str) -> str:
    """Return an identity-based policy that allows these actions on all resources."""
    return _document({"Effect": "Allow", "Action": list(actions), "Resource": "*"})


def assumed_by(principal_arn: str) -> str:
    """Return a trust policy that lets one principal assume the role."""
    return _document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principal_arn}})


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
