"""The resources that each environment must have, as rules written by hand: their types, properties and references.

The matrix decides on policies. A resource can also give access without a policy, for example a Lambda layer, the
replica of a secret or another destination. Therefore, a resource or property that is not listed here fails a test.
"""

from collections.abc import Iterator
from typing import Any

from settings.names import pascal_case
from tests.permissions.account import path_of
from tests.permissions.callers import issuer_of
from tests.permissions.environments import CREATED, Environment
from tests.templates import Template

# The parts of a template, and of a resource in addition to its properties.
TEMPLATE = {"Outputs", "Parameters", "Resources", "Rules"}
RESOURCE = {"DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdateReplacePolicy"}
# The matrix or other tests read the content of these properties.
WHOLE = {
    "AssumeRolePolicyDocument",
    "DashboardBody",
    "EventPattern",
    "InputTransformer",
    "KeyPolicy",
    "PolicyDocument",
    "RepositoryPolicy",
    "RepositoryPolicyText",
    "ResourcePolicy",
    "Rights",
    "Tags",
    "Variables",
}
_METRIC = "Metrics.MetricStat.Metric"
PROPERTIES = {
    "AWS::CloudFormation::WaitConditionHandle": set(),
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
        "RepositoryPolicyText",
        "Tags",
    },
    "AWS::ECR::RepositoryCreationTemplate": {
        "AppliedFor",
        "CustomRoleArn",
        "Description",
        "EncryptionConfiguration.EncryptionType",
        "ImageTagMutability",
        "ImageTagMutabilityExclusionFilters.ImageTagMutabilityExclusionFilterType",
        "ImageTagMutabilityExclusionFilters.ImageTagMutabilityExclusionFilterValue",
        "LifecyclePolicy",
        "Prefix",
        "RepositoryPolicy",
        "ResourceTags.Key",
        "ResourceTags.Value",
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
    "AWS::Events::Rule": {
        "Description",
        "EventPattern",
        "Targets.Arn",
        "Targets.Id",
        "Targets.InputTransformer",
        "Targets.RoleArn",
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

# The values that every resource of a type has.
FIXED: dict[str, dict[str, Any]] = {
    "AWS::IAM::ManagedPolicy": {"Path": "/"},
    "AWS::KMS::Key": {"EnableKeyRotation": True, "PendingWindowInDays": 7},
    "AWS::Lambda::EventInvokeConfig": {
        "MaximumEventAgeInSeconds": 900,
        "MaximumRetryAttempts": 2,
        "Qualifier": "$LATEST",
    },
    "AWS::Logs::LogGroup": {"RetentionInDays": 90},
    "AWS::SNS::Subscription": {"Protocol": "email"},
    "AWS::SQS::Queue": {"MessageRetentionPeriod": 14 * 24 * 3600, "SqsManagedSseEnabled": True},
    "AWS::SSM::Association": {
        "ApplyOnlyAtCronInterval": True,
        "MaxConcurrency": "25%",
        "MaxErrors": "100%",
        "Name": "AWS-RunShellScript",
        "Parameters.executionTimeout": ["1800"],
    },
    "AWS::Scheduler::Schedule": {
        "FlexibleTimeWindow": {"MaximumWindowInMinutes": 5, "Mode": "FLEXIBLE"},
        "ScheduleExpressionTimezone": "Etc/UTC",
        "State": "ENABLED",
        "Target.RetryPolicy": {"MaximumEventAgeInSeconds": 900, "MaximumRetryAttempts": 3},
    },
    "AWS::SecretsManager::ResourcePolicy": {"BlockPublicPolicy": True},
    # A deployment waits for the first refresh, and a change of the function runs it again.
    "Custom::Trigger": {"ExecuteOnHandlerChange": True, "InvocationType": "RequestResponse", "Timeout": "180000"},
}
# The properties that no row below compares with a value. In addition to WHOLE, other tests compare them, or they are
# texts for people and names that CDK generates.
NOT_COMPARED = {
    "AWS::CloudWatch::Alarm": PROPERTIES["AWS::CloudWatch::Alarm"]
    - {"AlarmActions", "ComparisonOperator", "EvaluationPeriods", "OKActions", "Threshold", "TreatMissingData"},
    "AWS::Events::Rule": {"Description", "Targets.InputTransformer"},
    "AWS::ECR::RepositoryCreationTemplate": {"Description"},
    "AWS::IAM::ManagedPolicy": {"Description"},
    "AWS::IAM::Policy": {"PolicyName"},
    "AWS::IAM::Role": {"Description"},
    "AWS::KMS::Key": {"Description"},
    "AWS::Lambda::Function": {"Code.S3Key", "Description"},
    "AWS::SecretsManager::Secret": {"Description"},
    "AWS::Scheduler::Schedule": {"Description"},
}
# DeletionPolicy and UpdateReplacePolicy. The other types have neither: CloudFormation then deletes the resource.
_DELETED = ("Delete", "Delete")
DELETION = {
    "AWS::ECR::Repository": ("RetainExceptOnCreate", "Retain"),
    "AWS::KMS::Key": _DELETED,
    "AWS::Logs::LogGroup": _DELETED,
    "AWS::SQS::Queue": _DELETED,
    "AWS::SecretsManager::Secret": _DELETED,
    "Custom::Trigger": _DELETED,
}

Values = dict[str, Any]  # property to value; a reference has the path of the construct in angle brackets


def resources_of(environment: Environment) -> dict[str, tuple[str, Values]]:
    """Return a dict of construct path to the type of the resource and the values that it must have."""
    found: dict[str, tuple[str, Values]] = {}
    for part in (_registry, _access, _docker_login, _alarms, _upkeep, _fargate):
        for path, resource_type, values in part(environment):
            assert path not in found
            found[path] = (resource_type, {**FIXED.get(resource_type, {}), **values})
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


def _tags(environment: Environment, team: str) -> list[dict[str, str]]:
    tags = {**environment.settings.get("tags", {}), "team": team}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _registry(environment: Environment) -> Rows:
    if not any(environment.teams.values()) and not environment.creating_teams:
        yield f"{environment.name}/Registry/NoRepositories", "AWS::CloudFormation::WaitConditionHandle", {}
    for team, names in environment.teams.items():
        for name in names:
            tags = environment.settings["teams"][team].get("repository_defaults", {}).get("mutable_tags", [])
            values = {
                "RepositoryName": f"{team}/{name}",
                "ImageScanningConfiguration.ScanOnPush": {"registry": None, "off": False}.get(
                    environment.settings.get("scan", "repository"), True
                ),
                "Tags": _tags(environment, team),
                "ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION" if tags else "IMMUTABLE",
                "ImageTagMutabilityExclusionFilters": [
                    {
                        "ImageTagMutabilityExclusionFilterType": "WILDCARD",
                        "ImageTagMutabilityExclusionFilterValue": tag,
                    }
                    for tag in tags
                ]
                or None,
                "LifecyclePolicy.LifecyclePolicyText": _lifecycle(environment.settings["teams"][team], name),
            }
            yield environment.repository(team, name), "AWS::ECR::Repository", values
    for team in environment.creating_teams:
        yield _role(environment, environment.creation_role(team))
        defaults = environment.settings["teams"][team].get("repository_defaults", {})
        tags = defaults.get("mutable_tags", [])
        template = {
            "AppliedFor": ["CREATE_ON_PUSH"],
            "CustomRoleArn": f"<{environment.creation_role(team)}>",
            "EncryptionConfiguration": {"EncryptionType": "AES256"},
            "ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION" if tags else "IMMUTABLE",
            "ImageTagMutabilityExclusionFilters": [
                {"ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": tag}
                for tag in tags
            ]
            or None,
            "LifecyclePolicy": _lifecycle(environment.settings["teams"][team]),
            "Prefix": team,
            "ResourceTags": _tags(environment, team),
        }
        path = environment.creation_role(team).replace("/Role", "/Template")
        yield path, "AWS::ECR::RepositoryCreationTemplate", template


def _lifecycle(team: dict[str, Any], name: str = "") -> str | None:
    """Return the text of a repository's lifecycle policy, or None if nothing is deleted."""
    of_team = {**team.get("repository_defaults", {}), **team.get("lifecycle", {})}
    rules = team.get("repository", {}).get(name, {}).get("lifecycle", of_team)
    keep, days = rules.get("keep_images"), rules.get("expire_untagged_after_days")
    if not keep and not days:
        return None
    texts = [
        f'"description":"Keep {tag}","selection":{{"tagStatus":"tagged","tagPatternList":["{tag}"],'
        '"countType":"imageCountMoreThan","countNumber":100000}'
        for tag in rules.get("protected_tags", [])
    ]
    if days:
        texts.append(
            f'"description":"Delete untagged images {days} days after the push","selection":{{"tagStatus":"untagged",'
            f'"countType":"sinceImagePushed","countUnit":"days","countNumber":{days}}}'
        )
    if keep:
        texts.append(
            f'"description":"Keep the newest {keep} images","selection":{{"tagStatus":"any",'
            f'"countType":"imageCountMoreThan","countNumber":{keep}}}'
        )
    numbered = (f'{{"rulePriority":{n},{text},"action":{{"type":"expire"}}}}' for n, text in enumerate(texts, 1))
    return f'{{"rules":[{",".join(numbered)}]}}'


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
        yield f"{stack}/Key", "AWS::KMS::Key", {}
    yield f"{stack}/Failures", "AWS::SQS::Queue", {}
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
            # CDK chooses these values.
            "Architectures": None,
            "Handler": "__entrypoint__.handler",
            "Environment": None,
            "LoggingConfig.LogFormat": None,
            "MemorySize": 128,
            "Runtime": "nodejs24.x",
            "Timeout": 900,
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
    policy = {"SecretId": f"<{path}/Secret>"}
    yield f"{path}/SecretPolicy", "AWS::SecretsManager::ResourcePolicy", policy
    account, region, role = environment.account, environment.region, {}
    if images := environment.foreign.get(connection):
        # Another account refers to the role by its name.
        account, region = images.registry
        role = {"RoleName": f"{environment.name}-ecr-pull-{connection}"}
    yield _role(environment, f"{path}/PullRole", **role)
    yield f"{path}/PullPolicy", "AWS::IAM::Policy", {"Roles": [f"<{path}/PullRole>"]}
    yield f"{path}/Log", "AWS::Logs::LogGroup", {}
    every_minutes = environment.settings["connections"][connection].get("refresh_every_minutes", 30)
    function = {
        **_code(environment, f"{path}/PullRole", f"{path}/Log"),
        "Architectures": ["arm64"],
        "Handler": "refresh_docker_login.handler.handle",
        "LoggingConfig.LogFormat": "JSON",
        "MemorySize": 256,
        "Runtime": "python3.13",
        "Timeout": 120,
        # Another variable could send the login to another endpoint, or load other code.
        "Environment.Variables": {
            "CONNECTION_ID": connection,
            "NEW_RIGHTS_WAIT_SECONDS": "60",
            "REGISTRY_HOST": f"{account}.dkr.ecr.{region}.amazonaws.com",
            "REGISTRY_REGION": region,
            # ECR answers with the registry of the account that requests the token.
            "TOKEN_ENDPOINT_HOST": f"{environment.account}.dkr.ecr.{region}.amazonaws.com",
            "SECRET_ARN": f"<{path}/Secret>",
            "SHORTEST_INTERVAL_MINUTES": str(min(max(every_minutes - 5, 10), 25)),
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
        "ScheduleExpression": f"rate({every_minutes} minutes)",
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
    # The number of minutes, or of periods of five minutes, that each alarm evaluates.
    evaluated = {"RefreshFailed": 4}
    for connection, settings in environment.settings["connections"].items():
        name = pascal_case(connection)
        evaluated[f"{name}NotRefreshed"] = 2 * settings.get("refresh_every_minutes", 30) + 30
        evaluated[f"{name}LoginExpires"] = 8 * 60
    for name, periods in evaluated.items():
        of_failures = name == "RefreshFailed"
        values = {
            "AlarmActions": [topic],
            "ComparisonOperator": "GreaterThanThreshold" if of_failures else "LessThanThreshold",
            "EvaluationPeriods": periods,
            "OKActions": [topic],
            "Threshold": 0 if of_failures else 1,
            "TreatMissingData": "notBreaching" if of_failures else "breaching",
        }
        yield f"{path}/{name}", "AWS::CloudWatch::Alarm", values
    for path_of_rule in environment.rules:
        yield path_of_rule, "AWS::Events::Rule", {"Targets.Arn": topic, "Targets.Id": "Topic", "Targets.RoleArn": None}
    if "emails" in alerts:
        yield f"{path}/Topic", "AWS::SNS::Topic", {}
        yield f"{path}/Topic/Policy", "AWS::SNS::TopicPolicy", {"Topics": [topic]}
        for email in alerts["emails"]:
            subscription = {"Endpoint": email, "TopicArn": topic}
            yield f"{path}/Topic/{email}", "AWS::SNS::Subscription", subscription


def _upkeep(environment: Environment) -> Rows:
    clean_up = environment.settings.get("workers", {}).get("clean_up")
    if clean_up:
        containers = clean_up.get("containers_older_than_hours", 24)
        images = clean_up.get("images_older_than_hours", 168)
        # The commands run as root on the workers.
        commands = [
            f'output="$({{ docker container prune -f --filter until={containers}h && '
            f'docker image prune -af --filter until={images}h; }} 2>&1)"; result=$?',
            'echo "$output" | logger -t docker-clean-up',
            'echo "$output"; exit "$result"',
        ]
        values = {
            "AssociationName": f"{environment.name}-WorkerUpkeep-docker-clean-up",
            "Parameters.commands": commands,
            "ScheduleExpression": clean_up.get("schedule", "cron(0 3 ? * * *)"),
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
            "Family": task.family.rpartition("/")[2],
            "Memory": str(task.memory_mib),
            "NetworkMode": "awsvpc",
            "RequiresCompatibilities": ["FARGATE"],
            "TaskRoleArn": f"<{task.path}/TaskRole>",
        }
        yield f"{task.path}/Log", "AWS::Logs::LogGroup", {}
        yield _role(environment, f"{task.path}/ExecutionRole")
        yield _role(environment, f"{task.path}/TaskRole", Policies=None)
        yield f"{task.path}/TaskDefinition", "AWS::ECS::TaskDefinition", definition


def order_of(environment: Environment) -> dict[str, set[str]]:
    """Return a dict of each resource with DependsOn to the resources that are created before it."""
    stack = f"{environment.name}/DockerLogin"
    provider = f"{stack}/FirstRefreshProvider"
    found = {f"{provider}/Handler": {f"{provider}/Role"}}
    first_refreshes = [f"{environment.connection(each)}/FirstRefresh/Default" for each in environment.connections]
    for number, connection in enumerate(environment.connections):
        path = environment.connection(connection)
        # A new schedule invokes its function at once, so a schedule follows the first refreshes of all connections. At
        # most three first refreshes run at the same time, so the last three end last.
        found[f"{path}/Schedule/Schedule"] = {*first_refreshes[-3:]}
        first_refresh = f"{path}/FirstRefresh/Default"
        needs = {f"{path}/PullPolicy", f"{path}/Secret", f"{path}/SecretPolicy"}
        found[f"{path}/Refresh"] = {f"{path}/PullRole"}
        before = {first_refreshes[number - 3]} if number >= 3 else set()
        found[first_refresh] = needs | before | ({f"{stack}/Key"} if environment.has_key else set())
        after_it = [f"{path}/Refresh/EventInvokeConfig"]
        if "off_because" not in environment.settings["alerts"]:
            alarm = f"{stack}/Alarms/{pascal_case(connection)}"
            after_it += [f"{alarm}NotRefreshed", f"{alarm}LoginExpires"]
        found |= {each: {first_refresh} for each in after_it}
        if environment.has_key:
            found[f"{path}/Secret"] = {f"{stack}/WorkerPolicy"}
        else:
            found.setdefault(f"{stack}/WorkerPolicy", set()).add(f"{path}/Secret")
    return found


def outputs_of(environment: Environment) -> Values:
    """Return a dict of output to value. A reference is the attribute and the path of the construct."""
    stack = f"{environment.name}/DockerLogin"
    found = {
        "RegistryHost": f"{environment.account}.dkr.ecr.{environment.region}.amazonaws.com",
        "FailureQueueUrl": f"Ref of {stack}/Failures",
        "DashboardName": f"Ref of {stack}/Dashboard",
        "WorkerPolicyArn": f"Ref of {stack}/WorkerPolicy",
    }
    for team in environment.teams:
        found[f"PushRoleArn{pascal_case(team)}"] = f"Arn of {environment.push_role(team)}"
    for connection in environment.connections:
        name, path = pascal_case(connection), environment.connection(connection)
        found[f"SecretArn{name}"] = f"Ref of {path}/Secret"
        found[f"SecretName{name}"] = environment.secret_name(connection)
        found[f"RefreshFunctionName{name}"] = f"Ref of {path}/Refresh"
        found[f"PullRoleArn{name}"] = f"Arn of {path}/PullRole"
    if not environment.worker_arns:
        found["WorkerRoleArn"] = f"Arn of {stack}/Workers/Role"
        found["WorkerInstanceProfileName"] = f"Ref of {stack}/Workers/InstanceProfile"
    if environment.tasks:
        found["EcsClusterName"] = f"{environment.name}-airflow"
    for repository, task in environment.tasks.items():
        name = pascal_case(repository)
        found[f"EcsTaskFamily{name}"] = task.family.rpartition("/")[2]
        found[f"EcsTaskLogGroup{name}"] = f"Ref of {task.path}/Log"
        found[f"EcsTaskRoleArn{name}"] = f"Arn of {task.path}/TaskRole"
    return found


def principals_of(environment: Environment) -> dict[str, set[str]]:
    """Return a dict of a role or resource with a policy to the principals that its Allow statements name.

    The matrix cannot try every service and every user. This list contains exactly the names in the policies.
    """
    root, stack = f"arn:aws:iam::{environment.account}:root", f"{environment.name}/DockerLogin"
    found: dict[str, set[str]] = {f"{stack}/FirstRefreshProvider/Role": {"lambda.amazonaws.com"}}
    for team, settings in environment.settings["teams"].items():
        push = settings["push"]
        named = {*push.get("role_arns", []), *push.get("user_arns", [])}
        for workflow in (*push.get("github", []), *push.get("gitlab", [])):
            named.add(f"arn:aws:iam::{environment.account}:oidc-provider/{issuer_of(workflow)}")
        found[environment.push_role(team)] = named | ({root} if push.get("permission_sets") else set())
        readers = {f"arn:aws:iam::{account}:root" for account in settings.get("pull_accounts", [])}
        readers |= {"*"} if "pull_organization" in settings else set()
        created = [CREATED] if team in environment.creating_teams else []
        for name in environment.teams[team] + created if environment.has_repository_policy(team) else ():
            found[environment.repository(team, name)] = readers
    for team in environment.creating_teams:
        found[environment.creation_role(team)] = {"ecr.amazonaws.com"}
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
        found[f"{stack}/Alarms/Topic"] = {"cloudwatch.amazonaws.com", "events.amazonaws.com"}
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


def references_in(value: Any, template: Template) -> Iterator[str]:
    """Yield each reference in a value, as the attribute and the path of the construct."""
    match value:
        case {"Ref": name} if name in template["Resources"]:
            yield f"Ref of {path_of(template['Resources'][name])}"
        case {"Fn::GetAtt": [name, attribute]}:
            yield f"{attribute} of {path_of(template['Resources'][name])}"
        case dict():
            for below in value.values():
                yield from references_in(below, template)
        case list():
            for item in value:
                yield from references_in(item, template)


def value_at(properties: Values, name: str) -> Any:
    """Return the value of a property by its name with dots, or None. A list with one entry counts as this entry."""
    found: Any = properties
    for part in name.split("."):
        found = found[0] if isinstance(found, list) and len(found) == 1 else found
        found = found.get(part) if isinstance(found, dict) else None
    return found
