"""A problem in a settings file, and suggestions for its message."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Problem:
    """One thing to fix in a settings file."""

    key: str
    """The setting, such as `connections.docker_default.teams`."""

    message: str
    """The text `<what is wrong>; <how to fix it>`."""


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return how to fix an unknown word. The result suggests the most similar known word, if one is similar.

    Args:
        word: The unknown word in the settings file.
        known: The words that would be accepted.
        otherwise: How to fix the word if the suggestion is wrong or missing.
    """
    near = get_close_matches(word.lower(), known, n=1)
    return f"did you mean {near[0]}? If not, {otherwise}" if near else otherwise
