"""Settings files that are accepted, and the one-line messages about files that are refused."""

import re
from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pydantic
import pytest

from settings.environment import EcsTask, Environment
from settings.files import SettingsError, load_environments
from tests.settings.edits import (
    AWAY,
    BOUNDARY,
    CHINA_USER,
    DEFAULTS,
    DOCKER,
    GITHUB,
    GITLAB,
    LONG_ID,
    REPOSITORIES,
    ROLE,
    ROLES,
    SETS,
    SSO_ARN,
    SSO_BARE,
    SSO_ROLE,
    SSO_SESSION,
    TOPIC,
    USER,
    USERS,
    VALID,
    WEB_LIFECYCLE,
    alerts,
    beside,
    boundary,
    clean_up,
    connected,
    connections,
    defaults,
    edited,
    emails,
    end,
    existing,
    findings,
    github,
    gitlab,
    lifecycle,
    long_family,
    many_tasks,
    misplaced,
    numbered,
    of_web,
    own_tags,
    prefix,
    protected,
    pushers,
    refresh,
    repositories,
    role_path,
    tags,
    task,
    teams,
    top,
    topic,
)
from tests.settings.refusals import REFUSED_BY_LOADER, REGISTRY, TOGETHER, WEB
from tools import ROOT

TASK_SCHEMA = jsonschema.Draft202012Validator(EcsTask.model_json_schema())


def loaded(folder: Path, **files: str | bytes) -> list[Environment]:
    for name, content in files.items():
        (folder / f"{name}.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_environments(folder)


def refusals(folder: Path, **files: str | bytes) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        loaded(folder, **files)
    return str(refused.value).splitlines()


@pytest.mark.parametrize(
    ("content", "key", "wrong", "fix"), [pytest.param(*row, id=rule) for rule, *row in REFUSED_BY_LOADER]
)
def test_one_problem_is_reported_in_one_line(
    tmp_path: Path, content: str | bytes, key: str, wrong: str, fix: str
) -> None:
    (line,) = refusals(tmp_path, dev=content)

    assert line.startswith(f"dev.toml: {key}: ")
    assert line == line.strip()
    reported_wrong, _, reported_fix = line.removeprefix(f"dev.toml: {key}: ").partition("; ")
    assert wrong in reported_wrong
    assert fix in reported_fix


@pytest.mark.parametrize("name", ["Dev", "1dev", "dev-", "dev--eu", "dev_eu", "dev.eu"])
def test_a_file_name_that_cannot_be_the_name_of_an_environment_is_refused(tmp_path: Path, name: str) -> None:
    (line,) = refusals(tmp_path, **{name: VALID})

    assert line.startswith(f"{name}.toml: name: {name!r} is not the name of an environment; rename the file: use lower")


@pytest.mark.parametrize(("folder", "what"), [(".", "has no .toml file"), ("nowhere", "is not a folder")])
def test_a_folder_without_settings_files_is_refused(tmp_path: Path, folder: str, what: str) -> None:
    (line,) = refusals(tmp_path / folder)

    assert line == f"{tmp_path / folder}: folder: {what}; put one file per environment there, such as dev.toml"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dev.toml").mkdir()

    (line,) = refusals(tmp_path)

    assert line == "dev.toml: file: cannot be read (Is a directory); make it a file that you may read, or delete it"


@pytest.mark.parametrize("text", ["a = " + "[" * 9000, "a = " + "1" * 9000], ids=["nested deep", "a huge number"])
def test_toml_that_python_cannot_read_is_refused(tmp_path: Path, text: str) -> None:
    (line,) = refusals(tmp_path, dev=text)

    assert line == "dev.toml: file: cannot be read as TOML; write it like the files in examples/"


def test_hidden_files_other_file_types_and_files_in_subfolders_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("About the environments.")
    (tmp_path / ".#dev.toml").write_text("An editor's lock.")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "prod.toml").write_text(prefix("prod").replace("analytics", "risk"))

    assert [environment.name for environment in loaded(tmp_path, dev=VALID)] == ["dev"]


def test_every_problem_of_every_file_is_reported(tmp_path: Path) -> None:
    lines = refusals(
        tmp_path,
        prod=VALID.replace('"111111111111"', "1").replace("web-scraper", "Web") + "speed = 1",
        dev="account = ?",
        test=connected("x", "y"),
    )

    assert [line.rpartition("; ")[0].split(": ")[:2] for line in lines] == [
        ["dev.toml", "line 1"],
        ["prod.toml", "account"],
        ["prod.toml", REPOSITORIES],
        ["prod.toml", f"{DOCKER}.speed"],
        ["test.toml", f"{DOCKER}.teams"],
        ["test.toml", f"{DOCKER}.teams"],
    ]


def test_problems_in_a_file_and_between_files_are_reported_together(tmp_path: Path) -> None:
    lines = refusals(tmp_path, dev=VALID, eu=prefix("eu").replace('teams = ["analytics"]', 'teams = ["x"]'))

    assert [line.split(": ")[:2] for line in lines] == [
        ["eu.toml", f"{DOCKER}.teams"],
        ["eu.toml", "teams.analytics"],
    ]


def test_two_environments_of_an_account_and_region_cannot_have_a_team_of_the_same_name(tmp_path: Path) -> None:
    # The push role of each environment would allow pushes to the repositories of the other environment.
    other = 'connections_prefix = "eu"\n' + repositories("another")

    (line,) = refusals(tmp_path, dev=VALID, eu=other)

    what = "eu.toml: teams.analytics: team 'analytics' also belongs to dev.toml"
    assert line == f"{what}; change the name of the team in one of the two files"


def test_an_existing_repository_cannot_belong_to_another_environment_of_the_account_and_region(tmp_path: Path) -> None:
    def eu(*names: str) -> str:
        table = f"[teams.eu-analytics]\nexisting_repositories = {[*names]}\n"
        other = VALID.replace("analytics", "eu-analytics").replace("[teams.eu-analytics]\n", table)
        return f'connections_prefix = "eu"\n{other}'

    for name, what, fix in (
        (
            "analytics/churn-model",
            "'analytics/churn-model' starts with the name of the team analytics of dev.toml",
            "remove it from eu.toml",
        ),
        (
            "web_scraper",
            "'web_scraper' is also in existing_repositories of dev.toml",
            "keep it in one of the two files",
        ),
    ):
        (line,) = refusals(tmp_path, dev=existing("web_scraper"), eu=eu("other", name))
        assert line == f"eu.toml: teams.eu-analytics.existing_repositories: {what}; {fix}"
        assert len(loaded(tmp_path, eu=eu("other", name).replace("eu-west-1", "eu-west-2"))) == 2
    # The file with the existing repository is named, also if it comes first.
    second = tmp_path / "second"
    second.mkdir()
    (line,) = refusals(second, a=eu("analytics/x"), dev=VALID)
    assert line.startswith("a.toml: teams.eu-analytics.existing_repositories: 'analytics/x' starts with")
    assert len(loaded(second, a=eu("analytics", "analytics-2/x"))) == 2


def test_two_environments_of_an_account_and_region_cannot_have_the_same_secret(tmp_path: Path) -> None:
    (line,) = refusals(tmp_path, dev=VALID, eu=VALID.replace("analytics", "eu-analytics"))

    what = "eu.toml: connections.docker_default: secret 'airflow/connections/docker_default' also belongs to dev.toml"
    assert line == f"{what}; change the connections_prefix or the ID of the connection in one of the two files"


def test_two_environments_of_an_account_cannot_have_the_same_push_role_even_in_two_regions(tmp_path: Path) -> None:
    one = VALID.replace("analytics", "b-ecr-push-c")
    other = VALID.replace("analytics", "c").replace("eu-west-1", "us-east-1")

    (line,) = refusals(tmp_path, **{"a": one, "a-ecr-push-b": other})

    what = "a-ecr-push-b.toml: teams.c: push role 'a-ecr-push-b-ecr-push-c' also belongs to a.toml"
    assert line == f"{what}; change the name of the team or of the environment in one of the two files"


@pytest.mark.parametrize("elsewhere", [("eu-west-1", "us-east-1"), ("111111111111", "222222222222")])
def test_environments_in_different_regions_or_accounts_can_have_the_same_names(
    tmp_path: Path, elsewhere: tuple[str, str]
) -> None:
    names = [environment.name for environment in loaded(tmp_path, prod=VALID, dev=VALID.replace(*elsewhere))]

    assert names == ["dev", "prod"]


def test_the_examples_are_accepted() -> None:
    assert [environment.name for environment in load_environments(ROOT / "examples")] == ["dev", "prod"]


def test_the_environment_of_the_demo_is_accepted() -> None:
    (local,) = (each for each in load_environments(ROOT / "environments") if each.name == "local")

    assert (local.account, local.region, local.secret_key) == ("123456789012", "us-east-1", "customer")
    assert {name: team.repositories for name, team in local.teams.items()} == {
        "analytics": ("web-scraper", "churn-model"),
        "risk": ("var",),
    }


ACCEPTED = {
    "readers in other accounts": beside('pull_accounts = ["222222222222"]\npull_organization = "o-abcd123456"'),
    "other principals that may push": beside('others_may_push_because = "CodeBuild still pushes"'),
    "a secret's name of 512 characters": prefix("p" * 497),
    "a push role's name of 64 characters": teams("t" * 51),
    "a repository's name of 256 characters": repositories("r" * 246),
    "a repository's name with separators": repositories("a/b.c_d-e", "2"),
    "repositories' names with two underscores or hyphens": repositories("a__b", "c--d", "e---f/g__h"),
    "an existing repository's name of 256 characters": existing("r" * 256),
    "existing repositories with separators": existing("web_scraper", "a__b", "c--d/e.f", "2"),
    "an existing repository with the name of its team": existing("analytics", "analytics/by-hand"),
    "existing repositories that fill the policy of a push role": existing(*numbered("r" * 140, 39)),
    "only existing repositories": edited(
        'repositories = ["web-scraper", "churn-model"]', 'existing_repositories = ["a"]'
    ),
    "a task of an existing repository": task(repository="web_scraper").replace(
        "[teams.analytics]\n", '[teams.analytics]\nexisting_repositories = ["web_scraper"]\n'
    ),
    "a connection's id of 250 characters": connections(LONG_ID[:-1]),
    "a refresh every 10 minutes": refresh(10),
    "a refresh every 180 minutes": refresh(180),
    "one kept image": defaults("keep_images = 1"),
    "10000 kept images": defaults("keep_images = 10000"),
    "48 protected patterns": protected("*a*b*c*", *numbered("v", 47)),
    "protected tags beside the older number of images": protected("release-*") + f"[{DEFAULTS}]\nkeep_images = 5\n",
    "a lifecycle of one repository": of_web("keep_images = 5\nexpire_untagged_after_days = 3650"),
    "a repository from which nothing is deleted": lifecycle("keep_images = 5") + f"[{WEB_LIFECYCLE}]\n",
    "five tag patterns": tags("a*b*", "b", "c", "E_.-", "d" * 128),
    "200 teams": teams(*numbered("t", 199)),
    "490 repositories": repositories(*numbered("r", 490)),
    "a team without repositories that a push creates": edited("repositories =", "create_on_push = true #"),
    "498 resources in the stack of the repositories": repositories(*numbered("r", 486))
    + teams(*numbered("t", 4)).removeprefix(VALID).replace("push.", "create_on_push = true\npush."),
    "settings of the repositories that a push creates": beside(
        'create_on_push = true\npull_accounts = ["222222222222"]\nlifecycle.keep_images = 5\n#'
    ).replace('repositories = ["web-scraper", "churn-model"]\n', ""),
    "an existing repository with the name of another team": existing("risk") + teams("risk").removeprefix(VALID),
    "35 connections": connections(*numbered("docker_", 34)),
    "MFA for users": pushers(USERS, USER, mfa="true"),
    "a branch of a repository on GitHub": github('branch = "main"'),
    "branches of a repository with IDs": github('branch = "release/*"\nowner_id = 1234\nrepository_id = 5678'),
    "an environment on GitHub": github('environment = "Production EU/1"'),
    "a project on GitLab": gitlab('branch = "feature/ABC-1_x"'),
    "tags of a project on another GitLab server": gitlab('tag = "v*"\nurl = "https://example.com/git"\naudience = "x"'),
    "MFA for users beside a workflow": github('branch = "main"').replace(
        f"[[{GITHUB}]]", f'user_arns = ["{USER}"]\nrequire_mfa = true\n[[{GITHUB}]]'
    ),
    "a clean-up on Sundays": clean_up('schedule = "cron(30 2 ? * SUN *)"'),
    "a tag with letters of other languages": clean_up("").replace('"worker"', '"große Worker"'),
    "ten tasks with a short role_path": f'role_path = "/{"p" * 23}/"\n{many_tasks(10)}',
    "a large task": task("cpu_units = 4096\nmemory_mib = 30720"),
    "a topic of another account": topic(TOPIC.replace("1111", "2222")),
    "an empty list beside a topic": alerts(f'emails = []\ntopic_arn = "{TOPIC}"'),
    "a severity of findings": findings("high"),
    "no findings beside no alerts": alerts('off_because = "a sandbox"\nscan_findings = "off"'),
    "no scans and no findings": f'scan = "off"\n{findings("off")}',
    "no scans, with alerts": top('scan = "off"'),
    "scans of the registry": top('scan = "registry"'),
    "49 tags": own_tags(*(f'{key} = "x"' for key in numbered("k", 49))),
    "the longest tag": own_tags(f'{"k" * 128} = "{"v" * 256}"'),
    "tags with all characters": own_tags('"a1 +-=._:/@" = "ä9 +-=._:/@"', 'teams = "x"', '"my aws:x" = "x"'),
    "no alerts, for a reason": alerts('off_because = "a sandbox"'),
    "a pushing role of another account": pushers(ROLES, AWAY),
    "a permissions boundary": boundary(BOUNDARY),
    "the path of all roles": role_path("/data/platform/"),
    "a runbook at a URL": alerts('off_because = "a sandbox"\nrunbook = "https://example.com/runbook?page=1"'),
    "a role with a path": pushers(ROLES, ROLE.replace("ci", "team/ci")),
    "a user in China": edited("eu-west-1", "cn-north-1").replace(USER, CHINA_USER),
    "a boundary that AWS manages": boundary("arn:aws:iam::aws:policy/PowerUserAccess"),
    "a boundary with a path": boundary(f"arn:aws:iam::111111111111:policy/org/data/{'b' * 128}"),
    "roles with all characters": pushers(
        ROLES, *(ROLE.replace("ci", name) for name in (f"a+=,.@-_/B9/{'r' * 64}", "_9Z"))
    ),
    "users with all characters": pushers(
        USERS, *(USER.replace("ana", name) for name in (f"a+=,.@-_/B9/{'u' * 64}", "_9Z"))
    ),
    "permission sets with all characters": pushers(SETS, "+=,.@-_Z9", "p" * 32, "AWSReservedSSO"),
    "a break-glass role with a path": top(f'break_glass_role_arns = ["{ROLE.replace("ci", "a/b/ci")}"]'),
    "a role_path of 512 characters": role_path(f"/{'x' * 255}/{'y' * 254}/"),
    "a role_path with all characters": role_path("/a+=,.@-_/B9/"),
    "a prefix with all characters": prefix("Aa0_+=.@-/b/c"),
    "teams with digits": teams("a-1b2", "b3", "c-4"),
    "connections that start with a digit or an underscore": connections("docker_2", "docker__a"),
    "repositories of GitHub with all characters": github(
        f'branch = "a"\n[[{GITHUB}]]\nrepository = "{"o" * 100}/{"r" * 100}"\nbranch = "a"', "acme_9-Z/.A_b-c.d"
    ),
    "the largest IDs": github(f'branch = "a"\nowner_id = {10**15}\nrepository_id = {10**15}'),
    "branches with all characters": github(
        "".join(
            f'branch = "{name}"\n[[{GITHUB}]]\nrepository = "acme/app"\n' for name in ("_a.B-9/c", ".a", "-", "refs-1")
        )
        + f'branch = "{"b" * 250}"'
    ),
    "patterns of branches and tags": gitlab('branch = "release-*"')
    + f'[[{GITLAB}]]\nproject = "acme/app"\ntag = "release/*"\n',
    "the longest name of an environment on GitHub": github(f'environment = "{"E" * 255}"'),
    "a project in many groups on a GitLab server with a path": gitlab(
        'tag = "v1.0_a-b"\nurl = "https://git-2.example.co.uk/a/b_c.d-e"\naudience = "https://git-2.example.co.uk/a:b"',
        "A_0/b.c/d-e/f/g/h",
    ),
    "the longest audience": gitlab(f'branch = "a"\naudience = "{"a" * 255}"'),
    "e-mail addresses with all characters": emails("a.B+c_d-1@x-y.example.co.uk", "it's/me@example.com"),
    "ten e-mail addresses": emails(*(f"{name}@example.com" for name in numbered("a", 10))),
    "the longest name of a topic": topic(TOPIC.replace("alerts", f"a_B-9{'t' * 251}")),
    "a topic in GovCloud": edited("eu-west-1", "us-gov-west-1")
    .replace(USER, USER.replace("aws", "aws-us-gov"))
    .replace('emails = ["ops@example.com"]', 'topic_arn = "arn:aws-us-gov:sns:us-gov-west-1:111111111111:alerts"'),
    "the longest ID of an organization": beside(f'pull_organization = "o-{"a9" * 16}"'),
    "the longest runbook": alerts(f'off_because = "a sandbox"\nrunbook = "{"r" * 500}"'),
    "the longest tag of instances": clean_up("")
    .replace('"role"', f'"{"k" * 127}"')
    .replace('"worker"', '"Aa 0_.:/=+@-"'),
    **{
        f"a clean-up at {hour} on {day}": clean_up(f'schedule = "cron(59 {hour} ? * {day} *)"')
        for hour, day in zip(
            ("0", "00", "09", "9", "10", "19", "20", "23"),
            ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN", "*"],
            strict=True,
        )
    },
    "a clean-up after a year": clean_up("containers_older_than_hours = 8760\nimages_older_than_hours = 8760"),
    "a clean-up after an hour": clean_up("containers_older_than_hours = 1\nimages_older_than_hours = 1"),
    "untagged images of a day": lifecycle("expire_untagged_after_days = 1"),
    "protected patterns with all characters": protected("_.-A*9*b*c", "d" * 128, "*"),
    "the longest image tag": task(f'image_tag = "_.-{"a" * 125}"'),
    "a task of an existing repository of another team": task(repository="old_risk")
    + teams("risk")
    .removeprefix(VALID)
    .replace("[teams.risk]\n", '[teams.risk]\nexisting_repositories = ["old_risk"]\n'),
    "600 teams in all connections": teams(*numbered("t", 61))
    + "\n".join(f"[connections.docker_{n}]\nteams = {numbered('t', 60)}" for n in range(9))
    + f"\n[connections.docker_9]\nteams = {numbered('t', 59)}",
    "a task family of 255 characters": long_family().replace("r" * 242, "r" * 241),
    "a topic of another account and in the same Region": topic(TOPIC.replace("1111", "2222")),
    "existing repositories whose names begin like a team": existing("analytics-old/app", "analytics_old", "risk/app"),
    "an existing repository with the name of a managed one in another namespace": existing("old/web-scraper"),
    "scans of the registry and findings": f'scan = "registry"\n{findings("high")}',
    "a customer managed key in GovCloud": top('secret_key = "customer"')
    .replace("eu-west-1", "us-gov-west-1")
    .replace(USER, USER.replace("aws", "aws-us-gov")),
    "a file from Windows": "\ufeff" + VALID.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_valid_settings_are_accepted(tmp_path: Path, content: str) -> None:
    assert len(loaded(tmp_path, dev=content)) == 1


# The memory sizes in MiB for each number of CPU units (Amazon ECS Developer Guide, "Task size").
FARGATE = {
    256: [512, 1024, 2048],
    512: [1024, 2048, 3072, 4096],
    1024: [gib * 1024 for gib in range(2, 9)],
    2048: [gib * 1024 for gib in range(4, 17)],
    4096: [gib * 1024 for gib in range(8, 31)],
    8192: [gib * 1024 for gib in range(16, 61, 4)],
    16384: [gib * 1024 for gib in range(32, 121, 8)],
}


@pytest.mark.parametrize("cpu_units", FARGATE)
def test_the_memory_sizes_that_fargate_offers_are_accepted_and_no_others(cpu_units: int) -> None:
    def is_accepted(memory_mib: int) -> bool:
        found = {"image_tag": "1", "cpu_units": cpu_units, "memory_mib": memory_mib}
        by_schema = TASK_SCHEMA.is_valid(found)
        try:
            EcsTask.model_validate(found)
        except pydantic.ValidationError:
            assert not by_schema
            return False
        assert by_schema
        return True

    assert [mib for mib in range(512, 131_073, 512) if is_accepted(mib)] == FARGATE[cpu_units]
    assert not is_accepted(FARGATE[cpu_units][0] + 1)


SUGGESTED: dict[str, tuple[str, Callable[[str], str]]] = {
    "a similar setting": ("acount", lambda word: edited("account =", f"{word} =")),
    "a similar Region": ("eu-wst-1", lambda word: edited("eu-west-1", word)),
    "a similar team": ("analytic", lambda word: connected(word)),
    "a similar repository": ("analytics/web-scrap", lambda word: task(repository=word)),
}


@pytest.mark.parametrize(("typo", "write"), SUGGESTED.values(), ids=SUGGESTED.keys())
def test_a_suggested_word_is_itself_accepted(tmp_path: Path, typo: str, write: Callable[[str], str]) -> None:
    line = next(line for line in refusals(tmp_path, dev=write(typo)) if "did you mean" in line)
    suggestion = line.partition("did you mean ")[2].partition("?")[0]

    assert len(loaded(tmp_path, dev=write(suggestion))) == 1


def test_following_the_messages_one_by_one_leads_to_a_file_that_is_accepted(tmp_path: Path) -> None:
    content = 'connections_prefix = "airflow/connections"\n'
    for _ in range(12):
        try:
            loaded(tmp_path, dev=content)
            break
        except SettingsError as error:
            line = str(error).splitlines()[0]
            key, added = line.split(": ")[1], line.partition("; add ")[2]
            if added.startswith("a table ["):
                content += added.removeprefix("a table ").partition(" with ")[0] + "\n"
            elif "missing" in line:
                table = key.rpartition(".")[0]
                content = content.replace(f"[{table}]\n", f"[{table}]\n{added}\n") if table else f"{added}\n{content}"
            else:
                entry = {
                    "teams.analytics": 'repositories = ["web-scraper"]',
                    "teams.analytics.push": f'user_arns = ["{USER}"]',
                    "alerts": 'off_because = "a sandbox"',
                }[key]
                content = content.replace(f"[{key}]\n", f"[{key}]\n{entry}\n")
    else:
        pytest.fail(f"still refused: {line}")


WRITTEN = [
    row for row in TOGETHER if row[2] in (REPOSITORIES, f"ecs.tasks.'{REGISTRY}/{WEB}:1'") and "write '" in row[4]
]


@pytest.mark.parametrize("content", [pytest.param(row[1], id=row[0]) for row in WRITTEN])
def test_a_suggested_name_of_a_repository_is_accepted(tmp_path: Path, content: str) -> None:
    (line,) = refusals(tmp_path, dev=content)
    entry, suggestion = line.split("'")[1], line.rpartition("write '")[2].removesuffix("'")

    assert len(loaded(tmp_path, dev=content.replace(entry, suggestion))) == 1


@pytest.mark.parametrize(
    "names", [["app", f"{REGISTRY}/app:5"], [f"{REGISTRY}/app:5", "app"], ["analytics/app", f"{REGISTRY}/app:5"]]
)
def test_following_the_fixes_of_two_names_of_one_repository_leads_to_a_file_that_is_accepted(
    tmp_path: Path, names: list[str]
) -> None:
    for _ in range(3):
        try:
            loaded(tmp_path, dev=repositories(*names))
            break
        except SettingsError as error:
            line = str(error).splitlines()[0]
            position = names.index(line.split("'")[1])
            names[position : position + 1] = [] if "remove it" in line else [line.rpartition("write '")[2].strip("'")]

    assert loaded(tmp_path, dev=repositories(*names))[0].teams["analytics"].repositories == ("app",)


@pytest.mark.parametrize("key", [ROLES, USERS, SETS])
@pytest.mark.parametrize("text", [SSO_ARN, SSO_BARE, SSO_SESSION, SSO_ROLE, SSO_ROLE[:-17]])
def test_the_permission_set_of_a_refused_role_is_accepted(tmp_path: Path, key: str, text: str) -> None:
    (line,) = refusals(tmp_path, dev=pushers(key, text))

    (name,) = re.findall(r"the permission set,? (\w+)", line)
    assert len(loaded(tmp_path, dev=pushers(SETS, name))) == 1


@pytest.mark.parametrize("line", ['region = "eu-west-1"', 'account = "111111111111"'])
def test_a_setting_that_is_moved_above_the_first_table_is_accepted(tmp_path: Path, line: str) -> None:
    content = misplaced(line)
    assert "belongs above the first table" in refusals(tmp_path, dev=content)[0]

    assert len(loaded(tmp_path, dev=f"{line}\n{content.removesuffix(line + chr(10))}")) == 1


def test_a_misplaced_setting_does_not_hide_that_another_setting_is_missing(tmp_path: Path) -> None:
    lines = refusals(tmp_path, dev=misplaced('region = "eu-west-1"').replace('account = "111111111111"\n', ""))

    assert [line.split(": ")[1] for line in lines] == ["account", f"{DOCKER}.region"]


def test_the_message_about_a_misplaced_setting_names_each_table_once(tmp_path: Path) -> None:
    (line,) = refusals(tmp_path, dev=beside("keep_images = 5"))
    assert line.endswith(f"; it belongs in [teams.analytics.lifecycle] or [{DEFAULTS}]")

    (line,) = refusals(tmp_path, dev=end("account = '444455556666'"))
    assert line.endswith("; it belongs above the first table")


def test_a_setting_that_is_moved_to_the_named_table_is_accepted(tmp_path: Path) -> None:
    (line,) = refusals(tmp_path, dev=beside("keep_images = 5"))

    heading = line.rpartition("it belongs in ")[2].partition(" or ")[0]
    assert len(loaded(tmp_path, dev=end(f"{heading}\nkeep_images = 5"))) == 1


def with_task(team: str, repository: str) -> str:
    return (
        VALID.replace("analytics", team).replace('"web-scraper", "churn-model"', f'"{repository}"')
        + f'[workers]\nrole_arns = ["{ROLE}"]\n[ecs.tasks."{team}/{repository}"]\nimage_tag = "1"\n'
    )


def in_account(text: str, account: str) -> str:
    return text.replace("111111111111", account)


EU = 'connections_prefix = "eu"\n'
OTHER_TEAM = VALID.replace("analytics", "risk")
# For each kind of name, the files of two environments that both have the name.
PAIRS = {
    "team": (VALID, EU + VALID),
    "secret": (VALID, OTHER_TEAM),
    "existing_repositories": (
        existing("first", "old"),
        EU + OTHER_TEAM.replace("[teams.risk]\n", '[teams.risk]\nexisting_repositories = ["other", "old"]\n'),
    ),
    "the name of the team": (
        VALID,
        EU + OTHER_TEAM.replace("[teams.risk]\n", '[teams.risk]\nexisting_repositories = ["a", "analytics/b"]\n'),
    ),
}


@pytest.mark.parametrize("what", PAIRS)
def test_a_name_of_two_of_many_files_is_found(tmp_path: Path, what: str) -> None:
    one, other = PAIRS[what]

    (line,) = refusals(
        tmp_path,
        a=in_account(VALID, "222222222222"),
        b=one,
        c=in_account(VALID, "333333333333"),
        d=other,
        e=in_account(VALID, "444444444444"),
    )

    assert line.startswith("d.toml: ")
    assert what in line
    assert "b.toml" in line


def test_two_environments_of_an_account_and_region_cannot_have_the_same_task_family(tmp_path: Path) -> None:
    # Otherwise the workers of each environment could run the task of the other environment.
    twin, twin_eu = with_task("eu-risk", "var"), 'connections_prefix = "eu"\n' + with_task("risk", "var")

    (line,) = refusals(tmp_path, **{"twin": twin, "twin-eu": twin_eu})

    what = "twin-eu.toml: ecs.tasks.'risk/var': task family 'twin-eu-risk-var' also belongs to twin.toml"
    fix = "change the name of the repository, of the team or of the environment in one of the two files"
    assert line == f"{what}; {fix}"
    assert len(loaded(tmp_path, **{"twin-eu": twin_eu.replace("var", "value-at-risk")})) == 2
    assert len(loaded(tmp_path, **{"twin-eu": twin_eu.replace("eu-west-1", "eu-west-2")})) == 2


def test_names_that_differ_only_in_separators_cannot_have_the_same_task_family(tmp_path: Path) -> None:
    one, other = with_task("eu", "risk/var"), 'connections_prefix = "eu"\n' + with_task("risk", "var")

    (line,) = refusals(tmp_path, **{"twin": one, "twin-eu": other})

    assert "task family 'twin-eu-risk-var' also belongs to twin.toml" in line
