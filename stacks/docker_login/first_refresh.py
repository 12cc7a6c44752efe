"""The refresh that a deploy runs by itself: a deploy that ends well has a working login."""

from collections.abc import Mapping, Sequence
from typing import cast

from aws_cdk import CfnCustomResource, CfnResource, Duration, RemovalPolicy, Stack, triggers
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.acknowledgements import ANY_FUNCTION, ANY_LOG, CDK_DEPENDS_TWICE, acknowledge


class FirstRefresh(triggers.Trigger):
    """Runs the function once all that it needs is there, and again when its code, settings or rights change."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: lambda_.Function,
        after: Sequence[Construct],
        rights: Mapping[str, iam.PolicyDocument],
    ) -> None:
        super().__init__(scope, construct_id, handler=function, timeout=Duration.minutes(3), execute_after=list(after))
        # It runs again only when its properties change. With the policies among them, a change of rights refreshes,
        # and one that breaks the refresh rolls back.
        custom_resource = cast(CfnCustomResource, self.node.find_child("Default").node.default_child)
        custom_resource.add_property_override("Rights", rights)
        acknowledge(custom_resource, {"W3005": "What a refresh needs is named in full, whatever else refers to it"})


def confine_provider(stack: Stack, *, role_path: str) -> None:
    """Confine CDK's function that runs a stack's first refreshes: a log that goes with the stack, and no wider right.

    By itself it writes to a log that stays behind, and may create any log and write to any.
    """
    log_group = logs.LogGroup(
        stack, "FirstRefreshLog", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
    )
    acknowledge(log_group, ANY_LOG)
    provider = stack.node.find_child("AWSCDK.TriggerCustomResourceProviderCustomResourceProvider")
    function = cast(CfnResource, provider.node.find_child("Handler"))
    function.add_property_override("LoggingConfig", {"LogGroup": log_group.log_group_name})
    acknowledge(
        function,
        {
            **ANY_FUNCTION,
            **CDK_DEPENDS_TWICE,
            "CKV_AWS_116": "CloudFormation waits for it: a failure fails the deploy",
        },
    )
    role = cast(CfnResource, provider.node.find_child("Role"))
    role.add_property_override("Path", role_path)
    role.add_property_deletion_override("ManagedPolicyArns")
    write_log = iam.PolicyStatement(
        sid="WriteLog",
        actions=["logs:CreateLogStream", "logs:PutLogEvents"],
        resources=[log_group.log_group_arn],
    )
    role.add_property_override(
        "Policies.1", {"PolicyName": "WriteLog", "PolicyDocument": iam.PolicyDocument(statements=[write_log])}
    )
