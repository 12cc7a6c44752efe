"""What `ecr-login handoff` prints can be pasted and works, on the AWS emulator."""

import configparser
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

import click
import pytest
import yaml  # type: ignore[import-untyped]
from botocore.exceptions import NoCredentialsError

from local.account import CI_ROLE_ARN, Account, Credentials, assume
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from local.iam_policies import allow, name_of
from ops.clients import Clients
from ops.command_line import ecr_login as commands
from ops.deployment import Deployment, Stack, read_deployment
from ops.handoff.page import render, sections
from ops.handoff.values import AUDIENCES
from ops.results import CannotTell
from settings.environment import Environment
from settings.files import load_environments
from settings.names import pascal_case
from tests.local.id_tokens import assume_with, id_token
from tests.ops import in_process
from tests.test_docs import DOCS, blocks
from tools import ROOT

LOCAL = next(each for each in load_environments(ROOT / "environments") if each.name == "local")
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
PUSH_ROLE = f"arn:aws:iam::{ACCOUNT}:role/local-ecr-push-analytics"
DOCUMENTED = {"<RegistryHost>": HOST, "<PushRoleArn>": PUSH_ROLE, "<region>": REGION, "<account>": ACCOUNT}

Sections = dict[str, dict[str, str]]


def refuse(service: str) -> NoReturn:
    """Refuse every request."""
    raise NoCredentialsError


def page(deployment: Deployment, audience: str, team: str | None = None, clients: Any = None) -> Sections:
    """Return the sections of a page by title."""
    values = AUDIENCES[audience](deployment, clients or Clients(refuse), team)
    return {section["title"]: section for section in sections(render(audience, values))}


@pytest.fixture(scope="module")
def deployment(aws: EmbeddedAws) -> Deployment:
    """What is deployed as `local`."""
    return read_deployment(Clients(aws.client), LOCAL)


@pytest.fixture(scope="module")
def analyst(deployment: Deployment) -> Sections:
    return page(deployment, "analyst", "analytics")


@pytest.fixture(scope="module")
def airflow(deployment: Deployment, aws: EmbeddedAws) -> Sections:
    return page(deployment, "airflow", clients=Clients(aws.client))


def changed(**settings: Any) -> Environment:
    """Return the settings of `local` with other settings of the team analytics."""
    found = LOCAL.model_dump(mode="json", exclude_unset=True)
    found["teams"]["analytics"] |= settings
    return Environment.model_validate(found)


# The command


def test_the_command_prints_the_page_as_text_and_as_json(aws: EmbeddedAws) -> None:
    words = ["handoff", "local", "--for", "analyst", "--team", "analytics"]
    text, as_json = in_process.run(aws, *words), in_process.run(aws, *words, "--json")

    assert (text.code, text.error, as_json.code, as_json.error) == (0, "", 0, "")
    assert as_json.json["ok"] is True
    assert as_json.json["checks"] == []
    assert {tuple(section) for section in as_json.json["sections"]} == {("title", "notes", "text", "language")}
    assert as_json.json["sections"] == sections(text.out)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["--for", "analyst", "--team", "risks"],
            "local has no team risks; write one of: --team analytics, --team risk",
        ),
        (["--for", "analyst"], "--team is missing; write one of: --team analytics, --team risk"),
        (["--for", "airflow", "--team", "risk"], "--team is only for analyst and ci; remove it"),
        (["--team", "risk"], "Missing option '--for'. Choose from: analyst, airflow, ci, security, registry"),
    ],
)
def test_the_error_for_a_wrong_argument_says_what_to_write(words: list[str], error: str) -> None:
    with pytest.raises(click.ClickException) as refused:
        commands.main(["handoff", "local", *words], standalone_mode=False)

    assert " ".join(refused.value.format_message().split()) == error


def test_the_page_for_other_registries_needs_a_connection_for_one(deployment: Deployment) -> None:
    with pytest.raises(CannotTell, match=r"Add connections\.<id>\.registry, and deploy"):
        page(deployment, "registry")


def test_an_environment_that_is_not_deployed_is_one_line(aws: EmbeddedAws, tmp_path: Path) -> None:
    (tmp_path / "later.toml").write_text((ROOT / "environments/local.toml").read_text())
    done = in_process.run(aws, "handoff", "later", "--for", "security", folder=tmp_path)

    assert (done.code, done.out) == (3, "")
    assert done.error.startswith("Error: later is not deployed in the account")
    assert len(done.error.splitlines()) == 1


def test_a_team_that_is_not_deployed_yet_is_one_line(aws: EmbeddedAws, tmp_path: Path) -> None:
    settings = (ROOT / "environments/local.toml").read_text().replace("[connections.", NEW_TEAM + "[connections.", 1)
    (tmp_path / "local.toml").write_text(settings)
    done = in_process.run(aws, "handoff", "local", "--for", "analyst", "--team", "pilots", folder=tmp_path)

    assert (done.code, done.out) == (3, "")
    assert done.error == ("Error: the stacks of local have no output PushRoleArnPilots. Run: make deploy ENV=local\n")


NEW_TEAM = f"""
[teams.pilots]
repositories = ["map"]
push.user_arns = ["arn:aws:iam::{ACCOUNT}:user/analyst"]
"""


def test_no_page_contains_a_password(
    aws: EmbeddedAws, account: Account, worker: Any, local: dict[str, str], deployment: Deployment
) -> None:
    login = json.loads(worker.get_secret_value(SecretId=local["SecretNameDockerDefault"])["SecretString"])
    secrets = [login["password"], *account.analyst.values(), *account.operator.values()]
    teams = {"analyst": "analytics"}
    # The environment has no other registry. The page for owners of other registries makes no request to AWS.
    audiences = [each for each in AUDIENCES if each != "registry"]
    pages = [json.dumps(page(deployment, each, teams.get(each), Clients(aws.client))) for each in audiences]

    assert [secret for secret in secrets for text in pages if secret in text] == []


# Analysts


WHO_AM_I = """
import sys
import botocore.credentials
from botocore.exceptions import NoCredentialsError
from botocore.session import Session
# botocore needs awscrt only to renew the token of `aws login`.
botocore.credentials.EC = object()
print(Session(profile=sys.argv[1]).create_client("sts").get_caller_identity()["Arn"])
"""


def identity(aws: EmbeddedAws, config: Path, profile: str, **variables: str) -> str:
    """Return the ARN of the caller with a profile, in a process with its own home folder."""
    environment = {"PATH": os.environ["PATH"], **aws.client_environment(), **variables}
    environment |= {"AWS_CONFIG_FILE": str(config), "HOME": str(config.parent)}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environment[name]
    command = [sys.executable, "-c", WHO_AM_I, profile]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def access_key(name: str, credentials: Credentials) -> str:
    keys = {"AccessKeyId": "aws_access_key_id", "SecretAccessKey": "aws_secret_access_key"}
    keys["SessionToken"] = "aws_session_token"
    lines = [f"{keys[key]} = {value}" for key, value in credentials.items() if key in keys]
    return "\n".join([f"[{name}]", *lines, ""])


def test_the_profile_of_an_iam_user_assumes_the_push_role(
    aws: EmbeddedAws, account: Account, analyst: Sections, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    text = analyst["Profile for an IAM user with an access key"]["text"]
    config.write_text(access_key("default", account.analyst) + text)

    arn = identity(aws, config, "local-push-analytics")

    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/local-ecr-push-analytics/analyst"


def test_the_profile_for_aws_login_assumes_the_push_role(
    aws: EmbeddedAws, account: Account, analyst: Sections, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(analyst["Profile for an IAM user with `aws login`"]["text"])
    # `aws login` writes this file after the sign-in in a browser.
    session = hashlib.sha256(f"arn:aws:iam::{ACCOUNT}:user/analyst".encode()).hexdigest()
    cache = tmp_path / ".aws/login/cache" / f"{session}.json"
    cache.parent.mkdir(parents=True)
    token = {
        "accessKeyId": account.analyst["AccessKeyId"],
        "secretAccessKey": account.analyst["SecretAccessKey"],
        "sessionToken": None,
        "accountId": ACCOUNT,
        "expiresAt": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    cache.write_text(json.dumps({"accessToken": token, "refreshToken": "", "dpopKey": "", "clientId": ""}))

    arn = identity(aws, config, "local-push-analytics")

    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/local-ecr-push-analytics/analyst"


def test_the_profile_for_identity_center_assumes_the_push_role(
    aws: EmbeddedAws, account: Account, deployment: Deployment, tmp_path: Path
) -> None:
    people = Deployment(changed(push={"permission_sets": ["DataAnalyst"]}), deployment.stacks)
    text = page(people, "analyst", "analytics")["Profile for IAM Identity Center"]["text"]
    for placeholder, value in {
        "<start-url>": "https://example.awsapps.com/start",
        "<region of IAM Identity Center>": REGION,
        "<your-name>": "ben",
    }.items():
        text = text.replace(placeholder, value)
    config = tmp_path / "config"
    config.write_text(text)
    # `aws sso login` writes this file after the sign-in in a browser.
    cache = tmp_path / ".aws/sso/cache" / f"{hashlib.sha1(b'company').hexdigest()}.json"  # noqa: S324
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps({"accessToken": "token", "expiresAt": "2999-01-01T00:00:00Z"}))

    with identity_center(account.analyst) as (url, asked):
        arn = identity(aws, config, "local-push-analytics", AWS_ENDPOINT_URL_SSO=url)

    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/local-ecr-push-analytics/ben"
    assert [sorted(re.split("[?&]", path)[1:]) for path in asked] == [
        [f"account_id={ACCOUNT}", "role_name=DataAnalyst"]
    ]


@contextmanager
def identity_center(credentials: Credentials) -> Iterator[tuple[str, list[str]]]:
    """Answer GetRoleCredentials as IAM Identity Center does. Yield the URL and the paths of the requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            keys = {"accessKeyId": credentials["AccessKeyId"], "secretAccessKey": credentials["SecretAccessKey"]}
            found = {**keys, "sessionToken": "", "expiration": 32_472_144_000_000}
            body = json.dumps({"roleCredentials": found}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def ci_session(aws: EmbeddedAws, account: Account) -> Iterator[Credentials]:
    """A session of the CI role in the settings. MiniStack demands an identity-based policy, AWS does not."""
    role = {"RoleName": name_of(CI_ROLE_ARN), "PolicyName": "Handoff"}
    iam = aws.client("iam")
    iam.put_role_policy(**role, PolicyDocument=allow("sts:AssumeRole"))
    yield assume(aws, CI_ROLE_ARN, account.operator)
    iam.delete_role_policy(**role)


def test_the_profile_for_a_role_assumes_the_push_role(
    aws: EmbeddedAws, ci_session: Credentials, deployment: Deployment, tmp_path: Path
) -> None:
    text = page(deployment, "analyst", "risk")["Profile for a role"]["text"]
    text = text.replace("<profile>", "ci").replace("<your-name>", "ben")
    config = tmp_path / "config"
    config.write_text(access_key("profile ci", ci_session) + text)

    arn = identity(aws, config, "local-push-risk")

    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/local-ecr-push-risk/ben"


def test_a_profile_asks_for_an_mfa_code_only_if_the_team_requires_mfa(deployment: Deployment) -> None:
    users = [f"arn:aws:iam::{ACCOUNT}:user/staff/ana", "arn:aws:iam::999999999999:user/ben"]
    for require in (True, False):
        push = {"user_arns": users[:1], "require_mfa": require}
        found = page(Deployment(changed(push=push), deployment.stacks), "analyst", "analytics")
        profile = parsed(found["Profile for an IAM user with an access key"]["text"])["profile local-push-analytics"]
        assert profile.get("mfa_serial") == (f"arn:aws:iam::{ACCOUNT}:mfa/<device>" if require else None)
        assert ("Or use the credential helper" in found) is not require

    found = page(Deployment(changed(push={"user_arns": users}), deployment.stacks), "analyst", "analytics")
    assert users[1] in found["Principals of another account"]["text"]
    assert "role_session_name = <your-name>" in found["Profile for an IAM user with an access key"]["text"]


def parsed(ini: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None)
    found.read_string(ini)
    return found


def test_the_printed_commands_log_in_push_and_show_the_image(
    aws: EmbeddedAws, account: Account, analyst: Sections, tmp_path: Path
) -> None:
    ini = analyst["Profile for an IAM user with an access key"]["text"]
    titles = ("Log in", "Build and push", "Show what was pushed")

    shown = pasted(
        aws, tmp_path, access_key("default", account.analyst) + ini, [analyst[each]["text"] for each in titles]
    )

    images = aws.client("ecr").describe_images(repositoryName="analytics/web-scraper")["imageDetails"]
    newest = max(images, key=lambda image: image["imagePushedAt"])
    assert re.fullmatch(r"\d{8}-\d{6}", newest["imageTags"][0])
    assert shown.count(newest["imageDigest"]) == 2  # from the push, and from the last command
    assert newest["imageTags"][0] in shown


def pasted(aws: EmbeddedAws, home: Path, config: str, commands: list[str], **variables: str) -> str:
    """Run commands in bash with an AWS configuration file and stand-ins for the AWS CLI and docker."""
    (home / "config").write_text(config)
    for name, module in {"aws": "tests.local.aws_cli", "docker": "tests.ops.docker_cli"}.items():
        program = home / "bin" / name
        program.parent.mkdir(exist_ok=True)
        start = f"PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)}"
        program.write_text(f'#!/bin/sh\n{start} -m {module} "$@"\n')
        program.chmod(0o755)
    environment = aws.client_environment() | {"HOME": str(home), "AWS_CONFIG_FILE": str(home / "config")}
    environment |= {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", **variables}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        if name not in variables:
            del environment[name]
    ended = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", "\n".join(commands)], capture_output=True, text=True, env=environment
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_credential_helper_is_configured_for_this_registry_only(analyst: Sections) -> None:
    section = analyst["Or use the credential helper"]

    assert json.loads(section["text"]) == {"credHelpers": {HOST: "ecr-login"}}
    assert section["text"].strip() == documented("push-images.md", "json")[0].strip()
    assert f"docker logout {HOST}" in section["notes"]


# Airflow


def backends(airflow: Sections) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the backend and its arguments as a program reads them, for each way to configure Airflow."""
    text = {title: section["text"] for title, section in airflow.items()}
    shell = dict(shlex.split(line)[1].split("=", 1) for line in text["Environment variables"].splitlines())
    compose = yaml.safe_load(text["Docker Compose"])["environment"]
    astro = dict(line.split("=", 1) for line in text["Astronomer"].splitlines())
    helm = yaml.safe_load(text["Helm"])["config"]["secrets"]
    mwaa = dict(line.split(" = ", 1) for line in text["MWAA"].splitlines())
    cfg = parsed(text["airflow.cfg"])["secrets"]
    workers = parsed(text["Another backend for workers only (Airflow 3.0 and later)"])["workers"]
    pairs = {
        "variables": (shell["AIRFLOW__SECRETS__BACKEND"], shell["AIRFLOW__SECRETS__BACKEND_KWARGS"]),
        "compose": (compose["AIRFLOW__SECRETS__BACKEND"], compose["AIRFLOW__SECRETS__BACKEND_KWARGS"]),
        "astro": (astro["AIRFLOW__SECRETS__BACKEND"], astro["AIRFLOW__SECRETS__BACKEND_KWARGS"]),
        "helm": (helm["backend"], helm["backend_kwargs"]),
        "mwaa": (mwaa["secrets.backend"], mwaa["secrets.backend_kwargs"]),
        "cfg": (cfg["backend"], cfg["backend_kwargs"]),
        "workers": (workers["secrets_backend"], workers["secrets_backend_kwargs"]),
    }
    assert {shell["AWS_DEFAULT_REGION"], compose["AWS_DEFAULT_REGION"], astro["AWS_DEFAULT_REGION"]} == {REGION}
    return {way: (backend, json.loads(arguments)) for way, (backend, arguments) in pairs.items()}


def test_every_way_to_configure_airflow_sets_the_values_of_the_documentation(airflow: Sections) -> None:
    cfg = parsed(documented("airflow/configure.md", "ini")[0])["secrets"]
    expected = (cfg["backend"], json.loads(cfg["backend_kwargs"]) | {"region_name": REGION})

    found = backends(airflow)

    assert len(found) == 7
    assert {way: value for way, value in found.items() if value != expected} == {}


def test_the_strict_backend_requires_exactly_the_connections_of_the_environment(airflow: Sections) -> None:
    arguments = json.loads(documented("airflow/configure.md", "ini")[0].split("backend_kwargs = ")[1])

    for version, start in ((2, "SECRETS__"), (3, "WORKERS__SECRETS_")):
        words = shlex.split(airflow[f"Strict backend (Airflow {version})"]["text"])
        variables = dict(word.split("=", 1) for word in words if "=" in word)
        assert variables[f"AIRFLOW__{start}BACKEND"] == "strict_secrets_manager.StrictSecretsManagerBackend"
        assert json.loads(variables[f"AIRFLOW__{start}BACKEND_KWARGS"]) == {
            "required_connections": [*LOCAL.connections],
            **arguments,
            "region_name": REGION,
        }
    assert (ROOT / "airflow_backend/strict_secrets_manager.py").exists()


def test_the_arguments_of_the_backend_find_the_secrets_of_other_prefixes(deployment: Deployment) -> None:
    other = LOCAL.model_copy(update={"connections_prefix": "data/airflow", "region": "eu-west-1"})
    found = backends_of_other(page(Deployment(other, deployment.stacks), "airflow"))

    assert found["connections_prefix"] == "data/airflow"
    assert found["region_name"] == "eu-west-1"


def backends_of_other(airflow: Sections) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(parsed(airflow["airflow.cfg"]["text"])["secrets"]["backend_kwargs"])
    return found


def test_the_operator_pulls_an_image_that_was_pushed_with_the_connection(
    airflow: Sections, deployment: Deployment, aws: EmbeddedAws
) -> None:
    ecr = aws.client("ecr")
    ecr.put_image(repositoryName="analytics/churn-model", imageTag="handed-over", imageManifest=MANIFEST)
    text = page(deployment, "airflow", clients=Clients(aws.client))
    call = text["DockerOperator"]["text"]
    arguments = documented("airflow/configure.md", "python")[0]

    compile(call, "dag", "exec")
    image = re.search(rf'image="{re.escape(HOST)}/(\S+):(\S+)"', call)
    assert image
    assert image[1] == "analytics/web-scraper"
    assert image[2] != "<tag>"
    names = re.compile(r"^    (\w+)=", re.MULTILINE)
    assert names.findall(call) == names.findall(arguments)
    assert 'docker_conn_id="docker_default"' in call


MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": f"sha256:{'0' * 64}", "size": 2},
        "layers": [],
    }
)


def test_the_check_on_a_worker_names_the_secret_the_images_and_a_foreign_repository(airflow: Sections) -> None:
    command = airflow["Check from a worker"]["text"].replace("\\\n", "")
    program, path, *words = shlex.split(command)
    pairs = list(zip(words[::2], words[1::2], strict=True))

    assert (program, path) == ("python3", "/tmp/worker_check.py")  # noqa: S108
    # The tag is there only if an image has one.
    assert [pair for pair in pairs if pair[0] != "--tag"] == [
        ("--connection", "docker_default"),
        ("--secret", "airflow/connections/docker_default"),
        ("--repository", "analytics/web-scraper"),
        ("--repository", "analytics/churn-model"),
        ("--foreign-repository", "risk/var"),
        ("--region", REGION),
        ("--host", HOST),
    ]


# CI


def test_the_printed_subjects_are_those_of_the_trust_policy_and_assume_the_role(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    found = page(deployment, "ci", "risk")
    [(issuer, audience, subject)] = [
        line.split() for line in found["risk: ID tokens that may push"]["text"].splitlines()
    ]
    workflow = yaml.safe_load(found["risk: GitHub Actions in acme/pipelines"]["text"])
    [step] = [each["with"] for each in workflow["jobs"]["push"]["steps"] if "role-to-assume" in each.get("with", {})]
    role = aws.client("iam").get_role(RoleName="local-ecr-push-risk")["Role"]
    trusted = json.dumps(role["AssumeRolePolicyDocument"])

    assert step == {"role-to-assume": role["Arn"], "aws-region": REGION}
    assert f'"{issuer}:sub": "{subject}"' in trusted.replace("[", "").replace("]", "")
    assert f'"{issuer}:aud": "{audience}"' in trusted.replace("[", "").replace("]", "")
    assert assume_with(aws, step["role-to-assume"], id_token(subject, audience, issuer))


def test_the_jobs_are_those_of_the_documentation_with_the_values_of_the_environment(deployment: Deployment) -> None:
    workflows = {
        "github": [{"repository": "acme/pipelines", "branch": "main", "owner_id": 1234, "repository_id": 5678}],
        "gitlab": [{"project": "acme/data/pipelines", "branch": "main"}],
    }
    found = page(Deployment(changed(push=workflows), deployment.stacks), "ci", "analytics")
    printed = [
        found["analytics: GitHub Actions in acme/pipelines"]["text"],
        found["analytics: GitLab CI in acme/data/pipelines"]["text"],
    ]

    pages = [block for block in documented("push-from-ci.md", "yaml") if "<commit>" in block or "id_tokens" in block]
    without_platform = [text.replace("--platform linux/amd64 ", "") for text in printed]
    loaded = [yaml.load(text, yaml.BaseLoader) for text in without_platform]  # noqa: S506 - strings only
    assert loaded == [yaml.load(text, yaml.BaseLoader) for text in pages]  # noqa: S506


def test_a_job_runs_for_each_branch_tag_and_environment_of_the_settings(deployment: Deployment) -> None:
    github = {"repository": "acme/a"}
    gitlab = {"project": "acme/b", "url": "https://git.acme.example", "audience": "https://git.acme.example"}
    push = {
        "github": [
            *({**github, "branch": branch} for branch in ("main", "release/*")),
            {**github, "environment": "yes"},
        ],
        "gitlab": [{**gitlab, "branch": "main"}, {**gitlab, "branch": "re.l/*"}, {**gitlab, "tag": "v*"}],
    }
    environment = changed(push=push)
    found = page(Deployment(environment, deployment.stacks), "ci", "analytics")

    workflow = yaml.safe_load(found["analytics: GitHub Actions in acme/a"]["text"])
    reviewed = yaml.safe_load(found["analytics: GitHub Actions in acme/a, environment yes"]["text"])
    job = yaml.safe_load(found["analytics: GitLab CI in acme/b"]["text"])["push-image"]
    assert workflow[True]["push"]["branches"] == ["main", "release/*"]  # YAML 1.1 reads the key `on` as true.
    assert "environment" not in workflow["jobs"]["push"]
    assert reviewed["jobs"]["push"]["environment"] == "yes"
    assert [rule["if"] for rule in job["rules"]] == [
        '$CI_COMMIT_BRANCH == "main"',
        r"$CI_COMMIT_BRANCH =~ /^re\.l\//",
        "$CI_COMMIT_TAG =~ /^v/",
    ]
    assert job["id_tokens"] == {"AWS_ID_TOKEN": {"aud": "https://git.acme.example"}}
    printed = [line.split()[2] for line in found["analytics: ID tokens that may push"]["text"].splitlines()]
    assert printed == [workflow.subject for workflow in environment.teams["analytics"].push.workflows]


def test_the_commands_for_a_ci_role_with_access_keys_push(
    aws: EmbeddedAws, ci_session: Credentials, deployment: Deployment, tmp_path: Path
) -> None:
    found = page(deployment, "ci", "risk")
    settings = re.findall(r"profile\.push\.(\w+) (\S+)", found["risk: a role with access keys"]["text"])
    config = "[profile push]\n" + "".join(f"{key} = {value}\n" for key, value in settings)

    pasted(
        aws,
        tmp_path,
        config,
        [found["risk: log in and push with the role"]["text"]],
        AWS_ACCESS_KEY_ID=ci_session["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=ci_session["SecretAccessKey"],
        AWS_SESSION_TOKEN=ci_session["SessionToken"],
    )

    assert aws.client("ecr").describe_images(repositoryName="risk/var")["imageDetails"]


# Reviewers


def test_the_security_page_names_every_deployed_role_that_has_access(
    aws: EmbeddedAws, deployment: Deployment, local: dict[str, str]
) -> None:
    roles = dict(re.split(r"\s{2,}", line) for line in page(deployment, "security")["Roles"]["text"].splitlines())

    assert roles == {
        "push, team analytics": local["PushRoleArnAnalytics"],
        "push, team risk": local["PushRoleArnRisk"],
        "pull, docker_default": local["PullRoleArnDockerDefault"],
        "Airflow worker": LOCAL.workers.role_arns[0],
        "break-glass": LOCAL.break_glass_role_arns[0],
        "CloudFormation": f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}",
        "who deploys": f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-deploy-role-{ACCOUNT}-{REGION}",
    }
    names = {arn.rpartition("/")[2] for arn in roles.values()}
    pages = aws.client("iam").get_paginator("list_roles").paginate()
    assert names <= {role["RoleName"] for each in pages for role in each["Roles"]}


def test_the_security_page_says_where_a_promise_does_not_apply(deployment: Deployment) -> None:
    because = {"others_may_push_because": "CodeBuild pushes until May", "existing_repositories": ["old_app"]}
    environment = changed(**because).model_copy(update={"break_glass_role_arns": ()})
    usual = page(deployment, "security")
    weaker = page(Deployment(environment, deployment.stacks), "security")

    denied = "What resource policies deny"
    assert "Delete images" in usual[denied]["text"]
    assert "Delete images" not in weaker[denied]["text"]
    assert "Not denied for analytics" in weaker[denied]["text"]
    assert "Not denied for old_app" in weaker[denied]["text"]
    assert "administrators may delete images" in weaker["What remains possible"]["text"]
    assert "CodeBuild pushes until May" in weaker["Teams, docker logins and their readers"]["text"]


# All pages


VARIANTS: list[dict[str, Any]] = [
    {"push": {"user_arns": [f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("ana", "ben")], "require_mfa": True}},
    {"push": {"github": [{"repository": "acme/pipelines", "environment": "production"}]}},
    {"push": {"permission_sets": ["A", "B"], "role_arns": ["arn:aws:iam::999999999999:role/ci"]}},
    {"repositories": [], "create_on_push": True},
    {"repositories": [], "existing_repositories": ["old_app"]},
    {"lifecycle": {"keep_images": 9, "expire_untagged_after_days": 3, "protected_tags": ["v*"]}},
]


@pytest.mark.parametrize("variant", [{}, *VARIANTS], ids=lambda variant: "-".join(variant) or "local")
def test_every_page_is_readable_for_all_settings(variant: dict[str, Any]) -> None:
    for environment in [LOCAL, *load_environments(ROOT / "examples")]:
        settings = environment.model_dump(mode="json", exclude_unset=True)
        settings["teams"]["analytics"] |= variant
        planned = Environment.model_validate(settings)
        names = ["RegistryHost", *(f"PushRoleArn{pascal_case(team)}" for team in planned.teams), "WorkerRoleArn"]
        stack = Stack("a-Stack", "UPDATE_COMPLETE", dict.fromkeys(names, "value"), {})
        for audience, team in [("analyst", "analytics"), ("airflow", None), ("ci", None), ("security", None)]:
            values = AUDIENCES[audience](Deployment(planned, {"DockerLogin": stack}), Clients(refuse), team)
            text = render(audience, values)
            assert not re.search(r"\bNone\b|undefined|\n\n\n|[ \t]$", text, re.MULTILINE)
            headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
            assert len(headings) == len(set(headings))
            assert [part for part in text.split("\n## ") if part.count("\n```") > 2] == []
            outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
            assert [line for line in outside.splitlines() if len(line) > 120] == []
            assert [
                block for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if "$ " in block
            ] == []


def documented(page: str, language: str) -> list[str]:
    """Return the blocks of a page of the documentation, with the values of the environment `local`."""
    found = blocks((DOCS / page).read_text(), language)
    for placeholder, value in DOCUMENTED.items():
        found = [block.replace(placeholder, value) for block in found]
    return found
