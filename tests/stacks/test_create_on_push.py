"""The settings of repositories that a push creates."""

from tests.stacks.conftest import of_type, the_one
from tests.templates import Templates


def test_a_repository_that_a_push_creates_has_the_settings_of_the_other_repositories_of_its_team(
    templates: Templates,
) -> None:
    template = the_one(templates["rich-Registry"], "AWS::ECR::RepositoryCreationTemplate")
    [repository] = [
        each
        for each in of_type(templates["rich-Registry"], "AWS::ECR::Repository")
        if each["RepositoryName"] == "analytics/web-scraper"
    ]

    assert template["Prefix"] == "analytics"
    assert template["ResourceTags"] == repository["Tags"]
    for name in ("ImageTagMutability", "ImageTagMutabilityExclusionFilters"):
        assert template[name] == repository[name]
