"""DescribeStacks of a stack in progress answers when the stack is done."""

import json

from local.embedded_aws import EmbeddedAws
from tests.local.emulator.patches.support import destroy, resource


def test_the_description_of_a_stack_waits_until_the_stack_is_done(aws: EmbeddedAws) -> None:
    cloudformation = aws.client("cloudformation")
    # No program signals the wait condition, so the stack fails after a second.
    condition = resource("CloudFormation::WaitCondition", {"Handle": {"Ref": "Handle"}, "Timeout": "1"})
    template = {"Resources": {"Handle": resource("CloudFormation::WaitConditionHandle", {}), "Condition": condition}}
    cloudformation.create_stack(StackName="described", TemplateBody=json.dumps(template))
    [listed] = [found for found in cloudformation.describe_stacks()["Stacks"] if found["StackName"] == "described"]
    [described] = cloudformation.describe_stacks(StackName="described")["Stacks"]

    assert (listed["StackStatus"], described["StackStatus"]) == ("CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE")
    destroy(aws, "described")


def test_a_stack_that_waits_for_its_change_set_is_described_at_once(aws: EmbeddedAws) -> None:
    cloudformation = aws.client("cloudformation")
    template = {"Resources": {"Queue": resource("SQS::Queue", {})}}
    cloudformation.create_change_set(
        StackName="reviewed", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(template)
    )

    [described] = cloudformation.describe_stacks(StackName="reviewed")["Stacks"]

    assert described["StackStatus"] == "REVIEW_IN_PROGRESS"
    cloudformation.delete_stack(StackName="reviewed")
