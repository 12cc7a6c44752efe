"""Who may do what: written by hand, from what each is there for. Whatever is not listed must come out denied."""

from collections.abc import Iterable

from tests.permissions.account import HAD_IT_ALL, HAD_IT_NOTHING

Rights = dict[str, set[str]]  # by what is asked for (the names are those of requests.py)

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
WRITE_SECRET = {"secretsmanager:PutSecretValue"}
# What the secret's policy leaves to the function's role. The role's own policy takes one of it, the one above.
WRITE_IN_ANY_WAY = {
    "secretsmanager:CancelRotateSecret",
    "secretsmanager:DeleteSecret",
    "secretsmanager:PutSecretValue",
    "secretsmanager:RemoveRegionsFromReplication",
    "secretsmanager:ReplicateSecretToRegions",
    "secretsmanager:RotateSecret",
    "secretsmanager:StopReplicationToReplica",
    "secretsmanager:TagResource",
    "secretsmanager:UntagResource",
    "secretsmanager:UpdateSecret",
}
ROLL_BACK = {"secretsmanager:RestoreSecret", "secretsmanager:UpdateSecretVersionStage"}
DECRYPT = {"kms:Decrypt"}
ENCRYPT = {"kms:Decrypt", "kms:GenerateDataKey"}
WRITE_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
INVOKE = {"lambda:InvokeFunction"}
SEND = {"sqs:SendMessage"}
RUN_TASK, FOLLOW_TASK, FIND_TASK = {"ecs:RunTask"}, {"ecs:DescribeTasks", "ecs:StopTask"}, {"ecs:ListTasks"}
PASS_ROLE = {"iam:PassRole"}
READ_LOG = {"logs:GetLogEvents"}
PUBLISH = {"sns:Publish"}

# What is left to every administrator. Of a secret: to look at it from outside.
LOOK_AT_SECRET = {
    "secretsmanager:CreateSecret",  # of that name, which is taken
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetResourcePolicy",
    "secretsmanager:ListSecretVersionIds",
    "secretsmanager:ValidateResourcePolicy",
}
CHANGE_SECRET_POLICY = {"secretsmanager:DeleteResourcePolicy", "secretsmanager:PutResourcePolicy"}
# Of the key: to administer it, neither to use it nor to lend it (kms:CreateGrant).
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
# Of a topic over plain http: all but to publish.
TOPIC_BUT_PUBLISH = {
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
EVERYTHING = {"*"}  # every action that the service has for such a thing


def each(targets: Iterable[str], actions: set[str]) -> Rights:
    return dict.fromkeys(targets, actions)


def also_untold(*targets: str) -> list[str]:
    """The targets, and the same where IAM is not told whether the request came over https."""
    return [*targets, *(f"{target}, transport untold" for target in targets)]


SECRET_OF_DEFAULT, SECRET_OF_X = also_untold("secret of default"), also_untold("secret of x")
SECRETS, SECRET_OF_DIRECT = SECRET_OF_DEFAULT + SECRET_OF_X, also_untold("secret of direct")
# The key for the environment's secrets, whatever they are called: the folder is the environment's.
KEY_FOR_SECRETS = [
    f"key, for {secret}"
    for name in ("default", "x")
    for secret in (f"the secret of {name}", f"a secret named longer than that of {name}")
]
KEY_OTHERWISE = [
    "key, for another secret",
    "key, for no secret",
    *(
        f"key, for the secret of {name}, {how}"
        for name in ("default", "x")
        for how in ("through another service", "directly")
    ),
]
FAILURES, FAILURES_OF_DIRECT = also_untold("failures"), also_untold("failures of direct")
TOPIC = also_untold("topic of alerts")
ANALYTICS, ANALYTICS_X, DIRECT = (
    [*also_untold(f"{team}/app"), f"{team}/other"] for team in ("analytics", "analytics-x", "direct")
)

ADMINISTRATOR: Rights = {
    **each(SECRETS + SECRET_OF_DIRECT, LOOK_AT_SECRET),
    **each(KEY_FOR_SECRETS + KEY_OTHERWISE, ADMINISTER_KEY),
    **each(FAILURES + FAILURES_OF_DIRECT + TOPIC, EVERYTHING),
    "topic of alerts over http": TOPIC_BUT_PUBLISH,
}

EXPECTED: dict[str, Rights] = {
    # Analysts push their team's images, and nothing else; never over plain http.
    "env/Access/PushRoles/Analytics": {"nothing in particular": LOG_IN, **each(ANALYTICS, PUSH)},
    "env/Access/PushRoles/AnalyticsX": {"nothing in particular": LOG_IN, **each(ANALYTICS_X, PUSH)},
    "direct/Access/PushRoles/Direct": {"nothing in particular": LOG_IN, **each(DIRECT, PUSH)},
    # A function pulls what its login shall pull, mints it, and writes it into its one secret.
    "env/DockerLogin/DockerDefault/PullRole": {
        "nothing in particular": LOG_IN,
        **each([*ANALYTICS, "analytics/app over http"], PULL),
        **each([*SECRET_OF_DEFAULT, "secret of default, had it no policy"], WRITE_SECRET),
        **each(["key, for the secret of default", "open key, for the secret of default"], ENCRYPT),
        "log of default": WRITE_LOG,
        **each(FAILURES, SEND),
    },
    "env/DockerLogin/DockerX/PullRole": {
        "nothing in particular": LOG_IN,
        **each([*ANALYTICS_X, "analytics-x/app over http"], PULL),
        **each([*SECRET_OF_X, "secret of x, had it no policy"], WRITE_SECRET),
        **each(["key, for the secret of x", "open key, for the secret of x"], ENCRYPT),
        "log of x": WRITE_LOG,
        **each(FAILURES, SEND),
    },
    "direct/DockerLogin/DockerDirect/PullRole": {
        "nothing in particular": LOG_IN,
        **each([*DIRECT, "direct/app over http"], PULL),
        **each([*SECRET_OF_DIRECT, "secret of direct, had it no policy"], WRITE_SECRET),
        "log of direct": WRITE_LOG,
        **each(FAILURES_OF_DIRECT, SEND),
    },
    # A schedule starts its function; what it cannot deliver goes to the queue.
    "env/DockerLogin/DockerDefault/Schedule/Role": {"function of default": INVOKE, **each(FAILURES, SEND)},
    "env/DockerLogin/DockerX/Schedule/Role": {"function of x": INVOKE, **each(FAILURES, SEND)},
    "direct/DockerLogin/DockerDirect/Schedule/Role": {"function of direct": INVOKE, **each(FAILURES_OF_DIRECT, SEND)},
    # CDK's function that runs first refreshes invokes the versions that a deploy publishes.
    "env/DockerLogin/FirstRefreshProvider/Role": {
        **each(["version of default", "version of x"], INVOKE),
        "log of first refreshes": WRITE_LOG,
    },
    "direct/DockerLogin/FirstRefreshProvider/Role": {
        "version of direct": INVOKE,
        "log of first refreshes of direct": WRITE_LOG,
    },
    # Airflow's workers read the logins of their environment; with pull_directly they also pull by themselves.
    "worker": {
        **each([*SECRETS, "secret of default, had it no policy", "secret of x, had it no policy"], READ_SECRET),
        **each(KEY_FOR_SECRETS, DECRYPT),
        **each([f"open {key}" for key in KEY_FOR_SECRETS], DECRYPT),
        # Where an environment has tasks on Fargate: run these, in their cluster, with their roles; nothing else.
        **each(
            [
                f"task definition {task}{revision} in our cluster"
                for task in ("analytics/app", "analytics-x/app")
                for revision in ("", " by revision")
            ],
            RUN_TASK,
        ),
        **each(
            [
                f"{role} of {task}, handed to ECS"
                for task in ("analytics/app", "analytics-x/app")
                for role in ("execution role", "task role")
            ],
            PASS_ROLE,
        ),
        "a task in our cluster": FOLLOW_TASK,
        "a container-instance in our cluster": FIND_TASK,
        **each(["log of the task analytics/app", "log of the task analytics-x/app"], READ_LOG),
    },
    # A task on Fargate pulls its own image alone and logs; what runs in it may do nothing.
    "env/EcsTasks/AnalyticsApp/ExecutionRole": {
        "nothing in particular": LOG_IN,
        **each([*also_untold("analytics/app"), "analytics/app over http"], PULL),
        "log of the task analytics/app": WRITE_LOG,
    },
    "env/EcsTasks/AnalyticsXApp/ExecutionRole": {
        "nothing in particular": LOG_IN,
        **each([*also_untold("analytics-x/app"), "analytics-x/app over http"], PULL),
        "log of the task analytics-x/app": WRITE_LOG,
    },
    "env/EcsTasks/AnalyticsApp/TaskRole": {},
    "env/EcsTasks/AnalyticsXApp/TaskRole": {},
    "direct/DockerLogin/Workers/Role": {
        "nothing in particular": LOG_IN,
        **each([*SECRET_OF_DIRECT, "secret of direct, had it no policy"], READ_SECRET),
        **each([*DIRECT, "direct/app over http"], PULL),
    },
    # Administrators of the account: some are named, and may a little more; all others may neither read nor write.
    "stranger": ADMINISTRATOR,
    "somebody nameless": ADMINISTRATOR,
    "break glass": {
        **ADMINISTRATOR,
        **each(SECRETS + SECRET_OF_DIRECT, LOOK_AT_SECRET | READ_SECRET | ROLL_BACK),
        **each(KEY_FOR_SECRETS, ADMINISTER_KEY | DECRYPT),
    },
    "deploy": {
        **ADMINISTRATOR,
        **each(SECRETS + SECRET_OF_DIRECT, EVERYTHING),
        **each(KEY_FOR_SECRETS, ADMINISTER_KEY | ENCRYPT | {"kms:Encrypt"}),
    },
    "root": {**ADMINISTRATOR, **each(SECRETS + SECRET_OF_DIRECT, LOOK_AT_SECRET | CHANGE_SECRET_POLICY)},
    "foreigner": {},
    # Alarms of the account reach who is to be told; no other service does, and no other account's alarms.
    "alarms": each(TOPIC, PUBLISH),
    "alarms of another account": {},
    "alarms of nobody": {},
    "EventBridge": {},
    # What the policies of secrets and key do by themselves, whatever a role's own policies say.
    "worker" + HAD_IT_ALL: {
        **ADMINISTRATOR,
        **each(SECRETS, LOOK_AT_SECRET | READ_SECRET),
        **each(KEY_FOR_SECRETS, ADMINISTER_KEY | DECRYPT),
    },
    "env/DockerLogin/DockerDefault/PullRole" + HAD_IT_ALL: {
        **ADMINISTRATOR,
        **each(SECRET_OF_DEFAULT, LOOK_AT_SECRET | WRITE_IN_ANY_WAY),
        "key, for the secret of default": ADMINISTER_KEY | ENCRYPT,
    },
    "env/DockerLogin/DockerX/PullRole" + HAD_IT_ALL: {
        **ADMINISTRATOR,
        **each(SECRET_OF_X, LOOK_AT_SECRET | WRITE_IN_ANY_WAY),
        "key, for the secret of x": ADMINISTER_KEY | ENCRYPT,
    },
    "direct/DockerLogin/DockerDirect/PullRole" + HAD_IT_ALL: {
        **ADMINISTRATOR,
        **each(SECRET_OF_DIRECT, LOOK_AT_SECRET | WRITE_IN_ANY_WAY),
    },
    "direct/DockerLogin/Workers/Role" + HAD_IT_ALL: {
        **ADMINISTRATOR,
        **each(SECRET_OF_DIRECT, LOOK_AT_SECRET | READ_SECRET),
    },
    "worker" + HAD_IT_NOTHING: {},
    "env/DockerLogin/DockerDefault/PullRole" + HAD_IT_NOTHING: {},
    "env/DockerLogin/DockerX/PullRole" + HAD_IT_NOTHING: {},
    "direct/DockerLogin/DockerDirect/PullRole" + HAD_IT_NOTHING: {},
    "direct/DockerLogin/Workers/Role" + HAD_IT_NOTHING: {},
    "break glass" + HAD_IT_NOTHING: {},
    "deploy" + HAD_IT_NOTHING: {},
}

# Who may assume which role (the callers are those of callers.py). Every caller's own policies allow it to.
ASSUMED_BY: dict[str, set[str]] = {
    "env/Access/PushRoles/Analytics": {
        "the team's CI",
        "an analyst of Identity Center in eu-west-1",
        "an analyst of Identity Center in us-east-1",
    },
    "env/Access/PushRoles/AnalyticsX": {"ana with MFA"},
    "direct/Access/PushRoles/Direct": {"direct's CI"},
    "env/DockerLogin/DockerDefault/PullRole": {"Lambda"},
    "env/DockerLogin/DockerX/PullRole": {"Lambda"},
    "direct/DockerLogin/DockerDirect/PullRole": {"Lambda"},
    "env/DockerLogin/DockerDefault/Schedule/Role": {"Scheduler, for a schedule of ours"},
    "env/DockerLogin/DockerX/Schedule/Role": {"Scheduler, for a schedule of ours"},
    "direct/DockerLogin/DockerDirect/Schedule/Role": {"Scheduler, for a schedule of ours"},
    "env/DockerLogin/FirstRefreshProvider/Role": {"Lambda"},
    "direct/DockerLogin/FirstRefreshProvider/Role": {"Lambda"},
    "direct/DockerLogin/Workers/Role": {"EC2"},
    "env/EcsTasks/AnalyticsApp/ExecutionRole": {"ECS, for a task of ours"},
    "env/EcsTasks/AnalyticsXApp/ExecutionRole": {"ECS, for a task of ours"},
    "env/EcsTasks/AnalyticsApp/TaskRole": {"ECS, for a task of ours"},
    "env/EcsTasks/AnalyticsXApp/TaskRole": {"ECS, for a task of ours"},
}
