"""Tests that every policy stays within IAM's quotas, for the documented size and for the largest accepted settings."""

import json
import re
import tomllib
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk.assertions import Template

from settings.environment import Environment as Settings
from settings.policy_lengths import problems
from settings.regions import PARTITIONS
from settings.registries import Registry
from stacks.access import PushRole
from tests.permissions.account import Account, account_of, path_of
from tests.permissions.environments import ACCOUNT, Environment
from tests.templates import Templates, synthesize

# IAM and STS quotas are in characters without white space ("IAM and AWS STS quotas", IAM User Guide). Quotas of KMS and
# Secrets Manager are in bytes.
INLINE_PER_ROLE, MANAGED, MANAGED_PER_ROLE, TRUST = 10_240, 6_144, 10, 2_048
KEY_POLICY, SECRET_POLICY = 32_768, 20_480


def settings(teams: int, repositories: int, connections: int, teams_each: int, *, existing: int = 0) -> str:
    names = [f"team-of-a-long-name-{number:03}" for number in range(teams)]
    # This is the largest number of users that the settings accept.
    users = [f"arn:aws:iam::{ACCOUNT}:user/firstname.lastname{number:02}" for number in range(33)]
    push = f"push.user_arns = {users}\npush.require_mfa = true"
    return "\n".join(
        [
            f'account = "{ACCOUNT}"\nregion = "eu-central-1"\nsecret_key = "customer"',
            f'break_glass_role_arns = ["arn:aws:iam::{ACCOUNT}:role/BreakGlass"]',
            *(
                f"[teams.{name}]\nrepositories = {[f'r{n}' for n in range(repositories)]}\n"
                f"existing_repositories = {[f'{name}_{n:02}' for n in range(existing)]}\n{push}"
                for name in names
            ),
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
    check_lengths(Environment("large", settings(*size)), tmp_path)


@pytest.mark.parametrize("directly", [True, False])
def test_no_policy_is_too_long_with_the_largest_number_of_existing_repositories(directly: bool, tmp_path: Path) -> None:
    """The names are in the policies of the push role and of the pull role, and with pull_directly of the workers."""

    def text(existing: int) -> str:
        found = settings(1, 1, 1, 1, existing=existing).replace("eu-central-1", "ap-southeast-1")
        return found if directly else found.replace("pull_directly = true", "")

    def is_accepted(existing: int) -> bool:
        values = {"name": "large", **tomllib.loads(text(existing))}
        return not [*problems(Settings.model_validate(values))]

    most = next(n for n in count(1) if not is_accepted(n + 1))

    print(f"{most} existing repositories")
    assert most > 40
    check_lengths(Environment("large", text(most)), tmp_path)


# For each kind of connections for other registries, the settings for a number.
OTHER_REGISTRIES = {
    "teams": lambda n: foreign(1, teams=n),
    "repositories": lambda n: foreign(1, teams=1, repositories=n),
    "teams from which workers may pull directly": lambda n: foreign(1, teams=n) + DIRECTLY,
    "repositories from which workers may pull directly": lambda n: foreign(1, teams=1, repositories=n) + DIRECTLY,
    "registries from which workers may pull directly": lambda n: foreign(n, teams=1, repositories=1) + DIRECTLY,
}
DIRECTLY = "[workers]\npull_directly = true\n"


def foreign(connections: int, *, teams: int, repositories: int = 0) -> str:
    """Return settings with connections, each of which pulls from the registry of another account."""
    return "".join(
        f'[connections.docker_{number}]\nregistry.account = "4444555566{number:02}"\n'
        f"teams = {[f'team-of-a-long-name-{number:02}-{n:03}' for n in range(teams)]}\n"
        f"repositories = {[f'tools/base-{n:03}' for n in range(repositories)]}\n"
        for number in range(connections)
    )


@pytest.mark.parametrize("text", OTHER_REGISTRIES.values(), ids=OTHER_REGISTRIES.keys())
def test_no_policy_is_too_long_with_the_most_images_of_other_registries(
    text: Callable[[int], str], tmp_path: Path
) -> None:
    """The settings of the other registries are in the same folder, so the policies also have the teams' tags."""
    region = 'region = "us-gov-west-1"\n[alerts]\noff_because = "a test"\n'
    push = 'push.permission_sets = ["DataAnalyst"]'
    top = f'account = "{ACCOUNT}"\nsecret_key = "customer"\n{region}[teams.one]\nrepositories = ["a"]\n{push}\n'

    def settings_of(number: int) -> Settings:
        return Settings.model_validate({"name": "large", **tomllib.loads(top + text(number))})

    most = next(n for n in count(1) if [*problems(settings_of(n + 1))])
    for name, connection in settings_of(most).connections.items():
        assert connection.registry
        teams = "".join(
            f'[teams.{team}]\nrepositories = ["a"]\npull_accounts = ["{ACCOUNT}"]\n{push}\n'
            for team in connection.teams
        )
        login = f'[connections.docker_own]\nteams = ["{connection.teams[0]}"]\n'
        (tmp_path / f"{name.replace('_', '-')}.toml").write_text(
            f'account = "{connection.registry.account}"\n{region}{teams}{login}'
        )

    print(f"the number is {most}")
    assert most > 5
    check_lengths(Environment("large", top + text(most)), tmp_path)


# For each way in which policies grow, the settings for a number. Each of them is accepted up to a certain number.
FIRST = """
[teams.first]
repositories = ["a"]
push.permission_sets = ["DataAnalyst"]
[connections.docker_0]
teams = ["first"]
"""
LONG = "r" * 200
WORKER = 'workers.role_arns = ["arn:aws-us-gov:iam::{account}:role/airflow-worker"]\n'


def own_teams(names: list[str], *, existing: list[str] | None = None) -> str:
    """Return teams and a connection with all of them. The last team has the existing repositories."""
    tables = "".join(f'[teams.{name}]\nrepositories = ["a"]\npush.permission_sets = ["A"]\n' for name in names)
    old = f"existing_repositories = {existing or []}\n"
    return f"{FIRST}{tables}{old}[connections.docker_all]\nteams = {names}\n"


def of_one_team(existing: list[str]) -> str:
    tables = f"[teams.one]\nexisting_repositories = {existing}\npush.permission_sets = ['A']\n"
    return f"{FIRST}{tables}[connections.docker_all]\nteams = ['one']\n"


def tasks(names: list[str], *, role_path: str = "/") -> str:
    listed = "".join(f'[ecs.tasks."{name}"]\nimage_tag = "1"\n' for name in names)
    return f'role_path = "{role_path}"\n{WORKER}{of_one_team(names)}{listed}'


def logins(number: int, word: str) -> str:
    return FIRST + "".join(f'[connections.docker_{word}{each}]\nteams = ["first"]\n' for each in range(number))


def other_registries(number: int, images: str) -> str:
    return FIRST + "".join(
        f'[connections.docker_r{each}]\nregistry.account = "555{each:09}"\n{images}' for each in range(number)
    )


GROWTH: dict[str, Callable[[int], str]] = {
    "teams-short": lambda n: own_teams([f"t{each}" for each in range(n)]),
    "teams-long": lambda n: own_teams([f"{'t' * 30}{each}" for each in range(n)]),
    "existing-short": lambda n: of_one_team([f"r{each}" for each in range(n)]),
    "existing-long": lambda n: of_one_team([f"{'r' * 200}{each}" for each in range(n)]),
    "teams-and-existing": lambda n: own_teams(
        [f"t{each}" for each in range(n)], existing=[f"old_repository_{each}" for each in range(n)]
    ),
    "prefix": lambda n: f'connections_prefix = "{"p" * n}"\n{logins(20, "c")}',
    "logins-long": lambda n: f'connections_prefix = "prod/airflow/connections"\n{logins(n, "c" * 150)}',
    "directly-teams-short": lambda n: own_teams([f"t{each}" for each in range(n)]) + DIRECTLY,
    "directly-teams-long": lambda n: own_teams([f"{'t' * 30}{each}" for each in range(n)]) + DIRECTLY,
    "directly-existing": lambda n: of_one_team([f"r{each}" for each in range(n)]) + DIRECTLY,
    "directly-logins": lambda n: f'connections_prefix = "{"p" * 80}"\n{logins(n, "c")}{DIRECTLY}',
    "directly-registries": lambda n: other_registries(n, 'teams = ["t"]\n') + DIRECTLY,
    "directly-singles": lambda n: other_registries(n, 'repositories = ["r"]\n') + DIRECTLY,
    "foreign-long": lambda n: other_registries(1, f"repositories = {[LONG + str(each) for each in range(n)]}\n"),
    "foreign-short": lambda n: other_registries(1, f"repositories = {[f'r{each}' for each in range(n)]}\n"),
    "tasks-short": lambda n: tasks([f"r{each}" for each in range(n)]),
    "tasks-long": lambda n: tasks([f"{'r' * 80}{each}" for each in range(n)]),
    "tasks-path": lambda n: tasks([f"r{each}" for each in range(n)], role_path=f"/{'p' * 100}/"),
    f"tasks-{'e' * 30}": lambda n: tasks([f"r{each}" for each in range(n)]),
}


def test_no_policy_is_too_long_or_much_too_short_with_the_most_of_anything_that_is_accepted(tmp_path: Path) -> None:
    large = [largest(name, f"1234567890{number:02}", text) for number, (name, text) in enumerate(GROWTH.items())]
    for environment in large:
        (tmp_path / f"{environment.name}.toml").write_text(environment.text)

    every_template = synthesize(tmp_path, tmp_path / "cdk.out")

    for environment in large:
        used = check_templates(environment, every_template)
        print(f"{environment.name}: {used:.0%} of a quota")
        # The room for the statements of another registry includes tags, which only the registries of other files have.
        assert used > (0.5 if environment.name in ("directly-registries", "directly-singles") else 0.75), (
            environment.name
        )


def largest(name: str, account: str, growth: Callable[[int], str]) -> Environment:
    """Return the environment with the largest number that the settings accept.

    Args:
        name: The name of the environment.
        account: The ID of its account.
        growth: Returns the settings for a number, without the settings that all environments share.
    """
    top = f'account = "{account}"\nregion = "us-gov-west-1"\nsecret_key = "customer"\nalerts.off_because = "a test"\n'

    def text(number: int) -> str:
        return top + growth(number).replace("{account}", account)

    def is_refused(number: int) -> bool:
        return bool([*problems(Settings.model_validate({"name": name, **tomllib.loads(text(number))}))])

    most = bisect_left(range(1, 300), 1, key=is_refused)
    print(f"{name}: {most}")
    return Environment(name, text(most))


def check_lengths(large: Environment, tmp_path: Path) -> None:
    (tmp_path / "large.toml").write_text(large.text)
    check_templates(large, synthesize(tmp_path, tmp_path / "cdk.out"))


def check_templates(large: Environment, every_template: Templates) -> float:
    """Check the lengths of all policies. Return the largest share of a quota that a policy needs."""
    templates = {name: template for name, template in every_template.items() if name.startswith(f"{large.name}-")}
    account = account_of(templates, [large])
    used = 0.0

    def check(policies: Iterable[str], quota: int, name: str) -> None:
        nonlocal used
        found = length(account, policies)
        assert found <= quota, (large.name, name)
        used = max(used, found / quota)

    managed = {
        path_of(r)
        for t in templates.values()
        for r in t["Resources"].values()
        if r["Type"] == "AWS::IAM::ManagedPolicy"
    }
    for name, principal in account.principals.items():
        if name in account.trusts:
            own = [policy for policy in principal.policies if policy not in managed]
            check(own, INLINE_PER_ROLE, name)
            assert len(principal.policies) - len(own) <= MANAGED_PER_ROLE, name
            check([account.trusts[name]], TRUST, name)
    assert managed
    for policy in managed:
        check([policy], MANAGED, policy)
    for resource, policy in account.resource_policies.items():
        check([policy], KEY_POLICY if resource.endswith("/Key") else SECRET_POLICY, policy)
    return used


# For each way to push, the settings of the principal with a number. IAM Identity Center, GitHub and GitLab also share a
# trust policy. The Region is in a partition with a long name.
PRINCIPALS = {
    "role_arns": "arn:aws-us-gov:iam::123456789012:role/ci/deployer-{n:02}",
    "user_arns": "arn:aws-us-gov:iam::123456789012:user/firstname.lastname{n:02}",
    "user_arns with MFA": "arn:aws-us-gov:iam::123456789012:user/firstname.lastname{n:02}",
    "permission_sets": "Analyst{n:02}",
    "github": {"repository": "acme/pipelines-{n:02}", "branch": "main", "owner_id": 1234567, "repository_id": 56789012},
    "github patterns": {"repository": "acme/pipelines-{n:02}", "branch": "release/*"},
    "gitlab": {"project": "a/p{n:02}", "tag": "v*", "url": "https://git{n:02}.example.com", "audience": "git{n:02}"},
    "gitlab audiences": {
        "project": "a/p",
        "branch": "b{n:02}",
        "audience": "https://example.com/{n:02}" + "a" * 90,
    },
}

ALL_WAYS = [way for way in PRINCIPALS if way != "user_arns with MFA"]


@pytest.mark.parametrize(
    "ways", [*((way,) for way in PRINCIPALS), ALL_WAYS, ["user_arns with MFA", "github", "gitlab"]], ids=" and ".join
)
def test_the_trust_policy_with_the_most_principals_that_the_settings_accept_fits(
    ways: tuple[str, ...],
) -> None:
    base = {
        "name": "large",
        "account": ACCOUNT,
        "region": "us-gov-west-1",
        "connections": {"docker_default": {"teams": ["one"]}},
        "alerts": {"off_because": "a test"},
    }

    def environment(number: int) -> Settings:
        push: dict[str, Any] = {"require_mfa": "user_arns with MFA" in ways}
        for n in range(number):
            way = ways[n % len(ways)]
            push.setdefault(way.partition(" ")[0], []).append(
                json.loads(re.sub("{n:02}", f"{n:02}", json.dumps(PRINCIPALS[way])))
            )
        return Settings.model_validate({**base, "teams": {"one": {"repositories": ["app"], "push": push}}})

    most = next(n for n in count(1) if [*problems(environment(n + 1))])
    context = {"@aws-cdk/core:enablePartitionLiterals": True}
    app = App(context=context, builtin_cloud_formation_validation=False)
    stack = Stack(app, "Stack", env=CdkEnvironment(account=ACCOUNT, region="us-gov-west-1"))
    registry = Registry(ACCOUNT, "us-gov-west-1")
    PushRole(
        stack,
        "Role",
        team="one",
        registry=registry,
        role_name="push",
        role_path="/",
        push=environment(most).teams["one"].push,
        existing_repositories=[],
    )
    [role] = Template.from_stack(stack).find_resources("AWS::IAM::Role").values()
    trust = json.dumps(role["Properties"]["AssumeRolePolicyDocument"], separators=(",", ":"))

    print(f"{most} principals, {len(trust)} characters")
    assert most > 3
    # Each audience needs a long statement of its own.
    assert (0.75 if "gitlab audiences" in ways else 0.93) * TRUST < len(trust) <= TRUST


def length(account: Account, policies: Iterable[str]) -> int:
    texts = (json.dumps(account.policies[policy][1], separators=(",", ":")) for policy in policies)
    return sum(len(as_deployed(text, account.region)) for text in texts)


def as_deployed(text: str, region: str) -> str:
    """Return a policy with the partition of the Region, and with the longest names that CloudFormation chooses."""
    text = text.replace("arn:aws:", f"arn:{PARTITIONS[region].name}:")
    text = re.sub(r'(:role/(?:[^"]*/)?)[^"/]*-EcsTasks-[^"/]*"', lambda found: f'{found[1]}{"r" * 64}"', text)
    # CloudFormation adds 12 characters to the logical ID. CDK adds a hash of 8 characters to the readable name.
    return re.sub(r"(log-group:[^:]*):", rf"\g<1>{'h' * 8}-{'r' * 12}:", text)
