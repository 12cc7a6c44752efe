"""The scanners' findings that stay, each acknowledged on its own resource with a reason. `make check` compares them."""

from collections.abc import Mapping
from typing import cast

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct

# Reasons that several constructs share.
ANY_FUNCTION = {
    "CKV_AWS_115": "Reserved concurrency fails to deploy in accounts with a low limit; outsiders cannot invoke it",
    "CKV_AWS_117": "It calls only AWS APIs and needs nothing in a VPC",
}
CDK_REPEATS_DEPENDENCY = {"W3005": "CDK adds an explicit dependency that the reference already implies"}


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings of cdk-nag, checkov and cfn-lint on a construct's resource.

    The reasons for checkov and cfn-lint are written into the template. cdk-nag reads its own from the construct.

    Args:
        construct: The construct, or an L1 resource. Call this function once for each construct.
        reasons: The reason why a finding stays, by the scanner's name of the check.
    """
    resource = cast(CfnResource, construct.node.default_child or construct)
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
