"""The refresh that a deploy runs itself, so that a deploy that succeeds has a working login."""

from collections.abc import Mapping, Sequence
from typing import cast

from aws_cdk import CfnCustomResource, CfnResource, Duration, Stack, triggers
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.acknowledgements import ANY_FUNCTION, CDK_REPEATS_DEPENDENCY, acknowledge
from stacks.docker_login import timings
from stacks.logs import StackLogGroup


class FirstRefresh(triggers.Trigger):
    """Runs the function after everything that it needs, and again when its code, settings or permissions change."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: lambda_.Function,
        after: Sequence[Construct],
        permissions: Mapping[str, iam.PolicyDocument],
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            function: The function to run.
            after: The constructs that the refresh needs.
            permissions: The policies that the refresh needs, each by a name of its own.
        """
        super().__init__(
            scope,
            construct_id,
            handler=function,
            timeout=Duration.minutes(timings.FIRST_REFRESH_TIMEOUT_MINUTES),
            execute_after=list(after),
        )
        # The trigger runs again only when its properties change. With the policies among its properties, a change of
        # permissions runs a refresh, and a change that breaks the refresh rolls back.
        custom_resource = cast(CfnCustomResource, self.node.find_child("Default").node.default_child)
        custom_resource.add_property_override("Rights", permissions)
        acknowledge(
            custom_resource,
            {"W3005": "The list of what a refresh needs is complete, also where a reference implies the dependency"},
        )


def restrict_provider(stack: Stack, *, role_path: str) -> None:
    """Restrict CDK's function that runs a stack's first refreshes.

    By default it may create any log group and write to any, and its own log group stays when the stack is deleted.

    Args:
        stack: A stack with at least one FirstRefresh.
        role_path: The path of the function's role in IAM.
    """
    provider = stack.node.find_child("AWSCDK.TriggerCustomResourceProviderCustomResourceProvider")
    log_group = StackLogGroup(stack, "FirstRefreshLog")
    function = cast(CfnResource, provider.node.find_child("Handler"))
    function.add_property_override("LoggingConfig", {"LogGroup": log_group.log_group_name})
    acknowledge(
        function,
        {
            **ANY_FUNCTION,
            **CDK_REPEATS_DEPENDENCY,
            "CKV_AWS_116": "CloudFormation waits for the function: a failure fails the deploy",
        },
    )
    role = cast(CfnResource, provider.node.find_child("Role"))
    role.add_property_override("Path", role_path)
    role.add_property_deletion_override("ManagedPolicyArns")
    write_log = iam.PolicyDocument(statements=[log_group.write_permission()])
    role.add_property_override("Policies.1", {"PolicyName": "WriteLog", "PolicyDocument": write_log})
