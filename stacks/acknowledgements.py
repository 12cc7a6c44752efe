"""Acknowledgements, which suppress findings of the scanners.

Each finding is acknowledged on the resource that it is about, with a reason. `make check` compares the findings with
the acknowledgements.
"""

from collections.abc import Mapping
from typing import cast

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct

# Reasons that several constructs share.
ANY_FUNCTION = {
    "CKV_AWS_115": "In accounts with a low limit, a deployment with reserved concurrency fails; "
    "other accounts cannot invoke the function",
    "CKV_AWS_117": "The function calls only AWS APIs and needs no resource in a VPC",
}
CDK_REPEATS_DEPENDENCY = {"W3005": "CDK adds an explicit dependency that the reference already implies"}


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings of cdk-nag, checkov and cfn-lint on a construct's resource.

    The acknowledgements for checkov and cfn-lint are written into the template. cdk-nag reads its acknowledgements from
    the construct.

    Args:
        construct: The construct, or an L1 resource. Call this function once for each construct.
        reasons: A dict from a check's name, such as `CKV_AWS_27`, to the reason why the finding is acceptable.
    """
    # For an L1 resource, each request to jsii would cost CPU time, and there are hundreds of repositories.
    resource = construct if isinstance(construct, CfnResource) else cast(CfnResource, construct.node.default_child)
    nag = [
        Acknowledgment(id=check, reason=reason)
        for check, reason in reasons.items()
        if check.startswith("AwsSolutions-")
    ]
    if nag:
        Validations.of(resource).acknowledge(*nag)
    checkov = [{"id": check, "comment": reason} for check, reason in reasons.items() if check.startswith("CKV_")]
    if checkov:
        resource.add_metadata("checkov", {"skip": checkov})
    cfn_lint = [check for check in reasons if not check.startswith(("AwsSolutions-", "CKV_"))]
    if cfn_lint:
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": cfn_lint}})
