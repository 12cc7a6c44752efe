"""`make check` fails if findings and acknowledgements do not match."""

from scanners.__main__ import problems_of
from scanners.assembly import Finding
from scanners.tools import Scan

QUEUE = Finding("CKV_AWS_27", "prod/DockerLogin/Failures/Resource")
TEXT = "the queue is not encrypted"


def scan(*, left: set[Finding], every: set[Finding], checked: int = 100) -> Scan:
    return Scan(checked, "checks", dict.fromkeys(left, TEXT), dict.fromkeys(every, TEXT))


def test_there_is_no_problem_if_every_finding_is_acknowledged() -> None:
    assert problems_of(scan(left=set(), every={QUEUE}), {QUEUE}) == []


def test_a_finding_that_is_not_acknowledged_is_a_problem() -> None:
    assert problems_of(scan(left={QUEUE}, every={QUEUE}), set()) == [
        "prod/DockerLogin/Failures/Resource: CKV_AWS_27: the queue is not encrypted"
    ]


def test_an_acknowledgement_without_a_finding_is_a_problem() -> None:
    assert problems_of(scan(left=set(), every=set()), {QUEUE}) == [
        "prod/DockerLogin/Failures/Resource: CKV_AWS_27: acknowledged but not found; remove the acknowledgement"
    ]


def test_an_acknowledgement_for_a_whole_stack_does_not_count() -> None:
    stack = Finding(QUEUE.check, "prod/DockerLogin")

    assert problems_of(scan(left=set(), every={QUEUE}), {stack}) == [
        "prod/DockerLogin/Failures/Resource: CKV_AWS_27: the queue is not encrypted",
        "prod/DockerLogin: CKV_AWS_27: acknowledged but not found; remove the acknowledgement",
    ]


def test_a_scanner_that_checked_nothing_is_a_problem() -> None:
    assert problems_of(scan(left=set(), every=set(), checked=0), set()) == [
        "the scanner checked nothing; make sure that the scanner reads the templates"
    ]
