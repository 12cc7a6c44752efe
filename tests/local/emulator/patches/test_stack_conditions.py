"""Conditions of templates."""

import json
from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws

EMPTY = {"Fn::Equals": ["", {"Fn::Join": ["", {"Ref": "Names"}]}]}
A_AND_B = {"Fn::Equals": ["a-b-end", {"Fn::Join": ["-", [{"Ref": "Names"}, "end"]]}]}


@pytest.mark.parametrize(
    ("names", "exist"), [("", {"WhenEmpty"}), ("a,b", {"WhenAAndB", "WhenNotEmpty"}), ("c", {"WhenNotEmpty"})]
)
def test_a_condition_can_join_a_list_parameter(aws: EmbeddedAws, names: str, exist: set[str]) -> None:
    conditions = {"Empty": EMPTY, "NotEmpty": {"Fn::Not": [EMPTY]}, "AAndB": A_AND_B}
    template = {
        "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": ""}},
        "Conditions": conditions,
        "Resources": {f"When{name}": {"Type": "AWS::SNS::Topic", "Condition": name} for name in conditions},
    }
    cloudformation: Any = aws.client("cloudformation")
    stack = f"joins-{names.replace(',', '-') or 'nothing'}"
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Names", "ParameterValue": names}],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.05})
    found = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    assert {resource["LogicalResourceId"] for resource in found} == exist
