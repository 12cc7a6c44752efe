"""What scanners find and what stays as it is, each finding on its own resource and for a reason; see `make check`."""

from collections.abc import Mapping
from typing import cast

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct

# Reasons that more than one construct has.
ANY_FUNCTION = {
    "CKV_AWS_115": "Would not deploy in accounts with a low limit; nobody outside can start it",
    "CKV_AWS_117": "Calls AWS's own APIs, and nothing in a VPC",
}
ANY_LOG = {"CKV_AWS_158": "CloudWatch Logs encrypts it; no login is ever logged"}
CDK_DEPENDS_TWICE = {"W3005": "CDK writes the dependency out that the reference makes anyway"}


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Say why findings of cdk-nag, checkov and cfn-lint on a construct's resource stay: once, with all of them.

    Whoever scans the templates finds the reasons in them, but for those of cdk-nag, which reads constructs.
    """
    resource = cast(CfnResource, construct.node.default_child or construct)
    nag = [Acknowledgment(id=name, reason=why) for name, why in reasons.items() if name.startswith("AwsSolutions-")]
    if nag:
        Validations.of(resource).acknowledge(*nag)
    checkov = [{"id": name, "comment": why} for name, why in reasons.items() if name.startswith("CKV_")]
    if checkov:
        resource.add_metadata("checkov", {"skip": checkov})
    cfn_lint = [name for name in reasons if not name.startswith(("AwsSolutions-", "CKV_"))]
    if cfn_lint:
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": cfn_lint}})
