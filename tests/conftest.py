"""Fixtures for all tests: an AWS emulator with an empty account or with `local` deployed. Also the order of the tests.

The tests of one worker share an emulator. Each test creates resources with unique names, and leaves all other resources
unchanged. In the rehearsals, only the tests of one file share an emulator.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from local.account import WORKER_ROLE_ARN, Account, assume, outputs
from local.deployment import start_and_deploy
from local.embedded_aws import EmbeddedAws

# jsii works on Node.js 20, but prints a warning, because it no longer supports this version. The Makefile sets the same
# variable.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")


# The longest tests start first, so that no worker runs a long test at the end while the others are idle. All other
# tests follow in the order of their names.
START_FIRST = (
    "tests/changes/",
    "tests/upgrade/",
    "tests/local/test_rollback.py",
    "tests/local/test_commands.py",
    "tests/local/test_failures_page.py",
    "tests/permissions/",
    "tests/stacks/",
    "tests/local/test_deployment.py",
    "tests/faults/test_secrets_manager.py::test_a_run_reports_a_lasting_fault_after_three_attempts",
    "tests/faults/test_soak.py",
    "tests/faults/",
)
# The tests of each of these files run in several workers, because they wait for timeouts. The tests of every other file
# run in one worker.
SPLIT_BY_TEST = ("tests/faults/test_ecr.py", "tests/faults/test_function.py", "tests/faults/test_secrets_manager.py")
# All files of each of these folders run in one worker, because they share synthesized templates.
TOGETHER = ("tests/permissions/", "tests/stacks/")
# `make rehearse` and CI run these tests, but `make test` does not. They take long, and other tests usually fail too
# when one of these tests fails. The tests of the emulator itself are rehearsals too.
# tests/permissions/test_resources.py marks some of its tests itself.
REHEARSALS = (
    "tests/changes/test_create_on_push.py",
    "tests/changes/test_in_place.py",
    "tests/changes/test_names.py",
    "tests/changes/test_registries.py",
    "tests/changes/test_roles.py",
    "tests/faults/test_alarms.py",
    "tests/faults/test_ecr.py::test_a_run_reports_a_lasting_fault_after_three_attempts",
    "tests/faults/test_function.py",
    "tests/faults/test_schedule.py",
    "tests/faults/test_soak.py",
    "tests/faults/test_write_limit.py",
    "tests/local/emulator/",
    "tests/local/test_adoption.py",
    "tests/local/test_commands.py",
    "tests/local/test_deployment.py::test_a_new_repository_is_created_and_shown_on_the_dashboard_and_nothing_else_changes",
    "tests/local/test_deployment.py::test_a_second_deploy_changes_nothing",
    "tests/local/test_drift.py",
    "tests/local/test_embedded_aws.py",
    "tests/local/test_failures_page.py",
    "tests/local/test_locked_out.py",
    "tests/local/test_new_account.py",
    "tests/local/test_other_registries.py",
    "tests/local/test_repository_policy.py",
    "tests/local/test_rollback.py",
    "tests/ops/doctor/test_breakages.py::test_exactly_the_check_for_a_problem",
    "tests/ops/doctor/test_breakages.py::test_several_problems_turn_exactly_their_checks",
    "tests/ops/doctor/test_command.py::test_a_stopped_function_is_never_invoked",
    "tests/ops/doctor/test_command.py::test_the_active_checks_invoke_the_function_and_let_an_alarm_fire",
    "tests/ops/doctor/test_command.py::test_the_report_hides_names_and_is_not_overwritten",
    "tests/ops/doctor/test_verdicts.py",
    "tests/ops/preflight/test_breakages.py::test_exactly_the_check_that_names_a_problem_turns",
    "tests/ops/preflight/test_command.py::test_a_check_without_an_answer_in_time_is_not_tried",
    "tests/ops/preflight/test_command.py::test_a_problem_ends_with_exit_code_2_and_a_notice_with_1",
    "tests/ops/preflight/test_command.py::test_an_endpoint_that_does_not_answer_stops_the_deployment_only_until_the_time_limit",
    "tests/ops/test_errors.py",
    "tests/ops/test_handoff.py::test_the_commands_for_a_ci_role_with_access_keys_push",
    "tests/ops/test_handoff.py::test_the_printed_commands_log_in_push_and_show_the_image",
    "tests/ops/test_lifecycle.py::test_the_preview_of_aws_is_compared",
    "tests/ops/test_logs.py::test_the_runs_are_shown_with_the_reasons_of_failures",
    "tests/ops/test_other_registries.py::test_the_printed_script_keeps_the_other_statements_of_a_policy",
    "tests/ops/test_permissions.py",
    "tests/ops/test_refresh.py::test_the_reason_of_a_failed_refresh_is_shown",
    "tests/ops/test_rollback.py",
    "tests/ops/test_status.py::test_a_disabled_schedule_and_old_logins_turn_one_check_after_the_other",
    "tests/ops/test_status.py::test_a_message_in_the_failure_queue_turns_two_checks",
    "tests/ops/test_worker_check.py::test_a_terminal_without_unicode_gets_ascii",
    "tests/ops/test_worker_check.py::test_a_worker_that_cannot_reach_sts_still_works",
    "tests/ops/test_worker_check.py::test_an_image_index_is_followed_to_an_image",
    "tests/ops/test_worker_check.py::test_debug_settings_of_botocore_show_no_login",
    "tests/ops/test_worker_check.py::test_only_the_checks_of_a_broken_thing_turn",
    "tests/ops/test_worker_check.py::test_without_airflow_and_without_a_tag_the_rest_is_checked",
    "tests/permissions/test_combinations.py",
    "tests/permissions/test_foreign_registries.py",
    "tests/permissions/test_quotas.py",
    "tests/settings/test_lifecycle_policy.py::test_500_histories_lose_no_protected_image_and_none_of_the_newest",
    "tests/settings/test_lifecycle_policy.py::test_default_settings_lose_no_image_in_1000_histories",
    "tests/stacks/test_app.py::test_no_physical_names_of_two_environments_of_an_account_meet",
    "tests/stacks/test_app.py::test_the_largest_number_of_connections_fits_into_a_template",
    "tests/stacks/test_long_lists.py",
    "tests/stacks/test_plain_cdk.py::test_diff_compares",
    "tests/stacks/test_plain_cdk.py::test_list_shows_the_stacks_of_all_environments",
    "tests/stacks/test_program.py",
    "tests/stacks/test_template_size.py::test_the_estimate_fits_templates_with_as_many_repositories_as_are_accepted",
    "tests/stacks/test_template_size.py::test_the_estimates_grow_with_each_setting_like_the_templates",
    "tests/stacks/test_template_size.py::test_the_estimates_fit_templates_with_many_connections_teams_and_tags",
    "tests/tools/test_cdk_options.py::test_every_option_that_breaks_the_promise_in_the_cli_is_refused",
    "tests/tools/test_cdk_options.py::test_nothing_that_the_cli_would_obey_passes",
    "tests/tools/test_cdk_options.py::test_the_cli_agrees_with_every_example",
    "tests/upgrade/",
)
NEEDS_THE_EMULATOR = ("tests/local/", "tests/faults/")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "emulator: a test that needs the AWS emulator; tests/conftest.py sets this marker"
    )
    config.addinivalue_line(
        "markers", "rehearsal: a long test that `make rehearse` runs; tests/conftest.py sets this marker"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not read files whose tests are all deselected by `-m`, as in the Makefile. Reading the files takes seconds."""
    unwanted = {
        "not emulator and not rehearsal": NEEDS_THE_EMULATOR + REHEARSALS,
        "not rehearsal": REHEARSALS,
    }.get(config.option.markexpr, ())
    return True if f"{collection_path.relative_to(config.rootpath)}".startswith(unwanted) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set the markers `emulator` and `rehearsal`, and sort the tests so that the longest tests run first."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.nodeid.startswith(NEEDS_THE_EMULATOR) or {"deployed", "empty_aws"}.intersection(fixtures):
            item.add_marker(pytest.mark.emulator)
        if item.nodeid.startswith(REHEARSALS):
            item.add_marker(pytest.mark.rehearsal)
    items.sort(key=_place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Return a scheduler that gives a worker one file at a time, in sorted order. The option --dist has no effect.

    `--dist loadfile` would start with the files that have the most tests. `--dist loadgroup` of pytest-xdist 3.8
    ignores the groups under pytest 9.2.
    """
    config.option.loadscopereorder = False
    return ByFile(config, log)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in SPLIT_BY_TEST:
            return nodeid.partition("[")[0]
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def _place(item: pytest.Item) -> int:
    found = (place for place, prefix in enumerate(START_FIRST) if item.nodeid.startswith(prefix))
    return next(found, len(START_FIRST))


@dataclass(frozen=True)
class Deployed:
    """The environment `local`, deployed once for all workers of a test run. The emulator of this deployment has ended.

    Attributes:
        snapshot: the snapshot of the emulator after the deployment.
        state: the folder with the emulator's files.
        account: the credentials of the principals in the emulator's account.
    """

    snapshot: Path
    state: Path
    account: Account


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """The deployed environment `local`. The first worker that needs it deploys it, and the other workers wait."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    state, snapshot, credentials = (shared / f"deployed{suffix}" for suffix in ("", ".snapshot", ".json"))
    with locked(shared / "deployed.lock"):
        if not credentials.exists():
            aws, account = start_and_deploy(state)
            with aws:
                aws.save_snapshot(snapshot)
            credentials.write_text(json.dumps(asdict(account)))
    return Deployed(snapshot, state, Account(**json.loads(credentials.read_text())))


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a file lock, so that only one process at a time runs the `with` block."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def empty_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An emulator with an empty account."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws")) as running:
        yield running


def _per_file_in_rehearsals(fixture_name: str, config: pytest.Config) -> Literal["module", "session"]:
    """Return the scope of a fixture. Rehearsals deploy environments, and an account has names and quotas only once."""
    return "session" if "not rehearsal" in config.option.markexpr else "module"


@pytest.fixture(scope=_per_file_in_rehearsals)
def aws(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An emulator with `local` deployed. Each worker has its own copy, and in the rehearsals each file."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), snapshot=deployed.snapshot) as running:
        yield running


@pytest.fixture(scope="session")
def account(deployed: Deployed) -> Account:
    """The credentials of the principals in the account with `local`. `make demo` creates the same principals."""
    return deployed.account


@pytest.fixture(scope=_per_file_in_rehearsals)
def local(aws: EmbeddedAws) -> dict[str, str]:
    """The outputs of `local`."""
    return outputs(aws)


@pytest.fixture(scope=_per_file_in_rehearsals)
def worker_role(aws: EmbeddedAws, account: Account) -> Any:
    """A Secrets Manager client with the permissions of an Airflow worker. All tests share its session."""
    return aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))


@pytest.fixture
def worker(aws: EmbeddedAws, account: Account) -> Any:
    """A Secrets Manager client with the permissions of an Airflow worker, in a new session."""
    return aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))
