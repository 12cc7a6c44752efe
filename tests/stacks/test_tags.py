"""The tags of the settings are on every stack and on every resource that can have tags, and change nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.conftest import RICH
from tests.templates import Template, Templates, synthesize

TAGS = {"cost-centre": "42", "Data owner": "Data-Platform@example.com"}
# AWS CloudFormation template reference: these resource types have no property for tags.
CANNOT_HAVE_TAGS = {
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",  # a part of a role
    "AWS::Lambda::EventInvokeConfig",  # a part of a function
    "AWS::Lambda::Version",  # a part of a function
    "AWS::SNS::Subscription",  # a part of a topic
    "AWS::SNS::TopicPolicy",  # a part of a topic
    "AWS::SQS::QueuePolicy",  # a part of a queue
    "AWS::Scheduler::Schedule",  # only groups of schedules have tags
    "AWS::SecretsManager::ResourcePolicy",  # a part of a secret
    "Custom::Trigger",  # runs during a deployment, and exists only in the stack
}


# This type has no tags itself, but its property has the tags of the repositories that ECR creates.
KEYS = {"AWS::ECR::RepositoryCreationTemplate": "ResourceTags"}


def tags_of(resource: dict[str, Any]) -> dict[str, str]:
    tags = resource.get("Properties", {}).get(KEYS.get(resource["Type"], "Tags"), {})
    return tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


def without_tags(template: Template) -> Template:
    """Return a template without the tags of the settings."""
    copied: Template = json.loads(json.dumps(template))
    for resource in copied["Resources"].values():
        key_of_tags = KEYS.get(resource["Type"], "Tags")
        tags = resource.get("Properties", {}).get(key_of_tags)
        if isinstance(tags, dict):
            left: Any = {key: value for key, value in tags.items() if key not in TAGS}
        else:
            left = [tag for tag in tags or [] if tag["Key"] not in TAGS]
        if left:
            resource["Properties"][key_of_tags] = left
        elif tags is not None:
            del resource["Properties"][key_of_tags]
        if resource.get("Properties") == {}:
            del resource["Properties"]
    return copied


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the cloud assembly of `tagged`."""
    return tmp_path_factory.mktemp("cdk.out")


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory, output: Path) -> Templates:
    """The templates of the environment `rich` with tags."""
    folder = tmp_path_factory.mktemp("environments")
    tags = "".join(f'"{key}" = "{value}"\n' for key, value in TAGS.items())
    (folder / "rich.toml").write_text(f"{RICH}[tags]\n{tags}")
    return synthesize(folder, output)


def test_every_resource_that_can_have_tags_has_them(tagged: Templates) -> None:
    resources = [item for template in tagged.values() for item in template["Resources"].items()]

    assert {
        name: resource["Type"]
        for name, resource in resources
        if resource["Type"] not in CANNOT_HAVE_TAGS and not TAGS.items() <= tags_of(resource).items()
    } == {}
    assert {resource["Type"] for _, resource in resources if "Tags" in resource.get("Properties", {})}.isdisjoint(
        CANNOT_HAVE_TAGS
    )


def test_tags_change_no_other_property_and_no_logical_id(tagged: Templates, templates: Templates) -> None:
    """A new logical id of a version would publish a version of the function and run its first refresh again."""
    assert {name: without_tags(each) for name, each in tagged.items()} == {name: templates[name] for name in tagged}


def test_repositories_keep_the_tag_with_their_team(tagged: Templates) -> None:
    repositories = [
        each for each in tagged["rich-Registry"]["Resources"].values() if each["Type"] == "AWS::ECR::Repository"
    ]

    assert repositories
    for each in repositories:
        assert tags_of(each) == {**TAGS, "team": each["Properties"]["RepositoryName"].partition("/")[0]}


def test_every_stack_has_the_tags(tagged: Templates, output: Path) -> None:
    manifest = json.loads((output / "assembly-rich" / "manifest.json").read_text())
    stacks = [each for each in manifest["artifacts"].values() if each["type"] == "aws:cloudformation:stack"]

    assert [each["properties"]["tags"] for each in stacks] == [TAGS] * len(tagged)
