"""Fixes for names that are longer than the name of a repository, such as the full name of an image."""

import re
from collections.abc import Sequence

from settings.names import repository_name

# The lines match the scheme of a URL or the start of an ARN, the host name of the registry (ECR also has a dual-stack
# name), the name of the repository, and a tag and a digest.
_IMAGE = re.compile(
    r"(?:[a-z]+://|arn:[^/]*:repository/)?"
    r"(?:[0-9]{12}\.dkr[.-]ecr[^/]*/)?"
    r"/*(?P<name>[^:@]*?)/*"
    r"(?::[^/@]*)?(?:@.*)?"
)


def short_name(team: str, text: str) -> str:
    """Return the name of a team's repository without the registry, the team, the tag and the digest."""
    image = _IMAGE.fullmatch(text)
    short = image["name"] if image else text
    while short.startswith(repository_name(team, "")):
        short = short.removeprefix(repository_name(team, ""))
    return short


def how_to_shorten(team: str, names: Sequence[object], position: int) -> str | None:
    """Return how to fix an entry of a list of repositories that is longer than the repository's name.

    Args:
        team: The team's name, or an empty string for a list of full names.
        names: The entries of the list. The types of the entries are not checked yet.
        position: The position of the entry to fix.

    Returns:
        The fix, or None if the entry has no part that can be removed.
    """
    entry = str(names[position])
    short = short_name(team, entry)
    if short == entry:
        return None
    shorter = [short_name(team, str(name)) for name in names[:position]]
    if short in (*shorter, *names[position + 1 :]):
        return f"remove it, because {short!r} is in the list"
    return f"write {short!r}" if short else "write the name of a repository"
