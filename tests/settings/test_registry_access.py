"""Tests of the policy that another account adds to its repositories."""

import re
from itertools import combinations

from settings.registry_access import policy_to_paste

ROLE = "arn:aws:iam::123456789012:role/prod-ecr-pull-docker_shared"
WORKERS = ["arn:aws:iam::123456789012:role/airflow-worker", "arn:aws:iam::123456789012:role/airflow/gpu-worker"]


def test_the_policy_allows_only_pulling_and_only_the_named_roles_of_the_account() -> None:
    [statement] = policy_to_paste("aws", [ROLE, *WORKERS])["Statement"]

    assert statement == {
        "Sid": statement["Sid"],
        "Effect": "Allow",
        "Principal": {"AWS": ["arn:aws:iam::123456789012:root"]},
        "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Condition": {"ArnEquals": {"aws:PrincipalArn": [ROLE, *WORKERS]}},
    }


def test_the_principal_is_in_the_partition_of_the_roles() -> None:
    role = "arn:aws-us-gov:iam::123456789012:role/gov-ecr-pull-docker_shared"
    [statement] = policy_to_paste("aws-us-gov", [role])["Statement"]

    assert statement["Principal"] == {"AWS": ["arn:aws-us-gov:iam::123456789012:root"]}


def test_the_statement_of_each_pull_role_has_a_sid_of_its_own_with_letters_and_digits() -> None:
    """A repository policy may have a statement for each of these roles."""
    names = ["a-ecr-pull-docker_1_2", "a-ecr-pull-docker_12", "a-ecr-pull-docker_1", "ecr/a-ecr-pull-docker_1_2"]
    arns = [f"arn:aws:iam::{account}:role/{name}" for account in ("123456789012", "123456789013") for name in names]
    sids = [policy_to_paste("aws", [arn, *WORKERS])["Statement"][0]["Sid"] for arn in arns]

    assert all(one != other for one, other in combinations(sids, 2))
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)


def test_the_sids_of_the_readers_of_many_accounts_differ() -> None:
    roles = [ROLE.replace("123456789012", f"{account:012}") for account in range(1000)]

    assert len({policy_to_paste("aws", [role])["Statement"][0]["Sid"] for role in roles}) == 1000


def test_the_sid_stays_the_same_when_the_workers_change() -> None:
    """A new version of the statement replaces the old one."""
    sids = {policy_to_paste("aws", [ROLE, *workers])["Statement"][0]["Sid"] for workers in ([], WORKERS)}

    assert len(sids) == 1
