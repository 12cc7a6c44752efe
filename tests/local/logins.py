"""Find docker logins in logs, files and answers that must not contain any. A failed test does not print the login."""

import re
from collections.abc import Mapping

# A token has 2,000 characters of base64. Nothing else in the searched strings is a base64 string of 600 characters.
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9+/=]{600,}")


def places_with_a_login(texts: Mapping[str, str], *known: str) -> list[str]:
    """Return the names of the texts that contain a known password or a string that looks like a token.

    Assign the result to a variable before the assert statement. If the call is inside the assert statement, pytest
    prints its arguments, which may contain a token.

    Args:
        texts: a mapping of name to text.
        known: passwords, or parts of passwords, that no text may contain.
    """
    return [place for place, text in texts.items() if _TOKEN_LIKE.search(text) or any(one in text for one in known)]
