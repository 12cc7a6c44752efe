"""The refresh that a deployment runs, so that a secret has a valid docker login after a successful deployment."""

from collections.abc import Mapping, Sequence
from typing import cast

from aws_cdk import CfnCustomResource, CfnResource, Duration, Stack, triggers
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.acknowledgements import ANY_FUNCTION, CDK_REPEATS_DEPENDENCY, acknowledge
from stacks.docker_login import timings
from stacks.docker_login.schedule import RefreshSchedule
from stacks.logs import StackLogGroup


class FirstRefresh(triggers.Trigger):
    """A trigger that invokes the refresh function during a deployment.

    The first deployment invokes the function after creating the resources that a refresh needs. A later deployment
    invokes the function if the function's code, settings or permissions change.
    """

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
            function: The function that the trigger invokes.
            after: The constructs that the refresh needs.
            permissions: A dict of a unique name to a policy that the refresh needs.
        """
        super().__init__(
            scope,
            construct_id,
            handler=function,
            timeout=Duration.minutes(timings.FIRST_REFRESH_TIMEOUT_MINUTES),
            execute_after=list(after),
        )
        # The trigger runs again only if its properties change. The policies are added to the properties, so that a
        # change of permissions also runs a refresh. If this refresh fails, CloudFormation rolls the deployment back.
        custom_resource = cast(CfnCustomResource, self.node.find_child("Default").node.default_child)
        custom_resource.add_property_override("Rights", permissions)
        acknowledge(
            custom_resource,
            {"W3005": "The refresh depends explicitly on every resource that it needs, even if a reference implies it"},
        )


def run_in_turn(first_refreshes: Sequence[FirstRefresh], *, before: Sequence[RefreshSchedule]) -> None:
    """Limit how many first refreshes run at the same time.

    Each first refresh takes two concurrent executions of the account's quota: CDK's function, and the refresh function.
    The quota of a new account can be 10.

    Args:
        first_refreshes: The first refreshes of all connections.
        before: The schedules, which are created after all first refreshes. A new schedule invokes its function at once
            and would take executions that the remaining first refreshes need.
    """
    for earlier, later in zip(first_refreshes, first_refreshes[timings.FIRST_REFRESHES_AT_ONCE :], strict=False):
        later.node.add_dependency(earlier)
    for schedule in before:
        schedule.start_after(*first_refreshes[-timings.FIRST_REFRESHES_AT_ONCE :])


def restrict_provider(stack: Stack, *, role_path: str, tags: Mapping[str, str]) -> None:
    """Restrict and tag the function that CDK creates to run the first refreshes of a stack.

    By default, this function may create log groups and write to every log group, and its log group stays when the stack
    is deleted.

    Args:
        stack: A stack with at least one FirstRefresh.
        role_path: The path of the function's role in IAM.
        tags: The tags of the function and of its role. `aws_cdk.Tags` does not reach them.
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
            "CKV_AWS_116": "CloudFormation waits for the function, and the deployment fails if the function fails",
        },
    )
    role = cast(CfnResource, provider.node.find_child("Role"))
    role.add_property_override("Path", role_path)
    role.add_property_deletion_override("ManagedPolicyArns")
    write_log = iam.PolicyDocument(statements=[log_group.write_permission()])
    role.add_property_override("Policies.1", {"PolicyName": "WriteLog", "PolicyDocument": write_log})
    if tags:
        for resource in (function, role):
            resource.add_property_override("Tags", [{"Key": key, "Value": tags[key]} for key in sorted(tags)])
