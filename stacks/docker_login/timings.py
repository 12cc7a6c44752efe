"""Every duration of a refresh that depends on another one.

Decisions 0008 and 0009 give the reasons. tests/stacks/docker_login/test_timings.py asserts how the values relate.
"""

# The login

LOGIN_MINUTES = 12 * 60
"""How long a token of ECR is valid (Amazon ECR API Reference, GetAuthorizationToken)."""

# The schedule

SCHEDULE_WINDOW_MINUTES = 5
"""Scheduler starts a run at any time within this window.

Connections must not all refresh in the same second: PutSecretValue allows 50 calls a second in a Region.
"""
SCHEDULE_RETRIES = 3
SCHEDULE_MAX_EVENT_AGE_MINUTES = 15
"""How long Scheduler tries to deliver a start before it reports a failure."""

# A run of the function. The handler sets the timeouts of its clients; a test compares them with these values.

CALLS_PER_RUN = 2  # GetAuthorizationToken and PutSecretValue
ATTEMPTS_PER_CALL = 3
CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 5
MAX_WAITS_PER_CALL_SECONDS = 1 + 2
"""botocore's standard mode waits at most 1 s before the second attempt, and at most 2 s before the third."""

RUN_SECONDS = CALLS_PER_RUN * (
    ATTEMPTS_PER_CALL * (CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS) + MAX_WAITS_PER_CALL_SECONDS
)
"""The longest time for the calls of a run, if each attempt connects to one address only."""

NEW_PERMISSIONS_WAIT_SECONDS = 60
"""How long a deploy's run tries again after a denial, because IAM needs time to apply new permissions everywhere."""

FUNCTION_TIMEOUT_MINUTES = 2

# Lambda's retries of a run that failed

FUNCTION_RETRIES = 2
FUNCTION_RETRY_WAITS_MINUTES = 1 + 2
"""Lambda waits 1 minute before the first retry, and 2 minutes before the second."""
FUNCTION_MAX_EVENT_AGE_MINUTES = 15
"""How long Lambda keeps an event before it reports a failure."""

DUE_TO_DONE_MINUTES = (
    SCHEDULE_WINDOW_MINUTES + SCHEDULE_MAX_EVENT_AGE_MINUTES + FUNCTION_MAX_EVENT_AGE_MINUTES + FUNCTION_TIMEOUT_MINUTES
)
"""The longest time from a refresh's due time to its end or to its message in the failure queue."""

# The deploy's own first refresh

FIRST_REFRESH_TIMEOUT_MINUTES = 3
"""How long CloudFormation's custom resource waits for the function."""

# The alarms

FUNCTION_METRIC_DELAY_MINUTES = 3
"""How late Lambda's metrics may arrive."""
QUEUE_METRIC_DELAY_MINUTES = 15
"""How late the metrics of a queue may arrive if it was not used for hours.

Source: Amazon SQS Developer Guide, "Available CloudWatch metrics".
"""

FAILURE_PERIOD_MINUTES = 5
FAILURE_PERIODS = 4
"""How many periods the alarm "Refresh failed" looks at."""

ONE_MISSED_RUN_MINUTES = SCHEDULE_WINDOW_MINUTES + FUNCTION_TIMEOUT_MINUTES + FUNCTION_METRIC_DELAY_MINUTES
"""If one run is missed, the metrics show two successes that are at most two intervals and this time apart."""
NOT_REFRESHED_ALLOWANCE_MINUTES = 30

LOGIN_EXPIRES_AFTER_MINUTES = 8 * 60
"""After this time without a success, the alarm "Login expires" fires."""
LOGIN_EXPIRES_LEFT_MINUTES = LOGIN_MINUTES - LOGIN_EXPIRES_AFTER_MINUTES


def not_refreshed_after_minutes(refresh_every_minutes: int) -> int:
    """Return the minutes without a success after which the alarm "Not refreshed" fires.

    One missed run does not fire it.
    """
    return 2 * refresh_every_minutes + NOT_REFRESHED_ALLOWANCE_MINUTES
