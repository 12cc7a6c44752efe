"""What people and faults do to a deployed environment. Each function breaks one thing in the environment `local`."""

import json
from typing import Any

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws

PUSH_ROLE = "local-ecr-push-analytics"
SECRET = "airflow/connections/docker_default"
REPOSITORY = "analytics/web-scraper"
WORKER = "airflow-worker"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


class Broken:
    """The resources of `local` that the breakages change.

    Args:
        aws: The emulator.
    """

    def __init__(self, aws: EmbeddedAws) -> None:
        self._aws = aws
        stacks = aws.client("cloudformation")
        self.ids = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for stack in ("local-Registry", "local-Access", "local-DockerLogin")
            for resource in stacks.describe_stack_resources(StackName=stack)["StackResources"]
        }

    def client(self, service: str) -> Any:
        return self._aws.client(service)

    def find(self, start: str) -> str:
        """Return the physical id of the resource whose logical id starts with this text and a hash."""
        [found] = [value for key, value in self.ids.items() if key[: -len("12345678")] == start]
        return str(found)

    @property
    def pull_role(self) -> str:
        return self.find("DockerDefaultPullRole")

    @property
    def function(self) -> str:
        return self.find("DockerDefaultRefresh")

    @property
    def schedule(self) -> str:
        return self.find("DockerDefaultSchedule")

    @property
    def topic(self) -> str:
        return self.find("AlarmsTopic")

    @property
    def alarm(self) -> str:
        return self.find("AlarmsRefreshFailed")


def _without_first(policy: Any) -> str:
    document = json.loads(policy) if isinstance(policy, str) else policy
    return json.dumps({**document, "Statement": document["Statement"][1:]})


def remove_a_permission_of_the_pull_role(on: Broken) -> None:
    iam, [name] = on.client("iam"), on.client("iam").list_role_policies(RoleName=on.pull_role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=on.pull_role, PolicyName=name)["PolicyDocument"]
    iam.put_role_policy(RoleName=on.pull_role, PolicyName=name, PolicyDocument=_without_first(policy))


def delete_the_policy_of_the_pull_role(on: Broken) -> None:
    iam, [name] = on.client("iam"), on.client("iam").list_role_policies(RoleName=on.pull_role)["PolicyNames"]
    iam.delete_role_policy(RoleName=on.pull_role, PolicyName=name)


def widen_the_policy_of_a_push_role(on: Broken) -> None:
    iam = on.client("iam")
    policy = iam.get_role_policy(RoleName=PUSH_ROLE, PolicyName="PushImages")["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"})
    iam.put_role_policy(RoleName=PUSH_ROLE, PolicyName="PushImages", PolicyDocument=json.dumps(policy))


def add_an_inline_policy(on: Broken) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    on.client("iam").put_role_policy(RoleName=PUSH_ROLE, PolicyName="ByHand", PolicyDocument=json.dumps(document))


def attach_a_policy(on: Broken) -> None:
    on.client("iam").attach_role_policy(RoleName=on.pull_role, PolicyArn=READ_ONLY)


def trust_another_user(on: Broken) -> None:
    iam = on.client("iam")
    trust = iam.get_role(RoleName=PUSH_ROLE)["Role"]["AssumeRolePolicyDocument"]
    user = f"arn:aws:iam::{ACCOUNT}:user/other-admin"
    trust["Statement"].append({"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName=PUSH_ROLE, PolicyDocument=json.dumps(trust))


def change_the_worker_policy(on: Broken) -> None:
    iam, arn = on.client("iam"), on.find("WorkerPolicy")
    policy = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=_without_first(policy), SetAsDefault=True)


def remove_a_denial_of_the_secret(on: Broken) -> None:
    secrets = on.client("secretsmanager")
    policy = secrets.get_resource_policy(SecretId=SECRET)["ResourcePolicy"]
    secrets.put_resource_policy(SecretId=SECRET, ResourcePolicy=_without_first(policy))


def deny_the_secret_to_everybody(on: Broken) -> None:
    secrets = on.client("secretsmanager")
    policy = json.loads(secrets.get_resource_policy(SecretId=SECRET)["ResourcePolicy"])
    deny = {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    policy["Statement"].append(deny)
    secrets.put_resource_policy(SecretId=SECRET, ResourcePolicy=json.dumps(policy))


def delete_the_policy_of_the_secret(on: Broken) -> None:
    on.client("secretsmanager").delete_resource_policy(SecretId=SECRET)


def change_the_policy_of_the_key(on: Broken) -> None:
    kms, key = on.client("kms"), on.find("Key")
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"] = [each for each in policy["Statement"] if each.get("Sid") != "Read"]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))


def change_the_policy_of_a_repository(on: Broken) -> None:
    ecr = on.client("ecr")
    policy = ecr.get_repository_policy(repositoryName=REPOSITORY)["policyText"]
    ecr.set_repository_policy(repositoryName=REPOSITORY, policyText=_without_first(policy))


def delete_the_policy_of_a_repository(on: Broken) -> None:
    on.client("ecr").delete_repository_policy(repositoryName=REPOSITORY)


def remove_the_policy_of_the_queue(on: Broken) -> None:
    on.client("sqs").set_queue_attributes(QueueUrl=on.find("Failures"), Attributes={"Policy": ""})


def refuse_alarms_in_the_topic(on: Broken) -> None:
    sns = on.client("sns")
    policy = json.loads(sns.get_topic_attributes(TopicArn=on.topic)["Attributes"]["Policy"])
    policy["Statement"] = [each for each in policy["Statement"] if each["Sid"] != "AlarmsPublish"]
    sns.set_topic_attributes(TopicArn=on.topic, AttributeName="Policy", AttributeValue=json.dumps(policy))


def let_a_service_invoke_the_function(on: Broken) -> None:
    on.client("lambda").add_permission(
        FunctionName=on.function, StatementId="ByHand", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
    )


def _change_schedule(on: Broken, **changes: Any) -> None:
    scheduler = on.client("scheduler")
    found = scheduler.get_schedule(Name=on.schedule)
    keys = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target", "Description", "State")
    request = {key: found[key] for key in keys}
    target = {**request["Target"], **changes.pop("Target", {})}
    scheduler.update_schedule(**{**request, "Target": target, **changes})


def disable_the_schedule(on: Broken) -> None:
    _change_schedule(on, State="DISABLED")


def point_the_schedule_at_another_function(on: Broken) -> None:
    _change_schedule(on, Target={"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:another"})


def give_the_schedule_another_role(on: Broken) -> None:
    _change_schedule(on, Target={"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{WORKER}"})


def slow_the_schedule_down(on: Broken) -> None:
    _change_schedule(on, ScheduleExpression="rate(1 day)")


def delete_the_schedule(on: Broken) -> None:
    on.client("scheduler").delete_schedule(Name=on.schedule)


def stop_the_function(on: Broken) -> None:
    on.client("lambda").put_function_concurrency(FunctionName=on.function, ReservedConcurrentExecutions=0)


def change_an_environment_variable(on: Broken) -> None:
    found = on.client("lambda").get_function_configuration(FunctionName=on.function)["Environment"]["Variables"]
    variables = {**found, "SHORTEST_INTERVAL_MINUTES": "600"}
    on.client("lambda").update_function_configuration(FunctionName=on.function, Environment={"Variables": variables})


def give_the_function_another_timeout(on: Broken) -> None:
    on.client("lambda").update_function_configuration(FunctionName=on.function, Timeout=3)


def remove_the_retries_of_the_function(on: Broken) -> None:
    on.client("lambda").delete_function_event_invoke_config(FunctionName=on.function, Qualifier="$LATEST")


def delete_an_alarm(on: Broken) -> None:
    on.client("cloudwatch").delete_alarms(AlarmNames=[on.alarm])


def turn_the_actions_of_an_alarm_off(on: Broken) -> None:
    on.client("cloudwatch").disable_alarm_actions(AlarmNames=[on.alarm])


def disable_the_scan_rule(on: Broken) -> None:
    [name] = [name for key, name in on.ids.items() if key.startswith("ScanFindingsRule")]
    on.client("events").disable_rule(Name=name.rpartition("|")[2])


def remove_the_target_of_the_scan_rule(on: Broken) -> None:
    [name] = [name for key, name in on.ids.items() if key.startswith("ScanFindingsRule")]
    on.client("events").remove_targets(Rule=name.rpartition("|")[2], Ids=["Topic"])


def disable_the_key(on: Broken) -> None:
    on.client("kms").disable_key(KeyId=on.find("Key"))


def schedule_the_deletion_of_the_key(on: Broken) -> None:
    on.client("kms").schedule_key_deletion(KeyId=on.find("Key"), PendingWindowInDays=7)


def detach_the_worker_policy(on: Broken) -> None:
    on.client("iam").detach_role_policy(RoleName=WORKER, PolicyArn=on.find("WorkerPolicy"))


def schedule_the_deletion_of_the_secret(on: Broken) -> None:
    on.client("secretsmanager").delete_secret(SecretId=SECRET, RecoveryWindowInDays=7)


def encrypt_the_secret_with_another_key(on: Broken) -> None:
    on.client("secretsmanager").update_secret(SecretId=SECRET, KmsKeyId="alias/aws/secretsmanager")


def send_an_alarm_elsewhere(on: Broken) -> None:
    cloudwatch = on.client("cloudwatch")
    [found] = cloudwatch.describe_alarms(AlarmNames=[on.alarm])["MetricAlarms"]
    keys = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    request = {key: value for key, value in found.items() if key in keys}
    cloudwatch.put_metric_alarm(**{**request, "AlarmActions": []})


MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def _put(on: Broken, manifest: dict[str, Any], media_type: str, tag: str | None = None) -> dict[str, Any]:
    body = {"schemaVersion": 2, "mediaType": media_type, **manifest}
    tags = {"imageTag": tag} if tag else {}
    found: dict[str, Any] = on.client("ecr").put_image(
        repositoryName=REPOSITORY, imageManifest=json.dumps(body), imageManifestMediaType=media_type, **tags
    )["image"]
    return {"mediaType": media_type, "digest": found["imageId"]["imageDigest"], "size": len(json.dumps(body))}


def tag_an_attestation(on: Broken) -> None:
    layer = {"mediaType": "application/vnd.in-toto+json", "digest": f"sha256:{'1' * 64}", "size": 2}
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": f"sha256:{'2' * 64}", "size": 2}
    _put(on, {"config": config, "layers": [layer]}, MANIFEST, tag="attested")


def tag_one_part_of_an_untagged_index(on: Broken) -> None:
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{'3' * 64}", "size": 2}
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": f"sha256:{'4' * 64}", "size": 2}
    part = _put(on, {"config": config, "layers": [layer]}, MANIFEST, tag="part")
    _put(on, {"manifests": [part]}, INDEX)
