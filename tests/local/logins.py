"""Find docker logins in logs, files and answers that must not hold any, without printing them when a test fails."""

import re
from collections.abc import Mapping

_TOKEN_LIKE = re.compile(
    r"[A-Za-z0-9+/=]{600,}"
)  # A token is 2,000 characters of base64. Nothing else here is as long.


def places_with_a_login(texts: Mapping[str, str], *known: str) -> list[str]:
    """Return the names of the texts that contain a known password or anything that looks like a token.

    Assign the result to a variable and assert on the variable.
    pytest prints the arguments of a call inside an assert, and they may hold a token.

    Args:
        texts: the texts to search, by name.
        known: passwords, or parts of them, that no text may contain.
    """
    return [place for place, text in texts.items() if _TOKEN_LIKE.search(text) or any(one in text for one in known)]
