"""The permissions that each principal must have, written by hand. Every request that is not listed must be denied."""

from collections.abc import Iterable

from tests.permissions.account import WITH_EVERY_PERMISSION, WITHOUT_PERMISSIONS

Permissions = dict[str, set[str]]  # target to actions; requests.py defines the names of the targets

PUSH = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
LOG_IN = {"ecr:GetAuthorizationToken"}
READ_SECRET = {"secretsmanager:GetSecretValue"}
WRITE_SECRET = {"secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue"}
ROLL_BACK = {"secretsmanager:UpdateSecretVersionStage"}
RESTORE_SECRET = {"secretsmanager:RestoreSecret"}
DECRYPT = {"kms:Decrypt"}
ENCRYPT = {"kms:Decrypt", "kms:GenerateDataKey"}
WRITE_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
INVOKE = {"lambda:InvokeFunction"}
SEND = {"sqs:SendMessage"}
RUN_TASK, FOLLOW_TASK, FIND_TASK = {"ecs:RunTask"}, {"ecs:DescribeTasks", "ecs:StopTask"}, {"ecs:ListTasks"}
PASS_ROLE = {"iam:PassRole"}
READ_LOG = {"logs:GetLogEvents"}
PUBLISH = {"sns:Publish"}

# The actions that every administrator may perform on a secret. They read the secret's metadata, but not its value.
READ_METADATA = {
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetResourcePolicy",
    "secretsmanager:ListSecretVersionIds",
    "secretsmanager:ValidateResourcePolicy",
}
CHANGE_SECRET_POLICY = {"secretsmanager:DeleteResourcePolicy", "secretsmanager:PutResourcePolicy"}
# The actions on the key that every administrator may do. They change the key's settings. They do not use the key, and
# do not grant its use (kms:CreateGrant).
ADMINISTER_KEY = {
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
}
# The actions on a topic that every administrator may do over plain HTTP. Only sns:Publish is denied.
TOPIC_EXCEPT_PUBLISH = {
    "sns:AddPermission",
    "sns:ConfirmSubscription",
    "sns:CreateTopic",
    "sns:DeleteTopic",
    "sns:GetDataProtectionPolicy",
    "sns:GetSubscriptionAttributes",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:ListTagsForResource",
    "sns:PutDataProtectionPolicy",
    "sns:RemovePermission",
    "sns:SetSubscriptionAttributes",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
    "sns:TagResource",
    "sns:Unsubscribe",
    "sns:UntagResource",
}
EVERYTHING = {"*"}  # every action that the service has for the resource's type, except NEVER
# No principal may copy a docker login to another Region or account.
NEVER = {"secretsmanager:AssociateCrossAccountReplica", "secretsmanager:ReplicateSecretToRegions"}


def each(targets: Iterable[str], actions: set[str]) -> Permissions:
    return dict.fromkeys(targets, actions)


def also_with_unknown_transport(*targets: str) -> list[str]:
    """Return the targets, and the same targets for requests without the context key aws:SecureTransport."""
    return [*targets, *(f"{target}, transport unknown" for target in targets)]


SECRET_OF_DEFAULT, SECRET_OF_X = (
    also_with_unknown_transport("secret of docker_default"),
    also_with_unknown_transport("secret of docker_x"),
)
SECRETS, SECRET_OF_DIRECT = SECRET_OF_DEFAULT + SECRET_OF_X, also_with_unknown_transport("secret of docker_direct")
# The key may be used for every secret whose name starts with the environment's connections_prefix.
KEY_FOR_SECRETS = [
    f"key, used for {secret}"
    for name in ("docker_default", "docker_x")
    for secret in (f"the secret of {name}", f"a secret with a longer name than that of {name}")
]
# Before Secrets Manager sets a key on a secret, it tests the key.
KEY_TESTS = ["key, tested by SecretARN", "key, tested by SecretVersionId"]
KEY_OTHERWISE = [
    *KEY_TESTS,
    *(f"{test} through {service}" for test in KEY_TESTS for service in ("another service", "no service")),
    "key, used for another secret",
    "key, used for no secret",
    "key, used for a version without the ARN of a secret",
    *(
        f"key, used for the secret of {name} through {service}"
        for name in ("docker_default", "docker_x")
        for service in ("another service", "no service")
    ),
]
FAILURES, FAILURES_OF_DIRECT = (
    also_with_unknown_transport("failure queue"),
    also_with_unknown_transport("failure queue of direct"),
)
TOPIC = also_with_unknown_transport("alert topic")
ANALYTICS, ANALYTICS_X, DIRECT = (
    [*also_with_unknown_transport(f"{team}/app"), f"{team}/other"] for team in ("analytics", "analytics-x", "direct")
)

ADMINISTRATOR: Permissions = {
    **each(SECRETS + SECRET_OF_DIRECT, READ_METADATA),
    **each(KEY_FOR_SECRETS + KEY_OTHERWISE, ADMINISTER_KEY),
    **each(FAILURES + FAILURES_OF_DIRECT + TOPIC, EVERYTHING),
    "alert topic over http": TOPIC_EXCEPT_PUBLISH,
}

EXPECTED: dict[str, Permissions] = {
    # Analysts push the images of their team, and only over HTTPS.
    "env/Access/PushRoles/Analytics": {"no specific resource": LOG_IN, **each(ANALYTICS, PUSH)},
    "env/Access/PushRoles/AnalyticsX": {"no specific resource": LOG_IN, **each(ANALYTICS_X, PUSH)},
    "direct/Access/PushRoles/Direct": {"no specific resource": LOG_IN, **each(DIRECT, PUSH)},
    # A function may pull the images of its connection, get a token, and write the token into its connection's secret.
    "env/DockerLogin/DockerDefault/PullRole": {
        "no specific resource": LOG_IN,
        **each([*ANALYTICS, "analytics/app over http"], PULL),
        **each([*SECRET_OF_DEFAULT, "secret of docker_default, without its policy"], WRITE_SECRET),
        **each(
            ["key, used for the secret of docker_default", "open key, used for the secret of docker_default"], ENCRYPT
        ),
        "log of docker_default": WRITE_LOG,
        **each(FAILURES, SEND),
    },
    "env/DockerLogin/DockerX/PullRole": {
        "no specific resource": LOG_IN,
        **each([*ANALYTICS_X, "analytics-x/app over http"], PULL),
        **each([*SECRET_OF_X, "secret of docker_x, without its policy"], WRITE_SECRET),
        **each(["key, used for the secret of docker_x", "open key, used for the secret of docker_x"], ENCRYPT),
        "log of docker_x": WRITE_LOG,
        **each(FAILURES, SEND),
    },
    "direct/DockerLogin/DockerDirect/PullRole": {
        "no specific resource": LOG_IN,
        **each([*DIRECT, "direct/app over http"], PULL),
        **each([*SECRET_OF_DIRECT, "secret of docker_direct, without its policy"], WRITE_SECRET),
        "log of docker_direct": WRITE_LOG,
        **each(FAILURES_OF_DIRECT, SEND),
    },
    # A schedule invokes its function. Scheduler sends the events that it cannot deliver to the failure queue.
    "env/DockerLogin/DockerDefault/Schedule/Role": {"function of docker_default": INVOKE, **each(FAILURES, SEND)},
    "env/DockerLogin/DockerX/Schedule/Role": {"function of docker_x": INVOKE, **each(FAILURES, SEND)},
    "direct/DockerLogin/DockerDirect/Schedule/Role": {
        "function of docker_direct": INVOKE,
        **each(FAILURES_OF_DIRECT, SEND),
    },
    # The CDK's function for first refreshes invokes the function versions that a deployment publishes.
    "env/DockerLogin/FirstRefreshProvider/Role": {
        **each(["function version of docker_default", "function version of docker_x"], INVOKE),
        "log of first refreshes": WRITE_LOG,
    },
    "direct/DockerLogin/FirstRefreshProvider/Role": {
        "function version of docker_direct": INVOKE,
        "log of first refreshes of direct": WRITE_LOG,
    },
    # Airflow workers read the docker logins of their environment. With pull_directly, the workers' role can also pull
    # images without a docker login from a secret.
    "worker": {
        **each(
            [*SECRETS, "secret of docker_default, without its policy", "secret of docker_x, without its policy"],
            READ_SECRET,
        ),
        **each(KEY_FOR_SECRETS, DECRYPT),
        **each([f"open {key}" for key in KEY_FOR_SECRETS], DECRYPT),
        # Workers may run only the listed tasks on Fargate, in the environment's cluster and with the tasks' roles.
        **each(
            [
                f"task definition {task}{revision}, in the environment's cluster"
                for task in ("analytics/app", "analytics-x/app")
                for revision in ("", " with a revision")
            ],
            RUN_TASK,
        ),
        **each(
            [f"task definition {task}, with explicit defaults" for task in ("analytics/app", "analytics-x/app")],
            RUN_TASK,
        ),
        **each(
            [
                f"{role} of {task}, passed to ECS"
                for task in ("analytics/app", "analytics-x/app")
                for role in ("execution role", "task role")
            ],
            PASS_ROLE,
        ),
        "a task in the environment's cluster": FOLLOW_TASK,
        "a container instance in the environment's cluster": FIND_TASK,
        **each(["log of the task analytics/app", "log of the task analytics-x/app"], READ_LOG),
    },
    # The execution role of a Fargate task pulls the task's image and writes the task's log. The task role, which the
    # container uses, has no permissions.
    "env/EcsTasks/AnalyticsApp/ExecutionRole": {
        "no specific resource": LOG_IN,
        **each([*also_with_unknown_transport("analytics/app"), "analytics/app over http"], PULL),
        "log of the task analytics/app": WRITE_LOG,
    },
    "env/EcsTasks/AnalyticsXApp/ExecutionRole": {
        "no specific resource": LOG_IN,
        **each([*also_with_unknown_transport("analytics-x/app"), "analytics-x/app over http"], PULL),
        "log of the task analytics-x/app": WRITE_LOG,
    },
    "env/EcsTasks/AnalyticsApp/TaskRole": {},
    "env/EcsTasks/AnalyticsXApp/TaskRole": {},
    "direct/DockerLogin/Workers/Role": {
        "no specific resource": LOG_IN,
        **each([*SECRET_OF_DIRECT, "secret of docker_direct, without its policy"], READ_SECRET),
        **each([*DIRECT, "direct/app over http"], PULL),
    },
    # Administrators of the account can neither read nor write a secret value. The administrators that the settings name
    # have more permissions.
    "another administrator": ADMINISTRATOR,
    "principal without an ARN": ADMINISTRATOR,
    "break glass": {
        **ADMINISTRATOR,
        **each(
            SECRETS + SECRET_OF_DIRECT, READ_METADATA | READ_SECRET | ROLL_BACK | RESTORE_SECRET | CHANGE_SECRET_POLICY
        ),
        **each(KEY_FOR_SECRETS, ADMINISTER_KEY | DECRYPT),
    },
    "deploy": {
        **ADMINISTRATOR,
        **each(SECRETS + SECRET_OF_DIRECT, EVERYTHING),
        **each(KEY_FOR_SECRETS, ADMINISTER_KEY | ENCRYPT | {"kms:Encrypt"}),
        **each(KEY_TESTS, ADMINISTER_KEY | ENCRYPT),
    },
    "root": {
        **ADMINISTRATOR,
        **each(SECRETS + SECRET_OF_DIRECT, READ_METADATA | CHANGE_SECRET_POLICY | RESTORE_SECRET),
    },
    "administrator of another account": {},
    # Alarms of this account may publish to the topic. Alarms of other accounts and other services may not.
    "CloudWatch": each(TOPIC, PUBLISH),
    "CloudWatch for another account": {},
    "CloudWatch for no account": {},
    "EventBridge": {},
    # These principals test the policies of the secrets and of the key alone. Their identity-based policies allow either
    # everything or nothing.
    "worker" + WITH_EVERY_PERMISSION: {
        **ADMINISTRATOR,
        **each(SECRETS, READ_METADATA | READ_SECRET),
        **each(KEY_FOR_SECRETS, ADMINISTER_KEY | DECRYPT),
    },
    "env/DockerLogin/DockerDefault/PullRole" + WITH_EVERY_PERMISSION: {
        **ADMINISTRATOR,
        **each(SECRET_OF_DEFAULT, READ_METADATA | WRITE_SECRET),
        "key, used for the secret of docker_default": ADMINISTER_KEY | ENCRYPT,
    },
    "env/DockerLogin/DockerX/PullRole" + WITH_EVERY_PERMISSION: {
        **ADMINISTRATOR,
        **each(SECRET_OF_X, READ_METADATA | WRITE_SECRET),
        "key, used for the secret of docker_x": ADMINISTER_KEY | ENCRYPT,
    },
    "direct/DockerLogin/DockerDirect/PullRole" + WITH_EVERY_PERMISSION: {
        **ADMINISTRATOR,
        **each(SECRET_OF_DIRECT, READ_METADATA | WRITE_SECRET),
    },
    "direct/DockerLogin/Workers/Role" + WITH_EVERY_PERMISSION: {
        **ADMINISTRATOR,
        **each(SECRET_OF_DIRECT, READ_METADATA | READ_SECRET),
    },
    "worker" + WITHOUT_PERMISSIONS: {},
    "env/DockerLogin/DockerDefault/PullRole" + WITHOUT_PERMISSIONS: {},
    "env/DockerLogin/DockerX/PullRole" + WITHOUT_PERMISSIONS: {},
    "direct/DockerLogin/DockerDirect/PullRole" + WITHOUT_PERMISSIONS: {},
    "direct/DockerLogin/Workers/Role" + WITHOUT_PERMISSIONS: {},
    "break glass" + WITHOUT_PERMISSIONS: {},
    "deploy" + WITHOUT_PERMISSIONS: {},
}

# The callers that may assume each role. callers.py defines their names. Their identity-based policies allow it.
ASSUMED_BY: dict[str, set[str]] = {
    "env/Access/PushRoles/Analytics": {
        "the CI role of the team",
        "an analyst with Identity Center in eu-west-1",
        "an analyst with Identity Center in us-east-1",
    },
    "env/Access/PushRoles/AnalyticsX": {"ana with MFA"},
    "direct/Access/PushRoles/Direct": {"the CI role of the team direct"},
    "env/DockerLogin/DockerDefault/PullRole": {"Lambda"},
    "env/DockerLogin/DockerX/PullRole": {"Lambda"},
    "direct/DockerLogin/DockerDirect/PullRole": {"Lambda"},
    "env/DockerLogin/DockerDefault/Schedule/Role": {"Scheduler, for a schedule in the default group"},
    "env/DockerLogin/DockerX/Schedule/Role": {"Scheduler, for a schedule in the default group"},
    "direct/DockerLogin/DockerDirect/Schedule/Role": {"Scheduler, for a schedule in the default group"},
    "env/DockerLogin/FirstRefreshProvider/Role": {"Lambda"},
    "direct/DockerLogin/FirstRefreshProvider/Role": {"Lambda"},
    "direct/DockerLogin/Workers/Role": {"EC2"},
    "env/EcsTasks/AnalyticsApp/ExecutionRole": {"ECS, for a task of this account and Region"},
    "env/EcsTasks/AnalyticsXApp/ExecutionRole": {"ECS, for a task of this account and Region"},
    "env/EcsTasks/AnalyticsApp/TaskRole": {"ECS, for a task of this account and Region"},
    "env/EcsTasks/AnalyticsXApp/TaskRole": {"ECS, for a task of this account and Region"},
}
