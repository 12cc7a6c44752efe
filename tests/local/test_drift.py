"""A test of docs/runbook.md: drift detection shows a change that was made by hand."""

from local import cdk
from local.embedded_aws import EmbeddedAws
from tests.conftest import Deployed


def test_drift_detection_shows_an_environment_variable_that_was_added_by_hand(
    aws: EmbeddedAws, deployed: Deployed, local: dict[str, str]
) -> None:
    client, function = aws.client("lambda"), local["RefreshFunctionNameDockerDefault"]
    variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    added = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://secrets.example.com"}

    client.update_function_configuration(FunctionName=function, Environment={"Variables": variables | added})
    try:
        printed = cdk.drift(aws, deployed.state / "cdk.out", "local/DockerLogin")
    finally:
        client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})

    assert "/Environment/Variables/AWS_ENDPOINT_URL_SECRETS_MANAGER" in printed
