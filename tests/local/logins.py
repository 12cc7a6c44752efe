"""Looking for a docker login where none belongs, so that a test that fails does not print it either."""

import re
from collections.abc import Mapping

_TOKEN_LIKE = re.compile(r"[A-Za-z0-9+/=]{600,}")  # A token is 2,000 characters of base64; nothing else here is.


def places_with_a_login(texts: Mapping[str, str], *known: str) -> list[str]:
    """Which of the texts, by name, hold one of these passwords or anything like a token.

    Keep the answer in a variable and assert on that: of a call inside an assert, pytest shows the arguments.
    """
    return [place for place, text in texts.items() if _TOKEN_LIKE.search(text) or any(one in text for one in known)]
