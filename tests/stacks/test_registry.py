"""The repositories: names, tags, mutable image tags, and the deletion policy."""

import json

from tests.stacks.conftest import of_type
from tests.templates import Templates

REPOSITORY = "AWS::ECR::Repository"


def test_repositories_have_the_prefix_and_the_tag_of_their_team(templates: Templates) -> None:
    repositories = {r["RepositoryName"]: r["Tags"] for r in of_type(templates["rich-Registry"], REPOSITORY)}

    assert repositories == {
        "analytics/web-scraper": [{"Key": "team", "Value": "analytics"}],
        "analytics/churn-model": [{"Key": "team", "Value": "analytics"}],
        "risk/var": [{"Key": "team", "Value": "risk"}],
        "risk/reports/daily": [{"Key": "team", "Value": "risk"}],
    }


def test_repositories_and_their_images_stay_after_the_stack_is_deleted(templates: Templates) -> None:
    resources = templates["rich-Registry"]["Resources"].values()

    for repository in (r for r in resources if r["Type"] == REPOSITORY):
        # The policy is not Retain: a repository that stays after a failed first deployment would make the next
        # deployment fail.
        assert repository["DeletionPolicy"] == "RetainExceptOnCreate"
        assert repository["UpdateReplacePolicy"] == "Retain"


def test_only_the_tags_in_the_settings_are_mutable(templates: Templates) -> None:
    repositories = {r["RepositoryName"]: r for r in of_type(templates["rich-Registry"], REPOSITORY)}

    mutable = repositories["analytics/web-scraper"]
    assert mutable["ImageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert mutable["ImageTagMutabilityExclusionFilters"] == [
        {"ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": "latest"}
    ]
    immutable = repositories["risk/var"]
    assert immutable["ImageTagMutability"] == "IMMUTABLE"
    assert "ImageTagMutabilityExclusionFilters" not in immutable


def test_images_are_scanned(templates: Templates) -> None:
    for repository in of_type(templates["rich-Registry"], REPOSITORY):
        assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}


def test_only_the_repositories_of_the_settings_have_a_lifecycle_policy(templates: Templates) -> None:
    policies = {r["RepositoryName"]: r.get("LifecyclePolicy") for r in of_type(templates["rich-Registry"], REPOSITORY)}

    selected = {
        name: [rule["selection"]["tagStatus"] for rule in json.loads(policy["LifecyclePolicyText"])["rules"]]
        for name, policy in policies.items()
        if policy
    }
    assert selected == {"analytics/web-scraper": ["tagged", "any"], "analytics/churn-model": ["untagged"]}


def test_no_repository_has_a_customer_managed_key_or_a_resource_policy(templates: Templates) -> None:
    # A later change of the key would replace the repository. Only the policies of roles give access.
    for repository in of_type(templates["rich-Registry"], REPOSITORY):
        assert repository.get("EncryptionConfiguration", {}).get("EncryptionType", "AES256") == "AES256"
        assert "RepositoryPolicyText" not in repository


def test_an_output_has_the_registry_host(templates: Templates) -> None:
    outputs = templates["rich-Registry"]["Outputs"]

    assert outputs["RegistryHost"]["Value"] == "444455556666.dkr.ecr.eu-west-1.amazonaws.com"
