"""The repositories: who owns them, which tags may move, and that nobody loses an image with a stack."""

import json

from tests.stacks.conftest import of_type
from tests.templates import Templates

REPOSITORY = "AWS::ECR::Repository"


def test_repositories_are_named_and_tagged_by_their_team(templates: Templates) -> None:
    repositories = {r["RepositoryName"]: r["Tags"] for r in of_type(templates["rich-Registry"], REPOSITORY)}

    assert repositories == {
        "analytics/web-scraper": [{"Key": "team", "Value": "analytics"}],
        "analytics/churn-model": [{"Key": "team", "Value": "analytics"}],
        "risk/var": [{"Key": "team", "Value": "risk"}],
        "risk/reports/daily": [{"Key": "team", "Value": "risk"}],
    }


def test_repositories_and_their_images_outlive_the_stack(templates: Templates) -> None:
    resources = templates["rich-Registry"]["Resources"].values()

    for repository in (r for r in resources if r["Type"] == REPOSITORY):
        # RetainExceptOnCreate: a first deploy that fails leaves none behind that would block the next.
        assert repository["DeletionPolicy"] == "RetainExceptOnCreate"
        assert repository["UpdateReplacePolicy"] == "Retain"


def test_only_the_listed_tags_may_move(templates: Templates) -> None:
    repositories = {r["RepositoryName"]: r for r in of_type(templates["rich-Registry"], REPOSITORY)}

    movable = repositories["analytics/web-scraper"]
    assert movable["ImageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert movable["ImageTagMutabilityExclusionFilters"] == [
        {"ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": "latest"}
    ]
    fixed = repositories["risk/var"]
    assert fixed["ImageTagMutability"] == "IMMUTABLE"
    assert "ImageTagMutabilityExclusionFilters" not in fixed


def test_images_are_scanned_and_only_the_newest_kept(templates: Templates) -> None:
    for repository in of_type(templates["rich-Registry"], REPOSITORY):
        assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
        [rule] = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
        assert rule["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50}


def test_no_repository_has_a_key_or_a_policy_of_its_own(templates: Templates) -> None:
    # A customer key could not be changed later without replacing the repository; access is the roles' alone.
    for repository in of_type(templates["rich-Registry"], REPOSITORY):
        assert repository.get("EncryptionConfiguration", {}).get("EncryptionType", "AES256") == "AES256"
        assert "RepositoryPolicyText" not in repository


def test_the_registry_host_is_an_output(templates: Templates) -> None:
    outputs = templates["rich-Registry"]["Outputs"]

    assert outputs["RegistryHost"]["Value"] == "444455556666.dkr.ecr.eu-west-1.amazonaws.com"
