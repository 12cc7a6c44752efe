"""`ecr-login lifecycle`: which images the lifecycle rules would delete today."""

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
from botocore.exceptions import ClientError

from ops.clients import Clients, NoAnswer, answers
from ops.deployment import not_deployed
from ops.fixes import aws
from ops.images import (
    created_on_push,
    for_evaluation,
    in_words,
    managed_repositories,
    read_images,
    read_lifecycle_policy,
    same_rules,
)
from ops.results import CannotTell, Check, State, console, end, print_checks
from ops.target import Target, for_environment
from ops.times import ago, iso
from ops.together import ask_all
from settings.environment import Environment
from settings.lifecycle_evaluation import Image, evaluate
from settings.problem import did_you_mean

PREVIEW_SECONDS = 60
"""How long the command waits for a preview of AWS."""
SHOWN = 20
"""How many images of a repository the command prints. `--json` contains all images."""


@dataclass(frozen=True)
class Repository:
    """A repository, its images, and what lifecycle rules would do with them.

    Attributes:
        wanted: The lifecycle policy of the settings, or None if the settings delete nothing.
        deployed: The lifecycle policy that ECR has, or None.
        images: The images, or None if the repository does not exist.
        preview: The digests that AWS would delete or archive by the settings, or None without a preview.
    """

    name: str
    wanted: str | None
    deployed: str | None
    images: list[Image] | None
    preview: set[str] | NoAnswer | None


@click.command(name="lifecycle")
@for_environment
@click.argument("repository", required=False)
@click.option("--preview", is_flag=True, help="Also ask AWS. This needs ecr:StartLifecyclePolicyPreview.")
def command(target: Target, as_json: bool, repository: str | None, preview: bool) -> None:
    """Show which images the lifecycle rules of ENVIRONMENT's settings would delete today.

    REPOSITORY is the full name of one repository. The command deletes nothing. It evaluates the rules itself. With
    --preview, it compares the result with a preview of AWS.
    """
    clients, environment = target.clients(), target.environment
    rules = managed_repositories(environment)
    try:
        rules |= created_on_push(clients, environment)
    except NoAnswer as error:
        raise CannotTell(f"the repositories of {environment.name} cannot be listed: {error}") from None
    if repository is not None:
        if repository not in rules:
            fix = did_you_mean(repository, rules, f"write one of {', '.join(rules)}")
            raise CannotTell(f"{environment.name} manages no lifecycle rules of {repository}; {fix}")
        rules = {repository: rules[repository]}
    now = datetime.now(UTC)
    found = ask_all({name: _reading(clients, name, text, preview) for name, text in rules.items()})
    if repository is None and all(isinstance(each, Repository) and each.images is None for each in found.values()):
        raise not_deployed(environment)
    checks = [_check(name, answer, now, environment) for name, answer in found.items()]
    read = [each for each in found.values() if isinstance(each, Repository)]
    if not as_json:
        for each in read:
            _print(each, now)
        print_checks(checks)
    total = sum(len(_outcomes(each, each.wanted, now)) for each in read)
    data = {"environment": environment.name, "repositories": {each.name: _data(each, now) for each in read}}
    verdict = f"{environment.name}: the rules of the settings would delete {total} image{'s' * (total != 1)} today"
    end(checks, as_json=as_json, data=data, verdict=verdict)


def _reading(clients: Clients, name: str, wanted: str | None, preview: bool) -> Callable[[], Repository]:
    """Return a function that reads a repository. It raises NoAnswer if AWS refuses a request."""

    def read() -> Repository:
        described = read_images(clients, name)
        images = None if described is None else for_evaluation(clients, name, described)
        deployed = read_lifecycle_policy(clients, name)
        previewed = _preview(clients, name, wanted) if preview and wanted and images is not None else None
        return Repository(name, wanted, deployed, images, previewed)

    return read


def _preview(clients: Clients, name: str, text: str) -> set[str] | NoAnswer:
    """Return the digests of the images that AWS would delete or archive."""
    deadline = time.monotonic() + PREVIEW_SECONDS
    try:
        with answers():
            _start_preview(clients, name, text, deadline)
            while True:
                request: dict[str, Any] = {"repositoryName": name, "maxResults": 100}
                page = clients.ecr.get_lifecycle_policy_preview(**request)
                if page["status"] == "COMPLETE":
                    break
                if page["status"] != "IN_PROGRESS" or time.monotonic() > deadline:
                    return NoAnswer(f"the preview of AWS is {page['status']}")
                time.sleep(1)
            found = {each["imageDigest"] for each in page["previewResults"]}
            while page.get("nextToken"):
                page = clients.ecr.get_lifecycle_policy_preview(**request, nextToken=page["nextToken"])
                found |= {each["imageDigest"] for each in page["previewResults"]}
            return found
    except NoAnswer as refused:
        return refused


def _start_preview(clients: Clients, name: str, text: str, deadline: float) -> None:
    """Start a preview. If another preview of the repository runs, wait for its end."""
    while True:
        try:
            clients.ecr.start_lifecycle_policy_preview(repositoryName=name, lifecyclePolicyText=text)
            return
        except ClientError as error:
            is_running = error.response["Error"]["Code"] == "LifecyclePolicyPreviewInProgressException"
            if not is_running or time.monotonic() > deadline:
                raise
        time.sleep(1)


def _outcomes(repository: Repository, text: str | None, now: datetime, *, count_parts: bool = True) -> dict[str, Any]:
    """Return the outcomes of a lifecycle policy, by digest."""
    if text is None or not repository.images:
        return {}
    found = evaluate(text, repository.images, now, count_parts=count_parts)
    return {outcome.digest: outcome for outcome in found}


def _check(name: str, answer: Repository | NoAnswer, now: datetime, environment: Environment) -> Check:
    check_name = f"lifecycle_{name}"
    if isinstance(answer, NoAnswer):
        return Check(check_name, State.UNKNOWN, str(answer))
    if answer.images is None:
        fix = f"make deploy ENV={environment.name}. If a person deleted the repository, create it again"
        return Check(check_name, State.DEGRADED, "the repository does not exist", fix)
    if isinstance(answer.preview, NoAnswer):
        return Check(check_name, State.UNKNOWN, f"no preview of AWS: {answer.preview}")
    if not same_rules(answer.wanted, answer.deployed):
        detail = f"ECR has other rules than the settings: {in_words(answer.deployed)}"
        return Check(check_name, State.DEGRADED, detail, _fix(answer, environment))
    if answer.preview is not None:
        results = [_outcomes(answer, answer.wanted, now, count_parts=each).keys() for each in (True, False)]
        if answer.preview not in results:
            differ = len(answer.preview ^ results[0])
            detail = f"the preview of AWS differs in {differ} image{'s' * (differ > 1)}. AWS decides what is deleted"
            return Check(check_name, State.DEGRADED, detail, "Report the difference to the maintainers")
        return Check(check_name, State.OK, "the preview of AWS has the same result")
    return Check(check_name, State.OK, "ECR has the rules of the settings")


def _fix(repository: Repository, environment: Environment) -> str:
    """Return how ECR gets the rules of the settings.

    CloudFormation changes nothing if a person changed the rules by hand, because the template has not changed. It
    also does not change the rules of a repository that a push created.
    """
    if repository.wanted is None:
        words = f"ecr delete-lifecycle-policy --repository-name {repository.name}"
    else:
        text = shlex.quote(repository.wanted)
        words = f"ecr put-lifecycle-policy --repository-name {repository.name} --lifecycle-policy-text {text}"
    if repository.name not in managed_repositories(environment):
        return aws(environment, words)
    deploy = f"make diff ENV={environment.name}, then make deploy ENV={environment.name}"
    return f"{deploy}. If make diff shows no difference: {aws(environment, words)}"


def _print(repository: Repository, now: datetime) -> None:
    out = console()
    out.print(f"{repository.name}: {in_words(repository.wanted)}")
    images = {image.digest: image for image in repository.images or []}
    outcomes = _outcomes(repository, repository.wanted, now)
    out.print(f"  {len(outcomes)} of {len(images)} images would be deleted")
    for digest, outcome in list(outcomes.items())[:SHOWN]:
        image = images[digest]
        tags = " ".join(image.tags) or "(no tag)"
        out.print(f"  rule {outcome.priority}  {digest[7:19]}  pushed {ago(image.pushed_at, now)}  {tags}")
    if len(outcomes) > SHOWN:
        out.print(f"  and {len(outcomes) - SHOWN} more; --json lists all")
    by_deployed = _outcomes(repository, repository.deployed, now)
    if by_deployed.keys() != outcomes.keys():
        out.print(f"  With the deployed rules, {len(by_deployed)} images would be deleted")
    without_parts = _outcomes(repository, repository.wanted, now, count_parts=False)
    if without_parts.keys() != outcomes.keys():
        out.print(f"  {len(without_parts)} if AWS does not count the parts of multi-platform images")
    out.print()


def _data(repository: Repository, now: datetime) -> Mapping[str, Any]:
    images = {image.digest: image for image in repository.images or []}

    def listed(outcomes: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "digest": digest,
                "tags": list(images[digest].tags),
                "pushed_at": iso(images[digest].pushed_at),
                "action": outcome.action,
                "rule": outcome.priority,
            }
            for digest, outcome in outcomes.items()
        ]

    return {
        "images": None if repository.images is None else len(images),
        "rules": in_words(repository.wanted),
        "deployed_rules": in_words(repository.deployed),
        "deletes": listed(_outcomes(repository, repository.wanted, now)),
        "deletes_without_counting_parts": listed(_outcomes(repository, repository.wanted, now, count_parts=False)),
        "deployed_deletes": listed(_outcomes(repository, repository.deployed, now)),
        "preview": sorted(repository.preview) if isinstance(repository.preview, set) else None,
    }
