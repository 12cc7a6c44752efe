"""The claims that only AWS can show. The tests let the emulator look like AWS."""

from collections.abc import Callable

import pytest

from ops.doctor.claims import CLAIMS, OBSERVED, Shown, judge_claims
from ops.doctor.run import examine
from ops.doctor.templates import Examined
from tools import ROOT


def test_an_emulator_shows_no_claim(examined: Callable[[], Examined]) -> None:
    found = examined()
    claims = judge_claims(found, examine(found, active=False))
    assert {claim.shown for claim in claims} == {Shown.NOT_TRIED}
    assert {claim.detail for claim in claims} == {"emulated: the answers do not come from AWS"}


def test_a_run_on_aws_shows_what_its_checks_see(
    examined: Callable[[], Examined], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Examined, "is_real_aws", True)
    found = examined()
    shown = {claim.name: claim.shown for claim in judge_claims(found, examine(found, active=False))}
    assert {name for name, state in shown.items() if state is Shown.HERE} >= {
        "secret_policy_is_accepted",
        "key_policy_allows_writing",
        "repository_policy_is_accepted",
        "function_runs_on_arm64",
        "drift_detection_finishes",
    }
    # `local` has no create_on_push, and the active checks did not run.
    assert shown["creation_template_is_accepted"] is Shown.NOT_TRIED
    assert shown["alarm_publishes"] is Shown.NOT_TRIED


def test_each_claim_names_a_page_that_exists() -> None:
    assert set(OBSERVED) <= set(CLAIMS)
    assert all((ROOT / source).is_file() for _, source in CLAIMS.values())
