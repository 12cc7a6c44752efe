"""Previews of lifecycle policies."""

import json

import pytest

from local.embedded_aws import EmbeddedAws
from settings.environment import Lifecycle
from settings.lifecycle_policy import lifecycle_policy_text
from tests.local.emulator.patches.support import Docker, refused

KEEP_ONE = lifecycle_policy_text(Lifecycle(protected_tags=("release-*",), keep_images=1))


@pytest.fixture(scope="module")
def repository(aws: EmbeddedAws) -> str:
    """A repository with four images: release-1, 2, 3 and 4."""
    aws.client("ecr").create_repository(repositoryName="previewed")
    docker = Docker(aws)
    for tag in ("release-1", "2", "3", "4"):
        docker.push("previewed", tag, f"image {tag}")
    return "previewed"


@pytest.mark.parametrize("is_stored", [True, False], ids=["the repository's policy", "the policy of the request"])
def test_a_preview_shows_which_images_a_policy_would_delete(aws: EmbeddedAws, repository: str, is_stored: bool) -> None:
    ecr = aws.client("ecr")
    text = {"lifecyclePolicyText": KEEP_ONE}
    if is_stored:
        ecr.put_lifecycle_policy(repositoryName=repository, **text)

    ecr.start_lifecycle_policy_preview(repositoryName=repository, **({} if is_stored else text))
    ecr.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=repository)
    preview = ecr.get_lifecycle_policy_preview(repositoryName=repository)

    found = [(each["imageTags"], each["action"], each["appliedRulePriority"]) for each in preview["previewResults"]]
    assert found == [(["2"], {"type": "EXPIRE"}, 2), (["3"], {"type": "EXPIRE"}, 2)]
    assert preview["summary"]["expiringImageTotalCount"] == 2
    assert len(ecr.describe_images(repositoryName=repository)["imageDetails"]) == 4


def test_a_preview_that_is_not_possible_is_refused(aws: EmbeddedAws) -> None:
    ecr, repository = aws.client("ecr"), "without-policy"
    ecr.create_repository(repositoryName=repository)
    start, get = ecr.start_lifecycle_policy_preview, ecr.get_lifecycle_policy_preview
    both_any = json.loads(KEEP_ONE or "")
    both_any["rules"][0]["selection"] = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9}

    assert "LifecyclePolicyNotFound" in refused(start, repositoryName=repository)
    assert "LifecyclePolicyPreviewNotFound" in refused(get, repositoryName=repository)
    assert "RepositoryNotFound" in refused(start, repositoryName="missing", lifecyclePolicyText=KEEP_ONE)
    answer = refused(start, repositoryName=repository, lifecyclePolicyText=json.dumps(both_any))
    assert "InvalidParameter" in answer
    assert "must be the last rule" in answer
