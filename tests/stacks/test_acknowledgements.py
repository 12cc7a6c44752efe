"""The findings of scanners that the templates acknowledge. `make check` compares them with the scanners' findings."""

from typing import Any

from aws_cdk import App, CfnResource, Stack
from aws_cdk.assertions import Template as SynthesizedTemplate

from stacks.acknowledgements import acknowledge
from tests.templates import Templates

# Another entry hides a finding of every resource of the type. The code has the reasons.
ACKNOWLEDGED = {
    "AWS::ECR::Repository": {"CKV_AWS_136", "CKV_AWS_32", "CKV_AWS_51"},
    "AWS::ECS::Cluster": {"CKV_AWS_65"},
    "AWS::Lambda::Function": {"CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117", "CKV_AWS_173", "W3005"},
    "AWS::Logs::LogGroup": {"CKV_AWS_158"},
    "AWS::SNS::Topic": {"CKV_AWS_26"},
    "AWS::SQS::Queue": {"CKV_AWS_27"},
    "AWS::SecretsManager::Secret": {"CKV_AWS_149"},
    "Custom::Trigger": {"W3005"},
}


def acknowledged_in(resource: dict[str, Any]) -> set[str]:
    """Return the checks of checkov and cfn-lint that a resource acknowledges."""
    metadata = resource.get("Metadata", {})
    of_checkov = metadata.get("checkov", {}).get("skip", [])
    assert all(each["comment"] for each in of_checkov)
    return {each["id"] for each in of_checkov} | {
        *metadata.get("cfn-lint", {}).get("config", {}).get("ignore_checks", [])
    }


def test_an_acknowledgement_is_where_each_scanner_reads_it() -> None:
    stack = Stack(App(builtin_cloud_formation_validation=False), "Stack")  # the validation takes seconds
    reasons = {"CKV_AWS_27": "one", "W3005": "two", "AwsSolutions-SQS3": "three"}

    acknowledge(CfnResource(stack, "Queue", type="AWS::SQS::Queue"), reasons)

    [resource] = SynthesizedTemplate.from_stack(stack).to_json()["Resources"].values()
    assert resource["Metadata"]["checkov"] == {"skip": [{"id": "CKV_AWS_27", "comment": "one"}]}
    assert resource["Metadata"]["cfn-lint"] == {"config": {"ignore_checks": ["W3005"]}}


def test_only_the_listed_findings_are_acknowledged(templates: Templates) -> None:
    found: dict[str, set[str]] = {}
    for template in templates.values():
        for resource in template["Resources"].values():
            if checks := acknowledged_in(resource):
                found.setdefault(resource["Type"], set()).update(checks)

    assert found == ACKNOWLEDGED


def test_a_repository_acknowledges_movable_tags_only_if_it_has_some(templates: Templates) -> None:
    for template in (templates["rich-Registry"], templates["plain-Registry"]):
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::ECR::Repository":
                has_movable = "ImageTagMutabilityExclusionFilters" in resource["Properties"]
                assert ("CKV_AWS_51" in acknowledged_in(resource)) == has_movable
