"""The condition key aws:PrincipalArn of a role's session."""

import json

from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.local.emulator.patches.support import allow, refused, session_of_a_role


def test_the_principal_arn_of_a_session_is_the_arn_of_the_role_with_its_path(aws: EmbeddedAws) -> None:
    only_the_worker = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/airflow/worker"}},
    }
    aws.client("secretsmanager").create_secret(Name="guarded", SecretString="login")
    aws.client("secretsmanager").put_resource_policy(
        SecretId="guarded", ResourcePolicy=json.dumps({"Statement": only_the_worker})
    )
    worker = session_of_a_role(aws, "worker", allow("secretsmanager:GetSecretValue"), Path="/airflow/")
    other = session_of_a_role(aws, "other", allow("secretsmanager:GetSecretValue"))
    read = {"SecretId": "guarded"}
    assert aws.client("secretsmanager", worker).get_secret_value(**read)["SecretString"] == "login"
    assert "AccessDenied" in refused(aws.client("secretsmanager", other).get_secret_value, **read)
