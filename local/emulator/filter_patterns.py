"""Filter patterns of CloudWatch Logs. This module has no state and calls no service.

Source: the CloudWatch Logs user guide, "Filter pattern syntax for metric filters, subscription filters, filter log
events, and Live Tail". Patterns are case sensitive.

- Patterns for unstructured events: terms, quoted phrases, `?term` for at least one of several terms, `-term` for the
  absence of a term, and `%regular expression%`.
- Patterns for JSON events in braces: comparisons of properties, `IS TRUE`, `IS FALSE`, `IS NULL` and `NOT EXISTS`, with
  `&&`, `||` and parentheses. An event that is not a JSON object does not match.

Patterns for events with columns, in square brackets, are not supported.
"""

import json
import operator
import re
from collections.abc import Callable
from typing import Any

Matches = Callable[[Any], bool]

_TERM = re.compile(r'\s*(?P<sign>[-?]?)(?:"(?P<phrase>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]+)%|(?P<word>[^\s"%]+))')
_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<regex>%[^%]+%)|(?P<sign>&&|\|\||[()]|!=|<=|>=|[=<>])'
    r"|(?P<word>[^\s()&|=<>!\"]+))"
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_MISSING = object()


def compiled(pattern: str) -> Matches:
    """Return a function that says whether the message of a log event matches the pattern.

    Raises:
        ValueError: the pattern is not valid or not supported.
    """
    pattern = pattern.strip()
    if pattern.startswith("{") and pattern.endswith("}"):
        matches = _JsonPattern(pattern[1:-1]).matches
        return lambda message: _matches_json(matches, message)
    if pattern.startswith(("{", "[")):
        raise ValueError(f"Invalid filter pattern: {pattern}")
    return _matches_terms(pattern)


def _matches_json(matches: Matches, message: str) -> bool:
    try:
        event = json.loads(message)
    except ValueError:
        return False
    return isinstance(event, dict) and matches(event)


def _matches_terms(pattern: str) -> Matches:
    terms: dict[str, list[Matches]] = {"": [], "-": [], "?": []}
    at = 0
    while at < len(pattern):
        found = _TERM.match(pattern, at)
        if not found:
            raise ValueError(f"Invalid character in term '{pattern[at:]}'")
        terms[found["sign"]].append(_contains(found))
        at = found.end()

    def matches(message: str) -> bool:
        # AWS ignores the terms with a question mark if the pattern has other terms.
        is_any = terms["?"] and not terms[""] and not terms["-"]
        return (
            all(term(message) for term in terms[""])
            and not any(term(message) for term in terms["-"])
            and (not is_any or any(term(message) for term in terms["?"]))
        )

    return matches


def _contains(term: re.Match[str]) -> Matches:
    if term["regex"]:
        expression = re.compile(term["regex"])
        return lambda message: expression.search(message) is not None
    text = term["word"] or re.sub(r"\\(.)", r"\1", term["phrase"])
    return lambda message: text in message


class _JsonPattern:
    """A pattern without its braces, as a function of the event."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at, text = 0, text.strip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                raise ValueError(f"Invalid filter pattern at '{text[at:]}'")
            self._tokens.append((str(found.lastgroup), found[0].strip()))
            at = found.end()
        self.matches = self._any()
        if self._tokens:
            raise ValueError(f"Invalid filter pattern at '{self._tokens[0][1]}'")

    def _any(self) -> Matches:
        parts = [self._all()]
        while self._next_is("||"):
            parts.append(self._all())
        return lambda event: any(part(event) for part in parts)

    def _all(self) -> Matches:
        parts = [self._condition()]
        while self._next_is("&&"):
            parts.append(self._condition())
        return lambda event: all(part(event) for part in parts)

    def _condition(self) -> Matches:
        if self._next_is("("):
            inside = self._any()
            self._expect(")")
            return inside
        path = _path(self._take()[1])
        kind, sign = self._take()
        if sign.upper() == "IS":
            constant = self._take()[1].upper()
            if constant not in _CONSTANTS:
                raise ValueError(f"Invalid filter pattern at 'IS {constant}'")
            return lambda event: _value(event, path) is _CONSTANTS[constant]
        if sign.upper() == "NOT":
            self._expect("EXISTS")
            return lambda event: _value(event, path) is _MISSING
        compare = _comparison(sign if kind == "sign" else "", *self._take())

        def matches(event: Any) -> bool:
            value = _value(event, path)
            return value is not _MISSING and compare(value)

        return matches

    def _take(self) -> tuple[str, str]:
        if not self._tokens:
            raise ValueError("Invalid filter pattern: the pattern ends too early")
        return self._tokens.pop(0)

    def _next_is(self, sign: str) -> bool:
        if self._tokens and self._tokens[0][1].upper() == sign:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._next_is(text):
            raise ValueError(f"Invalid filter pattern: {text} is missing")


_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}


def _path(selector: str) -> list[str | int]:
    """Return the names and indexes of a selector, such as ["requests", 0, "name"] of $.requests[0].name."""
    if not re.fullmatch(r"\$(?:\.[\w-]+|\[\d+\])+", selector):
        raise ValueError(f"Invalid property selector: {selector}")
    steps = re.findall(r"\.([\w-]+)|\[(\d+)\]", selector)
    return [name or int(index) for name, index in steps]


def _value(event: Any, path: list[str | int]) -> Any:
    for step in path:
        try:
            event = event[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return event


def _comparison(sign: str, kind: str, text: str) -> Matches:
    if sign in _ORDER and _NUMBER.fullmatch(text):
        order, limit = _ORDER[sign], float(text)
        return lambda value: _is_number(value) and order(value, limit)
    if sign not in ("=", "!="):
        raise ValueError(f"Invalid filter pattern at '{sign} {text}'")
    equals = _equality(kind, text)
    return equals if sign == "=" else lambda value: not equals(value)


def _equality(kind: str, text: str) -> Matches:
    if kind == "regex":
        searched = re.compile(text[1:-1])
        return lambda value: isinstance(value, str) and searched.search(value) is not None
    if kind == "word" and _NUMBER.fullmatch(text):
        return lambda value: _is_number(value) and value == float(text)
    literal = re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "string" else text
    wildcard = re.compile(".*".join(map(re.escape, literal.split("*"))), re.DOTALL)
    return lambda value: isinstance(value, str) and wildcard.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
