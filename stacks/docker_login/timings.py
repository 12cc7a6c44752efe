"""The durations of a refresh that depend on each other.

Decisions 0008 and 0009 contain the reasons. tests/stacks/docker_login/test_timings.py asserts how the values relate.
settings/login_age.py contains the durations that the commands for a deployment also use.
"""

from settings.login_age import LOGIN_MINUTES as LOGIN_MINUTES
from settings.login_age import NOT_REFRESHED_ALLOWANCE_MINUTES as NOT_REFRESHED_ALLOWANCE_MINUTES
from settings.login_age import not_refreshed_after_minutes as not_refreshed_after_minutes

# The schedule

SCHEDULE_WINDOW_MINUTES = 5
"""EventBridge Scheduler invokes the function at any time within this window.

The window spreads the refreshes of many connections. PutSecretValue allows 50 calls per second in a Region.
"""
SCHEDULE_RETRIES = 3
SCHEDULE_MAX_EVENT_AGE_MINUTES = 15
"""How long Scheduler tries to deliver an invocation before it reports a failure."""

# The limit on writes

MIN_WRITE_INTERVAL_MINUTES = 10
"""Secrets Manager recommends at most one write every 10 minutes (AWS Secrets Manager User Guide, quotas)."""
MAX_WRITE_INTERVAL_MINUTES = 25
"""A run can succeed without a write while the login is younger than this.

The alarms count successes, so they can fire later by up to this time.
"""


def shortest_interval_minutes(refresh_every_minutes: int) -> int:
    """Return how old a login must be, in minutes, before a run replaces it.

    If the interval is 15 to 30 minutes, scheduled runs start at least this time apart. A scheduled run can still find a
    login that is too young, for example after a retry. This run keeps the login, and the next scheduled run writes.
    """
    apart = refresh_every_minutes - SCHEDULE_WINDOW_MINUTES
    return min(max(apart, MIN_WRITE_INTERVAL_MINUTES), MAX_WRITE_INTERVAL_MINUTES)


# A run of the function. The handler sets the same timeouts in its clients, and a test compares the values.

ATTEMPTS_PER_CALL = 3
CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 5
MAX_WAITS_PER_CALL_SECONDS = 1 + 2
"""botocore's standard mode waits at most 1 s before the second attempt, and at most 2 s before the third."""

CALL_SECONDS = ATTEMPTS_PER_CALL * (CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS) + MAX_WAITS_PER_CALL_SECONDS
"""The maximum duration of a call, if each attempt connects to only one address."""

LISTING_SECONDS = 2 * CALL_SECONDS
"""The maximum duration of ListSecretVersionIds. After CALL_SECONDS, a run does not request another page."""
REFRESH_SECONDS = 2 * CALL_SECONDS
"""The maximum duration of GetAuthorizationToken and PutSecretValue."""
RUN_SECONDS = LISTING_SECONDS + REFRESH_SECONDS

NEW_PERMISSIONS_WAIT_SECONDS = 60
"""How long a deployment's run retries a refresh that is denied. IAM needs time to apply new permissions everywhere.

The run lists the versions of the secret once, during this time.
"""

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
"""The maximum time from the scheduled time of a refresh until its end.

A refresh ends with a success, or with a message in the failure queue.
"""

# The first refresh, which a deployment runs

FIRST_REFRESH_TIMEOUT_MINUTES = 3
"""How long CloudFormation's custom resource waits for the function."""

FIRST_REFRESHES_AT_ONCE = 3
"""How many first refreshes run at the same time."""

# The alarms

FUNCTION_METRIC_DELAY_MINUTES = 3
"""The maximum delay of Lambda's metrics."""
QUEUE_METRIC_DELAY_MINUTES = 15
"""The maximum delay of a queue's metrics if the queue was not used for hours.

Source: Amazon SQS Developer Guide, "Available CloudWatch metrics".
"""

FAILURE_PERIOD_MINUTES = 5
FAILURE_PERIODS = 4
"""The number of periods that the alarm "Refresh failed" evaluates."""

ONE_MISSED_RUN_MINUTES = SCHEDULE_WINDOW_MINUTES + FUNCTION_TIMEOUT_MINUTES + FUNCTION_METRIC_DELAY_MINUTES
"""If one run is missed, the time between two successes in the metrics is at most two intervals plus this time."""

LOGIN_EXPIRES_AFTER_MINUTES = 8 * 60
"""The alarm "Login expires" fires if there is no success for this time."""
LOGIN_EXPIRES_LEFT_MINUTES = LOGIN_MINUTES - LOGIN_EXPIRES_AFTER_MINUTES
