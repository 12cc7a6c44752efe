"""Connections for the registry of another account or Region: what is accepted, and the one-line messages."""

import tomllib
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from settings.environment import Environment
from settings.files import SettingsError, load_environments
from settings.json_schema import schema_of_file
from settings.registries import Registry
from settings.summary import access
from tests.settings.edits import DOCKER, VALID, edited, end

VALIDATOR = jsonschema.Draft202012Validator(schema_of_file())

OTHER_ACCOUNT = 'account = "444455556666"'
OTHER = "connections.docker_other"
OTHER_REGION = 'region = "us-east-1"'
BOTH = f"{OTHER_ACCOUNT}, {OTHER_REGION}"


def foreign(registry: str = OTHER_ACCOUNT, images: str = 'teams = ["data"]', name: str = "docker_other") -> str:
    """Return a connection for another registry."""
    return f"[connections.{name}]\nregistry = {{ {registry} }}\n{images}\n"


def reader(*arguments: str) -> str:
    """Return a valid file with a connection for another registry."""
    return end(foreign(*arguments))


def owner(place: str = OTHER_ACCOUNT, team: str = "") -> str:
    """Return a valid file with the team `data`, in another account or in another Region, or both.

    Args:
        place: The account or the Region, or both.
        team: More settings of the team.
    """
    moved = VALID
    for setting in place.split(", "):
        own = 'account = "111111111111"' if setting.startswith("account") else 'region = "eu-west-1"'
        moved = moved.replace(own, setting)
    moved = moved.replace("analytics", "data").replace("docker_default", "docker_data")
    return moved.replace("[teams.data]\n", f"[teams.data]\n{team}\n")


def load(folder: Path, **files: str) -> list[Environment]:
    for name, content in files.items():
        (folder / f"{name}.toml").write_text(content)
    return load_environments(folder)


def refusals(folder: Path, **files: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load(folder, **files)
    return str(refused.value).splitlines()


IN_ANOTHER_TABLE = "remove repositories, or add registry; for this registry, use existing_repositories of a team"
START = "use lower-case letters and digits"

# The id of the case, the settings file, the message, and whether the JSON schema refuses the file too.
REFUSED = [
    (
        "the own registry by its account",
        reader('account = "111111111111"'),
        "connections.docker_other.registry: is this environment's own registry; remove registry",
        False,
    ),
    (
        "the own registry by its Region",
        reader('region = "eu-west-1"', 'teams = ["analytics"]'),
        "connections.docker_other.registry: is this environment's own registry; remove registry",
        False,
    ),
    (
        "the own registry by both",
        reader('account = "111111111111", region = "eu-west-1"'),
        "connections.docker_other.registry: is this environment's own registry; remove registry",
        False,
    ),
    (
        "a registry in another partition",
        reader('account = "444455556666", region = "cn-north-1"'),
        "connections.docker_other.registry: cn-north-1 is not in the AWS partition of eu-west-1; "
        "write a Region of the partition aws\n",
        False,
    ),
    (
        "a registry in a partition with the same domain",
        reader('account = "444455556666", region = "us-gov-west-1"'),
        "connections.docker_other.registry: us-gov-west-1 is not in the AWS partition of eu-west-1; "
        "write a Region of the partition aws\n",
        False,
    ),
    (
        "a registry with neither account nor region",
        reader(""),
        "connections.docker_other.registry: has neither account nor region; add one of them, or both",
        True,
    ),
    (
        "a registry with an unknown setting",
        reader('account = "444455556666", id = "a"'),
        "connections.docker_other.registry.id: is not a setting; write one of account, region",
        True,
    ),
    (
        "an account that is not an account",
        reader('account = "4444"'),
        "connections.docker_other.registry.account: '4444' is not ",
        True,
    ),
    (
        "a registry that is a text",
        end('[connections.docker_other]\nregistry = "444455556666"\nteams = ["data"]'),
        "connections.docker_other.registry: '444455556666' is not a table; ",
        True,
    ),
    (
        "single repositories without a registry",
        end('repositories = ["tools/base"]'),
        f"{DOCKER}: has repositories and no registry; {IN_ANOTHER_TABLE}",
        True,
    ),
    (
        "a registry with neither teams nor repositories",
        reader(OTHER_ACCOUNT, ""),
        "connections.docker_other: has neither teams nor repositories; add one of them, or both",
        True,
    ),
    (
        "a registry with empty teams and repositories",
        reader(OTHER_ACCOUNT, "teams = []\nrepositories = []"),
        "connections.docker_other: has neither teams nor repositories; add one of them, or both",
        True,
    ),
    (
        "no team and no registry",
        edited('teams = ["analytics"]\n', ""),
        f'{DOCKER}.teams: is missing; add teams = ["analytics"]',
        True,
    ),
    *(
        (
            f"the team {team!r} of another registry",
            reader(OTHER_ACCOUNT, f"teams = [{team!r}]"),
            f"connections.docker_other.teams: {team!r} is not the start of a repository's name; {START}",
            True,
        )
        for team in ("*", "data*", "d?ta", "Data", "data/", "/data", "", "data team", "${aws:username}")
    ),
    (
        "a single repository with a wildcard",
        reader(OTHER_ACCOUNT, 'repositories = ["tools/*"]'),
        "connections.docker_other.repositories: 'tools/*' is not the name of an ECR repository; ",
        True,
    ),
    (
        "a pull role whose name is too long",
        end(foreign(name="docker_" + "x" * 46)),
        f"connections.docker_{'x' * 46}: pull role 'dev-ecr-pull-docker_{'x' * 46}' is longer than 64 characters; "
        "shorten the ID of the connection or the name of the environment by 2",
        False,
    ),
]


@pytest.mark.parametrize(("content", "message"), [pytest.param(*row[1:3], id=row[0]) for row in REFUSED])
def test_one_problem_is_reported_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    (line,) = refusals(tmp_path, dev=content)

    assert f"{line}\n".startswith(f"dev.toml: {message}")


@pytest.mark.parametrize(("content", "by_schema"), [pytest.param(row[1], row[3], id=row[0]) for row in REFUSED])
def test_the_schema_refuses_what_it_can_express(content: str, by_schema: bool) -> None:
    assert VALIDATOR.is_valid(tomllib.loads(content)) is not by_schema


# The file, and the registry of the connection `docker_other`.
ACCEPTED = {
    "another account": (reader(), Registry("444455556666", "eu-west-1")),
    "another Region": (reader(OTHER_REGION), Registry("111111111111", "us-east-1")),
    "another account and Region": (
        reader(f"{OTHER_ACCOUNT}, {OTHER_REGION}"),
        Registry("444455556666", "us-east-1"),
    ),
    "another account, with the own Region": (
        reader(f'{OTHER_ACCOUNT}, region = "eu-west-1"'),
        Registry("444455556666", "eu-west-1"),
    ),
    "only single repositories": (
        reader(OTHER_REGION, 'repositories = ["tools/base", "old_app"]'),
        Registry("111111111111", "us-east-1"),
    ),
    "teams and single repositories": (
        reader(OTHER_REGION, 'teams = ["data"]\nrepositories = ["tools/base"]'),
        Registry("111111111111", "us-east-1"),
    ),
    "a team with the name of a team of this file": (
        reader(OTHER_ACCOUNT, 'teams = ["analytics"]'),
        Registry("444455556666", "eu-west-1"),
    ),
    "a team of several levels": (
        reader(OTHER_ACCOUNT, 'teams = ["data/eu", "a.b_c-d"]'),
        Registry("444455556666", "eu-west-1"),
    ),
    "another Region of China": (
        reader('region = "cn-northwest-1"').replace('"eu-west-1"', '"cn-north-1"').replace("arn:aws:", "arn:aws-cn:"),
        Registry("111111111111", "cn-northwest-1"),
    ),
}


@pytest.mark.parametrize(("content", "registry"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_connection_can_be_for_the_registry_of_another_account_or_region(
    tmp_path: Path, content: str, registry: Registry
) -> None:
    [dev] = load(tmp_path, dev=content)

    assert dev.registry_of("docker_other") == registry
    assert dev.registry_of("docker_default") == dev.registry
    assert [error.message for error in VALIDATOR.iter_errors(tomllib.loads(content))] == []


def test_the_name_of_a_pull_role_has_at_most_64_characters_only_for_another_registry(tmp_path: Path) -> None:
    longest, longer = f"docker_{'x' * 44}", f"docker_{'x' * 60}"

    [dev] = load(tmp_path, dev=end(foreign(name=longest) + f'[connections.{longer}]\nteams = ["analytics"]'))

    assert dev.pull_role_name(longest) == f"dev-ecr-pull-{longest}"
    assert dev.pull_role_name(longer) is None


# Files of the same folder


NOT_LISTED = "prod.toml does not list this reader of the team data"

# The id of the case, the file prod.toml with the team `data`, the file dev.toml, and the messages.
REFUSED_TOGETHER = [
    (
        "another account does not list the reader",
        owner(),
        reader(),
        [f"dev.toml: {OTHER}.teams: {NOT_LISTED}; add '111111111111' to teams.data.pull_accounts of prod.toml"],
    ),
    (
        "another account lists another account",
        owner(team='pull_accounts = ["222222222222"]'),
        reader(),
        [f"dev.toml: {OTHER}.teams: {NOT_LISTED}; add '111111111111' to teams.data.pull_accounts of prod.toml"],
    ),
    (
        "another account in another Region does not list the reader",
        owner(BOTH, "pull_environments = []"),
        reader(BOTH),
        [f"dev.toml: {OTHER}.teams: {NOT_LISTED}; add '111111111111' to teams.data.pull_accounts of prod.toml"],
    ),
    (
        "another Region does not list the reader",
        owner(OTHER_REGION),
        reader(OTHER_REGION),
        [f"dev.toml: {OTHER}.teams: {NOT_LISTED}; add 'dev' to teams.data.pull_environments of prod.toml"],
    ),
    (
        "another Region lists another environment",
        owner(OTHER_REGION, 'pull_environments = ["prod"]'),
        reader(OTHER_REGION),
        [
            "prod.toml: teams.data.pull_environments: 'prod' is not an environment of account 111111111111 in "
            "another Region; write one of dev",
            f"dev.toml: {OTHER}.teams: {NOT_LISTED}; add 'dev' to teams.data.pull_environments of prod.toml",
        ],
    ),
    (
        "an organization in the same account",
        owner(OTHER_REGION, 'pull_organization = "o-abcd123456"'),
        reader(OTHER_REGION),
        [f"dev.toml: {OTHER}.teams: {NOT_LISTED}; add 'dev' to teams.data.pull_environments of prod.toml"],
    ),
    (
        "a misspelled team",
        owner(team='pull_accounts = ["111111111111"]'),
        reader(OTHER_ACCOUNT, 'teams = ["date"]'),
        [f"dev.toml: {OTHER}.teams: 'date' is not a team of prod.toml; did you mean data? If not, write one of data"],
    ),
    (
        "a team of this file only",
        owner(team='pull_accounts = ["111111111111"]'),
        reader(OTHER_ACCOUNT, 'teams = ["analytics"]'),
        [f"dev.toml: {OTHER}.teams: 'analytics' is not a team of prod.toml; write one of data"],
    ),
    (
        "a managed repository",
        owner(),
        reader(OTHER_ACCOUNT, 'repositories = ["data/web-scraper"]'),
        [
            f"dev.toml: {OTHER}.repositories: 'data/web-scraper' belongs to the team data of prod.toml, which does "
            "not list this reader; add '111111111111' to teams.data.pull_accounts of prod.toml"
        ],
    ),
    (
        "a repository that a push may create",
        owner(OTHER_REGION, "create_on_push = true"),
        reader(OTHER_REGION, 'repositories = ["data/new/app"]'),
        [
            f"dev.toml: {OTHER}.repositories: 'data/new/app' belongs to the team data of prod.toml, which does not "
            "list this reader; add 'dev' to teams.data.pull_environments of prod.toml"
        ],
    ),
    (
        "an existing repository in another Region",
        owner(OTHER_REGION, 'existing_repositories = ["old_app"]'),
        reader(OTHER_REGION, 'repositories = ["old_app"]'),
        [
            f"dev.toml: {OTHER}.repositories: 'old_app' belongs to the team data of prod.toml, which does not list "
            "this reader; add 'dev' to teams.data.pull_environments of prod.toml"
        ],
    ),
    (
        "an unknown environment",
        owner(OTHER_REGION, 'pull_environments = ["dev", "dve"]'),
        reader(OTHER_REGION),
        [
            "prod.toml: teams.data.pull_environments: 'dve' is not an environment of account 111111111111 in "
            "another Region; did you mean dev? If not, write one of dev"
        ],
    ),
    (
        "an environment of another account",
        owner(team='pull_accounts = ["111111111111"]\npull_environments = ["dev"]'),
        reader(),
        [
            "prod.toml: teams.data.pull_environments: 'dev' is not an environment of account 444455556666 in "
            "another Region; remove it"
        ],
    ),
    (
        "an environment of another account in another Region",
        owner(
            f"{OTHER_ACCOUNT}\n{OTHER_REGION}", 'pull_accounts = ["111111111111"]\npull_environments = ["dev"]'
        ).replace('region = "eu-west-1"\n', ""),
        reader(BOTH),
        [
            "prod.toml: teams.data.pull_environments: 'dev' is not an environment of account 444455556666 in "
            "another Region; remove it"
        ],
    ),
    (
        "the own registry",
        owner(OTHER_REGION),
        reader('account = "111111111111"', 'teams = ["analytics"]'),
        [f"dev.toml: {OTHER}.registry: is this environment's own registry; remove registry"],
    ),
]


@pytest.mark.parametrize(("prod", "dev", "messages"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED_TOGETHER])
def test_a_connection_for_a_registry_of_another_file_needs_the_permission_of_that_file(
    tmp_path: Path, prod: str, dev: str, messages: list[str]
) -> None:
    assert refusals(tmp_path, prod=prod, dev=dev) == messages


@pytest.mark.parametrize(("prod", "dev", "messages"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED_TOGETHER])
def test_the_files_of_other_accounts_do_not_change_the_messages(
    tmp_path: Path, prod: str, dev: str, messages: list[str]
) -> None:
    others = {
        name: VALID.replace("1" * 12, account) for name, account in (("a", "7" * 12), ("e", "8" * 12), ("z", "9" * 12))
    }

    assert refusals(tmp_path, prod=prod, dev=dev, **others) == messages


def test_every_connection_team_and_repository_of_another_registry_is_checked(tmp_path: Path) -> None:
    teams = "".join(
        f'[teams.{name}]\nrepositories = ["app"]\n{listed}\npush.role_arns = ["arn:aws:iam::444455556666:role/ci"]\n'
        for name, listed in {"first": 'pull_accounts = ["111111111111"]', "second": "", "third": ""}.items()
    )
    dev = end(
        foreign(images='teams = ["first", "second"]', name="docker_1")
        + foreign(images='repositories = ["first/app", "third/app"]', name="docker_2")
        + foreign(images='teams = ["first"]', name="docker_3")
        + foreign(images='teams = ["first", "third", "unknown"]', name="docker_4")
    )

    lines = refusals(tmp_path, prod=owner() + teams, dev=dev)

    assert [" ".join(line.split(": ")[1:]).partition(" add ")[0].partition(" not a")[0] for line in lines] == [
        "connections.docker_1.teams prod.toml does not list this reader of the team second;",
        "connections.docker_2.repositories 'third/app' belongs to the team third of prod.toml, which does not list "
        "this reader;",
        "connections.docker_4.teams prod.toml does not list this reader of the team third;",
        "connections.docker_4.teams 'unknown' is",
    ]


def test_the_message_about_an_unknown_team_names_all_files_and_teams_of_the_registry(tmp_path: Path) -> None:
    prod = owner(team='pull_accounts = ["111111111111"]')
    stage = prod.replace("data", "models").replace("web-scraper", "forecast")

    assert refusals(tmp_path, prod=prod, stage=stage, dev=reader(OTHER_ACCOUNT, 'teams = ["x"]')) == [
        f"dev.toml: {OTHER}.teams: 'x' is not a team of prod.toml or stage.toml; write one of data, models"
    ]


def test_every_file_of_the_other_registry_decides_about_its_own_teams(tmp_path: Path) -> None:
    prod = owner(team='pull_accounts = ["111111111111"]')
    stage = owner().replace("data", "models").replace("web-scraper", "forecast")
    dev = reader(OTHER_ACCOUNT, 'teams = ["data", "models"]\nrepositories = ["models/forecast"]')
    fix = "add '111111111111' to teams.models.pull_accounts of stage.toml"

    assert refusals(tmp_path, prod=prod, stage=stage, dev=dev) == [
        f"dev.toml: {OTHER}.teams: stage.toml does not list this reader of the team models; {fix}",
        f"dev.toml: {OTHER}.repositories: 'models/forecast' belongs to the team models of stage.toml, which does not "
        f"list this reader; {fix}",
    ]


ACCEPTED_TOGETHER = {
    "another account lists the account": (owner(team='pull_accounts = ["111111111111"]'), reader()),
    "another account in another Region lists the account": (
        owner(BOTH, 'pull_accounts = ["111111111111"]'),
        reader(BOTH),
    ),
    "another account lists an organization": (owner(team='pull_organization = "o-abcd123456"'), reader()),
    "another Region lists the environment": (
        owner(OTHER_REGION, 'pull_environments = ["dev"]'),
        reader(OTHER_REGION, 'teams = ["data"]\nrepositories = ["data/web-scraper", "old_app"]'),
    ),
    "single repositories of a team that lists the account": (
        owner(team='pull_accounts = ["111111111111"]'),
        reader(OTHER_ACCOUNT, 'repositories = ["data/web-scraper"]'),
    ),
    # The policy of this repository is not managed, so the other account decides outside of the settings.
    "an existing repository of another account": (
        owner(team='existing_repositories = ["old_app"]'),
        reader(OTHER_ACCOUNT, 'repositories = ["old_app"]'),
    ),
    "a repository of no team": (owner(), reader(OTHER_ACCOUNT, 'repositories = ["database/app"]')),
    "another Region of the account with the other file": (owner(), reader(BOTH)),
}


@pytest.mark.parametrize(("prod", "dev"), ACCEPTED_TOGETHER.values(), ids=ACCEPTED_TOGETHER.keys())
def test_a_connection_for_a_registry_of_another_file_is_accepted_if_that_file_lists_the_reader(
    tmp_path: Path, prod: str, dev: str
) -> None:
    assert [environment.name for environment in load(tmp_path, prod=prod, dev=dev)] == ["dev", "prod"]


# The summary


SUMMARY = """\
  connection docker_default
    images in       analytics/*
    refreshed       every 30 minutes
    secret          airflow/connections/docker_default
  connection docker_other
    registry        444455556666.dkr.ecr.us-east-1.amazonaws.com of ANOTHER
                    ACCOUNT, 444455556666
    pull role       dev-ecr-pull-docker_other
    images in       data/*, tools/base
    refreshed       every 30 minutes
    secret          airflow/connections/docker_other
  connection docker_region
    registry        111111111111.dkr.ecr.us-east-1.amazonaws.com
    pull role       dev-ecr-pull-docker_region
    images in       data/*
    refreshed       every 30 minutes
    secret          airflow/connections/docker_region"""


def test_the_summary_shows_the_registry_and_the_pull_role_of_a_connection_for_another_registry(tmp_path: Path) -> None:
    other = foreign(BOTH, 'teams = ["data"]\nrepositories = ["tools/base"]')
    region = foreign(OTHER_REGION, 'teams = ["data"]', "docker_region")

    [dev] = load(tmp_path, dev=end(other + region))

    logins = access(dev).partition("What each docker login pulls\n")[2].partition("\n\n")[0]
    assert logins == SUMMARY


def test_the_summary_shows_the_environments_that_pull_the_images_of_a_team(tmp_path: Path) -> None:
    prod = owner(OTHER_REGION, 'pull_environments = ["dev"]')

    [_, environment] = load(tmp_path, prod=prod, dev=reader(OTHER_REGION))

    assert "    pulled by       the environment dev of this account\n" in access(environment)
