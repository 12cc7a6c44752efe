"""The resources that each environment must have, as rules written by hand: their types, properties and references.

The matrix decides on policies. A resource can also give access without a policy, for example a Lambda layer, the
replica of a secret or another destination. Therefore, a resource or property that is not listed here fails a test.
"""

from collections.abc import Iterator
from typing import Any

from settings.names import pascal_case
from tests.permissions.account import path_of
from tests.permissions.environments import Environment
from tests.templates import Template

# The parts of a template, and of a resource in addition to its properties.
TEMPLATE = {"Outputs", "Parameters", "Resources", "Rules"}
RESOURCE = {"DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdateReplacePolicy"}
# The matrix or other tests read the content of these properties.
WHOLE = {
    "AssumeRolePolicyDocument",
    "DashboardBody",
    "KeyPolicy",
    "PolicyDocument",
    "ResourcePolicy",
    "Rights",
    "Variables",
}
_METRIC = "Metrics.MetricStat.Metric"
PROPERTIES = {
    "AWS::CloudWatch::Alarm": {
        "AlarmActions",
        "AlarmDescription",
        "ComparisonOperator",
        "DatapointsToAlarm",
        "Dimensions.Name",
        "Dimensions.Value",
        "EvaluationPeriods",
        "MetricName",
        "Metrics.Expression",
        "Metrics.Id",
        "Metrics.Label",
        f"{_METRIC}.Dimensions.Name",
        f"{_METRIC}.Dimensions.Value",
        f"{_METRIC}.MetricName",
        f"{_METRIC}.Namespace",
        "Metrics.MetricStat.Period",
        "Metrics.MetricStat.Stat",
        "Metrics.ReturnData",
        "Namespace",
        "OKActions",
        "Period",
        "Statistic",
        "Threshold",
        "TreatMissingData",
    },
    "AWS::CloudWatch::Dashboard": {"DashboardBody"},
    "AWS::ECR::Repository": {
        "ImageScanningConfiguration.ScanOnPush",
        "ImageTagMutability",
        "ImageTagMutabilityExclusionFilters.ImageTagMutabilityExclusionFilterType",
        "ImageTagMutabilityExclusionFilters.ImageTagMutabilityExclusionFilterValue",
        "LifecyclePolicy.LifecyclePolicyText",
        "RepositoryName",
        "Tags.Key",
        "Tags.Value",
    },
    "AWS::ECS::Cluster": {"ClusterName"},
    "AWS::ECS::TaskDefinition": {
        "ContainerDefinitions.Essential",
        "ContainerDefinitions.Image",
        "ContainerDefinitions.LogConfiguration.LogDriver",
        "ContainerDefinitions.LogConfiguration.Options.awslogs-group",
        "ContainerDefinitions.LogConfiguration.Options.awslogs-region",
        "ContainerDefinitions.LogConfiguration.Options.awslogs-stream-prefix",
        "ContainerDefinitions.Name",
        "Cpu",
        "ExecutionRoleArn",
        "Family",
        "Memory",
        "NetworkMode",
        "RequiresCompatibilities",
        "TaskRoleArn",
    },
    "AWS::IAM::InstanceProfile": {"Roles"},
    "AWS::IAM::ManagedPolicy": {"Description", "Path", "PolicyDocument", "Roles"},
    "AWS::IAM::Policy": {"PolicyDocument", "PolicyName", "Roles"},
    "AWS::IAM::Role": {
        "AssumeRolePolicyDocument",
        "Description",
        "MaxSessionDuration",
        "Path",
        "PermissionsBoundary",
        "Policies.PolicyDocument",
        "Policies.PolicyName",
        "RoleName",
    },
    "AWS::KMS::Key": {"Description", "EnableKeyRotation", "KeyPolicy", "PendingWindowInDays"},
    "AWS::Lambda::EventInvokeConfig": {
        "DestinationConfig.OnFailure.Destination",
        "FunctionName",
        "MaximumEventAgeInSeconds",
        "MaximumRetryAttempts",
        "Qualifier",
    },
    "AWS::Lambda::Function": {
        "Architectures",
        "Code.S3Bucket",
        "Code.S3Key",
        "Description",
        "Environment.Variables",
        "Handler",
        "LoggingConfig.LogFormat",
        "LoggingConfig.LogGroup",
        "MemorySize",
        "Role",
        "Runtime",
        "Timeout",
    },
    "AWS::Lambda::Version": {"FunctionName"},
    "AWS::Logs::LogGroup": {"RetentionInDays"},
    "AWS::SNS::Subscription": {"Endpoint", "Protocol", "TopicArn"},
    "AWS::SNS::Topic": set(),
    "AWS::SNS::TopicPolicy": {"PolicyDocument", "Topics"},
    "AWS::SQS::Queue": {"MessageRetentionPeriod", "SqsManagedSseEnabled"},
    "AWS::SQS::QueuePolicy": {"PolicyDocument", "Queues"},
    "AWS::SSM::Association": {
        "ApplyOnlyAtCronInterval",
        "AssociationName",
        "MaxConcurrency",
        "MaxErrors",
        "Name",
        "Parameters.commands",
        "Parameters.executionTimeout",
        "ScheduleExpression",
        "Targets.Key",
        "Targets.Values",
    },
    "AWS::Scheduler::Schedule": {
        "Description",
        "FlexibleTimeWindow.MaximumWindowInMinutes",
        "FlexibleTimeWindow.Mode",
        "ScheduleExpression",
        "ScheduleExpressionTimezone",
        "State",
        "Target.Arn",
        "Target.DeadLetterConfig.Arn",
        "Target.RetryPolicy.MaximumEventAgeInSeconds",
        "Target.RetryPolicy.MaximumRetryAttempts",
        "Target.RoleArn",
    },
    "AWS::SecretsManager::ResourcePolicy": {"BlockPublicPolicy", "ResourcePolicy", "SecretId"},
    "AWS::SecretsManager::Secret": {"Description", "KmsKeyId", "Name"},
    "Custom::Trigger": {"ExecuteOnHandlerChange", "HandlerArn", "InvocationType", "Rights", "ServiceToken", "Timeout"},
}

Values = dict[str, Any]  # property to value; a reference has the path of the construct in angle brackets


def resources_of(environment: Environment) -> dict[str, tuple[str, Values]]:
    """Return a dict of construct path to the type of the resource and the values that it must have."""
    found: dict[str, tuple[str, Values]] = {}
    for part in (_registry, _access, _docker_login, _alarms, _upkeep, _fargate):
        for path, resource_type, values in part(environment):
            assert path not in found
            found[path] = (resource_type, values)
    return found


Rows = Iterator[tuple[str, str, Values]]


def _role(environment: Environment, path: str, **more: Any) -> tuple[str, str, Values]:
    boundary = environment.settings.get("permissions_boundary_arn")
    values = {
        "Path": environment.settings.get("role_path", "/"),
        "PermissionsBoundary": boundary,
        "RoleName": None,
        "MaxSessionDuration": None,
        **more,
    }
    return path, "AWS::IAM::Role", values


def _registry(environment: Environment) -> Rows:
    for team, names in environment.teams.items():
        for name in names:
            path = f"{environment.name}/Registry/Repositories/{pascal_case(team)}/{pascal_case(name)}"
            tags = environment.settings["teams"][team].get("repository_defaults", {}).get("mutable_tags", [])
            values = {
                "RepositoryName": f"{team}/{name}",
                "Tags": [{"Key": "team", "Value": team}],
                "ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION" if tags else "IMMUTABLE",
                "ImageTagMutabilityExclusionFilters": [
                    {
                        "ImageTagMutabilityExclusionFilterType": "WILDCARD",
                        "ImageTagMutabilityExclusionFilterValue": tag,
                    }
                    for tag in tags
                ]
                or None,
            }
            yield path, "AWS::ECR::Repository", values


def _access(environment: Environment) -> Rows:
    for team in environment.teams:
        name = f"{environment.name}-ecr-push-{team}"
        yield _role(environment, environment.push_role(team), RoleName=name, MaxSessionDuration=3600)


def _docker_login(environment: Environment) -> Rows:
    stack = f"{environment.name}/DockerLogin"
    workers = [arn.rpartition("/")[2] for arn in environment.worker_arns] or [f"<{stack}/Workers/Role>"]
    if not environment.worker_arns:
        yield _role(environment, f"{stack}/Workers/Role")
        profile = {"Roles": [f"<{stack}/Workers/Role>"]}
        yield f"{stack}/Workers/InstanceProfile", "AWS::IAM::InstanceProfile", profile
    if environment.has_key:
        yield f"{stack}/Key", "AWS::KMS::Key", {"EnableKeyRotation": True}
    yield f"{stack}/Failures", "AWS::SQS::Queue", {"SqsManagedSseEnabled": True}
    yield f"{stack}/Failures/Policy", "AWS::SQS::QueuePolicy", {"Queues": [f"<{stack}/Failures>"]}
    yield f"{stack}/WorkerPolicy", "AWS::IAM::ManagedPolicy", {"Roles": workers}
    yield f"{stack}/Dashboard", "AWS::CloudWatch::Dashboard", {}
    provider = f"{stack}/FirstRefreshProvider"
    yield f"{stack}/FirstRefreshLog", "AWS::Logs::LogGroup", {}
    yield _role(environment, f"{provider}/Role")
    yield (
        f"{provider}/Handler",
        "AWS::Lambda::Function",
        {
            **_code(environment, f"{provider}/Role", f"{stack}/FirstRefreshLog"),
            "Handler": "__entrypoint__.handler",
            "Environment": None,
        },
    )
    for connection in environment.connections:
        yield from _connection(environment, connection)


def _code(environment: Environment, role: str, log: str) -> Values:
    bucket = f"cdk-hnb659fds-assets-{environment.account}-{environment.region}"
    return {"Code.S3Bucket": bucket, "Role": f"<{role}>", "LoggingConfig.LogGroup": f"<{log}>"}


def _connection(environment: Environment, connection: str) -> Rows:
    stack, path = f"{environment.name}/DockerLogin", environment.connection(connection)
    failures, refresh = f"<{stack}/Failures>", f"<{path}/Refresh>"
    secret = {
        "Name": environment.secret_name(connection),
        "KmsKeyId": f"<{stack}/Key>" if environment.has_key else None,
    }
    yield f"{path}/Secret", "AWS::SecretsManager::Secret", secret
    policy = {"SecretId": f"<{path}/Secret>", "BlockPublicPolicy": True}
    yield f"{path}/SecretPolicy", "AWS::SecretsManager::ResourcePolicy", policy
    yield _role(environment, f"{path}/PullRole")
    yield f"{path}/PullPolicy", "AWS::IAM::Policy", {"Roles": [f"<{path}/PullRole>"]}
    yield f"{path}/Log", "AWS::Logs::LogGroup", {}
    host = f"{environment.account}.dkr.ecr.{environment.region}.amazonaws.com"
    function = {
        **_code(environment, f"{path}/PullRole", f"{path}/Log"),
        "Handler": "refresh_docker_login.handler.handle",
        # Another variable could send the login to another endpoint, or load other code.
        "Environment.Variables": {
            "CONNECTION_ID": connection,
            "NEW_RIGHTS_WAIT_SECONDS": "60",
            "REGISTRY_HOST": host,
            "SECRET_ARN": f"<{path}/Secret>",
            "SHORTEST_INTERVAL_MINUTES": "25",
        },
    }
    yield f"{path}/Refresh", "AWS::Lambda::Function", function
    yield f"{path}/Refresh/CurrentVersion", "AWS::Lambda::Version", {"FunctionName": refresh}
    destination = {"FunctionName": refresh, "DestinationConfig": {"OnFailure": {"Destination": failures}}}
    yield f"{path}/Refresh/EventInvokeConfig", "AWS::Lambda::EventInvokeConfig", destination
    trigger = {
        "HandlerArn": f"<{path}/Refresh/CurrentVersion>",
        "ServiceToken": f"<{stack}/FirstRefreshProvider/Handler>",
    }
    yield f"{path}/FirstRefresh/Default", "Custom::Trigger", trigger
    yield _role(environment, f"{path}/Schedule/Role")
    schedule = {
        "State": "ENABLED",
        "Target.Arn": refresh,
        "Target.RoleArn": f"<{path}/Schedule/Role>",
        "Target.DeadLetterConfig.Arn": failures,
    }
    yield f"{path}/Schedule/Schedule", "AWS::Scheduler::Schedule", schedule


def _alarms(environment: Environment) -> Rows:
    alerts, path = environment.settings["alerts"], f"{environment.name}/DockerLogin/Alarms"
    if "off_because" in alerts:
        return
    topic = alerts.get("topic_arn", f"<{path}/Topic>")
    names = [
        "RefreshFailed",
        *(
            f"{pascal_case(name)}{kind}"
            for name in environment.connections
            for kind in ("NotRefreshed", "LoginExpires")
        ),
    ]
    for name in names:
        yield f"{path}/{name}", "AWS::CloudWatch::Alarm", {"AlarmActions": [topic], "OKActions": [topic]}
    if "emails" in alerts:
        yield f"{path}/Topic", "AWS::SNS::Topic", {}
        yield f"{path}/Topic/Policy", "AWS::SNS::TopicPolicy", {"Topics": [topic]}
        for email in alerts["emails"]:
            values = {"Endpoint": email, "Protocol": "email", "TopicArn": topic}
            yield f"{path}/Topic/{email}", "AWS::SNS::Subscription", values


def _upkeep(environment: Environment) -> Rows:
    clean_up = environment.settings.get("workers", {}).get("clean_up")
    if clean_up:
        # The commands run as root on the workers.
        commands = [
            'output="$({ docker container prune -f --filter until=24h && '
            'docker image prune -af --filter until=168h; } 2>&1)"; result=$?',
            'echo "$output" | logger -t docker-clean-up',
            'echo "$output"; exit "$result"',
        ]
        values = {
            "Name": "AWS-RunShellScript",
            "Parameters.commands": commands,
            "Targets": [{"Key": f"tag:{clean_up['tag_key']}", "Values": [clean_up["tag_value"]]}],
        }
        yield f"{environment.name}/WorkerUpkeep/DockerCleanUp", "AWS::SSM::Association", values


def _fargate(environment: Environment) -> Rows:
    stack = f"{environment.name}/EcsTasks"
    if not environment.tasks:
        return
    yield f"{stack}/Cluster", "AWS::ECS::Cluster", {"ClusterName": f"{environment.name}-airflow"}
    workers = [arn.rpartition("/")[2] for arn in environment.worker_arns]
    yield f"{stack}/WorkerPolicy", "AWS::IAM::ManagedPolicy", {"Roles": workers}
    host = f"{environment.account}.dkr.ecr.{environment.region}.amazonaws.com"
    for repository, task in environment.tasks.items():
        tag = environment.settings["ecs"]["tasks"][repository]["image_tag"]
        container = {
            "Essential": True,
            "Image": f"{host}/{repository}:{tag}",
            "LogConfiguration": {
                "LogDriver": "awslogs",
                "Options": {
                    "awslogs-group": f"<{task.path}/Log>",
                    "awslogs-region": environment.region,
                    "awslogs-stream-prefix": "airflow",
                },
            },
            "Name": "task",
        }
        definition = {
            "ContainerDefinitions": [container],
            "Cpu": str(task.cpu_units),
            "ExecutionRoleArn": f"<{task.path}/ExecutionRole>",
            "Memory": str(task.memory_mib),
            "NetworkMode": "awsvpc",
            "RequiresCompatibilities": ["FARGATE"],
            "TaskRoleArn": f"<{task.path}/TaskRole>",
        }
        yield f"{task.path}/Log", "AWS::Logs::LogGroup", {}
        yield _role(environment, f"{task.path}/ExecutionRole")
        yield _role(environment, f"{task.path}/TaskRole", Policies=None)
        yield f"{task.path}/TaskDefinition", "AWS::ECS::TaskDefinition", definition


def principals_of(environment: Environment) -> dict[str, set[str]]:
    """Return a dict of a role or resource with a policy to the principals that its Allow statements name.

    The matrix cannot try every service and every user. This list contains exactly the names in the policies.
    """
    root, stack = f"arn:aws:iam::{environment.account}:root", f"{environment.name}/DockerLogin"
    found: dict[str, set[str]] = {f"{stack}/FirstRefreshProvider/Role": {"lambda.amazonaws.com"}}
    for team, settings in environment.settings["teams"].items():
        push = settings["push"]
        named = {*push.get("role_arns", []), *push.get("user_arns", [])}
        found[environment.push_role(team)] = named | ({root} if push.get("permission_sets") else set())
    for connection in environment.connections:
        path = environment.connection(connection)
        found[f"{path}/PullRole"] = {"lambda.amazonaws.com"}
        found[f"{path}/Schedule/Role"] = {"scheduler.amazonaws.com"}
        found[f"{path}/Secret"] = set()
    if not environment.worker_arns:
        found[f"{stack}/Workers/Role"] = {"ec2.amazonaws.com"}
    for task in environment.tasks.values():
        found[f"{task.path}/ExecutionRole"] = found[f"{task.path}/TaskRole"] = {"ecs-tasks.amazonaws.com"}
    found[f"{stack}/Failures"] = set()
    if environment.has_key:
        found[f"{stack}/Key"] = {root}
    if environment.creates_topic:
        found[f"{stack}/Alarms/Topic"] = {"cloudwatch.amazonaws.com"}
    return found


def property_names(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the names of all properties, with dots between the levels."""
    if isinstance(value, dict) and not {"Ref", "Fn::GetAtt", "Fn::Join", "Fn::Sub"}.intersection(value):
        for name, below in value.items():
            if name in WHOLE:
                yield f"{prefix}{name}"
            else:
                yield from property_names(below, f"{prefix}{name}.")
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value) and prefix:
        for item in value:
            yield from property_names(item, prefix)
    else:
        yield prefix.removesuffix(".")


def with_paths(value: Any, template: Template) -> Any:
    """Return the value with the path of the construct in angle brackets instead of a reference."""
    match value:
        case {"Ref": name} | {"Fn::GetAtt": [name, "Arn"]} if len(value) == 1 and name in template["Resources"]:
            return f"<{path_of(template['Resources'][name])}>"
        case dict():
            return {key: with_paths(below, template) for key, below in value.items()}
        case list():
            return [with_paths(item, template) for item in value]
    return value


def value_at(properties: Values, name: str) -> Any:
    """Return the value of a property by its name with dots, or None."""
    found: Any = properties
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
