"""Tests that the matrix notices every mistake: each mutant of a policy must change at least one expected decision."""

from tests.permissions.matrix import Comparison
from tests.permissions.mutants import Mutant


def test_the_matrix_catches_every_mutant(mutants: list[Mutant], comparison: Comparison) -> None:
    caught = {m: c for m, c in zip(mutants, comparison.caught, strict=True) if m.kind != "trust"}

    _all_caught(caught)
    assert len(caught) > 2_500


def test_the_callers_catch_every_mutant_of_a_trust_policy(mutants: list[Mutant], comparison: Comparison) -> None:
    caught = {m: c for m, c in zip(mutants, comparison.caught, strict=True) if m.kind == "trust"}

    _all_caught(caught)
    assert len(caught) > 500


def _all_caught(caught: dict[Mutant, bool]) -> None:
    survivors = [mutant.id for mutant, is_caught in caught.items() if not is_caught]
    print(f"{len(caught)} mutants, {len(survivors)} survivors")
    assert not survivors, "the matrix lacks a request, or a statement is not needed:\n" + "\n".join(survivors)
