"""Exactly the check for a problem turns, and the command that it prints repairs the problem."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws
from ops.doctor import secrets
from ops.doctor.findings import Result
from ops.doctor.run import GROUPS, run
from ops.doctor.templates import Examined
from ops.results import EXIT_CODES, State, worst
from settings.environment import Environment
from tests.ops.doctor import aws_cli
from tests.ops.doctor import breakages as b
from tests.ops.doctor.breakages import REPOSITORY, SECRET, WORKER, Broken

Results = Callable[[], dict[str, Result]]
Turned = dict[str, State]

ALL_CHECKS = {name: check for group in GROUPS.values() for name, check in group.items()}
BROKEN, DEGRADED = State.BROKEN, State.DEGRADED
BREAKAGES: list[tuple[Callable[[Broken], None], Turned]] = [
    (b.remove_a_permission_of_the_pull_role, {"role_policies": BROKEN}),
    (b.delete_the_policy_of_the_pull_role, {"role_policies": BROKEN}),
    (b.widen_the_policy_of_a_push_role, {"role_policies": DEGRADED}),
    (b.add_an_inline_policy, {"role_policies": DEGRADED}),
    (b.attach_a_policy, {"role_policies": DEGRADED}),
    (b.trust_another_user, {"role_trusts": DEGRADED, "drift": DEGRADED}),
    (b.change_the_worker_policy, {"managed_policies": BROKEN}),
    (b.remove_a_denial_of_the_secret, {"secret_policies": DEGRADED}),
    (b.deny_the_secret_to_everybody, {"secret_policies": BROKEN}),
    (b.delete_the_policy_of_the_secret, {"secret_policies": DEGRADED}),
    (b.change_the_policy_of_the_key, {"key_policy": BROKEN}),
    (b.change_the_policy_of_a_repository, {"repository_policies": DEGRADED}),
    (b.delete_the_policy_of_a_repository, {"repository_policies": DEGRADED}),
    (b.remove_the_policy_of_the_queue, {"queue_policies": DEGRADED}),
    (b.refuse_alarms_in_the_topic, {"topic_policies": DEGRADED, "alarm_topic": DEGRADED}),
    (b.let_a_service_invoke_the_function, {"function_policies": DEGRADED}),
    (b.disable_the_schedule, {"schedules": DEGRADED}),
    (b.point_the_schedule_at_another_function, {"schedules": DEGRADED}),
    (b.give_the_schedule_another_role, {"schedules": DEGRADED}),
    (b.slow_the_schedule_down, {"schedules": DEGRADED}),
    (b.delete_the_schedule, {"schedules": DEGRADED}),
    (b.stop_the_function, {"functions_run": DEGRADED}),
    (b.change_an_environment_variable, {"function_settings": DEGRADED, "drift": DEGRADED}),
    (b.give_the_function_another_timeout, {"function_settings": DEGRADED, "drift": DEGRADED}),
    (b.remove_the_retries_of_the_function, {"function_retries": DEGRADED}),
    (b.delete_an_alarm, {"alarms": DEGRADED}),
    (b.turn_the_actions_of_an_alarm_off, {"alarm_actions": DEGRADED}),
    (b.send_an_alarm_elsewhere, {"alarm_actions": DEGRADED}),
    (b.disable_the_scan_rule, {"scan_rules": DEGRADED}),
    (b.remove_the_target_of_the_scan_rule, {"scan_rules": DEGRADED}),
    (b.disable_the_key, {"key": BROKEN}),
    (b.schedule_the_deletion_of_the_key, {"key": BROKEN}),
    (b.detach_the_worker_policy, {"worker_policies": BROKEN}),
    (b.schedule_the_deletion_of_the_secret, {"secrets": BROKEN}),
    (b.encrypt_the_secret_with_another_key, {"secrets": DEGRADED, "drift": DEGRADED}),
    (b.tag_an_attestation, {"image_tags": DEGRADED}),
    (b.tag_one_part_of_an_untagged_index, {"image_tags": DEGRADED}),
]


def turned(results: dict[str, Result]) -> Turned:
    """Return the checks that found a problem or had no answer."""
    return {name: result.state for name, result in results.items() if result.state not in (State.OK, State.NOT_TRIED)}


def with_settings(examined: Examined, changes: dict[str, Any]) -> Examined:
    """Return a deployed environment whose settings have changed."""
    changed = Environment.model_validate({**examined.environment.model_dump(), **changes})
    return replace(examined, deployment=replace(examined.deployment, environment=changed))


def test_a_healthy_environment_has_no_problem(results: Results) -> None:
    found = results()
    assert turned(found) == {}
    not_tried = {name for name, result in found.items() if result.state is State.NOT_TRIED}
    assert not_tried == {"function_answers", "alarm_arrives"}


@pytest.mark.parametrize(("break_it", "expected"), BREAKAGES, ids=[each.__name__ for each, _ in BREAKAGES])
def test_exactly_the_check_for_a_problem_turns_and_its_command_repairs_the_problem(
    healthy: EmbeddedAws,
    examined: Callable[[], Examined],
    results: Results,
    write: Callable[[Result], Path],
    break_it: Callable[[Broken], None],
    expected: Turned,
) -> None:
    break_it(Broken(healthy))

    found = results()

    commands = 0
    for name in expected:
        folder = write(found[name])
        for command in aws_cli.commands(found[name].check().fix):
            aws_cli.run(healthy, command, folder)
            commands += 1
    assert turned(found) == expected
    assert all(problem.fix for result in found.values() for problem in result.problems)
    assert commands
    assert {name: run(name, ALL_CHECKS[name], examined()).state for name in expected} == dict.fromkeys(
        expected, State.OK
    )


def test_several_problems_turn_exactly_their_checks(
    healthy: EmbeddedAws, results: Results, write: Callable[[Result], Path]
) -> None:
    several: set[Callable[[Broken], None]] = {
        b.delete_the_policy_of_the_pull_role,
        b.remove_a_denial_of_the_secret,
        b.refuse_alarms_in_the_topic,
        b.disable_the_schedule,
        b.stop_the_function,
        b.detach_the_worker_policy,
        b.delete_an_alarm,
    }
    for break_it in several:
        break_it(Broken(healthy))

    found = results()

    # `resume` also runs the function, so the fixes of its policies come first.
    for result in sorted(found.values(), key=lambda result: result.name == "functions_run"):
        for command in aws_cli.commands(result.check().fix):
            aws_cli.run(healthy, command, write(result))
    expected: Turned = {}
    for each, checks in BREAKAGES:
        expected |= checks if each in several else {}
    assert turned(found) == expected
    assert turned(results()) == {}


def test_the_exit_code_says_whether_airflow_can_pull(healthy: EmbeddedAws, results: Results) -> None:
    kms, key = healthy.client("kms"), Broken(healthy).find("Key")
    kms.disable_key(KeyId=key)
    b.turn_the_actions_of_an_alarm_off(Broken(healthy))
    try:
        found = results()
    finally:
        kms.enable_key(KeyId=key)
        healthy.client("cloudwatch").enable_alarm_actions(AlarmNames=[Broken(healthy).alarm])

    assert turned(found) == {"key": BROKEN, "alarm_actions": DEGRADED}
    assert EXIT_CODES[worst(result.check() for result in found.values())] == 2


def test_a_deleted_worker_role_is_found(healthy: EmbeddedAws, results: Results) -> None:
    iam, policy = healthy.client("iam"), Broken(healthy).find("WorkerPolicy")
    trust = iam.get_role(RoleName=WORKER)["Role"]["AssumeRolePolicyDocument"]
    iam.detach_role_policy(RoleName=WORKER, PolicyArn=policy)
    iam.delete_role(RoleName=WORKER)
    try:
        found = results()
    finally:
        iam.create_role(RoleName=WORKER, AssumeRolePolicyDocument=json.dumps(trust))
        iam.attach_role_policy(RoleName=WORKER, PolicyArn=policy)

    assert turned(found) == {"worker_roles": BROKEN}


def test_an_address_that_has_not_confirmed_is_found(
    healthy: EmbeddedAws, examined: Callable[[], Examined], settings: Environment
) -> None:
    emails = (*settings.alerts.emails, "new@example.com")
    found = with_settings(examined(), {"alerts": {"emails": emails}})

    def subscriptions() -> Result:
        return run("subscriptions", ALL_CHECKS["subscriptions"], found)

    missing = subscriptions()
    [command] = aws_cli.commands(missing.check().fix)
    aws_cli.run(healthy, command, Path())
    pending = subscriptions()
    healthy.confirm_subscriptions("new@example.com")

    assert (missing.state, pending.state) == (DEGRADED, DEGRADED)
    assert missing.problems[0].text == "The topic has no subscription of new@example.com."
    assert "new@example.com has not confirmed the subscription" in pending.problems[0].text
    assert subscriptions().state is State.OK


def test_settings_that_are_not_deployed_are_found(examined: Callable[[], Examined], settings: Environment) -> None:
    teams = settings.model_dump()["teams"]
    teams["risk"]["repositories"] = ["var", "new"]
    changes = {
        "teams": teams,
        "connections": {"docker_default": {"teams": ["analytics"], "refresh_every_minutes": 60}},
        "workers": {"role_arns": [f"arn:aws:iam::{settings.account}:role/other-worker"]},
        "alerts": {"emails": [*settings.alerts.emails, "more@example.com"]},
    }

    result = run("settings", ALL_CHECKS["settings"], with_settings(examined(), changes))

    assert result.state is DEGRADED
    text = result.check().detail
    assert "The repository risk/new is not deployed." in text
    assert "is deployed with rate(30 minutes), not with 60 minutes" in text
    assert "The worker role other-worker is not deployed." in text
    assert "The worker role airflow-worker is not in the settings." in text
    assert "The address more@example.com is not deployed." in text


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        (
            {"registry": {"account": "444455556666"}, "teams": ["tools"], "repositories": ["base/python"]},
            [
                "The docker login of docker_default is deployed for {own}, not for 444455556666.dkr.ecr.",
                "is deployed without arn:aws:ecr:{region}:444455556666:repository/tools/*",
                "is deployed without arn:aws:ecr:{region}:444455556666:repository/base/python",
                "is deployed with arn:aws:ecr:{region}:{account}:repository/analytics/*, which is not in the settings",
            ],
        ),
        ({"registry": {"region": "us-west-2"}, "teams": ["tools"]}, ["{own}, not for {account}.dkr.ecr.us-west-2."]),
    ],
)
def test_a_docker_login_that_is_deployed_for_another_registry_is_found(
    examined: Callable[[], Examined], settings: Environment, changes: dict[str, Any], texts: list[str]
) -> None:
    found = with_settings(examined(), {"connections": {"docker_default": changes}})

    result = run("settings", ALL_CHECKS["settings"], found)

    place = {"own": settings.registry_host, "region": settings.region, "account": settings.account}
    assert result.state is DEGRADED
    assert [text for text in texts if text.format(**place) not in result.check().detail] == []


def test_an_expired_login_is_found(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "expiry", lambda written_at: written_at)
    found = results()
    assert turned(found) == {"logins": BROKEN}
    assert found["logins"].check().fix == ".venv/bin/ecr-login refresh local docker_default"


def test_a_replicated_secret_is_found(clients: Any, results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    describe = clients.secretsmanager.describe_secret
    monkeypatch.setattr(
        clients.secretsmanager,
        "describe_secret",
        lambda **request: {**describe(**request), "ReplicationStatus": [{"Region": "eu-west-1"}]},
    )
    found = results()
    assert turned(found) == {"secrets": DEGRADED}
    assert f"--secret-id {SECRET} --remove-replica-regions eu-west-1" in found["secrets"].check().fix


def test_a_denied_request_names_the_action_and_the_other_checks_still_run(
    healthy: EmbeddedAws, results: Results
) -> None:
    with healthy.fault("GetKeyPolicy", status=400, body={"__type": "AccessDeniedException", "message": "denied"}):
        found = results()
    assert turned(found) == {"key_policy": State.UNKNOWN}
    assert found["key_policy"].summary == "AWS denied kms:GetKeyPolicy"
    assert REPOSITORY not in found["key_policy"].fix
