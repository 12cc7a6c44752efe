"""The relations between the durations of a refresh, which decisions 0008 and 0009 describe."""

from typing import Any

import pytest
from annotated_types import Ge, Le

from settings.environment import Connection
from stacks.docker_login import timings

_limits: dict[type, Any] = {type(each): each for each in Connection.model_fields["refresh_every_minutes"].metadata}
SHORTEST: int = _limits[Ge].ge
LONGEST: int = _limits[Le].le


def test_the_calls_of_a_run_end_before_the_timeout_of_the_function() -> None:
    assert timings.RUN_SECONDS == 108
    # The run of a deployment lists the versions while it waits for permissions. The last attempt to refresh starts at
    # the end of this wait.
    first_run_seconds = max(timings.NEW_PERMISSIONS_WAIT_SECONDS, timings.LISTING_SECONDS) + timings.REFRESH_SECONDS
    assert first_run_seconds == 114
    assert timings.RUN_SECONDS < first_run_seconds < 60 * timings.FUNCTION_TIMEOUT_MINUTES


@pytest.mark.parametrize(("every_minutes", "oldest_kept"), [(10, 10), (15, 10), (20, 15), (30, 25), (180, 25)])
def test_scheduled_runs_start_further_apart_than_the_age_of_a_kept_login_unless_they_start_every_10_minutes(
    every_minutes: int, oldest_kept: int
) -> None:
    assert timings.shortest_interval_minutes(every_minutes) == oldest_kept
    if every_minutes >= 15:
        assert oldest_kept <= every_minutes - timings.SCHEDULE_WINDOW_MINUTES


def test_every_setting_allows_at_most_one_write_in_ten_minutes() -> None:
    for every_minutes in range(SHORTEST, LONGEST + 1):
        assert timings.shortest_interval_minutes(every_minutes) >= 10


def test_a_run_without_a_write_hides_less_than_half_an_hour_from_the_alarms() -> None:
    # The last success before an alarm can be a run that kept a young login.
    kept = max(timings.shortest_interval_minutes(each) for each in range(SHORTEST, LONGEST + 1))
    assert timings.LOGIN_EXPIRES_LEFT_MINUTES - kept == 3 * 60 + 35


def test_a_deployment_waits_until_the_first_refresh_has_ended() -> None:
    assert timings.FUNCTION_TIMEOUT_MINUTES < timings.FIRST_REFRESH_TIMEOUT_MINUTES


def test_every_retry_of_a_run_starts_before_lambda_drops_the_event() -> None:
    killed_runs = (1 + timings.FUNCTION_RETRIES) * timings.FUNCTION_TIMEOUT_MINUTES
    until_the_end = killed_runs + timings.FUNCTION_RETRY_WAITS_MINUTES
    assert until_the_end == 9
    assert until_the_end <= timings.FUNCTION_MAX_EVENT_AGE_MINUTES


def test_the_old_login_is_valid_for_hours_after_the_latest_possible_end_of_a_refresh() -> None:
    assert timings.DUE_TO_DONE_MINUTES == 37
    assert timings.LOGIN_MINUTES == 720
    # The last success can be a run that kept a young login.
    kept = timings.shortest_interval_minutes(LONGEST)
    left_minutes = timings.LOGIN_MINUTES - LONGEST - kept - timings.DUE_TO_DONE_MINUTES
    assert left_minutes == 7 * 60 + 58
    # More than two scheduled runs start before the login expires.
    assert left_minutes > 2 * LONGEST


@pytest.mark.parametrize("every_minutes", [SHORTEST, 30, LONGEST])
def test_the_alarm_not_refreshed_does_not_fire_after_one_missed_run(every_minutes: int) -> None:
    assert timings.ONE_MISSED_RUN_MINUTES == 10
    two_successes_apart = 2 * every_minutes + timings.ONE_MISSED_RUN_MINUTES
    assert two_successes_apart < timings.not_refreshed_after_minutes(every_minutes) == 2 * every_minutes + 30


def test_the_alarm_not_refreshed_fires_first_and_both_alarms_fire_hours_before_the_login_expires() -> None:
    assert timings.not_refreshed_after_minutes(LONGEST) == 6.5 * 60
    assert timings.LOGIN_EXPIRES_AFTER_MINUTES == 8 * 60
    assert timings.not_refreshed_after_minutes(LONGEST) < timings.LOGIN_EXPIRES_AFTER_MINUTES < timings.LOGIN_MINUTES
    assert timings.LOGIN_EXPIRES_LEFT_MINUTES == 4 * 60


def test_the_failure_alarm_evaluates_more_minutes_than_the_delay_of_a_queues_metrics() -> None:
    evaluated_minutes = timings.FAILURE_PERIODS * timings.FAILURE_PERIOD_MINUTES
    assert evaluated_minutes == 20
    assert evaluated_minutes >= timings.QUEUE_METRIC_DELAY_MINUTES + timings.FAILURE_PERIOD_MINUTES


def test_no_alarm_evaluates_more_minutes_than_cloudwatch_allows() -> None:
    # CloudWatch allows one day if a period is shorter than an hour.
    longest = max(timings.not_refreshed_after_minutes(LONGEST), timings.LOGIN_EXPIRES_AFTER_MINUTES)
    assert longest <= 24 * 60
