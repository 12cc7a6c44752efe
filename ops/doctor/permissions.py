"""The IAM actions that each check needs. AWS's policy ReadOnlyAccess has all of them, except those of `--active`."""

EVERY_RUN = ("cloudformation:DescribeStacks", "cloudformation:GetTemplate", "cloudformation:ListStackResources")
"""What the command needs before the checks. `sts:GetCallerIdentity` needs no permission."""

ACTIONS: dict[str, tuple[str, ...]] = {
    "stacks": (),
    "settings": (),
    "logins": ("secretsmanager:ListSecretVersionIds",),
    "secrets": ("secretsmanager:DescribeSecret",),
    "key": ("kms:DescribeKey",),
    "schedules": ("scheduler:GetSchedule",),
    "functions_run": ("lambda:GetFunctionConcurrency", "lambda:GetFunctionConfiguration"),
    "function_settings": ("lambda:GetFunctionConfiguration",),
    "function_retries": ("lambda:GetFunctionEventInvokeConfig",),
    "worker_roles": ("iam:GetRole",),
    "worker_policies": ("iam:ListAttachedRolePolicies",),
    "role_trusts": ("iam:GetRole",),
    "role_policies": (
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
    ),
    "managed_policies": ("iam:GetPolicy", "iam:GetPolicyVersion"),
    "secret_policies": ("secretsmanager:GetResourcePolicy",),
    "key_policy": ("kms:GetKeyPolicy",),
    "repository_policies": ("ecr:GetRepositoryPolicy",),
    "queue_policies": ("sqs:GetQueueAttributes",),
    "topic_policies": ("sns:GetTopicAttributes",),
    "function_policies": ("lambda:GetPolicy",),
    "alarms": ("cloudwatch:DescribeAlarms",),
    "alarm_actions": ("cloudwatch:DescribeAlarms",),
    "alarm_topic": ("kms:DescribeKey", "kms:GetKeyPolicy", "sns:GetTopicAttributes"),
    "subscriptions": ("sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"),
    "scan_rules": ("events:DescribeRule", "events:ListTargetsByRule"),
    "repositories": ("ecr:DescribeRepositories",),
    "image_tags": ("ecr:BatchGetImage", "ecr:DescribeImages"),
    # CloudFormation also reads each resource. AWS does not document whose permissions it uses for this.
    "drift": (
        "cloudformation:DescribeStackDriftDetectionStatus",
        "cloudformation:DescribeStackResourceDrifts",
        "cloudformation:DetectStackDrift",
    ),
    "function_answers": ("lambda:GetFunctionConcurrency", "lambda:InvokeFunction"),
    "alarm_arrives": (
        "cloudwatch:DescribeAlarmHistory",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:SetAlarmState",
    ),
}
"""The actions of each check, by the name of the check."""

ACTIVE = ("function_answers", "alarm_arrives")
"""The checks that only `--active` runs."""
