#!/usr/bin/env python3
"""Check from an Airflow worker whether Airflow can read a docker login and pull images with it.

Copy this file to a worker, and run it with the Python, the user and the environment variables of Airflow. The file
needs Python 3.9 or later and botocore, and imports nothing else. `ecr-login handoff <environment> --for airflow` prints
the command with all arguments.

The checks need only the permissions of an Airflow worker: to read the secret. They send the docker login to the
registry in --host and to no other host. They need Amazon ECR, and cannot succeed with the embedded AWS. They print
neither the login nor any other value of the secret.

Exit codes: 0 works, 1 degraded, 2 broken for Airflow, 3 could not tell.
"""

from __future__ import annotations

import argparse
import base64
import configparser
import importlib.metadata
import importlib.util
import json
import logging
import os
import re
import sqlite3
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

try:
    import botocore
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound
except ImportError:
    print("botocore is missing. Run this file with the Python of Airflow.", file=sys.stderr)
    sys.exit(3)

OK, DEGRADED, BROKEN, UNKNOWN, NOT_TRIED = "ok", "degraded", "broken", "unknown", "not tried"
EXIT_CODES = {OK: 0, DEGRADED: 1, BROKEN: 2, UNKNOWN: 3}
COULD_NOT_TELL = 3
WORST_FIRST = (BROKEN, UNKNOWN, DEGRADED, OK)
SIGNS = {OK: "✔", DEGRADED: "!", BROKEN: "✗", UNKNOWN: "?", NOT_TRIED: "-"}
ASCII_SIGNS = {**SIGNS, OK: "+", BROKEN: "x"}

CONNECT_SECONDS = 5
READ_SECONDS = 10
# AWS refuses a signature whose time differs by more than five minutes.
BROKEN_CLOCK_SECONDS = 300
DEGRADED_CLOCK_SECONDS = 60
MAX_MANIFEST_BYTES = 4 * 1024 * 1024  # Amazon ECR service quotas, "Maximum image manifest size"
MAX_REDIRECTS = 3

# The registry answers 404 if the login may read this image and this layer, because they do not exist.
NO_TAG = "ecr-login-check-of-a-missing-tag"
NO_LAYER = "sha256:" + "0" * 64
MANIFEST_TYPES = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
ECR_HOST = re.compile(r"(?:\w+://)?[0-9]{12}\.dkr[.-]ecr[a-z0-9.-]{1,80}/?")
AIRFLOW_BACKEND = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
CONFIGURE = "docs/airflow/configure.md"
REFRESH = "Run where the deployment is managed: .venv/bin/ecr-login refresh <environment> {} --write"
DEPLOY = "make deploy ENV=<environment>"


class Check(NamedTuple):
    """The result of one check: a stable name, a state, what was found, and what to do."""

    name: str
    state: str
    detail: str
    fix: str = ""


class NoAnswer(Exception):
    """A host did not answer. The message says why, and contains no part of the request."""

    def __init__(self, host: str, why: str) -> None:
        self.host = host
        super().__init__(f"{host}: {why}")


class Unreadable(Exception):
    """Airflow gets a setting from a source that this program does not read. The message names the source."""


@dataclass(frozen=True)
class Target:
    """What the command line says about the connection.

    Attributes:
        secret: The name of the secret.
        connection: The id of the Airflow connection.
        region: The Region of the secret.
        host: The registry.
        repositories: A dict of repository to tag. The tag is empty if the check reads no image.
        required_tags: The repositories whose tag must exist.
        foreign: A repository that the login must not pull. It can be empty.
        own_account: The account of the worker, if STS says so.
    """

    secret: str
    connection: str
    region: str
    host: str
    repositories: dict[str, str]
    required_tags: frozenset[str]
    foreign: str
    own_account: str = ""

    @property
    def is_in_another_account(self) -> bool:
        """Whether the registry is in another account than the worker."""
        return bool(self.own_account) and self.host.partition(".")[0] != self.own_account


# --- Output without secret values -----------------------------------------------------------------------------------

_hidden: set[str] = set()
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9+/=_-]{200,}")


def hide(*values: object) -> None:
    """Remove these values from everything that this program prints from now on."""
    for value in values:
        if isinstance(value, str) and len(value) >= 4:
            _hidden.update((value, urllib.parse.quote(value, safe=""), base64.b64encode(value.encode()).decode()))


def safe(text: object) -> str:
    """Return a text in one line, without hidden values and without strings that look like a token."""
    shown = " ".join(str(text).split())
    for value in sorted(_hidden, key=len, reverse=True):
        shown = shown.replace(value, "***")
    return _TOKEN_LIKE.sub("***", shown)


def hide_values(document: object, visible: Sequence[str]) -> None:
    """Hide every string in a document, also the names of keys, except the visible ones."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            hide_values(key, (*visible, *KNOWN_KEYS))
            hide_values(value, visible)
    elif isinstance(document, list):
        for value in document:
            hide_values(value, visible)
    elif document not in visible:
        hide(document)


# --- Credentials and the secret -------------------------------------------------------------------------------------


@dataclass
class Aws:
    """The AWS APIs, with the credentials that Airflow would use.

    Attributes:
        session: A botocore session.
        region: The Region of the requests.
        account: The account of the credentials, if known.
        role: The name of the role, or the ARN of another principal, if known.
        dates: Pairs of the computer's time and the server's time, in seconds since 1970.
    """

    session: Any
    region: str
    account: str = ""
    role: str = ""
    dates: list[tuple[float, float]] = field(default_factory=list)

    def client(self, service: str) -> Any:
        retries = {"total_max_attempts": 2}
        config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=retries)
        return self.session.create_client(service, region_name=self.region, config=config)

    def note_date(self, answer: Mapping[str, Any], started: float) -> None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        note_date(self.dates, headers.get("date"), started)


def note_date(dates: list[tuple[float, float]], header: str | None, started: float) -> None:
    with suppress(TypeError, ValueError):
        dates.append(((started + time.time()) / 2, parsedate_to_datetime(header or "").timestamp()))


EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
INVALID = {"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "MissingAuthenticationToken"}
SIGNATURE = {"InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"}
BUSY = {"ThrottlingException", "Throttling", "TooManyRequestsException", "InternalServiceError", "InternalFailure"}


def check_credentials(aws: Aws) -> Check:
    """Find the credentials, and ask STS whose they are. Every principal may do this."""
    name = "credentials"
    run_as = "Run this file as the user and with the environment variables of Airflow, for example with sudo -E -u."
    try:
        credentials = aws.session.get_credentials()
        if credentials:
            credentials.get_frozen_credentials()  # A profile can assume a role or start a process.
    except ProfileNotFound as error:
        return Check(name, UNKNOWN, f"{safe(error)}.", f"Correct AWS_PROFILE. {run_as}")
    except (BotoCoreError, ClientError, OSError) as error:
        # The message can contain the output of a process, so it is not shown.
        return Check(name, UNKNOWN, f"The credentials cannot be read: {type(error).__name__}.", run_as)
    if not credentials:
        return Check(name, UNKNOWN, "No AWS credentials were found.", f"{run_as} Or attach the role to the host.")
    source, started = credentials.method, time.time()
    try:
        identity = aws.client("sts").get_caller_identity()
    except ClientError as error:
        aws.note_date(error.response, started)
        code = error.response.get("Error", {}).get("Code", "")
        if code in EXPIRED:
            return Check(name, UNKNOWN, f"The credentials from {source} have expired.", f"Renew them. {run_as}")
        if code in INVALID:
            return Check(name, UNKNOWN, f"AWS does not know the credentials from {source}.", f"Correct them. {run_as}")
        return Check(name, NOT_TRIED, f"Found in {source}. STS does not say whose they are: {safe(code)}.")
    except (BotoCoreError, OSError) as error:
        return Check(name, NOT_TRIED, f"Found in {source}. STS does not answer: {reason(error)}.")
    aws.note_date(identity, started)
    arn, aws.account = identity["Arn"], identity["Account"]
    role = re.fullmatch(r"arn:[^:]+:sts::\d+:assumed-role/([^/]+)/.*", arn)
    aws.role = role[1] if role else arn
    what = f"role {aws.role}" if role else arn
    return Check(name, OK, f"{what} in account {aws.account}, from {source}")


def check_secret(aws: Aws, target: Target) -> tuple[Check, str | None]:
    """Read the secret. Return the check, and the value if there is one."""
    name, started = "secret", time.time()
    try:
        answer = aws.client("secretsmanager").get_secret_value(SecretId=target.secret)
    except ClientError as error:
        aws.note_date(error.response, started)
        details = error.response.get("Error", {})
        state, detail, fix = secret_problem(aws, target, details.get("Code", ""), details.get("Message", ""))
        return Check(name, state, detail, fix), None
    except (BotoCoreError, OSError) as error:
        detail = f"Secrets Manager in {target.region} does not answer: {reason(error)}."
        fix = network_fix(f"secretsmanager.{target.region}.amazonaws.com", detail)
        return Check(name, BROKEN, detail, fix), None
    aws.note_date(answer, started)
    value = answer.get("SecretString")
    hide(value)
    written = answer.get("CreatedDate")
    when = f", written {age(written)} ago" if isinstance(written, datetime) else ""
    return Check(name, OK, f"{target.secret}{when}"), value if isinstance(value, str) else ""


def secret_problem(aws: Aws, target: Target, code: str, message: str) -> tuple[str, str, str]:
    """Return the state, the detail and the fix for an error of GetSecretValue."""
    secret, role = target.secret, aws.role or "this role"
    look = f"Run with administrator permissions: aws secretsmanager describe-secret --region {target.region}"
    look = f"{look} --secret-id {secret}"
    if code in EXPIRED | INVALID:
        return UNKNOWN, f"AWS does not accept the credentials: {safe(code)}.", "Renew the credentials of the worker."
    if code in SIGNATURE:
        return BROKEN, "AWS does not accept the signature.", "Correct the clock, or the secret access key."
    if code.startswith("AccessDenied"):
        if "Access to KMS" in message or "kms:" in message:
            fix = f"Add the role to workers.role_arns in the settings, then run: {DEPLOY}"
            return BROKEN, f"{role} may not decrypt with the key of {secret}.", fix
        if "VPC endpoint policy" in message:
            fix = "Allow secretsmanager:GetSecretValue in the policy of the VPC endpoint for Secrets Manager."
            return BROKEN, f"The policy of the VPC endpoint denies {role} to read {secret}.", fix
        if "resource-based policy" in message:
            fix = f"Add the role with its path to workers.role_arns in the settings, then run: {DEPLOY}"
            return BROKEN, f"The policy of {secret} denies {role}.", fix
        fix = f"Attach the worker policy to {role} (workers.role_arns in the settings), then run: {DEPLOY}"
        detail = f"{role} may not read {secret}. AWS can answer the same if no secret has this name in {target.region}."
        return BROKEN, detail, fix
    if code == "ResourceNotFoundException" and "staging label" in message:
        return BROKEN, f"{secret} has no value yet.", REFRESH.format(target.connection)
    if code == "ResourceNotFoundException":
        return BROKEN, f"{missing_secret(aws, target)}", f"Correct --secret and --region, or run: {DEPLOY}"
    if code == "InvalidRequestException" and "deletion" in message.lower():
        fix = f"aws secretsmanager restore-secret --region {target.region} --secret-id {secret}"
        return BROKEN, f"{secret} is scheduled for deletion.", f"Run with a break-glass role: {fix}"
    if code == "DecryptionFailure" or "kms" in (code + message).lower():
        fix = f"{look} --query KmsKeyId, then: aws kms enable-key --key-id <key>"
        detail = f"The key of {secret} cannot decrypt. It is disabled or scheduled for deletion."
        return BROKEN, detail, f"{fix} (first aws kms cancel-key-deletion if it is scheduled for deletion)"
    if code in BUSY:
        return UNKNOWN, f"Secrets Manager answers {code}.", "Run this command again in a minute."
    return UNKNOWN, f"Secrets Manager answers {safe(code)}: {safe(message)}", look


def missing_secret(aws: Aws, target: Target) -> str:
    detail = f"{target.secret} does not exist in {target.region} of account {aws.account or '(unknown)'}."
    parts = target.host.split(".")
    region = host_region(target.host)
    if region and region != target.region:
        return f"{detail} The registry is in {region}."
    if aws.account and parts[0].isdigit() and parts[0] != aws.account:
        return f"{detail} The registry belongs to account {parts[0]}."
    return detail


def host_region(host: str) -> str:
    found = re.fullmatch(r"[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\..*", host)
    return found[1] if found else ""


def age(then: datetime) -> str:
    minutes = max(0, int((datetime.now(timezone.utc) - then).total_seconds() // 60))
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


# --- The document ---------------------------------------------------------------------------------------------------

EXPECTED_KEYS = ("conn_type", "host", "login", "password", "extra", "expires_at", "reauth")
OTHER_KEYS = ("conn_id", "description", "email", "pass", "port", "registry", "schema", "uri", "user", "username")
KNOWN_KEYS = EXPECTED_KEYS + OTHER_KEYS


def check_document(target: Target, value: str) -> tuple[Check, str]:
    """Check that Airflow can read a value as a docker connection to the registry.

    The details never quote the value: a person may have written the password into any place of the document.

    Returns:
        The check, and the password. The password is empty if it must not be sent to the registry.
    """
    document: Any = None
    with suppress(ValueError, RecursionError):
        document = json.loads(value)
    if isinstance(document, Mapping):
        hide_values(document, ("docker", "AWS", target.host, target.secret, target.connection, target.region))
    problems = list(document_problems(target, document, value))
    if problems:
        fix = REFRESH.format(target.connection)
        return Check("document", BROKEN, " ".join(problems), f"{fix} (the refresh writes a whole new document)"), ""
    expires = expiry(document)
    detail = "a docker connection to the registry"
    return Check("document", OK, f"{detail}, expires {expires}" if expires else detail), document["password"]


def document_problems(target: Target, document: Any, value: str) -> Iterator[str]:
    if not value:
        yield "The secret has no text value."
    elif not isinstance(document, Mapping):
        yield "The secret is not a JSON object."
    else:
        expected = {"conn_type": "docker", "host": target.host, "login": "AWS"}
        missing = [key for key in (*expected, "password") if document.get(key) in (None, "")]
        if missing:
            yield f"Missing: {', '.join(missing)}."
        if "host" not in missing and document["host"] != target.host:
            host = document["host"]
            is_ecr = isinstance(host, str) and ECR_HOST.fullmatch(host)
            # The rest of the document stays hidden. This host contains no user and no password.
            yield f"host is {host} instead of {target.host}." if is_ecr else f"host is not {target.host}."
            if is_ecr:
                _hidden.discard(host)
        yield from (
            f"{key} is not {expected[key]}."
            for key in ("conn_type", "login")
            if key not in missing and document[key] != expected[key]
        )
        password = document.get("password")
        if "password" not in missing and (not isinstance(password, str) or re.search(r"[\s%]", password)):
            yield "password is not a token as ECR returns it."
        extra = document.get("extra", {})
        if not isinstance(extra, Mapping):
            yield "extra is not a JSON object."
        elif extra.get("reauth") is False:
            yield "extra has reauth: false, so Airflow does not log in."
        others = [key for key in document if key not in (*expected, "password", "extra")]
        if others:
            known = [key for key in others if key in KNOWN_KEYS]
            names = ", ".join(known) if len(known) == len(others) else f"{len(others)}"
            yield f"Keys that some Airflow versions refuse: {names}."


def expiry(document: Mapping[str, Any]) -> str:
    extra = document.get("extra")
    try:
        when = datetime.fromisoformat(extra["expires_at"]) if isinstance(extra, Mapping) else None
        return when.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC") if when else ""
    except (KeyError, TypeError, ValueError):
        return ""


# --- The registry ---------------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """An HTTP answer: the status, the headers, the beginning of the body, and the host that answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str

    @property
    def code(self) -> str:
        """The registry's error code, such as MANIFEST_UNKNOWN."""
        try:
            return str(json.loads(self.body)["errors"][0]["code"])
        except (ValueError, LookupError, TypeError):
            return ""

    @property
    def summary(self) -> str:
        """The status and the error message in a few words, without secret values."""
        try:
            message = safe(json.loads(self.body)["errors"][0]["message"])
        except (ValueError, LookupError, TypeError):
            return str(self.status)
        # The whole message contains the ARNs of the pull role's session and of the repository.
        action = re.search(r"not authorized to perform: (ecr:\w+)", message)
        return f"{self.status}, {action[1]} is denied" if action else f"{self.status} {message[:200]}"

    @property
    def refusing_policy(self) -> str:
        """The kind of policy that does not allow a request, `resource` or `identity`, if the registry says so."""
        found = re.search(rb"because no (resource|identity)-based policy allows", self.body)
        return found[1].decode() if found else ""

    @property
    def refused(self) -> bool:
        return self.status in (401, 403)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        return None


class Registry:
    """The HTTP API of the registry. Only requests to the registry's own host contain the docker login."""

    def __init__(self, host: str, dates: list[tuple[float, float]]) -> None:
        self.host = host
        self._dates = dates
        self._password = ""
        handlers = (urllib.request.HTTPSHandler(context=trust()), _NoRedirect())
        # The default handlers honour the variables https_proxy and no_proxy.
        self._opener = urllib.request.build_opener(*handlers)

    def log_in(self, password: str) -> None:
        self._password = password
        hide(password, f"AWS:{password}")

    def request(self, path: str, method: str = "GET", *, limit: int = 65536, **headers: str) -> Answer:
        """Send a request, and follow redirects as docker does: without the login if the host is another one.

        Raises:
            NoAnswer: The registry, or the host of a redirect, did not answer.
        """
        url = urllib.parse.urljoin(f"https://{self.host}/", path)
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._send(url, method, limit, headers)
            location = answer.headers.get("Location", "")
            if answer.status not in (301, 302, 303, 307, 308) or not location:
                return answer
            url = urllib.parse.urljoin(url, location)
            if not url.startswith("https://"):
                raise NoAnswer(answer.host, "it redirects to a host without TLS")
        raise NoAnswer(self.host, "it redirects too often")

    def _send(self, url: str, method: str, limit: int, headers: Mapping[str, str]) -> Answer:
        host = urllib.parse.urlsplit(url).netloc
        request = urllib.request.Request(url, data=b"" if method == "POST" else None, method=method)  # noqa: S310  # https only
        for name, value in headers.items():
            request.add_header(name, value)
        if self._password and host == self.host:
            login = base64.b64encode(f"AWS:{self._password}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        started = time.time()
        try:
            try:
                response = self._opener.open(request, timeout=READ_SECONDS)
            except urllib.error.HTTPError as error:
                response = error
            with closing(response):
                body = response.read(limit) if method != "HEAD" else b""
        except (OSError, ValueError, ssl.SSLError) as error:
            raise NoAnswer(host, reason(error)) from None
        except Exception as error:  # http.client's exceptions can quote the answer.
            raise NoAnswer(host, type(error).__name__) from None
        if host == self.host:
            note_date(self._dates, response.headers.get("Date"), started)
        return Answer(response.getcode() or 0, response.headers, body, host)


def trust() -> ssl.SSLContext:
    """Return a context that trusts the system's CAs, those of botocore, and those in the CA variables."""
    context = ssl.create_default_context()  # OpenSSL reads SSL_CERT_FILE and SSL_CERT_DIR.
    files = [os.environ.get(name) for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")]
    if not any(files) and not context.cert_store_stats()["x509_ca"]:
        files = [str(Path(botocore.__file__).with_name("cacert.pem"))]
    for file in filter(None, files):
        try:
            context.load_verify_locations(**{"capath" if os.path.isdir(file) else "cafile": file})
        except OSError:  # The requests fail, and the check says so.
            continue
    return context


def reason(error: BaseException) -> str:
    """Return why a host did not answer, in a few words and without any part of the request."""
    cause: Any = getattr(error, "kwargs", {}).get("error") or getattr(error, "reason", None) or error
    cause = getattr(cause, "reason", None) or cause
    text = f"{type(error).__name__} {error} {type(cause).__name__} {cause}"
    found = next((why for words, why, _ in NETWORK if any(word in text for word in words)), "")
    # strerror is a text of the operating system or of OpenSSL.
    return found or safe(getattr(cause, "strerror", None) or type(error).__name__)


# Words of an exception, what they mean, and the fix.
NETWORK = (
    (("No such file", "invalid path"), "a CA file does not exist", "Correct AWS_CA_BUNDLE and REQUESTS_CA_BUNDLE."),
    (
        ("CERTIFICATE_VERIFY_FAILED",),
        "its certificate is not trusted",
        "If a proxy inspects TLS, run: export AWS_CA_BUNDLE=<file with the CA of the proxy>",
    ),
    (("Tunnel connection failed", "ProxyConnectionError"), "the proxy refuses", "Correct HTTPS_PROXY and NO_PROXY."),
    (("gaierror", "Failed to resolve", "Name or service not known", "Temporary failure in name"), "unknown name", ""),
    (("timed out", "imeout"), "no answer in time", ""),
    (("refused",), "the connection is refused", ""),
)


def network_fix(host: str, why: str) -> str:
    """Return what to do if a host does not answer for this reason."""
    own = next((fix for _, text, fix in NETWORK if fix and text in why), "")
    return own or f"Check route, security group, VPC endpoint and HTTPS_PROXY. Try: curl -v https://{host}/"


def check_registry(registry: Registry) -> Check:
    """Ask the registry without a docker login. It must answer, and require a login."""
    try:
        answer = registry.request("/v2/")
    except NoAnswer as error:
        return Check("registry", BROKEN, f"No answer from {error}.", network_fix(registry.host, str(error)))
    if answer.status == 401 and answer.headers.get("WWW-Authenticate", "").lower().startswith("basic"):
        return Check("registry", OK, f"{registry.host} answers")
    if answer.status >= 500 or answer.status == 429:
        return Check("registry", UNKNOWN, f"{registry.host} answers {answer.summary}.", "Run this command again.")
    detail = f"{registry.host} answers {answer.status} and not as Amazon ECR does."
    return Check("registry", BROKEN, detail, "Correct --host, or remove the proxy that answers for the registry.")


def check_login(registry: Registry, target: Target) -> Check:
    """Log in as `docker login` does."""
    refresh = REFRESH.format(target.connection)
    try:
        answer = registry.request("/v2/")
    except NoAnswer as error:
        return Check("login", UNKNOWN, f"No answer from {error}.", network_fix(registry.host, str(error)))
    if answer.status == 200:
        return Check("login", OK, "the registry accepts the docker login")
    if answer.refused:
        what = "has expired" if "expired" in answer.summary else "is refused"
        if what == "has expired" and host_region(target.host) != target.region:
            what = "has expired, or is of another Region. The registry answers both in the same way"
        logs = f"If it fails: .venv/bin/ecr-login logs <environment> {target.connection}"
        return Check("login", BROKEN, f"The docker login {what}: {answer.summary}", f"{refresh}. {logs}")
    return Check("login", UNKNOWN, f"The registry answers {answer.summary}", "Run this command again in a minute.")


def check_pull(registry: Registry, target: Target, repository: str) -> Check:
    """Read the manifest of an image and the first byte of a layer."""
    tag = target.repositories[repository]
    try:
        manifest = registry_manifest(registry, repository, tag or NO_TAG)
        if manifest.status == 200:
            layer = first_layer(manifest.body)
        elif manifest.status == 404 and manifest.code != "NAME_UNKNOWN":
            layer = NO_LAYER
        else:
            return pull_problem(target, repository, manifest, "manifest")
        if not layer:
            return Check("pull", UNKNOWN, f"{repository}:{tag} is not an image.", "Choose the tag of an image.")
        # docker reads layers with GET. A presigned URL of S3 is valid for GET only, so HEAD would fail there.
        blob = registry.request(f"/v2/{repository}/blobs/{layer}", limit=4096, Range="bytes=0-0")
    except NoAnswer as error:
        detail = f"{repository}: no answer from {error}."
        return Check("pull", BROKEN, detail, network_fix(error.host, str(error)))
    if layer == NO_LAYER:
        if blob.status == 404 or blob.host != registry.host:
            return no_image(repository, tag, tag and repository in target.required_tags)
        return pull_problem(target, repository, blob, "layer")
    if blob.status in (200, 206):
        return Check("pull", OK, f"{repository}:{tag} can be pulled (manifest and one layer)")
    return pull_problem(target, repository, blob, "layer")


def registry_manifest(registry: Registry, repository: str, reference: str) -> Answer:
    """Return the manifest of an image. If it is an image index, return the manifest of its first image."""
    path = f"/v2/{repository}/manifests/"
    answer = registry.request(path + reference, limit=MAX_MANIFEST_BYTES, Accept=MANIFEST_TYPES)
    if answer.status == 200:
        try:
            child = str(json.loads(answer.body)["manifests"][0]["digest"])
        except (ValueError, LookupError, TypeError):
            return answer
        answer = registry.request(path + child, limit=MAX_MANIFEST_BYTES, Accept=MANIFEST_TYPES)
    return answer


def first_layer(manifest: bytes) -> str:
    try:
        found = json.loads(manifest)
        digest = str((found.get("layers") or [found["config"]])[0]["digest"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return digest if re.fullmatch(r"[a-z0-9]+:[0-9a-f]{32,}", digest) else ""


def no_image(repository: str, tag: str, is_required: object) -> Check:
    if is_required:
        detail = f"{repository} has no image with the tag {tag}."
        return Check("pull", DEGRADED, detail, f"Push {repository}:{tag}, or name a tag that exists.")
    why = f"it has no image {tag}" if tag else "no tag was given"
    return Check("pull", OK, f"{repository}: the login may pull ({why}, so no image was read)")


def pull_problem(target: Target, repository: str, answer: Answer, what: str) -> Check:
    if answer.host != target.host:
        fix = f"Allow s3:GetObject in the policy of the VPC endpoint for S3, and {answer.host} in the proxy."
        return Check("pull", BROKEN, f"{repository}: {answer.host} answers {answer.status} for a layer.", fix)
    if answer.refused:
        if target.is_in_another_account:
            return other_account_problem(target, repository, answer, what)
        fix = f"Add the team of {repository} to connections.{target.connection}.teams in the settings, then run: "
        return Check("pull", BROKEN, f"{repository}: no {what}: {answer.summary}.", fix + DEPLOY)
    if answer.code == "NAME_UNKNOWN":
        return Check("pull", BROKEN, f"{repository} does not exist.", f"Correct --repository, or run: {DEPLOY}")
    if answer.status == 404:
        fix = f"Push {repository} again. Check it with: .venv/bin/ecr-login status <environment>"
        return Check("pull", BROKEN, f"{repository}: the {what} does not exist.", fix)
    return Check("pull", UNKNOWN, f"{repository}: {answer.summary}", "Run this command again in a minute.")


def other_account_problem(target: Target, repository: str, answer: Answer, what: str) -> Check:
    """Return what to do if another account's registry refuses. Both accounts must allow the pull role."""
    account = target.host.partition(".")[0]
    theirs = f"In account {account}, allow the pull role in the policy of {repository}: "
    theirs += ".venv/bin/ecr-login handoff <environment> --for registry"
    ours = f"Add {repository} to repositories, or its prefix to teams, of connections.{target.connection}, then run: "
    ours += DEPLOY
    detail = f"{repository}: no {what}: {answer.summary}."
    if answer.refusing_policy == "resource":
        return Check("pull", BROKEN, f"{detail} The repository policy does not allow the pull role.", theirs)
    if answer.refusing_policy == "identity":
        return Check("pull", BROKEN, f"{detail} The pull role has no permission for this repository.", ours)
    detail += " The registry does not say which of the two accounts refuses."
    return Check("pull", BROKEN, detail, f"{theirs}. Or: {ours}")


def check_foreign(registry: Registry, repository: str) -> Check:
    """Try to pull from a repository that does not belong to the connection."""
    name = "foreign_pull_refused"
    try:
        answer = registry_manifest(registry, repository, NO_TAG)
    except NoAnswer as error:
        return Check(name, UNKNOWN, f"No answer from {error}.", network_fix(registry.host, str(error)))
    if answer.refused:
        return Check(name, OK, f"{repository} is refused")
    if answer.status == 404 and answer.code == "NAME_UNKNOWN":
        return Check(name, UNKNOWN, f"{repository} does not exist.", "Name another --foreign-repository.")
    if answer.status in (200, 404):
        fix = f"Remove the policies that were added to the pull role or to {repository} by hand, then run: {DEPLOY}"
        return Check(name, BROKEN, f"The docker login can pull from {repository}.", fix)
    return Check(name, UNKNOWN, f"{repository}: {answer.summary}", "Run this command again in a minute.")


def check_push(registry: Registry, repositories: Sequence[str]) -> Check:
    """Start an upload in each repository, which the registry must refuse. Cancel an upload that it accepts."""
    name = "push_refused"
    for repository in repositories:
        try:
            answer = registry.request(f"/v2/{repository}/blobs/uploads/", "POST")
            if answer.status in (201, 202):
                return accepted_push(registry, repository, answer.headers.get("Location", ""))
        except NoAnswer as error:
            return Check(name, UNKNOWN, f"No answer from {error}.", network_fix(registry.host, str(error)))
        if not answer.refused:
            fix = "Run this command again in a minute."
            return Check(name, UNKNOWN, f"{repository}: the registry answers {answer.summary}", fix)
    return Check(name, OK, f"refused in {count(len(repositories), 'repository', 'repositories')}")


def accepted_push(registry: Registry, repository: str, location: str) -> Check:
    url = urllib.parse.urljoin(f"https://{registry.host}/", location)
    cancelled = False
    if location and urllib.parse.urlsplit(url).netloc == registry.host:
        with suppress(NoAnswer):
            cancelled = registry.request(url, "DELETE").status in (200, 202, 204)
    end = "The upload was cancelled." if cancelled else "The upload has no content and was not completed."
    fix = f"Remove the push permissions that were added to the pull role by hand, then run: {DEPLOY}"
    return Check("push_refused", BROKEN, f"The docker login can push to {repository}. {end}", fix)


# --- The worker -----------------------------------------------------------------------------------------------------


def check_clock(dates: Sequence[tuple[float, float]]) -> Check:
    """Compare the computer's clock with the Date headers. The header has whole seconds."""
    if not dates:
        return Check("clock", NOT_TRIED, "No server told the time.")
    offset = min((own - server for own, server in dates), key=abs)
    text = f"{abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} AWS"
    fix = "Run: timedatectl set-ntp true. Check it with: chronyc tracking"
    if abs(offset) > BROKEN_CLOCK_SECONDS:
        return Check("clock", BROKEN, f"The clock is {text}. AWS refuses requests.", fix)
    if abs(offset) > DEGRADED_CLOCK_SECONDS:
        return Check("clock", DEGRADED, f"The clock is {text}. AWS refuses requests from 300 s on.", fix)
    return Check("clock", OK, "less than 3 s from AWS" if abs(offset) < 3 else text)


class Airflow:
    """Airflow's settings in the environment variables and in airflow.cfg. Airflow itself is not imported."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.home = Path(environment.get("AIRFLOW_HOME") or "~/airflow").expanduser()
        self.file = Path(environment.get("AIRFLOW_CONFIG") or self.home / "airflow.cfg").expanduser()
        self._environment = environment
        self._parser = configparser.RawConfigParser(strict=False)
        try:
            self._parser.read(self.file, encoding="utf-8")
        except (OSError, ValueError, configparser.Error):
            self._parser = configparser.RawConfigParser()
        package = importlib.util.find_spec("airflow")
        self.is_here = (
            any(name.startswith("AIRFLOW__") for name in environment)
            or bool(self._parser.sections())
            or bool(package and package.origin)  # A folder with this name has no origin.
        )

    @property
    def major_version(self) -> int:
        """The installed version, or 0 if it is unknown."""
        for package in ("apache-airflow-core", "apache-airflow", "apache-airflow-task-sdk"):
            try:
                version = int(importlib.metadata.version(package).split(".")[0])
            except (importlib.metadata.PackageNotFoundError, ValueError):
                continue
            return 3 if package.endswith("sdk") else version
        return 0

    def option(self, section: str, name: str) -> str | None:
        """Return the value of an option, or None.

        Raises:
            Unreadable: Airflow gets the value from a command or from another secrets backend.
        """
        variable = f"AIRFLOW__{section.upper()}__{name.upper()}"
        if variable in self._environment:
            return self._environment[variable]
        for suffix in ("_CMD", "_SECRET"):
            if variable + suffix in self._environment:
                raise Unreadable(f"{variable}{suffix} sets it")
        value = self._parser.get(section, name, fallback=None)
        if value is None and any(self._parser.has_option(section, name + end) for end in ("_cmd", "_secret")):
            raise Unreadable(f"a command in {self.file} sets it")
        return value

    def backend(self) -> tuple[str, str, str]:
        """Return the section of the backend that tasks ask, the class, and its arguments as JSON.

        Raises:
            Unreadable: see `option`.
        """
        if self.major_version != 2:
            workers = self.option("workers", "secrets_backend")
            if workers:
                return "workers", workers, self.option("workers", "secrets_backend_kwargs") or ""
        return "secrets", self.option("secrets", "backend") or "", self.option("secrets", "backend_kwargs") or ""


def check_airflow(airflow: Airflow, aws: Aws, target: Target) -> tuple[Check, Mapping[str, Any] | None]:
    """Check that Airflow's secrets backend looks up the secret. Return the check, and the arguments if known."""
    name = "airflow_backend"
    if not airflow.is_here:
        return Check(name, NOT_TRIED, "No Airflow settings were found here."), None
    try:
        section, backend, text = airflow.backend()
    except Unreadable as error:
        return Check(name, NOT_TRIED, f"The setting cannot be read: {error}."), None
    fix = f"Copy the settings from {CONFIGURE}, and restart Airflow."
    if not backend:
        return Check(name, BROKEN, "No secrets backend is set, so Airflow does not read the secret.", fix), None
    option = "backend_kwargs" if section == "secrets" else "secrets_backend_kwargs"
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, Mapping):
        return Check(name, BROKEN, f"[{section}] {option} is not a JSON object.", fix), None
    if backend != AIRFLOW_BACKEND and backend.startswith("airflow."):
        detail = f"[{section}] {safe(backend)} does not read Secrets Manager."
        return Check(name, BROKEN, detail, "See docs/airflow/another-backend.md, and restart Airflow."), None
    if backend != AIRFLOW_BACKEND and "connections_prefix" not in arguments:
        return Check(name, NOT_TRIED, "Airflow uses another secrets backend than that of the amazon provider."), None
    prefix = arguments.get("connections_prefix", "airflow/connections")
    if not isinstance(prefix, str):
        return Check(name, BROKEN, f"[{section}] connections_prefix is not set.", fix), arguments
    wanted = f"{prefix}{arguments.get('sep', '/')}{target.connection}" if prefix else target.connection
    if wanted != target.secret:
        detail = f"[{section}] Airflow reads the secret {safe(wanted)} instead of {target.secret}."
        return Check(name, BROKEN, detail, f"Correct connections_prefix in {option}, and restart Airflow."), arguments
    pattern = arguments.get("connections_lookup_pattern")
    try:
        is_looked_up = not pattern or re.match(str(pattern), target.connection)
    except re.error:
        is_looked_up = None
    if not is_looked_up:
        detail = f"[{section}] connections_lookup_pattern does not match {target.connection}."
        return Check(name, BROKEN, detail, f"Correct it in {option}, and restart Airflow."), arguments
    profile, own = arguments.get("profile_name"), aws.session.get_config_variable("profile")
    if profile and profile != own:
        detail = f"[{section}] Airflow uses the profile {safe(profile)}. These checks did not."
        return Check(name, DEGRADED, detail, f"Run: export AWS_PROFILE={safe(profile)}, and check again."), arguments
    if arguments.get("role_arn"):
        detail = f"[{section}] Airflow assumes another role. These checks did not."
        return Check(name, DEGRADED, detail, "Run these checks with the credentials of role_arn."), arguments
    return Check(name, OK, f"[{section}] Airflow reads {target.secret}"), arguments


def check_region(aws: Aws, target: Target, arguments: Mapping[str, Any] | None) -> Check:
    """Compare the Region that Airflow uses with the secret's Region."""
    argument = (arguments or {}).get("region_name")
    try:
        region = argument or aws.session.get_config_variable("region")
    except BotoCoreError as error:
        return Check("region", NOT_TRIED, f"The AWS configuration cannot be read: {safe(error)}")
    source = "backend_kwargs" if argument else "the environment"
    if region == target.region:
        return Check("region", OK, f"{region}, from {source}")
    state = BROKEN if arguments is not None else DEGRADED
    fix = f"Set AWS_DEFAULT_REGION={target.region} for Airflow, or region_name in its backend_kwargs."
    if region:
        return Check("region", state, f"{source} says {safe(region)}, and the secret is in {target.region}.", fix)
    # botocore, and therefore Airflow, does not read AWS_REGION.
    also = " AWS_REGION is set, but botocore does not read it." if os.environ.get("AWS_REGION") else ""
    return Check("region", state, f"No Region is set.{also}", fix)


def check_airflow_environment(airflow: Airflow, target: Target) -> Check:
    """Find a connection in the environment variables. Airflow uses it if Secrets Manager fails."""
    variable = f"AIRFLOW_CONN_{target.connection.upper()}"
    if variable in os.environ:
        detail = f"{variable} is set. Airflow uses it if it cannot read the secret."
        return Check("airflow_environment", DEGRADED, detail, f"Run: unset {variable}. Remove it where it is set.")
    if not airflow.is_here:
        return Check("airflow_environment", NOT_TRIED, "No Airflow settings were found here.")
    return Check("airflow_environment", OK, f"{variable} is not set")


def check_airflow_database(airflow: Airflow, target: Target) -> Check:
    """Find a connection in Airflow's database, if it is a local SQLite file."""
    name = "airflow_database"
    delete = f"airflow connections delete {target.connection}"
    if not airflow.is_here:
        return Check(name, NOT_TRIED, "No Airflow settings were found here.")
    try:
        url = airflow.option("database", "sql_alchemy_conn") or airflow.option("core", "sql_alchemy_conn")
    except Unreadable as error:
        return Check(name, NOT_TRIED, f"The database is not known: {error}.", f"On the scheduler, run: {delete}")
    file = Path(url[len("sqlite:///") :]) if url and url.startswith("sqlite:///") else airflow.home / "airflow.db"
    if (url and not url.startswith("sqlite:")) or not file.is_file():
        return Check(name, NOT_TRIED, "The database is not a local file.", f"On the scheduler, run: {delete}")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as database:
            query = "SELECT 1 FROM connection WHERE conn_id = ? LIMIT 1"
            row = database.execute(query, (target.connection,)).fetchone()
    except sqlite3.Error:
        return Check(name, NOT_TRIED, "The database cannot be read.", f"On the scheduler, run: {delete}")
    if row:
        detail = f"The database has {target.connection}. Airflow uses it if it cannot read the secret."
        return Check(name, DEGRADED, detail, f"Run: {delete}")
    return Check(name, OK, f"the database has no {target.connection}")


# --- All checks, and the command line -------------------------------------------------------------------------------


def run_checks(target: Target) -> Iterator[Check]:
    """Run the checks one after the other. A check whose requirement failed is not tried."""
    aws = Aws(botocore.session.get_session(), target.region)
    registry = Registry(target.host, aws.dates)
    credentials = check_credentials(aws)
    yield credentials
    target = replace(target, own_account=aws.account)
    value, password = None, ""
    if credentials.state == UNKNOWN:
        yield Check("secret", NOT_TRIED, "The credentials do not work.")
    else:
        secret, value = check_secret(aws, target)
        yield secret
    if value is None:
        yield Check("document", NOT_TRIED, "The secret was not read.")
    else:
        document, password = check_document(target, value)
        yield document
    answers = check_registry(registry)
    yield answers
    yield from registry_checks(registry, target, password, answers.state)
    yield check_clock(aws.dates)
    airflow = Airflow(os.environ)
    backend, arguments = check_airflow(airflow, aws, target)
    yield check_region(aws, target, arguments)
    yield backend
    yield check_airflow_environment(airflow, target)
    yield check_airflow_database(airflow, target)


def registry_checks(registry: Registry, target: Target, password: str, state: str) -> Iterator[Check]:
    """Run the checks that need a docker login."""
    why = (
        ""
        if password and state == OK
        else "There is no docker login."
        if state == OK
        else "The registry does not answer."
    )
    if not why:
        registry.log_in(password)
        login = check_login(registry, target)
        yield login
        why = "" if login.state == OK else "The docker login does not work."
    else:
        yield Check("login", NOT_TRIED, why)
    if why:
        yield from (Check(name, NOT_TRIED, why) for name in ("pull", "foreign_pull_refused", "push_refused"))
        return
    existing = []
    for repository in target.repositories:
        pull = check_pull(registry, target, repository)
        yield pull
        if pull.state in (OK, DEGRADED):
            existing.append(repository)
    if target.foreign:
        yield check_foreign(registry, target.foreign)
    else:
        yield Check("foreign_pull_refused", NOT_TRIED, "No --foreign-repository was given.")
    # An upload can create a missing repository, so only repositories that exist are tried.
    if existing:
        yield check_push(registry, existing)
    else:
        yield Check("push_refused", NOT_TRIED, "No repository can be pulled.")


def count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def verdict(state: str, checks: Sequence[Check], target: Target) -> str:
    """Return the last line of the output."""
    names = ", ".join(dict.fromkeys(check.name for check in checks if check.state == state))
    skipped = sum(check.state == NOT_TRIED for check in checks)
    end = f" ({count(skipped, 'check', 'checks')} not tried)" if skipped else ""
    if state == OK:
        where = count(len(target.repositories), "repository", "repositories")
        return f"works: this worker can read {target.connection} and pull from {where}{end}"
    text = {DEGRADED: "degraded: pulling works, but see", BROKEN: "broken: see", UNKNOWN: "could not tell: see"}[state]
    return f"{text} {names}{end}"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(COULD_NOT_TELL, f"worker_check.py: {safe(message)}. See: worker_check.py --help\n")


def parse(arguments: Sequence[str] | None) -> tuple[Target, bool]:
    parser = _Parser(prog="worker_check.py", description=(__doc__ or "").split("\n\n", 1)[0], allow_abbrev=False)
    parser.add_argument("--secret", required=True, metavar="NAME", help="full name of the secret")
    parser.add_argument("--connection", required=True, metavar="ID", help="id of the Airflow connection")
    parser.add_argument("--region", required=True, help="Region of the secret, such as us-east-1")
    parser.add_argument("--host", required=True, help="host name of the registry")
    parser.add_argument(
        "--repository",
        required=True,
        action="append",
        metavar="NAME[:TAG]",
        help="a repository of the connection; repeat it for each one. An image with this TAG must exist",
    )
    parser.add_argument("--tag", default="", help="tag to pull from each repository that has it")
    parser.add_argument("--foreign-repository", default="", metavar="NAME", help="a repository that must be refused")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    repositories: dict[str, str] = {}
    required = set()
    for text in options.repository:
        name, colon, tag = text.partition(":")
        if colon:
            required.add(name)
        repositories[name] = tag or options.tag
    patterns = {
        "--host": (r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?", [options.host]),
        "--region": (r"[a-z0-9-]+", [options.region]),
        "--connection": (r"[\w.-]+", [options.connection]),
        "--secret": (r"[\w/+=.@-]+", [options.secret]),
        "--repository": (r"[a-z0-9][a-z0-9._/-]*", [*repositories, options.foreign_repository or "x"]),
        "--tag": (r"[\w.-]*", repositories.values()),
    }
    for option, (pattern, values) in patterns.items():
        if not all(re.fullmatch(pattern, value, re.ASCII) for value in values):
            parser.error(f"the value of {option} is not valid")
    target = Target(
        options.secret,
        options.connection,
        options.region,
        options.host,
        repositories,
        frozenset(required),
        options.foreign_repository,
    )
    return target, options.json


def show(check: Check, signs: Mapping[str, str]) -> None:
    print(f"{signs[check.state]} {check.name}: {safe(check.detail)}")
    if check.fix:
        print(f"    {safe(check.fix)}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all checks, print the results, and return the exit code."""
    logging.disable(logging.CRITICAL)  # botocore logs requests and answers at the level DEBUG.
    target, as_json = parse(arguments)
    signs = SIGNS
    try:
        "".join(SIGNS.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        signs = ASCII_SIGNS
    checks = []
    for check in run_checks(target):
        checks.append(check)
        if not as_json:
            show(check, signs)
    found = {check.state for check in checks}
    state = next((each for each in WORST_FIRST if each in found), OK)
    text = verdict(state, checks, target)
    if as_json:
        shown = [{name: safe(value) for name, value in check._asdict().items()} for check in checks]
        result: dict[str, Any] = {"ok": state == OK, "state": state, "verdict": safe(text), "checks": shown}
        about = {"secret": target.secret, "connection": target.connection, "region": target.region, "host": target.host}
        print(json.dumps({**result, **about}, indent=2))
    else:
        print(f"{signs[state]} {safe(text)}")
    return EXIT_CODES[state]


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python would write the rest at its end, and fail again.
        code = COULD_NOT_TELL
    except Exception as error:
        # A traceback or a message could contain the docker login.
        trace = error.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        where = f"line {trace.tb_lineno} of {Path(trace.tb_frame.f_code.co_filename).name}" if trace else "this file"
        print(f"worker_check.py failed with {type(error).__name__} in {where}. Please report it.", file=sys.stderr)
        code = COULD_NOT_TELL
    sys.exit(code)
