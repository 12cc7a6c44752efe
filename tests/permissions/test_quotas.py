"""Tests that every policy stays within IAM's quotas, for the documented size and for the largest accepted settings."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.permissions.account import Account, account_of, path_of
from tests.permissions.environments import ACCOUNT, Environment
from tests.templates import synthesize

# IAM and STS quotas are in characters without white space ("IAM and AWS STS quotas", IAM User Guide). Quotas of KMS and
# Secrets Manager are in bytes.
INLINE_PER_ROLE, MANAGED, MANAGED_PER_ROLE, TRUST = 10_240, 6_144, 10, 2_048
KEY_POLICY, SECRET_POLICY = 32_768, 20_480


def settings(teams: int, repositories: int, connections: int, teams_each: int) -> str:
    names = [f"team-of-a-long-name-{number:03}" for number in range(teams)]
    # This is the largest number of users that the settings accept.
    users = [f"arn:aws:iam::{ACCOUNT}:user/firstname.lastname{number:02}" for number in range(26)]
    push = f"push.user_arns = {users}\npush.require_mfa = true"
    return "\n".join(
        [
            f'account = "{ACCOUNT}"\nregion = "eu-central-1"\nsecret_key = "customer"',
            f'break_glass_role_arns = ["arn:aws:iam::{ACCOUNT}:role/BreakGlass"]',
            *(f"[teams.{name}]\nrepositories = {[f'r{n}' for n in range(repositories)]}\n{push}" for name in names),
            *(f"[connections.docker_{n}]\nteams = {names[:teams_each]}" for n in range(connections)),
            "[workers]\npull_directly = true",
            '[alerts]\noff_because = "a test"',
        ]
    )


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((20, 15, 5, 20), id="300 repositories in 20 teams, and five connections with all teams"),
        pytest.param((38, 1, 1, 38), id="the largest number of teams from which workers may pull directly"),
        pytest.param((4, 1, 35, 2), id="the largest number of connections in an environment"),
    ],
)
def test_no_policy_is_too_long(size: tuple[int, int, int, int], tmp_path: Path) -> None:
    large = Environment("large", settings(*size))
    (tmp_path / "large.toml").write_text(large.text)

    templates = synthesize(tmp_path, tmp_path / "cdk.out")
    account = account_of(templates, [large])

    managed = {
        path_of(r)
        for t in templates.values()
        for r in t["Resources"].values()
        if r["Type"] == "AWS::IAM::ManagedPolicy"
    }
    for name, principal in account.principals.items():
        if name in account.trusts:
            own = [policy for policy in principal.policies if policy not in managed]
            assert length(account, own) <= INLINE_PER_ROLE, name
            assert len(principal.policies) - len(own) <= MANAGED_PER_ROLE, name
            assert length(account, [account.trusts[name]]) <= TRUST, name
    assert managed
    for policy in managed:
        assert length(account, [policy]) <= MANAGED, policy
    for resource, policy in account.resource_policies.items():
        assert length(account, [policy]) <= (KEY_POLICY if resource.endswith("/Key") else SECRET_POLICY), policy


def length(account: Account, policies: Iterable[str]) -> int:
    return sum(len(json.dumps(account.policies[policy][1], separators=(",", ":"))) for policy in policies)
