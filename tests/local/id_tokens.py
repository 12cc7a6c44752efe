"""ID tokens without a signature. The AWS emulator does not check signatures."""

import base64
import json
from functools import cache
from typing import Any

from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import Session

from local.account import Credentials
from local.embedded_aws import REGION, EmbeddedAws

GITHUB = "token.actions.githubusercontent.com"


def id_token(subject: str, audience: str = "sts.amazonaws.com", issuer: str = GITHUB) -> str:
    """Return an ID token as a CI system issues it to a job."""
    header, claims = {"alg": "RS256", "typ": "JWT"}, {"iss": f"https://{issuer}", "aud": audience, "sub": subject}
    return ".".join([*(_encoded(part) for part in (header, claims)), "signature"])


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def assume_with(aws: EmbeddedAws, role_arn: str, token: str) -> Credentials:
    """Assume a role with an ID token, and return the credentials of the session. The request has no signature."""
    sts = _sts(aws.endpoint_url, str(aws.ca_bundle))
    answer: dict[str, Credentials] = sts.assume_role_with_web_identity(
        RoleArn=role_arn, RoleSessionName="ci", WebIdentityToken=token
    )
    return answer["Credentials"]


@cache
def _sts(endpoint_url: str, ca_bundle: str) -> Any:
    unsigned = Config(signature_version=UNSIGNED)
    return Session().create_client("sts", REGION, endpoint_url=endpoint_url, verify=ca_bundle, config=unsigned)
