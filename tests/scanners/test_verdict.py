"""When `make check` fails: on what nobody acknowledged, on what nobody finds, and on a scanner that did not look."""

from scanners.__main__ import problems_of
from scanners.assembly import Finding
from scanners.tools import Scan

QUEUE = Finding("CKV_AWS_27", "prod/DockerLogin/Failures/Resource")
WORDS = "the queue is not encrypted"


def scan(*, left: set[Finding], every: set[Finding], looked_at: int = 100) -> Scan:
    return Scan(looked_at, "checks", dict.fromkeys(left, WORDS), dict.fromkeys(every, WORDS))


def test_all_is_well_when_every_finding_is_acknowledged() -> None:
    assert problems_of(scan(left=set(), every={QUEUE}), {QUEUE}) == []


def test_a_finding_that_nobody_acknowledged_is_a_problem() -> None:
    assert problems_of(scan(left={QUEUE}, every={QUEUE}), set()) == [
        "prod/DockerLogin/Failures/Resource: CKV_AWS_27: the queue is not encrypted"
    ]


def test_an_acknowledgement_without_its_finding_is_a_problem() -> None:
    assert problems_of(scan(left=set(), every=set()), {QUEUE}) == [
        "prod/DockerLogin/Failures/Resource: CKV_AWS_27: acknowledged and not found; drop the acknowledgement"
    ]


def test_an_acknowledgement_for_a_whole_stack_counts_for_nothing() -> None:
    stack = Finding(QUEUE.check, "prod/DockerLogin")

    assert problems_of(scan(left=set(), every={QUEUE}), {stack}) == [
        "prod/DockerLogin/Failures/Resource: CKV_AWS_27: the queue is not encrypted",
        "prod/DockerLogin: CKV_AWS_27: acknowledged and not found; drop the acknowledgement",
    ]


def test_a_scanner_that_looked_at_nothing_is_a_problem() -> None:
    assert problems_of(scan(left=set(), every=set(), looked_at=0), set()) == ["looked at nothing"]
