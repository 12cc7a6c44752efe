"""Warnings about settings that are valid, but are often a mistake."""

from pathlib import Path

import pytest

from settings.files import load_environments
from settings.warnings import warnings_about
from tests.settings.edits import (
    AWAY,
    DEFAULTS,
    GITHUB,
    IMAGES,
    LIFECYCLE,
    ORGANIZATION,
    READERS,
    ROLE,
    ROLES,
    TEAM_TABLE,
    TOPIC,
    USER,
    USERS,
    VALID,
    WEB_LIFECYCLE,
    beside,
    clean_up,
    defaults,
    end,
    github,
    lifecycle,
    prefix,
    protected,
    pushers,
    topic,
)
from tools import ROOT

USER_AWAY = USER.replace("1111", "2222")


def warnings(folder: Path, **files: str) -> list[str]:
    for name, content in files.items():
        (folder / f"{name}.toml").write_text(content)
    return warnings_about(load_environments(folder))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            pushers(ROLES, ROLE, AWAY),
            f"{ROLES}: warning: '{AWAY}' may push from another account, 222222222222; "
            "remove it if you do not trust that account",
        ),
        (
            pushers(USERS, USER_AWAY, mfa="true"),
            f"{USERS}: warning: '{USER_AWAY}' may push from another account, 222222222222; "
            "remove it if you do not trust that account",
        ),
        (
            topic(TOPIC.replace("1111", "2222")),
            "alerts.topic_arn: warning: 'arn:aws:sns:eu-west-1:222222222222:alerts' gets the alarms in another "
            "account, 222222222222; change it if that account is not yours",
        ),
        (
            beside('pull_accounts = ["222222222222", "333333333333"]'),
            f"{READERS}: warning: the accounts 222222222222, 333333333333 may pull the team's images; "
            "remove each account that you do not trust",
        ),
        (
            beside('pull_organization = "o-abcd123456"'),
            f"{ORGANIZATION}: warning: all accounts of the organization o-abcd123456 may pull the team's images; "
            "remove it if this is not your organization",
        ),
    ],
    ids=["a role", "a user", "a topic", "readers", "an organization"],
)
def test_a_principal_or_topic_of_another_account_gets_a_warning_in_one_line(
    tmp_path: Path, content: str, expected: str
) -> None:
    assert warnings(tmp_path, dev=content) == [f"dev.toml: {expected}"]


def test_readers_of_other_accounts_and_of_an_organization_both_get_a_warning(tmp_path: Path) -> None:
    both = beside('pull_accounts = ["222222222222"]\npull_organization = "o-abcd123456"')

    keys = [line.split(": ")[1] for line in warnings(tmp_path, dev=both)]

    assert keys == [READERS, ORGANIZATION]


def test_every_principal_of_another_account_gets_a_warning(tmp_path: Path) -> None:
    second = AWAY.replace("role/", "role/second-")

    found = warnings(tmp_path, dev=pushers(ROLES, AWAY, second))

    assert [line.split("'")[1] for line in found] == [AWAY, second]


def test_a_copied_example_gets_a_warning_for_each_principal_of_the_old_account(
    tmp_path: Path,
) -> None:
    copied = (ROOT / "examples" / "prod.toml").read_text().replace("210987654321", "333333333333")
    # The checks accept these principals in another account.
    for kept in ("role/analytics-ci", "user/ana"):
        copied = copied.replace(f"333333333333:{kept}", f"210987654321:{kept}")

    lines = warnings(tmp_path, mine=copied)

    assert [line.partition(": warning: ")[0] for line in lines] == [
        "mine.toml: teams.analytics.push.role_arns",
        "mine.toml: teams.risk.push.user_arns",
    ]


@pytest.mark.parametrize(
    ("content", "key", "fix_in"),
    [
        (lifecycle("keep_images = 5"), f"{LIFECYCLE}.keep_images", LIFECYCLE),
        (defaults("keep_images = 5"), IMAGES, LIFECYCLE),
        (lifecycle("expire_untagged_after_days = 9") + f"[{DEFAULTS}]\nkeep_images = 5\n", IMAGES, LIFECYCLE),
        (
            protected("release-*") + f"keep_images = 9\n[{WEB_LIFECYCLE}]\nkeep_images = 5",
            "teams.analytics.repository.'web-scraper'.lifecycle.keep_images",
            "teams.analytics.repository.'web-scraper'.lifecycle",
        ),
    ],
    ids=["a team", "the older setting", "the older setting with another", "a repository"],
)
def test_a_number_of_images_without_protected_tags_gets_a_warning(
    tmp_path: Path, content: str, key: str, fix_in: str
) -> None:
    what = "5 newer images are enough to delete an image that a DAG runs"
    fix = f"add the tags of your releases to {fix_in}.protected_tags"
    assert warnings(tmp_path, dev=content) == [f"dev.toml: {key}: warning: {what}; {fix}"]


def test_protected_tags_without_effect_get_a_warning(tmp_path: Path) -> None:
    (line,) = warnings(tmp_path, dev=protected("release-*"))

    what = "has no effect, because ECR deletes no image; remove it, or set keep_images or expire_untagged_after_days"
    assert line == f"dev.toml: {LIFECYCLE}.protected_tags: warning: {what}"
    for setting in ("keep_images = 5", "expire_untagged_after_days = 5"):
        assert warnings(tmp_path, dev=protected("release-*") + setting) == []
    assert warnings(tmp_path, dev=protected("release-*") + f"[{DEFAULTS}]\nkeep_images = 5") == []
    moving = f'[{DEFAULTS}]\nmutable_tags = ["release-*"]'
    assert warnings(tmp_path, dev=protected("release-*") + moving) == [line]


def test_a_protected_tag_that_can_move_gets_a_warning(tmp_path: Path) -> None:
    movable = f'keep_images = 5\n[{DEFAULTS}]\nmutable_tags = ["latest"]'
    (line,) = warnings(tmp_path, dev=protected("release-*", "latest") + movable)

    what = "latest can move, and an image is not protected after its tag moved"
    fix = f"remove it here, or from {DEFAULTS}.mutable_tags"
    assert line == f"dev.toml: {LIFECYCLE}.protected_tags: warning: {what}; {fix}"
    assert warnings(tmp_path, dev=protected("release-*") + movable) == []
    untagged = movable.replace("keep_images", "expire_untagged_after_days")
    assert warnings(tmp_path, dev=protected("release-*", "latest") + untagged) == [line]
    of_repository = f'[{WEB_LIFECYCLE}]\nprotected_tags = ["latest"]\n' + movable
    (line,) = warnings(tmp_path, dev=end(of_repository))
    assert line.startswith(
        "dev.toml: teams.analytics.repository.'web-scraper'.lifecycle.protected_tags: warning: latest"
    )


def test_every_team_principal_repository_and_file_gets_its_warnings(tmp_path: Path) -> None:
    def team(name: str) -> str:
        ids = 'branch = "main"\n'
        return (
            f'[teams.{name}]\nrepositories = ["a", "b", "c", "d"]\nothers_may_push_because = "a test"\n'
            'pull_accounts = ["222222222222"]\npull_organization = "o-abcd123456"\n'
            f'repository_defaults.mutable_tags = ["latest", "dev"]\n'
            f'lifecycle = {{ protected_tags = ["v*", "dev"], keep_images = 5 }}\n'
            f"repository.a.lifecycle.keep_images = 6\n"
            f"repository.b.lifecycle.keep_images = 7\n"
            f'repository.c.lifecycle.protected_tags = ["v*"]\n'
            f'repository.d.lifecycle = {{ protected_tags = ["latest"], expire_untagged_after_days = 5 }}\n'
            f"[teams.{name}.push]\nrole_arns = {[ROLE, AWAY]}\nuser_arns = {[USER, USER_AWAY]}\n"
            f'[[teams.{name}.push.github]]\nrepository = "acme/ids"\n{ids}owner_id = 1\nrepository_id = 2\n'
            f'[[teams.{name}.push.github]]\nrepository = "acme/first"\n{ids}'
            f'[[teams.{name}.push.github]]\nrepository = "acme/second"\n{ids}'
        )

    of_each_team = [
        *(f"push.role_arns: warning: '{AWAY}'", f"push.user_arns: warning: '{USER_AWAY}'"),
        *("pull_accounts: warning: the accounts 222222222222", "pull_organization: warning: all accounts of"),
    ]
    names = [
        "push.github: warning: only the name identifies 'acme/first'",
        "push.github: warning: only the name identifies 'acme/second'",
    ]
    lifecycles = [
        "lifecycle.protected_tags: warning: dev can move",
        "repository.'a'.lifecycle.keep_images: warning: 6 newer images",
        "repository.'b'.lifecycle.keep_images: warning: 7 newer images",
        "repository.'c'.lifecycle.protected_tags: warning: has no effect",
        "repository.'d'.lifecycle.protected_tags: warning: latest can move",
    ]
    expected = [
        f"{file}.toml: teams.{name}.{start}"
        for file in ("dev", "prod")
        for starts in (of_each_team, names, lifecycles)
        for name in ("one", "two")
        for start in starts
    ]
    text = edited_teams(team("one") + team("two"))
    found = warnings(tmp_path, dev=text, prod=text.replace("eu-west-1", "eu-west-2"))

    assert len(found) == len(expected)
    assert [line for line, start in zip(found, expected, strict=True) if not line.startswith(start)] == []


def edited_teams(tables: str) -> str:
    """Return a valid file with these tables of the teams `one` and `two`."""
    return VALID.replace(TEAM_TABLE, tables).replace('["analytics"]', '["one", "two"]')


def test_a_clean_up_is_compared_with_all_other_files(tmp_path: Path) -> None:
    def other(team: str) -> str:
        return prefix(team).replace("analytics", team) + clean_up("").removeprefix(VALID)

    lines = warnings(tmp_path, a=other("a").replace("eu-west-1", "eu-west-2"), b=other("b"), c=other("c"), d=other("d"))

    assert [
        line.partition(";")[0].replace("workers.clean_up: warning: the tag role=worker also ", "") for line in lines
    ] == [
        "c.toml: selects the instances of b.toml",
        "d.toml: selects the instances of b.toml",
    ]


def test_settings_of_one_account_have_no_warnings(tmp_path: Path) -> None:
    assert warnings(tmp_path, dev=VALID) == []
    assert warnings(tmp_path, dev=topic(TOPIC)) == []
    assert warnings_about(load_environments(ROOT / "examples")) == []


def test_a_repository_on_github_without_ids_gets_a_warning(tmp_path: Path) -> None:
    (line,) = warnings(tmp_path, dev=github('branch = "main"'))
    assert warnings(tmp_path, dev=github('environment = "production"')) == [line]

    what = f"dev.toml: {GITHUB}: warning: only the name identifies 'acme/pipelines', and another person can get a name"
    assert line.startswith(what)
    assert "add owner_id and repository_id" in line
    assert warnings(tmp_path, dev=github('branch = "main"\nowner_id = 12\nrepository_id = 34')) == []


def test_clean_ups_of_two_environments_on_the_same_instances_get_a_warning(tmp_path: Path) -> None:
    other = prefix("eu").replace("analytics", "risk") + clean_up("").removeprefix(VALID)

    (line,) = warnings(tmp_path, dev=clean_up(""), eu=other)

    what = "eu.toml: workers.clean_up: warning: the tag role=worker also selects the instances of dev.toml"
    assert line == f"{what}; use another tag, because both clean-ups would run on each of these instances"
    # Two clean-ups at different times also affect each other's instances.
    assert warnings(tmp_path, eu=f'{other}schedule = "cron(0 4 ? * * *)"') == [line]
    assert warnings(tmp_path, eu=other.replace('"worker"', '"eu-worker"')) == []
    assert warnings(tmp_path, eu=other.replace('"role"', '"kind"')) == []
    assert warnings(tmp_path, eu=other.replace("eu-west-1", "eu-west-2")) == []
    assert warnings(tmp_path, eu=other.replace("111111111111", "222222222222")) == []
