"""What a check of `ecr-login doctor` returns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ops.doctor.templates import Examined
from ops.results import Check, State, worst
from ops.together import in_parallel

S = TypeVar("S")
T = TypeVar("T")

FILES = "fixes"
"""The folder that the fixes name, with the files of `--write-fixes`."""


@dataclass(frozen=True)
class Problem:
    """Something that is not as deployed, and the fix.

    Attributes:
        text: What is wrong, in one sentence.
        fix: The command that fixes it, or what to do.
        state: DEGRADED, or BROKEN if Airflow cannot pull images now.
        files: The files that the command reads, by name, with their content.
    """

    text: str
    fix: str
    state: State = State.DEGRADED
    files: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """The result of a check.

    Attributes:
        name: The stable name of the check.
        state: The result.
        summary: What was found, in one sentence, if there is no problem.
        problems: The problems.
        fix: What to do if there is no problem and the state is not OK.
    """

    name: str
    state: State
    summary: str
    problems: tuple[Problem, ...] = ()
    fix: str = ""

    def check(self) -> Check:
        """Return the check, with the text and the fix of all problems."""
        if not self.problems:
            return Check(self.name, self.state, self.summary, self.fix)
        fixes = dict.fromkeys(problem.fix for problem in self.problems)
        return Check(self.name, self.state, " ".join(problem.text for problem in self.problems), "\n".join(fixes))


class NotTried(Exception):
    """The check does not apply to this environment. The message is one sentence."""


Examine = Callable[[Examined], "Found"]


@dataclass(frozen=True)
class Found:
    """What a check found.

    Attributes:
        summary: The sentence if there is no problem.
        problems: The problems.
    """

    summary: str
    problems: list[Problem]

    def result(self, name: str) -> Result:
        """Return the result of the check with this name."""
        state = worst(Check(name, problem.state, "") for problem in self.problems)
        return Result(name, state, self.summary, tuple(self.problems))


def each(function: Callable[[S], Iterable[T]], items: Iterable[S]) -> list[T]:
    """Call a function for several items in parallel, and return all results together."""
    results = in_parallel(lambda item: list(function(item)), list(items))
    return [found for some in results for found in some]


def count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun: `1 secret`, `2 secrets`."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
