"""How the durations of a refresh relate, as decisions 0008 and 0009 state it."""

import pytest

from stacks.docker_login import timings

SHORTEST, LONGEST = 10, 180  # minutes between two refreshes, as the settings limit them


def test_a_runs_calls_end_before_the_functions_timeout() -> None:
    assert timings.RUN_SECONDS == 54
    # A deploy's run waits for permissions, and its last attempt starts at the end of the wait.
    first_run_seconds = timings.NEW_PERMISSIONS_WAIT_SECONDS + timings.RUN_SECONDS
    assert first_run_seconds == 114
    assert first_run_seconds < 60 * timings.FUNCTION_TIMEOUT_MINUTES


def test_a_deploy_waits_until_its_first_refresh_has_ended() -> None:
    assert timings.FUNCTION_TIMEOUT_MINUTES < timings.FIRST_REFRESH_TIMEOUT_MINUTES


def test_every_retry_of_a_run_starts_before_lambda_drops_the_event() -> None:
    killed_runs = (1 + timings.FUNCTION_RETRIES) * timings.FUNCTION_TIMEOUT_MINUTES
    until_the_end = killed_runs + timings.FUNCTION_RETRY_WAITS_MINUTES
    assert until_the_end == 9
    assert until_the_end <= timings.FUNCTION_MAX_EVENT_AGE_MINUTES


def test_the_login_is_valid_for_hours_when_the_latest_possible_refresh_ends() -> None:
    assert timings.DUE_TO_DONE_MINUTES == 37
    assert timings.LOGIN_MINUTES == 720
    left_minutes = timings.LOGIN_MINUTES - LONGEST - timings.DUE_TO_DONE_MINUTES
    assert left_minutes == 8 * 60 + 23
    # Several scheduled runs come before the login expires.
    assert left_minutes > 2 * LONGEST


@pytest.mark.parametrize("every_minutes", [SHORTEST, 30, LONGEST])
def test_one_missed_run_is_shorter_than_the_silence_that_the_alarm_allows(every_minutes: int) -> None:
    assert timings.ONE_MISSED_RUN_MINUTES == 10
    two_successes_apart = 2 * every_minutes + timings.ONE_MISSED_RUN_MINUTES
    assert two_successes_apart < timings.not_refreshed_after_minutes(every_minutes) == 2 * every_minutes + 30


def test_the_alarms_fire_one_after_the_other_and_long_before_the_login_expires() -> None:
    assert timings.not_refreshed_after_minutes(LONGEST) == 6.5 * 60
    assert timings.LOGIN_EXPIRES_AFTER_MINUTES == 8 * 60
    assert timings.not_refreshed_after_minutes(LONGEST) < timings.LOGIN_EXPIRES_AFTER_MINUTES < timings.LOGIN_MINUTES
    assert timings.LOGIN_EXPIRES_LEFT_MINUTES == 4 * 60


def test_the_failure_alarm_looks_back_further_than_the_metrics_of_a_queue_are_late() -> None:
    looks_at = timings.FAILURE_PERIODS * timings.FAILURE_PERIOD_MINUTES
    assert looks_at == 20
    assert looks_at >= timings.QUEUE_METRIC_DELAY_MINUTES + timings.FAILURE_PERIOD_MINUTES


def test_no_alarm_looks_back_further_than_cloudwatch_allows() -> None:
    # One day, for periods of less than an hour.
    longest = max(timings.not_refreshed_after_minutes(LONGEST), timings.LOGIN_EXPIRES_AFTER_MINUTES)
    assert longest <= 24 * 60
