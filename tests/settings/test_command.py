"""The command `python -m settings` checks settings files and prints what they mean."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from settings.files import load_environments
from settings.summary import in_full
from tests.settings.edits import (
    AWAY,
    GITLAB,
    ROLE,
    ROLES,
    TOPIC,
    USER,
    USERS,
    VALID,
    WEB_LIFECYCLE,
    beside,
    defaults,
    edited,
    existing,
    findings,
    github,
    gitlab,
    lifecycle,
    numbered,
    pushers,
    repositories,
    tags,
    topic,
)
from tools import ROOT

EXAMPLES = {environment.name: environment for environment in load_environments(ROOT / "examples")}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "settings", *arguments]
    return subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True)


def summary(folder: Path, content: str) -> str:
    (folder / "dev.toml").write_text(content)
    (environment,) = load_environments(folder)
    return in_full(environment)


def rows(text: str, label: str) -> list[str]:
    """Return the text after each occurrence of a label, including continuation lines."""
    found = re.findall(rf"^    {re.escape(label)} +(.*(?:\n {{20}}.*)*)$", text, re.MULTILINE)
    return [re.sub(r"\s*\n\s+", "\n", each) for each in found]


def test_the_summary_shows_who_may_push_to_which_repositories() -> None:
    text = in_full(EXAMPLES["prod"])

    assert rows(text, "repositories") == [
        "analytics/web-scraper, analytics/churn-model",
        "risk/var, risk/reports/daily",
    ]
    assert rows(text, "push role") == ["prod-ecr-push-analytics", "prod-ecr-push-risk"]
    assert rows(text, "assumed by") == ["permission set DataAnalyst\nrole analytics-ci", "user ana, with MFA"]
    assert rows(text, "image tags") == ["are set once, except latest", "are set once"]


def test_the_summary_shows_mfa_only_if_the_settings_require_it(tmp_path: Path) -> None:
    assert rows(summary(tmp_path, VALID), "assumed by") == ["user ana"]
    assert rows(summary(tmp_path, pushers(USERS, USER, mfa="true")), "assumed by") == ["user ana, with MFA"]


def test_the_summary_shows_every_mutable_tag(tmp_path: Path) -> None:
    text = summary(tmp_path, tags("latest", "dev-*", "v1"))

    assert rows(text, "image tags") == ["are set once, except latest, dev-*, v1"]


def test_the_summary_shows_existing_repositories(tmp_path: Path) -> None:
    text = summary(tmp_path, existing("web_scraper", "old/app"))

    assert rows(text, "not managed") == ["web_scraper, old/app"]
    assert rows(text, "images in") == ["analytics/*, web_scraper, old/app"]


def test_the_summary_shows_all_entries_of_every_list(tmp_path: Path) -> None:
    glass = [ROLE.replace("ci", name) for name in ("Glass1", "ops/Glass2")]
    tables = "".join(
        f'[teams.{team}]\nrepositories = ["{team}1", "{team}2"]\nexisting_repositories = ["{team}_3", "{team}_4"]\n'
        'create_on_push = true\npull_accounts = ["222222222222", "333333333333"]\npull_organization = "o-abcd123456"\n'
        f'repository_defaults = {{ mutable_tags = ["{team}-l", "{team}-m"], keep_images = {images} }}\n'
        f"repository.{team}1.lifecycle.keep_images = {images + 1}\n"
        f'repository.{team}2.lifecycle = {{ protected_tags = ["v*", "w*"], keep_images = {images + 2} }}\n'
        f'[teams.{team}.push]\npermission_sets = ["{team}A", "{team}B"]\n'
        f'role_arns = ["{ROLE}-{team}1", "{ROLE}-{team}2"]\nuser_arns = ["{USER}-{team}1", "{USER}-{team}2"]\n'
        for team, images in {"x": 10, "y": 20}.items()
    )
    text = summary(
        tmp_path,
        f'account = "111111111111"\nregion = "eu-west-1"\nbreak_glass_role_arns = {glass}\n{tables}'
        '[connections.docker_x]\nteams = ["x", "y"]\n[connections.docker_y]\nteams = ["y"]\n'
        "[workers]\npull_directly = true\n"
        '[alerts]\nemails = ["a@example.com", "b@example.com"]\nscan_findings = "off"\n',
    )

    def of_each(template: str) -> list[str]:
        return [template.replace("{t}", team) for team in ("x", "y")]

    assert rows(text, "repositories") == of_each("{t}/{t}1, {t}/{t}2")
    assert rows(text, "not managed") == of_each("{t}_3, {t}_4")
    assert rows(text, "created by push") == of_each("{t}/<name>, without scanning on push")
    assert rows(text, "image tags") == of_each("are set once, except {t}-l, {t}-m")
    assert rows(text, "images deleted") == [
        f"images older than the newest {images} of each repository\n"
        f"{team}/{team}1: images older than the newest {images + 1} of the repository\n"
        f"{team}/{team}2: images older than the newest {images + 2} of the repository,\nexcept v*, w*"
        for team, images in {"x": 10, "y": 20}.items()
    ]
    assert rows(text, "assumed by") == of_each(
        "permission set {t}A\npermission set {t}B\nrole ci-{t}1\nrole ci-{t}2\nuser ana-{t}1\nuser ana-{t}2"
    )
    assert rows(text, "pulled by") == 2 * [
        "ANOTHER ACCOUNT, 222222222222\nANOTHER ACCOUNT, 333333333333\nALL ACCOUNTS of the organization o-abcd123456"
    ]
    assert rows(text, "images in") == ["x/*, y/*, x_3, x_4, y_3, y_4", "y/*, y_3, y_4"]
    assert rows(text, "workers") == [
        "a role that the deployment creates, with an instance profile\n"
        "They may also pull these images without a docker login."
    ]
    assert rows(text, "emergency") == ["role Glass1\nrole ops/Glass2"]
    assert rows(text, "e-mail") == ["a@example.com\nb@example.com"]
    assert rows(text, "also if") == ["nothing else"]


def test_the_summary_shows_all_tasks_and_environments_that_pull(tmp_path: Path) -> None:
    names = ("web-scraper", "churn-model")
    tasks = "".join(f'[ecs.tasks."analytics/{name}"]\nimage_tag = "{name}"\n' for name in names)
    text = edited("[teams.analytics]\n", '[teams.analytics]\npull_environments = ["eu", "us"]\n')
    (tmp_path / "dev.toml").write_text(f'{text}[workers]\nrole_arns = ["{ROLE}"]\n{tasks}')
    for name, region in {"eu": "eu-west-2", "us": "us-east-1"}.items():
        (tmp_path / f"{name}.toml").write_text(VALID.replace("eu-west-1", region))

    shown = in_full(load_environments(tmp_path)[0])

    assert rows(shown, "pulled by") == ["the environment eu of this account\nthe environment us of this account"]
    assert rows(shown.partition("Tasks on")[2], "image") == [f"analytics/{name}:{name}" for name in names]
    assert re.findall("^  task (.*)$", shown, re.MULTILINE) == [f"dev-analytics-{name}" for name in names]


def test_the_summary_shows_each_setting_of_the_roles_alone(tmp_path: Path) -> None:
    assert rows(summary(tmp_path, 'role_path = "/data/"\n' + VALID), "path of roles") == ["/data/"]
    assert rows(summary(tmp_path, f'permissions_boundary_arn = "arn:aws:iam::aws:policy/A"\n{VALID}'), "boundary") == [
        "arn:aws:iam::aws:policy/A"
    ]
    assert rows(summary(tmp_path, f'scan = "off"\n{VALID}'), "scanning") == ["is off"]
    assert rows(summary(tmp_path, f'scan = "off"\n{VALID}'), "also if") == ["nothing else"]


def test_the_summary_shows_that_a_push_creates_repositories(tmp_path: Path) -> None:
    text = summary(tmp_path, edited("repositories =", "create_on_push = true #"))

    assert rows(text, "repositories") == []
    assert rows(text, "created by push") == ["analytics/<name>, without scanning on push"]


def test_the_summary_shows_that_nothing_is_deleted_by_default() -> None:
    assert rows(in_full(EXAMPLES["dev"]), "images deleted") == ["nothing is deleted"] * 2


def test_the_summary_shows_what_ecr_can_delete_for_each_team_and_repository(tmp_path: Path) -> None:
    content = lifecycle("protected_tags = ['release-*', 'v*']\nkeep_images = 50\nexpire_untagged_after_days = 30")
    text = summary(tmp_path, f"{content}[{WEB_LIFECYCLE}]\n")

    assert rows(text, "images deleted") == [
        "untagged images, 30 days after the push\n"
        "tagged images older than the newest 50 of each repository,\n"
        "except release-*, v*\n"
        "analytics/web-scraper: nothing is deleted"
    ]


def test_the_summary_shows_the_older_setting_for_the_number_of_images(tmp_path: Path) -> None:
    text = summary(tmp_path, defaults("keep_images = 5"))

    assert rows(text, "images deleted") == ["images older than the newest 5 of each repository"]


def test_the_summary_shows_what_each_docker_login_pulls_and_who_reads_the_logins() -> None:
    text = in_full(EXAMPLES["prod"])

    assert rows(text, "images in") == ["analytics/*, risk/*", "risk/*"]
    assert rows(text, "secret") == ["airflow/connections/docker_default", "airflow/connections/docker_risk"]
    assert rows(text, "refreshed") == ["every 30 minutes", "every 60 minutes"]
    assert rows(text, "workers") == ["role airflow-worker"]
    assert rows(text, "emergency") == ["role BreakGlass"]
    assert rows(text, "encrypted with") == ["a customer managed key that the deployment creates"]


def test_the_summary_shows_alerts_clean_up_and_tasks() -> None:
    text = in_full(EXAMPLES["prod"])

    assert rows(text, "e-mail") == ["data-platform@example.com"]
    assert rows(text, "also if") == ["a scan finds a critical vulnerability"]
    assert rows(text, "scanning") == ["of each image when it is pushed"]
    assert rows(text, "instances") == ["with the tag role=airflow-worker"]
    assert rows(text, "when") == ["cron(0 3 ? * * *), in UTC"]
    assert "  task prod-risk-reports-daily" in text
    assert rows(text, "size") == ["512 CPU units, 1024 MiB"]


def test_every_row_of_the_summary_has_the_value_of_its_setting(tmp_path: Path) -> None:
    boundary = "arn:aws:iam::111111111111:policy/org/Boundary"
    glass = ["arn:aws:iam::111111111111:role/BreakGlass", "arn:aws:iam::111111111111:role/ops/OnCall"]
    text = summary(
        tmp_path,
        f'permissions_boundary_arn = "{boundary}"\nrole_path = "/data/"\nbreak_glass_role_arns = {glass}\n{VALID}'
        "refresh_every_minutes = 45\n"
        f'[workers]\nrole_arns = ["{ROLE}", "{ROLE}-2"]\n'
        '[workers.clean_up]\ntag_key = "kind"\ntag_value = "worker"\nschedule = "cron(30 2 ? * SUN *)"\n'
        "containers_older_than_hours = 48\nimages_older_than_hours = 96\n"
        '[ecs.tasks."analytics/web-scraper"]\nimage_tag = "7"\ncpu_units = 1024\nmemory_mib = 4096\n',
    )

    assert text.splitlines()[0] == "Environment dev"
    found: dict[str, list[str]] = {}
    label = ""
    for line in text.splitlines():
        if row := re.fullmatch("    (.{16})(.*)", line):
            label = row[1].strip() or label
            found.setdefault(label, []).append(row[2])
    assert found == {
        "account": ["111111111111"],
        "Region": ["eu-west-1"],
        "registry": ["111111111111.dkr.ecr.eu-west-1.amazonaws.com"],
        "scanning": ["of each image when it is pushed"],
        "path of roles": ["/data/"],
        "boundary": [boundary],
        "repositories": ["analytics/web-scraper, analytics/churn-model"],
        "image tags": ["are set once"],
        "images deleted": ["nothing is deleted"],
        "push role": ["dev-ecr-push-analytics"],
        "assumed by": ["user ana"],
        "images in": ["analytics/*"],
        "refreshed": ["every 45 minutes"],
        "secret": ["airflow/connections/docker_default"],
        "workers": ["role ci", "role ci-2"],
        "emergency": ["role BreakGlass", "role ops/OnCall"],
        "deployment": ["the CDK's role for CloudFormation"],
        "encrypted with": ["the key that Secrets Manager has"],
        "e-mail": ["ops@example.com"],
        "also if": ["a scan finds a critical vulnerability"],
        "runbook": ["docs/runbook.md"],
        "instances": ["with the tag kind=worker"],
        "when": ["cron(30 2 ? * SUN *), in UTC"],
        "containers": ["that are stopped, 48 hours after creation"],
        "images": ["that no container uses, 96 hours after the build"],
        "cluster": ["dev-airflow"],
        "started by": ["role ci", "role ci-2"],
        "image": ["analytics/web-scraper:7"],
        "size": ["1024 CPU units, 4096 MiB"],
    }
    headings = [line for line in text.splitlines() if line and not line.startswith("  ")]
    assert headings[1:] == [
        "Who may push (CloudFormation's role and the root user are not listed)",
        "What each docker login pulls",
        "Who reads the docker logins",
        "Who gets a message if a docker login is not refreshed",
        "Clean-up of the workers' instances",
        "Tasks on Fargate",
    ]


def test_the_summary_shows_which_features_are_off() -> None:
    text = in_full(EXAMPLES["dev"])

    assert rows(text, "nobody") == ["a sandbox, nobody is on call"]
    assert rows(text, "also if") == ["nothing else"]
    assert rows(text, "emergency") == ["nobody"]
    assert rows(text, "workers") == ["a role that the deployment creates, with an instance profile"]
    assert text.endswith("Clean-up of the workers' instances\n    none\n\nTasks on Fargate\n    none")


def test_the_summary_shows_severities_scanning_and_tags(tmp_path: Path) -> None:
    text = summary(tmp_path, f'scan = "registry"\n{findings("high")}[tags]\ncost-centre = "42"\nstage = "prod"\n')

    assert rows(text, "also if") == ["a scan finds a critical or high vulnerability"]
    assert rows(text, "scanning") == ["as the account configures it for the registry"]
    assert rows(text, "tags") == ["cost-centre=42, stage=prod"]


def test_the_summary_shows_that_workers_can_pull_without_a_login(tmp_path: Path) -> None:
    text = summary(tmp_path, f'{VALID}[workers]\nrole_arns = ["{ROLE}"]\npull_directly = true')

    assert rows(text, "workers") == ["role ci\nThey may also pull these images without a docker login."]


def test_principals_and_topics_of_another_account_are_marked(tmp_path: Path) -> None:
    text = summary(tmp_path, pushers(ROLES, ROLE.replace("ci", "team/ci"), AWAY))
    assert rows(text, "assumed by") == ["role team/ci\nrole ci of ANOTHER ACCOUNT, 222222222222"]

    assert rows(summary(tmp_path, topic(TOPIC)), "topic") == [TOPIC]
    away = TOPIC.replace("1111", "2222")
    assert rows(summary(tmp_path, topic(away)), "topic") == [f"{away} of ANOTHER\nACCOUNT, 222222222222"]


def test_workflows_are_shown_with_their_subject(tmp_path: Path) -> None:
    text = summary(tmp_path, github('branch = "main"\nowner_id = 12\nrepository_id = 34'))
    assert rows(text, "assumed by") == ["GitHub repo:acme@12/pipelines@34:ref:refs/heads/main"]

    gitlab_too = f'branch = "main"\n[[{GITLAB}]]\nproject = "a/b"\nbranch = "main"'
    assert rows(summary(tmp_path, github(gitlab_too)), "assumed by") == [
        "GitHub repo:acme/pipelines:ref:refs/heads/main\nGitLab project_path:a/b:ref_type:branch:ref:main"
    ]

    text = summary(tmp_path, gitlab('tag = "v*"\nurl = "https://git.example.com"', project="a/b"))
    assert rows(text, "assumed by") == ["GitLab of git.example.com\nproject_path:a/b:ref_type:tag:ref:v*"]
    # The names of these servers begin or end like the name of the public server.
    for server in ("my-gitlab.com", "www.gitlab.com", "gitlab.com.example", "gitlab.com/ci"):
        text = summary(tmp_path, gitlab(f'tag = "v*"\nurl = "https://{server}"', project="a/b"))
        assert rows(text, "assumed by")[0].startswith(f"GitLab of {server}")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_summary_of_the_examples_fits_80_columns(name: str) -> None:
    lines = in_full(EXAMPLES[name]).splitlines()

    # A URL is not cut, so a line with a URL can be longer.
    assert [line for line in lines if len(line) > 80 and len(line.split()) > 2] == []
    assert len(lines) < 60


def test_a_long_list_is_wrapped(tmp_path: Path) -> None:
    text = summary(tmp_path, repositories(*numbered("repository-", 100)))

    assert max(map(len, text.splitlines())) <= 80
    assert {f"analytics/{name}" for name in numbered("repository-", 100)} <= {*re.split("[,\\s]+", text)}
    assert text.count("analytics/repository-") == 100


def test_a_name_that_is_longer_than_a_line_is_not_cut(tmp_path: Path) -> None:
    name = "long-name-" * 12 + "end"

    assert f"analytics/{name}" in summary(tmp_path, repositories("a", name))


def test_every_principal_repository_and_secret_of_the_settings_is_in_the_summary() -> None:
    for environment in EXAMPLES.values():
        text = " ".join(in_full(environment).split())
        for name, team in environment.teams.items():
            names = [f"{name}/{repository}" for repository in team.repositories]
            names += [arn.partition("/")[2] for arn in (*team.push.role_arns, *team.push.user_arns)]
            assert [each for each in (*names, *team.push.permission_sets) if each not in text] == []
        assert [each for each in environment.connections if environment.secret_name(each) not in text] == []


def test_the_summary_shows_who_else_may_push_and_pull(tmp_path: Path) -> None:
    text = summary(
        tmp_path,
        beside(
            'others_may_push_because = "CodeBuild"\n'
            'pull_accounts = ["222222222222"]\npull_organization = "o-abcd123456"'
        ),
    )

    assert rows(text, "others") == ["may push, delete and change too: CodeBuild"]
    assert rows(text, "pulled by") == ["ANOTHER ACCOUNT, 222222222222\nALL ACCOUNTS of the organization o-abcd123456"]


def test_the_command_prints_an_environment() -> None:
    done = run("--folder", "examples", "prod")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == in_full(EXAMPLES["prod"]) + "\n"


def test_the_command_without_an_environment_prints_one_line_for_each() -> None:
    done = run("--folder", "examples")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "dev: account 111111111111, eu-west-1, 2 teams, 3 repositories, 1 connection",
        "prod: account 210987654321, eu-west-1, 2 teams, 4 repositories, 2 connections",
    ]


def test_the_command_reports_problems_of_all_files_and_fails(tmp_path: Path) -> None:
    (tmp_path / "dev.toml").write_text(VALID.replace('"eu-west-1"', '"eu-west-1",'))
    (tmp_path / "prod.toml").write_text(VALID.replace("111111111111", "1"))
    (tmp_path / "test.toml").write_text(VALID)

    done = run("--folder", str(tmp_path), "test")

    assert (done.returncode, done.stdout) == (1, "")
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
        ["dev.toml", "line 2"],
        ["prod.toml", "account"],
        ["prod.toml", "teams.analytics.push.user_arns"],
    ]


def test_the_command_prints_warnings_after_the_summary_and_succeeds(tmp_path: Path) -> None:
    (tmp_path / "dev.toml").write_text(VALID.replace(USER, USER.replace("1111", "2222")))

    done = run("--folder", str(tmp_path), "dev")

    assert done.returncode == 0
    assert "user ana of ANOTHER ACCOUNT, 222222222222" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("dev.toml: teams.analytics.push.user_arns: warning: ")


def test_the_command_prints_the_warnings_about_all_files(tmp_path: Path) -> None:
    # A deployment checks all files, and a change of one file can cause a warning about another file.
    (tmp_path / "dev.toml").write_text(VALID)
    (tmp_path / "prod.toml").write_text(VALID.replace("111111111111", "333333333333", 1))

    done = run("--folder", str(tmp_path), "dev")

    assert done.returncode == 0
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == ["prod.toml"]


def test_an_unknown_environment_is_reported_in_one_line() -> None:
    done = run("--folder", "examples", "prd")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "examples: folder: has no prd.toml; did you mean prod? If not, write one of dev, prod\n"
    assert run("--folder", "examples", "pro").stderr.startswith("examples: folder: has no pro.toml; did you mean prod?")


def test_the_command_loads_neither_the_cdk_nor_an_aws_sdk() -> None:
    check = "import sys, settings.__main__; print(sys.modules.keys() & {'aws_cdk', 'jsii', 'boto3', 'botocore'})"

    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
