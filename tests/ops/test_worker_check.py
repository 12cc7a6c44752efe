"""The check that an operator runs on an Airflow worker: `python3 worker_check.py`.

The tests copy the file out of the repository, and run it with the credentials of the Airflow workers' role. A proxy
connects the registry's real host name to the AWS emulator.
"""

import ast
import base64
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from local.account import WORKER_ROLE_ARN, Account, Credentials, assume, docker_login
from local.embedded_aws import ACCOUNT, REGION, ROOT_CREDENTIALS, EmbeddedAws
from tests.local.logins import places_with_a_login
from tests.ops.registry_proxy import RegistryProxy, Reply, Request
from tools import ROOT

SOURCE = ROOT / "ops" / "worker_check.py"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
LAYER_HOST = f"api.ecr.{REGION}.amazonaws.com"  # The emulator's certificate covers this host.
SECRET = "airflow/connections/docker_default"
TAG = "worker-check"
REPOSITORIES = ("analytics/churn-model", "analytics/web-scraper")
BACKEND = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
KWARGS = {"connections_prefix": "airflow/connections", "connections_lookup_pattern": "^docker_"}
ALL_CHECKS = [
    *("credentials", "secret", "document", "registry", "login", "pull", "pull", "foreign_pull_refused"),
    *("push_refused", "clock", "region", "airflow_backend", "airflow_environment", "airflow_database"),
]
STATES = BROKEN, DEGRADED, UNKNOWN = "broken", "degraded", "unknown"  # the states that have a fix
TOKEN = "Zm9v/+" * 40 + "=="  # no login, but it looks like one


@dataclass(frozen=True)
class Worker:
    """An Airflow worker, and the environment around it.

    Attributes:
        aws: the emulator.
        account: the principals of the account.
        proxy: the way to the registry.
        deployed: the outputs of the deployment.
        file: the copied file.
        variables: the environment variables of Airflow.
        login: the password in the secret.
    """

    aws: EmbeddedAws
    account: Account
    proxy: RegistryProxy
    deployed: dict[str, str]
    file: Path
    variables: dict[str, str] = field(repr=False)
    login: str = field(repr=False)

    def run(self, *arguments: str, **variables: str | None) -> "Result":
        """Run the file. A variable that is None is not set."""
        environment = {**self.variables, **variables}
        done = subprocess.run(
            [sys.executable, str(self.file), *arguments],
            capture_output=True,
            text=True,
            env={name: value for name, value in environment.items() if value is not None},
            cwd=self.file.parent,
            timeout=60,
        )
        encoded = base64.b64encode(f"AWS:{self.login}".encode()).decode()
        leaks = places_with_a_login(
            {"output": done.stdout, "errors": done.stderr}, self.login[:60], encoded[:60], TOKEN[:60]
        )
        assert not leaks
        return Result(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Result:
    """What the file answered."""

    code: int
    out: str
    error: str

    @property
    def checks(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self.out)["checks"]
        return found

    @property
    def turned(self) -> dict[str, str]:
        """The state of each check that is neither ok nor not tried, by name."""
        return {check["name"]: check["state"] for check in self.checks if check["state"] in STATES}


@dataclass(frozen=True)
class Arguments:
    """The arguments that `ecr-login handoff` prints."""

    secret: str = SECRET
    connection: str = "docker_default"
    region: str = REGION
    host: str = HOST
    repositories: tuple[str, ...] = REPOSITORIES
    tag: str = TAG
    foreign: str = "risk/var"

    def words(self) -> list[str]:
        return [
            *("--secret", self.secret, "--connection", self.connection, "--region", self.region, "--host", self.host),
            *(word for name in self.repositories for word in ("--repository", name)),
            *(("--tag", self.tag) if self.tag else ()),
            *(("--foreign-repository", self.foreign) if self.foreign else ()),
        ]


@pytest.fixture(scope="module")
def proxy(aws: EmbeddedAws) -> Iterator[RegistryProxy]:
    with RegistryProxy(aws) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def worker(
    aws: EmbeddedAws,
    account: Account,
    proxy: RegistryProxy,
    local: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Worker]:
    """A worker whose checks all succeed. Each repository has an image, and the first one has also an image index."""
    ecr, root = aws.client("ecr"), docker_login(aws, ROOT_CREDENTIALS)
    pushed = {name: root.push(f"{name}:{TAG}", {"marker": name}) for name in (*REPOSITORIES, "risk/var")}
    media_type = "application/vnd.oci.image.index.v1+json"
    child = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": pushed[REPOSITORIES[0]], "size": 1}
    index = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": [child]})
    ecr.put_image(
        repositoryName=REPOSITORIES[0], imageManifest=index, imageManifestMediaType=media_type, imageTag=f"{TAG}-index"
    )
    home = tmp_path_factory.mktemp("airflow")
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        database.execute("CREATE TABLE connection (conn_id TEXT, password TEXT)")
        database.commit()
    session = assume(aws, WORKER_ROLE_ARN, account.operator)
    value = json.loads(aws.client("secretsmanager", session).get_secret_value(SecretId=SECRET)["SecretString"])
    yield Worker(
        aws,
        account,
        proxy,
        local,
        Path(shutil.copy(SOURCE, home)),
        {
            "PATH": os.defpath,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            **aws.client_environment(),
            **variables_of(session),
            "HTTPS_PROXY": proxy.url,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__SECRETS__BACKEND": BACKEND,
            "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(KWARGS),
        },
        value["password"],
    )
    for name in (*REPOSITORIES, "risk/var"):
        images = [{"imageTag": TAG}, {"imageTag": f"{TAG}-index"}]
        ecr.batch_delete_image(repositoryName=name, imageIds=images)


def variables_of(credentials: Credentials) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        **({"AWS_SESSION_TOKEN": credentials["SessionToken"]} if "SessionToken" in credentials else {}),
    }


# --- Ways to break one thing. Each one repairs it at the end. ---------------------------------------------------------

Break = Callable[[Worker], AbstractContextManager[Any]]


def role_policy(output: str, effect: str, *actions: str) -> Break:
    """Add an inline policy to the workers' role, or to the role in an output of the deployment."""

    @contextmanager
    def apply(worker: Worker) -> Iterator[None]:
        iam = worker.aws.client("iam")
        arn = WORKER_ROLE_ARN if output == "worker" else worker.deployed[output]
        policy = {"RoleName": arn.rpartition("/")[2], "PolicyName": "Break"}
        statement = {"Effect": effect, "Action": actions, "Resource": "*"}
        iam.put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}))
        yield
        iam.delete_role_policy(**policy)

    return apply


def secret_value(change: Callable[[dict[str, Any]], object]) -> Break:
    """Let Secrets Manager answer with another value, which a function makes from the real document."""

    @contextmanager
    def apply(worker: Worker) -> Iterator[None]:
        document = {
            "conn_type": "docker",
            "host": HOST,
            "login": "AWS",
            "password": worker.login,
            "extra": {"expires_at": "2030-01-01T00:00:00+00:00"},
        }
        changed = change(document)
        value = changed if isinstance(changed, str) else json.dumps(changed or document)
        answer = {"ARN": "arn", "Name": SECRET, "VersionId": "v", "CreatedDate": 1.0, "SecretString": value}
        with worker.aws.fault("GetSecretValue", status=200, body=answer):
            yield

    return apply


def aws_error(code: str, message: str, status: int = 400) -> Break:
    return lambda worker: worker.aws.fault("GetSecretValue", status=status, body={"__type": code, "message": message})


def registry(change: Callable[[Request, Callable[[], Reply]], Reply]) -> Break:
    return lambda worker: worker.proxy.changed(change)


def redirect_layers(location: str, status: int) -> Break:
    """Answer as ECR does for a layer: with a redirect to the host that has the layers."""

    def change(request: Request, forward: Callable[[], Reply]) -> Reply:
        if request.host == LAYER_HOST:
            return Reply(status, body=b"x")
        return Reply(307, {"Location": location}) if "/blobs/sha256" in request.path else forward()

    return registry(change)


def at(path: str, status: int, code: str = "", message: str = "", *, with_login: bool = True) -> Break:
    """Answer requests whose path contains this text with an error of the registry."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return registry(
        lambda request, forward: (
            Reply(status, body=body) if path in request.path and request.has_login == with_login else forward()
        )
    )


def other_time(minutes: int) -> Break:
    """Change the Date header of all answers."""

    def change(_request: Request, forward: Callable[[], Reply]) -> Reply:
        reply = forward()
        date = parsedate_to_datetime(reply.headers.get("Date") or format_datetime(datetime.now(UTC)))
        return replace(reply, headers={**reply.headers, "Date": format_datetime(date + timedelta(minutes=minutes))})

    return registry(change)


@contextmanager
def disabled_key(worker: Worker) -> Iterator[None]:
    key = {"KeyId": worker.aws.client("secretsmanager").describe_secret(SecretId=SECRET)["KmsKeyId"]}
    kms = worker.aws.client("kms")
    kms.disable_key(**key)
    yield
    kms.enable_key(**key)


@contextmanager
def allowed_push(worker: Worker) -> Iterator[None]:
    """Let the login start uploads. The repository policies deny this too, so they are removed."""
    ecr = worker.aws.client("ecr")
    policies = {name: ecr.get_repository_policy(repositoryName=name)["policyText"] for name in REPOSITORIES}
    for name in policies:
        ecr.delete_repository_policy(repositoryName=name)
    with role_policy(PULL_ROLE, "Allow", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart")(worker):
        yield
    for name, policy in policies.items():
        ecr.set_repository_policy(repositoryName=name, policyText=policy)


@contextmanager
def other_secret(worker: Worker, *, deleted: bool = False) -> Iterator[None]:
    """Create the secret of the connection docker_other, without a value or scheduled for deletion."""
    secrets_manager = worker.aws.client("secretsmanager")
    name = "airflow/connections/docker_other"
    secrets_manager.create_secret(Name=name, **({"SecretString": "{}"} if deleted else {}))
    if deleted:
        secrets_manager.delete_secret(SecretId=name)
    yield
    secrets_manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


@contextmanager
def row_in_the_database(worker: Worker) -> Iterator[None]:
    with closing(sqlite3.connect(worker.file.parent / "airflow.db")) as database:
        database.execute("INSERT INTO connection VALUES ('docker_default', 'old')")
        database.commit()
        yield
        database.execute("DELETE FROM connection")
        database.commit()


@contextmanager
def other_prefix_in_the_file(worker: Worker) -> Iterator[None]:
    file = worker.file.parent / "airflow.cfg"
    file.write_text(f'[secrets]\nbackend = {BACKEND}\nbackend_kwargs = {{"connections_prefix": "other"}}\n')
    yield
    file.unlink()


def as_administrator(worker: Worker) -> dict[str, str | None]:
    """Return the credentials of an administrator who is not in the settings."""
    return {"AWS_SESSION_TOKEN": None, **variables_of(worker.account.other_admin)}


def changed_kwargs(**changes: Any) -> dict[str, str | None]:
    return {"AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({**KWARGS, **changes})}


NO_AIRFLOW: dict[str, str | None] = {
    **dict.fromkeys(("AIRFLOW__SECRETS__BACKEND", "AIRFLOW__SECRETS__BACKEND_KWARGS", "AIRFLOW_HOME"), None)
}
OTHER = Arguments(secret="airflow/connections/docker_other", connection="docker_other")
ALL_BY_PROXY: dict[str, str | None] = {"NO_PROXY": "", "no_proxy": ""}
EXPIRED_SESSION = Reply(
    403, body=b"<ErrorResponse><Error><Code>ExpiredToken</Code><Message>expired</Message></Error></ErrorResponse>"
)
UNTRUSTED: dict[str, str | None] = {"AWS_CA_BUNDLE": None}
PULL_ROLE = "PullRoleArnDockerDefault"


@dataclass(frozen=True)
class Row:
    """One thing that breaks, the checks that turn, and words of the detail or the fix of the first of these checks."""

    name: str
    turned: dict[str, str]
    says: str
    breaks: Break = lambda _worker: nullcontext()
    arguments: Arguments = Arguments()
    variables: dict[str, str | None] | Callable[[Worker], dict[str, str | None]] = field(default_factory=dict)


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda document: {name: value for name, value in document.items() if name != key}


def with_(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: {**document, **changes}


NO_KEYS: dict[str, str | None] = dict.fromkeys(
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), None
)
TABLE = [
    Row("there are no credentials", {"credentials": UNKNOWN}, "No AWS credentials", variables=NO_KEYS),
    Row(
        "AWS does not know the credentials",
        {"credentials": UNKNOWN},
        "does not know the credentials",
        variables={"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SESSION_TOKEN": None},
    ),
    Row(
        "the session has expired",
        {"credentials": UNKNOWN},
        "have expired",
        registry(lambda request, forward: EXPIRED_SESSION if request.host.startswith("localhost") else forward()),
        variables=lambda worker: {
            "AWS_ENDPOINT_URL_STS": f"https://localhost:{worker.aws.port}",
            **ALL_BY_PROXY,
        },
    ),
    Row("the profile is missing", {"credentials": UNKNOWN}, "nowhere", variables={**NO_KEYS, "AWS_PROFILE": "nowhere"}),
    Row(
        "the role may not read the secret",
        {"secret": BROKEN},
        "Attach the worker policy to airflow-worker",
        role_policy("worker", "Deny", "secretsmanager:GetSecretValue"),
    ),
    Row(
        "the secret's policy denies the role",
        {"secret": BROKEN},
        "Add the role with its path to workers.role_arns",
        variables=as_administrator,
    ),
    Row(
        "a VPC endpoint denies the role",
        {"secret": BROKEN},
        "policy of the VPC endpoint",
        aws_error("AccessDeniedException", "no VPC endpoint policy allows the secretsmanager:GetSecretValue action"),
    ),
    Row(
        "the secret is missing",
        {"secret": BROKEN},
        "docker_other does not exist in us-east-1",
        arguments=OTHER,
        variables=as_administrator,
    ),
    Row(
        "the secret has no value yet",
        {"secret": BROKEN},
        "ecr-login refresh <environment> docker_other --write",
        other_secret,
        OTHER,
        as_administrator,
    ),
    Row(
        "the secret is being deleted",
        {"secret": BROKEN},
        "aws secretsmanager restore-secret --region us-east-1 --secret-id airflow/connections/docker_other",
        lambda worker: other_secret(worker, deleted=True),
        OTHER,
        as_administrator,
    ),
    Row("the key is disabled", {"secret": BROKEN}, "aws kms enable-key", disabled_key),
    Row(
        "the role may not use the key",
        {"secret": BROKEN},
        "may not decrypt with the key",
        role_policy("worker", "Deny", "kms:Decrypt"),
    ),
    Row(
        "Secrets Manager cannot be reached",
        {"secret": BROKEN},
        "the connection is refused",
        variables={"AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://127.0.0.1:1"},
    ),
    Row(
        "Secrets Manager throttles",
        {"secret": UNKNOWN},
        "ThrottlingException",
        aws_error("ThrottlingException", "Rate exceeded"),
    ),
    Row(
        "--region is not the Region of the secret",
        {"secret": BROKEN, "region": BROKEN},
        "The registry is in us-east-1",
        arguments=Arguments(region="eu-west-1"),
        variables=as_administrator,
    ),
    Row(
        "the CA is not trusted",
        {"secret": BROKEN, "registry": BROKEN},
        "export AWS_CA_BUNDLE=",
        variables=UNTRUSTED,
    ),
    Row(
        "the value is the bare token", {"document": BROKEN}, "not a JSON object", secret_value(lambda d: d["password"])
    ),
    Row(
        "the CA file is missing",
        {"secret": BROKEN, "registry": BROKEN},
        "a CA file does not exist",
        variables={"AWS_CA_BUNDLE": "/nowhere/ca.pem"},
    ),
    Row("the value is a list", {"document": BROKEN}, "not a JSON object", secret_value(lambda d: [d["password"]])),
    Row("the password is missing", {"document": BROKEN}, "Missing: password", secret_value(without("password"))),
    Row("the host is missing", {"document": BROKEN}, "Missing: host", secret_value(without("host"))),
    Row(
        "the host is another registry",
        {"document": BROKEN},
        f"host is https://{HOST} instead of {HOST}",
        secret_value(with_(host=f"https://{HOST}")),
    ),
    Row(
        "the host contains the password",
        {"document": BROKEN},
        f"host is not {HOST}",
        secret_value(lambda d: {**d, "host": f"https://AWS:{d['password']}@{HOST}"}),
    ),
    Row(
        "the type is another one", {"document": BROKEN}, "conn_type is not docker", secret_value(with_(conn_type="aws"))
    ),
    Row("the user contains the password", {"document": BROKEN}, "login", secret_value(lambda d: {**d, "login": TOKEN})),
    Row("a port is in the document", {"document": BROKEN}, "refuse: port", secret_value(with_(port=443))),
    Row("a key contains the password", {"document": BROKEN}, "refuse: 1", secret_value(lambda d: {**d, TOKEN: 1})),
    Row("reauth is off", {"document": BROKEN}, "reauth", secret_value(with_(extra={"reauth": False}))),
    Row("extra is text", {"document": BROKEN}, "extra", secret_value(with_(extra=TOKEN))),
    Row(
        "the password is URL-encoded",
        {"document": BROKEN},
        "not a token",
        secret_value(lambda d: {**d, "password": d["password"].replace("+", "%2B")}),
    ),
    Row(
        "the registry cannot be reached",
        {"registry": BROKEN},
        "the connection is refused",
        variables={"HTTPS_PROXY": "http://127.0.0.1:1"},
    ),
    Row("a proxy answers", {"registry": BROKEN}, "not as Amazon ECR", at("/v2/", 200, with_login=False)),
    Row("the registry fails", {"registry": UNKNOWN}, "503", at("/v2/", 503, with_login=False)),
    Row(
        "the registry does not know the login",
        {"login": BROKEN},
        "is refused",
        secret_value(with_(password=TOKEN[:80])),
    ),
    Row(
        "the login has expired",
        {"login": BROKEN},
        "has expired",
        at("/v2/", 403, "DENIED", "Your authorization token has expired. Reauthenticate and try again."),
    ),
    Row(
        "the login may not read manifests",
        {"pull": BROKEN},
        "no manifest: 403, ecr:BatchGetImage is denied",
        role_policy(PULL_ROLE, "Deny", "ecr:BatchGetImage"),
    ),
    Row(
        "the login may not read layers",
        {"pull": BROKEN},
        "no layer: 403, ecr:GetDownloadUrlForLayer is denied",
        role_policy(PULL_ROLE, "Deny", "ecr:GetDownloadUrlForLayer"),
    ),
    Row(
        "the login may not read layers, and there is no tag",
        {"pull": BROKEN},
        "no layer: 403, ecr:GetDownloadUrlForLayer is denied",
        role_policy(PULL_ROLE, "Deny", "ecr:GetDownloadUrlForLayer"),
        Arguments(tag=""),
    ),
    Row(
        "a repository belongs to another team",
        {"pull": BROKEN},
        "connections.docker_default.teams",
        arguments=Arguments(repositories=("risk/var",), foreign=""),
    ),
    Row(
        "a repository is missing",
        {"pull": BROKEN},
        "does not exist",
        at("/manifests/worker-check", 404, "NAME_UNKNOWN"),
    ),
    Row(
        "the image is missing",
        {"pull": DEGRADED},
        "no image with the tag none",
        arguments=Arguments(repositories=(f"{REPOSITORIES[0]}:none",)),
    ),
    Row(
        "the host of the layers refuses",
        {"pull": BROKEN},
        "policy of the VPC endpoint for S3",
        redirect_layers(f"https://{LAYER_HOST}/layer", 403),
    ),
    Row(
        "the host of the layers cannot be reached",
        {"pull": BROKEN},
        "localhost",
        redirect_layers("https://localhost:1/layer?X-Amz-Security-Token=" + TOKEN, 200),
    ),
    Row(
        "the layers come without TLS",
        {"pull": BROKEN},
        "without TLS",
        redirect_layers("http://localhost:1/layer", 200),
    ),
    Row(
        "the login may pull from another team",
        {"foreign_pull_refused": BROKEN},
        "can pull from risk/var",
        role_policy(PULL_ROLE, "Allow", "ecr:BatchGetImage"),
    ),
    Row(
        "the foreign repository is missing",
        {"foreign_pull_refused": UNKNOWN},
        "risk/var does not exist",
        at("risk/var", 404, "NAME_UNKNOWN"),
    ),
    Row(
        "the login may push",
        {"push_refused": BROKEN},
        "The upload was cancelled",
        allowed_push,
    ),
    Row("the registry fails at a push", {"push_refused": UNKNOWN}, "503", at("/blobs/uploads/", 503)),
    Row("the clock is ten minutes slow", {"clock": BROKEN}, "behind AWS", other_time(10), variables=ALL_BY_PROXY),
    Row("the clock is two minutes fast", {"clock": DEGRADED}, "ahead of", other_time(-2), variables=ALL_BY_PROXY),
    Row("the Region is another one", {"region": BROKEN}, "eu-west-1", variables={"AWS_DEFAULT_REGION": "eu-west-1"}),
    Row("only AWS_REGION is set", {"region": BROKEN}, "AWS_REGION is set", variables={"AWS_DEFAULT_REGION": None}),
    Row(
        "no Region is set, without Airflow",
        {"region": DEGRADED},
        "AWS_DEFAULT_REGION=us-east-1",
        variables={**NO_AIRFLOW, "AWS_DEFAULT_REGION": None, "AWS_REGION": None},
    ),
    Row(
        "the backend reads in another Region",
        {"region": BROKEN},
        "backend_kwargs says eu-west-1",
        variables=changed_kwargs(region_name="eu-west-1"),
    ),
    Row("no backend", {"airflow_backend": BROKEN}, "No secrets", variables={"AIRFLOW__SECRETS__BACKEND": None}),
    Row(
        "only another backend of Airflow",
        {"airflow_backend": BROKEN},
        "VaultBackend does not read Secrets Manager",
        # Other backends have an argument of the same name, so the prefix does not show the backend.
        variables={"AIRFLOW__SECRETS__BACKEND": "airflow.providers.hashicorp.secrets.vault.VaultBackend"},
    ),
    Row(
        "backend_kwargs are not JSON",
        {"airflow_backend": BROKEN},
        "not a JSON object",
        variables={"AIRFLOW__SECRETS__BACKEND_KWARGS": "{'connections_prefix': 'x'}"},
    ),
    Row(
        "the prefix is another one",
        {"airflow_backend": BROKEN},
        "reads the secret other/docker_default",
        variables=changed_kwargs(connections_prefix="other"),
    ),
    Row(
        "the pattern does not match",
        {"airflow_backend": BROKEN},
        "does not match",
        variables=changed_kwargs(connections_lookup_pattern="^ecr_"),
    ),
    Row(
        "the backend uses a profile",
        {"airflow_backend": DEGRADED},
        "export AWS_PROFILE=airflow",
        variables=changed_kwargs(profile_name="airflow"),
    ),
    Row(
        "[workers] has another prefix",
        {"airflow_backend": BROKEN},
        "[workers]",
        variables={
            "AIRFLOW__WORKERS__SECRETS_BACKEND": BACKEND,
            "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS": '{"connections_prefix": "other"}',
        },
    ),
    Row(
        "airflow.cfg has another prefix",
        {"airflow_backend": BROKEN},
        "reads the secret other/docker_default",
        other_prefix_in_the_file,
        variables={"AIRFLOW__SECRETS__BACKEND": None, "AIRFLOW__SECRETS__BACKEND_KWARGS": None},
    ),
    Row(
        "a connection is in the environment",
        {"airflow_environment": DEGRADED},
        "unset AIRFLOW_CONN_DOCKER_DEFAULT",
        variables={"AIRFLOW_CONN_DOCKER_DEFAULT": f"docker://AWS:{TOKEN}@{HOST}"},
    ),
    Row(
        "a connection is in the database",
        {"airflow_database": DEGRADED},
        "airflow connections delete docker_default",
        row_in_the_database,
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_only_the_checks_of_a_broken_thing_turn(worker: Worker, row: Row) -> None:
    with ExitStack() as stack:
        stack.enter_context(row.breaks(worker))
        variables = row.variables(worker) if callable(row.variables) else row.variables
        result = worker.run(*row.arguments.words(), "--json", **variables)
    assert result.error == ""
    assert result.turned == row.turned
    first = next(check for check in result.checks if check["name"] in row.turned and check["state"] in STATES)
    assert row.says in f"{first['detail']} {first['fix']}"
    assert all(check["fix"] for check in result.checks if check["state"] in STATES)
    states = set(row.turned.values())
    assert result.code == (2 if BROKEN in states else 3 if UNKNOWN in states else 1)


def test_a_healthy_worker_passes_all_checks(worker: Worker) -> None:
    result = worker.run(*Arguments().words(), "--json")
    assert {check["name"]: check["state"] for check in result.checks} == dict.fromkeys(ALL_CHECKS, "ok"), result.out
    assert [check["name"] for check in result.checks] == ALL_CHECKS
    assert (result.code, result.error) == (0, "")


def test_the_text_has_a_line_per_check_and_ends_with_the_verdict(worker: Worker) -> None:
    result = worker.run(*Arguments().words(), AIRFLOW_CONN_DOCKER_DEFAULT="docker://")
    lines = result.out.splitlines()
    assert [line.split()[1].rstrip(":") for line in lines if not line.startswith("    ")][:-1] == ALL_CHECKS
    assert "! airflow_environment: " in result.out
    assert "\n    Run: unset AIRFLOW_CONN_DOCKER_DEFAULT" in result.out
    assert lines[-1] == "! degraded: pulling works, but see airflow_environment"
    assert result.code == 1


def test_a_terminal_without_unicode_gets_ascii(worker: Worker) -> None:
    result = worker.run(*Arguments().words(), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert result.out.isascii()
    assert "+ secret: " in result.out
    assert result.out.splitlines()[-1] == "+ works: this worker can read docker_default and pull from 2 repositories"


def test_an_image_index_is_followed_to_an_image(worker: Worker) -> None:
    arguments = replace(Arguments(), repositories=(f"{REPOSITORIES[0]}:{TAG}-index",))
    result = worker.run(*arguments.words(), "--json")
    assert result.turned == {}
    assert f"{REPOSITORIES[0]}:{TAG}-index can be pulled (manifest and one layer)" in result.out


def test_the_login_goes_to_no_other_host_than_the_registry(worker: Worker) -> None:
    with redirect_layers(f"https://{LAYER_HOST}/layer", 206)(worker):
        result = worker.run(*Arguments().words(), "--json")
        seen = list(worker.proxy.seen)
    assert result.turned == {}
    assert {request.host for request in seen} == {HOST, LAYER_HOST}
    assert [request for request in seen if request.host == LAYER_HOST and request.has_login] == []
    assert any(request.host == LAYER_HOST for request in seen)


def test_without_airflow_and_without_a_tag_the_rest_is_checked(worker: Worker) -> None:
    arguments = Arguments(tag="", foreign="")
    result = worker.run(*arguments.words(), "--json", **NO_AIRFLOW)
    states = {check["name"]: check["state"] for check in result.checks}
    not_tried = {"foreign_pull_refused", "airflow_backend", "airflow_environment", "airflow_database"}
    assert {name for name, state in states.items() if state == "not tried"} == not_tried
    assert result.code == 0
    assert "the login may pull (no tag was given" in result.out


def test_a_worker_that_cannot_reach_sts_still_works(worker: Worker) -> None:
    result = worker.run(*Arguments().words(), "--json", AWS_ENDPOINT_URL_STS="https://127.0.0.1:1")
    assert (result.code, result.turned, result.checks[0]["state"]) == (0, {}, "not tried")


def test_wrong_arguments_are_one_line_without_a_traceback(worker: Worker) -> None:
    for words in ([], Arguments(host="https://x").words()):
        result = worker.run(*words)
        assert result.code == 3
        assert result.out == ""
        assert result.error.count("\n") == 1
        assert result.error.startswith("worker_check.py: ")


def test_an_error_in_the_program_prints_no_values(worker: Worker, tmp_path: Path) -> None:
    """A mistake in the file itself is the last way in which a value could reach the output."""
    source = SOURCE.read_text()
    call = "document, password = check_document(target, value)"
    assert source.count(call) == 1
    (tmp_path / "worker_check.py").write_text(source.replace(call, "raise ValueError(value)"))
    broken = replace(worker, file=tmp_path / "worker_check.py")
    result = broken.run(*Arguments().words())
    assert result.code == 3
    assert result.error.startswith("worker_check.py failed with ValueError in line ")
    assert result.error.count("\n") == 1


def test_debug_settings_of_botocore_show_no_login(worker: Worker) -> None:
    result = worker.run(*Arguments().words(), PYTHONDEVMODE="1", AWS_DEBUG="1", BOTO_LOG_LEVEL="DEBUG")
    assert result.code == 0


def test_the_file_has_the_syntax_of_python_3_9() -> None:
    ast.parse(SOURCE.read_text(), feature_version=(3, 9))


def test_the_file_needs_only_the_standard_library_and_botocore(tmp_path: Path) -> None:
    import botocore

    packages = Path(botocore.__file__).parents[1]
    for name in ("botocore", "jmespath", "dateutil", "urllib3", "six.py"):
        (tmp_path / name).symlink_to(packages / name)
    file = shutil.copy(SOURCE, tmp_path)
    done = subprocess.run([sys.executable, "-S", file, "--help"], capture_output=True, text=True, cwd=tmp_path, env={})
    assert (done.returncode, done.stderr) == (0, "")
    assert "--foreign-repository" in done.stdout
    (tmp_path / "botocore").unlink()
    done = subprocess.run([sys.executable, "-S", file, "--help"], capture_output=True, text=True, cwd=tmp_path, env={})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "botocore is missing. Run this file with the Python of Airflow.\n"
