"""Tests of the clients with which an analyst pushes and pulls images.

docs/push-images.md describes the results and quotes the error messages.
"""

import base64
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.account import BREAK_GLASS_ROLE_ARN, Credentials, assume
from tests.e2e import debian, host
from tests.e2e.clients import Laptop
from tests.e2e.stage import SCRATCH, Stage
from tests.ops.ecr_login import ecr_login
from tools import ROOT

R = host.REGISTRY
BASE = f"{R}/analytics/web-scraper:1"  # stage.py pushes this image.
NO_ATTESTATION = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

# The docker engines by name. 28.2 is the first version that does not push every manifest of an image under the tag.
CLASSIC = "classic image store"  # the machine's engine
BEFORE_28_2 = "containerd image store before 28.2"
CONTAINERD = "containerd image store"
RELEASES = {CLASSIC: None, BEFORE_28_2: "trixie", CONTAINERD: "forky"}


@pytest.fixture(scope="module")
def engines(stage: Stage) -> Iterator[dict[str, host.Engine]]:
    """The engine of an Airflow worker, and the engines of two newer Debian releases."""
    shutil.copytree(debian.programs("bookworm") / "etc" / "containers", "/etc/containers", dirs_exist_ok=True)
    releases = {name: release for name, release in RELEASES.items() if release}
    with ThreadPoolExecutor() as pool:
        newer = pool.map(lambda release: host.Engine(SCRATCH, release, release), releases.values())
        started = dict(zip(releases, newer, strict=True))
    yield {CLASSIC: stage.workers[0].engine} | started
    for engine in started.values():
        engine.stop()


@pytest.fixture(scope="module")
def analyst(stage: Stage) -> Credentials:
    """A session of the push role of the team analytics."""
    return assume(stage.aws, stage.outputs["PushRoleArnAnalytics"], stage.account.analyst)


MakeLaptop = Callable[..., Laptop]


@pytest.fixture
def laptop(stage: Stage, analyst: Credentials, engines: dict[str, host.Engine], tmp_path: Path) -> MakeLaptop:
    """Make the laptop of the analyst with an engine and its docker CLI, or with the programs of a Debian release.

    The analyst uses the credential helper, and the engine has no image.
    """

    def make(engine: str = CLASSIC, release: str | None = None) -> Laptop:
        engines[engine].forget_images()
        folder = tmp_path / (release or engine)
        made = Laptop(folder, stage.aws, analyst, engines[engine], release or RELEASES[engine])
        made.use_helper()
        return made

    return make


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a Dockerfile. The image runs the program of the team's base image."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f"FROM {BASE}\nARG REVISION=1\nRUN "
        + json.dumps(["/bin/busybox", "sh", "-c", "/bin/busybox echo revision $REVISION >/built"])
        + '\nCMD ["/bin/busybox", "cat", "/marker", "/built"]\n'
    )
    return folder


# Push and pull


@pytest.mark.parametrize("engine", RELEASES)
def test_docker_builds_on_an_image_of_the_team_and_pushes_and_pulls(
    stage: Stage, laptop: MakeLaptop, source: Path, engine: str
) -> None:
    docker, image = laptop(engine), image_of("web-scraper", f"built-{RELEASES[engine]}")
    docker.log_out()
    docker.log_in(password(stage, docker))
    build(docker, source, image, **NO_ATTESTATION)
    docker.succeeds("docker", "push", image)
    docker.succeeds("docker", "image", "rm", image)
    assert stage.marker in docker.succeeds("docker", "run", "--rm", "--network=none", "--pull=always", image)


def test_the_commands_that_handoff_prints_log_in_build_and_push(
    stage: Stage, laptop: MakeLaptop, source: Path, tmp_path: Path
) -> None:
    docker = laptop(CONTAINERD)
    docker.log_out()
    # The engine of the tests has no network for RUN.
    (source / "Dockerfile").write_text(f"FROM {BASE}\nCOPY Dockerfile /built\n")
    words = ["handoff", "local", "--for", "analyst", "--team", "analytics", "--json"]
    done = ecr_login(stage.aws, *words, folder=SCRATCH / "environments")
    text = {section["title"]: section["text"] for section in done.json["sections"]}
    user = stage.account.analyst
    config = (
        f"[default]\naws_access_key_id = {user['AccessKeyId']}\naws_secret_access_key = {user['SecretAccessKey']}\n"
    )
    (tmp_path / "config").write_text(config + text["Profile for an IAM user with an access key"])
    aws = tmp_path / "bin" / "aws"
    aws.parent.mkdir()
    start = f"PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)}"
    aws.write_text(f'#!/bin/sh\nunset LD_LIBRARY_PATH\n{start} -m tests.local.aws_cli "$@"\n')
    aws.chmod(0o755)
    commands = [text["Log in"], f"cd {shlex.quote(str(source))}", text["Build and push"], text["Show what was pushed"]]
    person = {
        "PATH": f"{aws.parent}:{docker.environment['PATH']}",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    commands.insert(0, "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN")

    shown = docker.succeeds("/bin/bash", "-euo", "pipefail", "-c", "\n".join(commands), **person)

    [pushed] = re.findall(r"^(\d{8}-\d{6}): digest: (sha256:\S+)", shown, re.MULTILINE)
    assert digest(stage, "web-scraper", pushed[0]) == pushed[1]
    assert pushed[1] in shown.rpartition("size:")[2]  # in the output of the last command


def test_the_credential_helper_replaces_the_docker_login(stage: Stage, laptop: MakeLaptop, source: Path) -> None:
    docker = laptop(CONTAINERD)
    before = docker.configuration
    ended = docker.run("docker", "login", "--username=AWS", "--password-stdin", R, stdin=password(stage, docker))
    assert not ended.succeeded
    assert "Error saving credentials: error storing credentials" in ended.output
    assert "not implemented" in ended.output
    assert docker.configuration == before

    build(docker, source, image_of("web-scraper", "helper"))
    docker.succeeds("docker", "push", image_of("web-scraper", "helper"))


def test_skopeo_inspects_lists_and_copies_images_of_the_team(stage: Stage, laptop: MakeLaptop) -> None:
    skopeo = laptop(release="bookworm")
    assert json.loads(skopeo.succeeds("skopeo", "inspect", f"docker://{BASE}"))["Architecture"] == "amd64"
    assert "1" in json.loads(skopeo.succeeds("skopeo", "list-tags", f"docker://{R}/analytics/web-scraper"))["Tags"]
    skopeo.succeeds("skopeo", "copy", f"docker://{BASE}", f"docker://{image_of('churn-model', 'skopeo')}")
    assert media_type(stage, "churn-model", "skopeo")


def test_podman_builds_on_an_image_of_the_team_and_pushes_and_pulls(
    stage: Stage, laptop: MakeLaptop, source: Path
) -> None:
    machine, image = laptop(release="bookworm"), image_of("web-scraper", "podman")
    podman = ["podman", "--root=/run/podman/root", "--runroot=/run/podman/run", "--storage-driver=vfs"]
    podman += ["--cgroup-manager=cgroupfs", "--events-backend=none"]
    (source / "Dockerfile").write_text(f'FROM {BASE}\nCOPY Dockerfile /built\nCMD ["/bin/busybox"]\n')
    machine.succeeds(*podman, "build", "--quiet", "--tag", image, str(source))
    machine.succeeds(*podman, "push", image)
    machine.succeeds(*podman, "rmi", "--force", image)
    machine.succeeds(*podman, "pull", image)


def test_buildx_uses_and_writes_a_build_cache(laptop: MakeLaptop, source: Path) -> None:
    docker, cache = laptop(CONTAINERD), f"{R}/analytics/web-scraper:cache-main"
    export = f"--cache-to=type=registry,ref={cache},mode=max"
    build(docker, source, image_of("web-scraper", "cached-1"), "--push", export)
    # The settings have an exception for the tags `cache-*`, so the second export moves the tag.
    build(docker, source, image_of("web-scraper", "cached-2"), "--push", export, "--build-arg=REVISION=2")
    forget_builds(docker)
    assert "CACHED" in build(
        docker, source, "unpushed", f"--cache-from=type=registry,ref={cache}", "--build-arg=REVISION=2"
    )


def test_a_build_cache_under_an_immutable_tag_is_written_once(stage: Stage, laptop: MakeLaptop, source: Path) -> None:
    docker = laptop(CONTAINERD)
    export = f"--cache-to=type=registry,ref={R}/analytics/web-scraper:buildcache,mode=max"
    build(docker, source, image_of("web-scraper", "frozen-1"), "--push", export)
    command = ["docker", "build", f"--tag={image_of('web-scraper', 'frozen-2')}", "--push", export]
    shown = docker.fails(*command, "--network=none", "--build-arg=REVISION=2", str(source))
    assert "manifests/buildcache: 400 Bad Request" in shown
    # The image is pushed before the cache, so the failed build has taken the image's tag.
    assert media_type(stage, "web-scraper", "frozen-2")

    inline = image_of("web-scraper", "inline")
    build(docker, source, inline, "--push", "--cache-to=type=inline", "--build-arg=REVISION=3")
    forget_builds(docker)
    assert "CACHED" in build(docker, source, "unpushed", f"--cache-from={inline}", "--build-arg=REVISION=3")


# Immutable tags and the containerd image store


def test_an_image_with_an_attestation_is_pushed_to_an_immutable_tag(
    stage: Stage, laptop: MakeLaptop, source: Path
) -> None:
    docker, image = laptop(CONTAINERD), image_of("web-scraper", "attested")
    build(docker, source, image)
    docker.succeeds("docker", "push", image)
    assert media_type(stage, "web-scraper", "attested") == INDEX
    docker.succeeds("docker", "pull", image)


def test_an_engine_before_28_2_leaves_a_part_of_the_image_under_the_tag(
    stage: Stage, laptop: MakeLaptop, source: Path
) -> None:
    docker, image = laptop(BEFORE_28_2), image_of("web-scraper", "burned")
    build(docker, source, image)
    for _ in range(2):
        shown = docker.fails("docker", "push", image)
        assert shown.rstrip().endswith("/v2/analytics/web-scraper/manifests/burned: 400 Bad Request")

    tag = {"repositoryName": "analytics/web-scraper", "imageIds": [{"imageTag": "burned"}]}
    team = stage.aws.client("ecr", credentials_of(docker))
    assert team.describe_images(**tag)["imageDetails"][0]["imageManifestMediaType"] == MANIFEST
    with pytest.raises(ClientError, match="AccessDenied"):
        team.batch_delete_image(**tag)
    on_call = stage.aws.client("ecr", assume(stage.aws, BREAK_GLASS_ROLE_ARN, stage.account.operator))
    assert on_call.batch_delete_image(**tag)["failures"] == []
    build(docker, source, image, "--provenance=false")
    docker.succeeds("docker", "push", image)
    docker.succeeds("docker", "image", "rm", image)
    assert stage.marker in docker.succeeds("docker", "run", "--rm", "--network=none", image)


@pytest.mark.parametrize(
    ("options", "environment"),
    [(["--provenance=false"], {}), ([], NO_ATTESTATION), ([], {"DOCKER_BUILDKIT": "0"})],
    ids=["provenance", "no-default-attestations", "legacy-builder"],
)
def test_an_engine_before_28_2_pushes_an_image_without_an_attestation(
    laptop: MakeLaptop, source: Path, request: pytest.FixtureRequest, options: list[str], environment: dict[str, str]
) -> None:
    docker, image = laptop(BEFORE_28_2), image_of("web-scraper", request.node.callspec.id)
    build(docker, source, image, *options, **environment)
    docker.succeeds("docker", "push", image)


def test_pushing_one_platform_needs_a_newer_docker_cli(stage: Stage, laptop: MakeLaptop, source: Path) -> None:
    old = laptop(BEFORE_28_2)
    assert "unknown flag: --platform" in old.fails("docker", "push", "--platform=linux/amd64", "any")

    docker, image = laptop(CONTAINERD), image_of("web-scraper", "one-platform")
    build(docker, source, image)
    docker.succeeds("docker", "push", "--platform=linux/amd64", image)
    assert media_type(stage, "web-scraper", "one-platform") == MANIFEST


def test_a_build_that_pushes_fails_before_28_2_but_the_tag_is_complete(
    stage: Stage, laptop: MakeLaptop, source: Path
) -> None:
    """BuildKit pushes the image, and then the engine pushes the image again."""
    docker, image = laptop(BEFORE_28_2), image_of("web-scraper", "build-push")
    shown = docker.fails("docker", "build", "--push", "--network=none", f"--tag={image}", str(source))
    assert shown.rstrip().endswith("/manifests/build-push: 400 Bad Request")
    assert media_type(stage, "web-scraper", "build-push") == INDEX
    laptop(CONTAINERD).succeeds("docker", "pull", image)


def test_an_older_imagetools_leaves_a_part_of_a_copied_image_under_the_tag(
    stage: Stage, laptop: MakeLaptop, source: Path
) -> None:
    docker, image = laptop(CONTAINERD), image_of("web-scraper", "to-copy")
    build(docker, source, image, "--push")
    copy = ["docker", "buildx", "imagetools", "create", image, "--tag"]
    docker.succeeds(*copy, image_of("churn-model", "copied"))
    assert media_type(stage, "churn-model", "copied") == INDEX
    laptop(BEFORE_28_2).fails(*copy, image_of("churn-model", "copied-by-0.13"))
    assert media_type(stage, "churn-model", "copied-by-0.13") == MANIFEST


# Error messages


MISSPELT = "analytics/web-scrapper"
OF_ANOTHER_TEAM = "risk/var"
# The registry's reasons. Only the classic image store shows the reason for 403.
NO_PERMISSION = (
    "is not authorized to perform: {action} on resource: arn:aws:ecr:us-east-1:123456789012:repository/{repository} "
)
NOT_ALLOWED = NO_PERMISSION + "because no identity-based policy allows the {action} action"
DENIED = NO_PERMISSION + "with an explicit deny in a resource-based policy"
EXPIRED = "denied: Your authorization token has expired. Reauthenticate and try again."
TAKEN = (
    "The image tag '1' already exists in the 'analytics/web-scraper' repository and cannot be overwritten because the "
    "tag is immutable."
)
# What a containerd image store shows for 403, with the repository and the path of the request.
PUSH_FORBIDDEN = f"unexpected status from HEAD request to https://{R}/v2/{{repository}}/blobs/"
PULL_FORBIDDEN = f"unexpected status from HEAD request to https://{R}/v2/{{repository}}/manifests/1: 403 Forbidden"
NO_CREDENTIALS = "no basic auth credentials"
# What `docker push` and `docker pull` show, for a repository: by engine.
CLASSIC_SHOWS = {
    "push to a misspelt repository": (
        MISSPELT,
        NOT_ALLOWED.format(action="ecr:InitiateLayerUpload", repository=MISSPELT),
    ),
    "push to another team": (
        OF_ANOTHER_TEAM,
        DENIED.format(action="ecr:InitiateLayerUpload", repository=OF_ANOTHER_TEAM),
    ),
    "pull from another team": (
        OF_ANOTHER_TEAM,
        NOT_ALLOWED.format(action="ecr:BatchGetImage", repository=OF_ANOTHER_TEAM),
    ),
    "push a tag that is taken": ("analytics/web-scraper", f"tag invalid: {TAKEN}"),
    "pull a tag that does not exist": ("analytics/churn-model", "manifest unknown"),
    "push without a login": ("analytics/churn-model", NO_CREDENTIALS),
    "push with an expired login": ("analytics/churn-model", EXPIRED),
    "pull with an expired login": ("analytics/web-scraper", EXPIRED),
}
CONTAINERD_SHOWS = {
    "push to a misspelt repository": (MISSPELT, PUSH_FORBIDDEN.format(repository=MISSPELT)),
    "push to another team": (OF_ANOTHER_TEAM, PUSH_FORBIDDEN.format(repository=OF_ANOTHER_TEAM)),
    "pull from another team": (OF_ANOTHER_TEAM, PULL_FORBIDDEN.format(repository=OF_ANOTHER_TEAM)),
    "push a tag that is taken": ("analytics/web-scraper", f"error from registry: {TAKEN}"),
    "pull a tag that does not exist": ("analytics/churn-model", f"{R}/analytics/churn-model:1: not found"),
    "push without a login": (
        "analytics/churn-model",
        # An engine before 28.2 does not always show "push access denied, …" before this line.
        f"authorization failed: {NO_CREDENTIALS}",
    ),
    "push with an expired login": ("analytics/churn-model", PUSH_FORBIDDEN.format(repository="analytics/churn-model")),
    "pull with an expired login": ("analytics/web-scraper", PULL_FORBIDDEN.format(repository="analytics/web-scraper")),
}
BEFORE_28_2_SHOWS = CONTAINERD_SHOWS | {
    "push a tag that is taken": (
        "analytics/web-scraper",
        f"unexpected status from PUT request to https://{R}/v2/analytics/web-scraper/manifests/1: 400 Bad Request",
    )
}


def test_the_page_about_pushing_names_every_tested_reason() -> None:
    page = (ROOT / "docs" / "push-images.md").read_text()
    reasons = [
        "no identity-based policy allows",
        "with an explicit deny in a resource-based policy",
        EXPIRED.removeprefix("denied: ").partition(".")[0],
        TAKEN,
        NO_CREDENTIALS,
        "403 Forbidden",
        "400 Bad Request",
        "manifest unknown",
        "not implemented",
    ]
    assert [reason for reason in reasons if reason not in page] == []


@pytest.mark.parametrize(
    ("engine", "shows"),
    [(CLASSIC, CLASSIC_SHOWS), (BEFORE_28_2, BEFORE_28_2_SHOWS), (CONTAINERD, CONTAINERD_SHOWS)],
    ids=RELEASES,
)
def test_docker_shows_the_documented_line_when_a_request_is_refused(
    stage: Stage, laptop: MakeLaptop, source: Path, engine: str, shows: dict[str, tuple[str, str]]
) -> None:
    docker = laptop(engine)
    build(docker, source, "built", **NO_ATTESTATION)

    def shown(case: str) -> bool:
        repository, line = shows[case]
        image = f"{R}/{repository}:1"
        docker.succeeds("docker", "tag", "built", image)
        ended = docker.run("docker", "push" if case.startswith("push") else "pull", image)
        assert not ended.succeeded, case
        assert line in ended.output, case
        return "403 Forbidden" in ended.output

    logged_in = [case for case in shows if "login" not in case]
    without_a_reason = {case for case in logged_in if shown(case)}
    other_repositories = {case for case in logged_in if "team" in case or "misspelt" in case}
    assert without_a_reason == (set() if engine == CLASSIC else other_repositories)

    docker.log_out()
    shown("push without a login")
    docker.log_in(password(stage, docker))
    with stage.function_stopped():
        stage.aws.advance_clock(minutes=12 * 60, sessions_expire=False)
        shown("push with an expired login")
        shown("pull with an expired login")
    stage.refresh()


def test_skopeo_shows_the_documented_line_when_a_request_is_refused(laptop: MakeLaptop) -> None:
    skopeo = laptop(release="bookworm")
    for repository in (MISSPELT, OF_ANOTHER_TEAM):
        shown = skopeo.fails("skopeo", "copy", f"docker://{BASE}", f"docker://{R}/{repository}:1")
        assert f"failed to read from destination repository {repository}: 403 (Forbidden)" in shown
        shown = skopeo.fails("skopeo", "inspect", f"docker://{R}/{repository}:1")
        assert NOT_ALLOWED.format(action="ecr:BatchGetImage", repository=repository) in shown
    assert f"tag invalid: {TAKEN}" in skopeo.fails(
        "skopeo", "copy", "--format=oci", f"docker://{BASE}", f"docker://{BASE}"
    )


# Signatures and other attachments


def test_cosign_signs_an_image_with_an_immutable_tag_more_than_once(
    stage: Stage, laptop: MakeLaptop, tmp_path: Path
) -> None:
    cosign = laptop(release="forky")
    cosign.environment["COSIGN_PASSWORD"] = ""
    cosign.succeeds("cosign", "generate-key-pair", f"--output-key-prefix={tmp_path}/key")
    image = f"{R}/analytics/web-scraper@{digest(stage, 'web-scraper', '1')}"
    sign = ["cosign", "sign", f"--key={tmp_path}/key.key", "--use-signing-config=false", "--tlog-upload=false", "--yes"]
    for person in ("one", "two"):
        cosign.succeeds(*sign, f"--annotations=by={person}", image)
        # The older format keeps all signatures of an image under one tag, `sha256-<digest>.sig`.
        cosign.succeeds(*sign, "--new-bundle-format=false", f"--annotations=by={person}", image)
    verify = ["cosign", "verify", f"--key={tmp_path}/key.pub", "--insecure-ignore-tlog=true"]
    assert '"by":"two"' in cosign.succeeds(*verify, "--new-bundle-format=false", image).replace(" ", "")


def test_oras_attaches_files_to_an_image_with_an_immutable_tag(laptop: MakeLaptop, tmp_path: Path) -> None:
    oras = laptop(release="forky")
    for number in (1, 2):
        (tmp_path / "sbom").write_text(f"{number}")
        file = f"{tmp_path}/sbom:text/plain"
        oras.succeeds("oras", "attach", "--disable-path-validation", "--artifact-type=example/sbom", BASE, file)
    assert oras.succeeds("oras", "discover", "--format=json", BASE).count("example/sbom") >= 2


def image_of(repository: str, tag: str) -> str:
    return f"{R}/analytics/{repository}:{tag}"


def build(docker: Laptop, source: Path, image: str, *options: str, **environment: str) -> str:
    """Build an image without a network, and return the output."""
    command = ["docker", "build", "--network=none", f"--tag={image}", *options, str(source)]
    return docker.succeeds(*command, BUILDKIT_PROGRESS="plain", **environment)


def forget_builds(docker: Laptop) -> None:
    """Remove the local build cache."""
    docker.succeeds("docker", "builder", "prune", "--all", "--force")


def password(stage: Stage, docker: Laptop) -> str:
    """Return a new ECR password of the person with this laptop."""
    [data] = stage.aws.client("ecr", credentials_of(docker)).get_authorization_token()["authorizationData"]
    return base64.b64decode(data["authorizationToken"]).decode().removeprefix("AWS:")


def credentials_of(docker: Laptop) -> Credentials:
    keys = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY"}
    keys["SessionToken"] = "AWS_SESSION_TOKEN"
    return {key: docker.environment[name] for key, name in keys.items()}


def details(stage: Stage, repository: str, tag: str) -> dict[str, Any]:
    """Return what `aws ecr describe-images` shows of a tag."""
    image: dict[str, Any] = stage.aws.client("ecr").describe_images(
        repositoryName=f"analytics/{repository}", imageIds=[{"imageTag": tag}]
    )["imageDetails"][0]
    return image


def media_type(stage: Stage, repository: str, tag: str) -> str:
    return str(details(stage, repository, tag)["imageManifestMediaType"])


def digest(stage: Stage, repository: str, tag: str) -> str:
    return str(details(stage, repository, tag)["imageDigest"])
