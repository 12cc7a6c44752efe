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
        (
            protected("release-*") + f"keep_images = 9\n[{WEB_LIFECYCLE}]\nkeep_images = 5",
            "teams.analytics.repository.'web-scraper'.lifecycle.keep_images",
            "teams.analytics.repository.'web-scraper'.lifecycle",
        ),
    ],
    ids=["a team", "the older setting", "a repository"],
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
