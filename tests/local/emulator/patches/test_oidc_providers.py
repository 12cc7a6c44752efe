"""OIDC providers, and the ID tokens that STS refuses."""

import json
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.local.emulator.patches.support import refused
from tests.local.id_tokens import GITHUB, assume_with, id_token

ISSUER = "git.example.com/ci"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"


def a_trust(issuer: str, **condition: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
        "Condition": {"StringEquals": {f"{issuer}:{key}": value for key, value in condition.items()}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_an_id_token_needs_a_provider_with_its_audience(aws: EmbeddedAws) -> None:
    iam = aws.client("iam")
    role = iam.create_role(RoleName="with-a-token", AssumeRolePolicyDocument=a_trust(ISSUER, sub="job"))["Role"]["Arn"]
    request: dict[str, Any] = {"aws": aws, "role_arn": role, "token": id_token("job", "sts", ISSUER)}

    no_provider = f"InvalidIdentityToken: No OpenIDConnect provider found in your account for https://{ISSUER}"
    assert refused(assume_with, **request) == no_provider

    created = iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["another"])
    assert created["OpenIDConnectProviderArn"] == PROVIDER
    assert refused(assume_with, **request) == "InvalidIdentityToken: Incorrect token audience"

    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER, ClientID="sts")
    assert assume_with(**request)["SessionToken"]
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)
    assert (found["Url"], found["ClientIDList"]) == (ISSUER, ["another", "sts"])


@pytest.mark.parametrize("issuer", [GITHUB, "gitlab.com"])
def test_a_trust_policy_for_a_shared_provider_must_compare_the_subject(aws: EmbeddedAws, issuer: str) -> None:
    iam, name = aws.client("iam"), f"shared-{issuer}"
    assert refused(
        iam.create_role, RoleName=name, AssumeRolePolicyDocument=a_trust(issuer, aud="sts.amazonaws.com")
    ).startswith("MalformedPolicyDocument")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=a_trust(issuer, sub="job"))
