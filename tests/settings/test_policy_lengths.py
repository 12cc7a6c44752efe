"""The estimates of the lengths of repository policies, compared with real policies.

tests/permissions/test_quotas.py compares the other estimates with real policies.
"""

import json
from bisect import bisect_left
from itertools import combinations
from typing import Any

import pytest

from settings.environment import Environment
from settings.policy_lengths import REPOSITORY_POLICY_QUOTA, length_of_repository_policy, problems
from settings.regions import PARTITIONS
from stacks.repository_policy import repository_policy

READERS = [f"{number:012}" for number in range(2, 400)]

# Settings that make a repository policy longer: settings of the team, and settings of the environment.
OF_TEAM: list[dict[str, Any]] = [
    {"others_may_push_because": "a test"},
    {"create_on_push": True},
    {"pull_accounts": READERS[:3]},
    {"pull_organization": "o-" + "a" * 32},
]
OF_ENVIRONMENT: list[dict[str, Any]] = [
    {},
    {"break_glass_role_arns": ["arn:aws:iam::111111111111:role/BreakGlass"]},
    {"break_glass_role_arns": [f"arn:aws:iam::111111111111:role/ops/{name}" for name in ("A", "OnCall")]},
    {"name": "environment-with-a-long-name"},
    {"region": "ap-southeast-1"},
]


def environment_of(team: dict[str, Any], **settings: Any) -> Environment:
    settings = {"name": "dev", "region": "eu-west-1", **settings}
    partition = PARTITIONS[settings["region"]].name
    glass = [arn.replace("arn:aws:", f"arn:{partition}:") for arn in settings.pop("break_glass_role_arns", ())]
    return Environment.model_validate(
        {
            "account": "111111111111",
            "teams": {
                "one": {"repositories": ["app"], "push": {"permission_sets": ["DataAnalyst"]}},
                "two": {"repositories": ["app"], "push": {"permission_sets": ["DataAnalyst"]}, **team},
            },
            "connections": {"docker_default": {"teams": ["two"]}},
            "alerts": {"off_because": "a test"},
            "break_glass_role_arns": glass,
            **settings,
        }
    )


def length_of_policy(environment: Environment, *, of_created: bool = False) -> int:
    """Return the length of the policy of the team `two`, with the longest names that the deployment can choose."""
    team, roles = environment.teams["two"], f"arn:{PARTITIONS[environment.region].name}:iam::{environment.account}:role"
    qualifier = "q" * 10
    policy = repository_policy(
        partition=PARTITIONS[environment.region].name,
        account=environment.account,
        push_role_arn=environment.push_role_arn("two"),
        deploy_role_arn=f"{roles}/cdk-{qualifier}-cfn-exec-role-{environment.account}-{environment.region}",
        break_glass_role_arns=environment.break_glass_role_arns,
        creation_role_arn=f"{roles}/{'r' * 64}" if of_created else None,
        others_may_push=team.others_may_push_because is not None,
        pull_accounts=team.pull_accounts,
        pull_organization=team.pull_organization,
    )
    return len(json.dumps(policy, separators=(",", ":"))) if policy else 0


@pytest.mark.parametrize("settings", OF_ENVIRONMENT, ids=lambda each: " ".join(each) or "defaults")
def test_the_estimate_of_a_repository_policy_is_a_little_more_than_its_length(settings: dict[str, Any]) -> None:
    for count in range(len(OF_TEAM) + 1):
        for chosen in combinations(OF_TEAM, count):
            team = {key: value for each in chosen for key, value in each.items()}
            for path in ("/",) if "create_on_push" in team else ("/", "/data/platform/"):
                environment = environment_of(team, role_path=path, **settings)
                for of_created in {False, environment.teams["two"].create_on_push}:
                    real = length_of_policy(environment, of_created=of_created)
                    estimate = length_of_repository_policy(
                        environment, "two", environment.teams["two"], of_created=of_created
                    )
                    assert real <= estimate <= real + 130, (chosen, path, of_created)
                    assert (estimate == 0) == (real == 0)


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1"])
@pytest.mark.parametrize(
    "team", [{}, {"create_on_push": True}, {"others_may_push_because": "a test"}], ids=lambda each: " ".join(each)
)
def test_the_longest_repository_policy_that_is_accepted_fits(region: str, team: dict[str, Any]) -> None:
    def largest(number: int) -> Environment:
        glass = [f"arn:aws:iam::111111111111:role/ops/BreakGlass{each:03}" for each in range(10)]
        return environment_of({**team, "pull_accounts": READERS[:number]}, region=region, break_glass_role_arns=glass)

    def is_refused(number: int) -> bool:
        return bool([*problems(largest(number))])

    most = bisect_left(range(len(READERS)), 1, key=is_refused) - 1

    length = length_of_policy(largest(most), of_created="create_on_push" in team)
    assert 0.97 * REPOSITORY_POLICY_QUOTA < length <= REPOSITORY_POLICY_QUOTA
    # The message names the team whose policy is too long.
    assert [problem.key for problem in problems(largest(most + 1))] == ["teams.two"]
