"""Drift detection of CloudFormation."""

import json

from local.embedded_aws import EmbeddedAws
from tests.local.emulator.patches.support import deploy, eventually, resource

NAME = "drifting"


def drift_of_the_secret(aws: EmbeddedAws) -> tuple[str, list[str]]:
    """Return the drift status of the secret, and the paths of the properties that differ."""
    cloudformation = aws.client("cloudformation")
    detection = cloudformation.detect_stack_drift(StackName=NAME)["StackDriftDetectionId"]
    eventually(
        lambda: (
            cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)["DetectionStatus"]
            == "DETECTION_COMPLETE"
        )
    )
    [drift] = cloudformation.describe_stack_resource_drifts(StackName=NAME)["StackResourceDrifts"]
    return drift["StackResourceDriftStatus"], [each["PropertyPath"] for each in drift.get("PropertyDifferences", [])]


def test_drift_detection_compares_the_secret_with_its_template(aws: EmbeddedAws) -> None:
    secrets, kms = aws.client("secretsmanager"), aws.client("kms")
    keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    properties = {"Name": NAME, "Description": "declared", "KmsKeyId": keys[0]}
    assert deploy(aws, NAME, Secret=resource("SecretsManager::Secret", properties)).status == "CREATE_COMPLETE"

    secrets.put_secret_value(SecretId=NAME, SecretString=json.dumps({"a": "value"}))
    assert drift_of_the_secret(aws) == ("IN_SYNC", [])
    secrets.update_secret(SecretId=NAME, KmsKeyId=keys[1])
    assert drift_of_the_secret(aws) == ("MODIFIED", ["/KmsKeyId"])
    secrets.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
    assert drift_of_the_secret(aws) == ("DELETED", [])
