"""The estimates of the templates' sizes, compared with real templates at the largest accepted settings."""

import json
from pathlib import Path

import pytest

from settings.files import SettingsError, load_environments
from settings.template_size import (
    RESOURCES_QUOTA,
    TEMPLATE_QUOTA,
    access_template_bytes,
    docker_login_resources,
    docker_login_template_bytes,
    ecs_tasks_template_bytes,
    registry_template_bytes,
)
from tests.stacks.conftest import PLAIN, RICH
from tests.templates import Templates, synthesize

BREAK_GLASS = 'break_glass_role_arns = ["arn:aws:iam::111111111111:role/BreakGlass"]'
READERS = 'pull_accounts = ["222222222222", "333333333333"]\npull_organization = "o-abcd123456"'
TAGS = "\n".join(f'tags."{key} von Müller" = "{key * 50}"' for key in "abcde")
LIFECYCLE = 'lifecycle = {protected_tags = ["release-*", "v*"], keep_images = 50, expire_untagged_after_days = 30}'
MUTABLE = 'repository_defaults.mutable_tags = ["latest", "release-*"]'


def large(repositories: int, *, top: str = "", team: str = "", name: str = "repository") -> str:
    """Return settings with repositories in ten teams."""
    tables = "".join(
        f"[teams.team-{number}]\n{team}\n"
        f"repositories = {[f'{name}-{number}-{each}' for each in range(repositories // 10)]}\n"
        'push.role_arns = ["arn:aws:iam::111111111111:role/ci"]\n'
        for number in range(10)
    )
    head = f'account = "111111111111"\nregion = "eu-west-1"\n{top}\nalerts.off_because = "a test"\n'
    return f'{head}{tables}[connections.docker_default]\nteams = ["team-0"]\n'


def test_the_estimate_fits_small_templates(templates: Templates, tmp_path: Path) -> None:
    for name, text in {"rich": RICH, "plain": PLAIN}.items():
        (tmp_path / f"{name}.toml").write_text(text)

    for environment in load_environments(tmp_path):
        # In these templates, the CDK leaves out its version, which is a large part of a small template.
        template = json.dumps(templates[f"{environment.name}-Registry"], separators=(",", ":"))
        assert len(template.encode()) <= registry_template_bytes(environment)


@pytest.mark.parametrize(
    "settings",
    [
        large(490),
        large(490, top=BREAK_GLASS),
        large(250, top=BREAK_GLASS, team=f"{READERS}\n{MUTABLE}\n{LIFECYCLE}"),
        large(490, team='others_may_push_because = "a test"'),
        large(350, top=f"{BREAK_GLASS}\n{TAGS}"),
        large(300, top=BREAK_GLASS, team=MUTABLE, name="long__name/of.a-repository-" * 8),
    ],
    ids=["defaults", "break glass", "everything", "no denials", "tags", "long names"],
)
def test_the_estimate_fits_templates_with_as_many_repositories_as_are_accepted(settings: str, tmp_path: Path) -> None:
    (tmp_path / "full.toml").write_text(settings)

    synthesize(tmp_path, tmp_path / "cdk.out")

    [environment] = load_environments(tmp_path)
    [file] = (tmp_path / "cdk.out").glob("assembly-full/fullRegistry*.template.json")
    size = file.stat().st_size
    assert size <= TEMPLATE_QUOTA
    assert size <= registry_template_bytes(environment) <= 1.1 * size
    assert len(json.loads(file.read_text())["Resources"]) <= 500


# Each team has an IAM user, a permission set and workflows of two OIDC providers, one of them with wildcards.
PUSHERS = """
push.user_arns = ["arn:aws:iam::111111111111:user/ana"]
push.permission_sets = ["DataAnalyst"]
push.github = [
  {repository = "acme/pipelines", branch = "main", owner_id = 12, repository_id = 34},
  {repository = "acme/pipelines", branch = "release/*"},
]
push.gitlab = [
  {project = "acme/pipelines", branch = "main", url = "https://git.example.com/ci", audience = "https://example.com"},
]
"""


def many(
    connections: int,
    teams: int,
    *,
    of_each: int,
    top: str = "",
    team: str = "",
    existing: int = 0,
    name: str = "docker",
) -> str:
    """Return settings with connections, and with teams that have long names.

    Args:
        connections: The number of connections.
        teams: The number of teams.
        of_each: The number of teams that each connection can pull from.
        top: More settings of the environment.
        team: More settings of each team.
        existing: The number of existing repositories of each team.
        name: The start of the names of the connections.
    """
    names = [f"{'t' * 45}-{number}" for number in range(teams)]
    tables = "".join(
        f"[teams.{each}]\nrepositories = ['r']\npush.role_arns = ['arn:aws:iam::111111111111:role/ci']\n"
        f"existing_repositories = {[f'old_repository-{each[46:]}-{number}' for number in range(existing)]}\n{team}\n"
        for each in names
    )
    logins = "".join(f"[connections.{name}_{number}]\nteams = {names[:of_each]}\n" for number in range(connections))
    head = f'account = "111111111111"\nregion = "eu-west-1"\nsecret_key = "customer"\n{top}\n'
    return f"{head}alerts.emails = {[f'{number}@example.com' for number in range(10)]}\n{tables}{logins}"


def foreign(connections: int, *, teams: int, repositories: int, top: str = "") -> str:
    """Return settings with connections, each of which pulls from the registry of another account and Region.

    Args:
        connections: The number of connections.
        teams: The number of teams that each connection can pull from.
        repositories: The number of single repositories that each connection can pull from.
        top: More settings of the environment.
    """
    team_names = [f"{'t' * 45}-{number}" for number in range(teams)]
    repository_names = [f"tools/{'r' * 50}-{number}" for number in range(repositories)]
    logins = "".join(
        f"[connections.docker_{number}]\nregistry = {{ account = '4444555566{number:02}', region = 'us-west-2' }}\n"
        f"teams = {team_names}\nrepositories = {repository_names}\n"
        for number in range(connections)
    )
    return many(0, 1, of_each=0, top=top) + logins


@pytest.mark.parametrize(
    "settings",
    [
        many(35, 200, of_each=17),
        many(35, 20, of_each=1, top=f"{BREAK_GLASS}\n{TAGS}"),
        many(5, 200, of_each=17, top=TAGS),
        many(25, 5, of_each=5, name=f"docker_{'x' * 60}"),
        many(1, 200, of_each=1, team=PUSHERS),
        many(20, 30, of_each=1, existing=45, top='alerts.scan_findings = "high"'),
        many(5, 5, of_each=1, existing=1, top="workers.pull_directly = true"),
        foreign(35, teams=17, repositories=0),
        foreign(35, teams=1, repositories=30),
        foreign(6, teams=1, repositories=1, top="workers.pull_directly = true"),
    ],
    ids=[
        *("the limits", "tags", "tags of many teams", "long names", "workflows", "existing repositories", "few"),
        *("teams of other registries", "repositories of other registries", "workers with other registries"),
    ],
)
def test_the_estimates_fit_templates_with_many_connections_teams_and_tags(settings: str, tmp_path: Path) -> None:
    (tmp_path / "full.toml").write_text(settings)

    synthesize(tmp_path, tmp_path / "cdk.out")

    [environment] = load_environments(tmp_path)
    estimates = {
        "DockerLogin": docker_login_template_bytes(environment),
        "Access": access_template_bytes(environment),
    }
    resources = {}
    for stack, estimate in estimates.items():
        [file] = (tmp_path / "cdk.out").glob(f"assembly-full/full{stack}*.template.json")
        size = file.stat().st_size
        assert size <= min(estimate, TEMPLATE_QUOTA), stack
        assert estimate <= 1.15 * size or estimate < TEMPLATE_QUOTA / 2, stack
        resources[stack] = len(json.loads(file.read_text())["Resources"])
        assert resources[stack] <= RESOURCES_QUOTA
    assert resources["DockerLogin"] <= docker_login_resources(environment) <= resources["DockerLogin"] + 15


def test_too_many_resources_for_a_template_are_refused(tmp_path: Path) -> None:
    """Existing repositories need rules for findings of scans, and these rules are resources."""
    (tmp_path / "full.toml").write_text(many(35, 25, of_each=1, existing=40))

    with pytest.raises(SettingsError, match=r"DockerLogin has about 5\d\d resources, and CloudFormation accepts 500"):
        load_environments(tmp_path)


LONG_TAGS = "tags = {" + ", ".join(f'{"k" * 126}{number} = "{"v" * 256}"' for number in range(10, 59)) + "}"


@pytest.mark.parametrize(
    ("settings", "key", "fix"),
    [
        (many(35, 20, of_each=1, top=LONG_TAGS), "tags", "remove or shorten tags"),
        (many(35, 20, of_each=1, name=f"docker_{'x' * 200}"), "connections", "shorten names"),
    ],
    ids=["tags", "long names"],
)
def test_a_message_about_a_template_that_is_too_large_names_the_cause(
    settings: str, key: str, fix: str, tmp_path: Path
) -> None:
    (tmp_path / "full.toml").write_text(settings)

    with pytest.raises(SettingsError) as refused:
        load_environments(tmp_path)

    of_docker_login = [line for line in str(refused.value).splitlines() if "the template of full-DockerLogin" in line]
    [line] = of_docker_login
    assert line.startswith(f"full.toml: {key}: ")
    assert fix in line


def test_the_estimate_fits_tasks_on_fargate(templates: Templates, tmp_path: Path) -> None:
    (tmp_path / "rich.toml").write_text(RICH)

    [environment] = load_environments(tmp_path)
    template = json.dumps(templates["rich-EcsTasks"], separators=(",", ":"))
    assert len(template) <= ecs_tasks_template_bytes(environment) <= 2.5 * len(template)


SMALL = """
account = "{account}"
region = "eu-west-1"
secret_key = "customer"
{top}
[teams.one]
repositories = ["a", "b", "c"]
push.role_arns = ["arn:aws:iam::{account}:role/ci"]
{team}
[connections.docker_1{word}]
teams = ["one"]
[connections.docker_2{word}]
teams = ["one"]
[connections.docker_3{word}]
teams = ["one"]
{end}
"""
TASKS = "".join(f'[ecs.tasks."one/{name}"]\nimage_tag = "1"\n' for name in "abc")
WORKER_ROLE = '"arn:aws:iam::{account}:role/airflow-worker"'
WITH_TASKS = f"workers.role_arns = [{WORKER_ROLE}]"
LONG = "x" * 100
# For each setting that makes templates larger, the settings without it and with it.
LONG_TEXTS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "prefix": ({}, {"top": f'connections_prefix = "{LONG}"'}),
    "glass": ({}, {"top": f'break_glass_role_arns = ["arn:aws:iam::{{account}}:role/{LONG[:60]}"]'}),
    "workers": ({"top": WITH_TASKS}, {"top": f'workers.role_arns = [{WORKER_ROLE}, {WORKER_ROLE[:-1]}-{LONG[:40]}"]'}),
    "runbook": ({}, {"top": f'alerts.runbook = "https://example.com/{LONG}"'}),
    "path": ({}, {"top": f'role_path = "/{LONG}/"'}),
    "boundary": (
        {"top": 'permissions_boundary_arn = "arn:aws:iam::aws:policy/A"'},
        {"top": f'permissions_boundary_arn = "arn:aws:iam::aws:policy/A{LONG}"'},
    ),
    "tags": ({"top": 'tags.a = "a"'}, {"top": f'tags.a = "a{LONG}"'}),
    "login": ({}, {"word": f"_{LONG}"}),
    "existing": ({"team": 'existing_repositories = ["a_b"]'}, {"team": f'existing_repositories = ["a_b{LONG}"]'}),
    "readers": (
        {"team": "pull_accounts = ['222222222222']"},
        {"team": f"pull_accounts = {[f'{number:012}' for number in range(9)]}"},
    ),
    "mutable": (
        {"team": "repository_defaults.mutable_tags = ['a']"},
        {"team": f"repository_defaults.mutable_tags = ['a', '{LONG}']"},
    ),
    "protected": (
        {"team": "lifecycle = { keep_images = 5, protected_tags = ['a'] }"},
        {"team": f"lifecycle = {{ keep_images = 5, protected_tags = ['a', '{LONG}'] }}"},
    ),
    "overridden": (
        {"team": "repository.a.lifecycle.keep_images = 5"},
        {"team": f"repository.a.lifecycle = {{ keep_images = 5, protected_tags = ['{LONG}'] }}"},
    ),
    "created": (
        {"team": "create_on_push = true"},
        {"team": f"create_on_push = true\nlifecycle.keep_images = 5\nrepository_defaults.mutable_tags = ['{LONG}']"},
    ),
    "directly": (
        {"top": "workers.pull_directly = true"},
        {"top": "workers.pull_directly = true", "team": f"existing_repositories = ['{LONG}']"},
    ),
    "tasks": ({"end": TASKS, "top": WITH_TASKS}, {"end": TASKS, "top": f'{WITH_TASKS}\nrole_path = "/{LONG}/"'}),
    "tasks-tags": ({"end": TASKS, "top": WITH_TASKS}, {"end": TASKS, "top": f'{WITH_TASKS}\ntags.a = "{LONG}"'}),
    "tasks-limit": (
        {"end": TASKS, "top": f'{WITH_TASKS}\npermissions_boundary_arn = "arn:aws:iam::aws:policy/A"'},
        {"end": TASKS, "top": f'{WITH_TASKS}\npermissions_boundary_arn = "arn:aws:iam::aws:policy/A{LONG}"'},
    ),
}
ESTIMATES = {
    "Registry": registry_template_bytes,
    "DockerLogin": docker_login_template_bytes,
    "Access": access_template_bytes,
    "EcsTasks": ecs_tasks_template_bytes,
}


def test_the_estimates_grow_with_each_setting_like_the_templates(tmp_path: Path) -> None:
    pairs = {name: (f"{name}-0", f"{name}-1") for name in LONG_TEXTS} | {"name": ("name-0", f"name-{LONG[:20]}")}
    for number, (what, names) in enumerate(pairs.items()):
        for file, changes in zip(names, LONG_TEXTS.get(what, ({}, {})), strict=True):
            texts = {"top": "", "team": "", "word": "", "end": "", **changes}
            account = f"1234567{number:02}{names.index(file):03}"
            text = SMALL.format(account="{account}", **texts).replace("{account}", account)
            (tmp_path / f"{file}.toml").write_text(f'alerts.emails = ["a@example.com"]\n{text}')

    synthesize(tmp_path, tmp_path / "cdk.out")

    environments = {each.name: each for each in load_environments(tmp_path)}
    for what, names in pairs.items():
        for stack, estimate in ESTIMATES.items():
            files = [[*(tmp_path / "cdk.out").glob(f"assembly-{name}/*{stack}*.template.json")] for name in names]
            if not all(files):
                continue
            before, after = (file.stat().st_size for [file] in files)
            estimated_before, estimated_after = (estimate(environments[name]) for name in names)
            growth, estimated_growth = after - before, estimated_after - estimated_before
            case = f"{what} {stack}: {before} to {after} bytes, estimated {estimated_before} to {estimated_after}"
            print(case)
            assert after <= estimated_after, case
            assert 0.85 * growth <= estimated_growth, case
            if stack != "EcsTasks":  # This estimate is coarse.
                assert estimated_after <= 1.15 * after + 700, case
                assert estimated_growth <= 2 * growth + 500, case
