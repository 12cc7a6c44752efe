"""Explanations for settings files that are not TOML.

A slip is a small syntax mistake, such as a comma at the end of a line. Two tables list common slips: `_TO_EXPLAIN` and
`_TO_REPAIR`. Each row has a pattern for the line and an explanation. The rows of `_TO_REPAIR` also have a replacement,
so that the message can show the line without the slip. A replacement is used only if it removes the error of `tomllib`.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, get_args, get_origin

from settings.problem import Problem
from settings.tables import tables

_LONGEST_SHOWN = 80  # characters of a line in a message
_MOST_REPAIRS = 3  # in one line: `require_mfa: True,` has three slips


def problem_in(text: str, error: tomllib.TOMLDecodeError) -> Problem:
    """Return the problem that the error shows, with the line and its fix.

    Args:
        text: The content of the file.
        error: The error of `tomllib.loads(text)`.
    """
    lines = text.split("\n")
    place = _line_of(error)
    filled = [number for number, line in enumerate(lines, 1) if _without_comment(line).strip()]
    number = place or (filled or [1])[-1]
    if explanation := _explanation(lines, number, str(error)):
        return Problem(f"line {number}", f"{_shown(lines[number - 1])} is not TOML; {explanation}")
    for repaired, explanation, line in _repairs(lines, number, filled, at_the_end=place is None):
        correction = f": {_shown(line)}" if len(line) <= _LONGEST_SHOWN and "\n" not in line else ""
        return Problem(f"line {repaired}", f"{_shown(lines[repaired - 1])} is not TOML; {explanation}{correction}")
    explanation = "write <key> = <value> as in the files in examples/, with strings in quotes"
    return Problem(f"line {number}", f"{_shown(lines[number - 1])} is not TOML; {explanation}")


def _line_of(error: tomllib.TOMLDecodeError) -> int | None:
    """Return the number of the line with the error, or None if `tomllib` found the error at the end of the file."""
    place = re.search(r"\(at line (\d+), column \d+\)$", str(error))
    return int(place[1]) if place else None


def _shown(line: str) -> str:
    """Return a line for a message, in backticks, with invisible characters as their codes."""
    visible = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in line.strip(" \t")
    )
    return f"`{visible[:_LONGEST_SHOWN]}…`" if len(visible) > _LONGEST_SHOWN else f"`{visible}`"


_BODY_AND_COMMENT = re.compile(r"((?:[^\"'#]|\"[^\"]*\"|'[^']*')*?)(\s*#.*)?", re.DOTALL)
_OPEN_QUOTE_AND_COMMENT = re.compile(r"(.*?)(\s+#.*)", re.DOTALL)


def _split(line: str) -> tuple[str, str]:
    """Return a line without its comment, and the comment with the white space before it."""
    parts = _BODY_AND_COMMENT.fullmatch(line) or _OPEN_QUOTE_AND_COMMENT.fullmatch(line)
    return (parts[1], parts[2] or "") if parts else (line, "")


def _without_comment(line: str) -> str:
    return _split(line)[0]


# Slips that are only explained

_KEY = r"[A-Za-z0-9_.\"'/-]+"

_TO_EXPLAIN: list[tuple[str, str]] = [
    (r"<{7}|={7}|>{7}", "resolve the merge conflict and delete its marks"),
    (r"\{", "write the file as TOML, like the files in examples/, because the line looks like JSON"),
    (r"[\w -]+:$|- ", "write a list in brackets and a table as [name], because the line looks like YAML"),
    (rf"{_KEY}\s*=\s*(?:null|None|nil|~)?$", "write a value after the =, or delete the line"),
    (r".*=\s*\{$", "write the table on one line, or under a [heading]"),
]
"""The patterns match the start of a line. These slips need a change of several lines, or a value that only the author
of the file knows.
"""


def _explanation(lines: Sequence[str], number: int, error: str) -> str | None:
    line = _without_comment(lines[number - 1]).strip()
    for pattern, explanation in _TO_EXPLAIN:
        if re.match(pattern, line):
            return explanation
    if re.match("Cannot (overwrite|declare|mutate)", error):
        return f"{_how_to_merge(lines, number)}, because a key or a table can occur only once"
    return None


def _how_to_merge(lines: Sequence[str], number: int) -> str:
    """Return what to do with a line whose key or table is also in an earlier line."""
    earlier = _definitions(lines[:number])
    unknown = "merge this line with the earlier lines"
    if number not in earlier:
        return unknown
    path, is_heading = earlier.pop(number)
    for line, definition in earlier.items():
        if definition == (path, True) and is_heading:
            return f"move the settings of this table below line {line} and delete this line"
        if definition[0] == path and not is_heading:
            return f"delete this line or line {line}"
    near = [line for line, (other, _) in earlier.items() if path[: len(other)] == other or other[: len(path)] == path]
    return f"merge this line with line {near[-1]}" if near else unknown


def _definitions(lines: Sequence[str]) -> dict[int, tuple[tuple[str, ...], bool]]:
    """Return a dict of the number of each line that defines a key or a table.

    The values are the path of the key or table, and whether the line is the heading of a table.
    """
    definitions = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(lines, 1):
        bare = _without_comment(line).strip()
        if heading := re.fullmatch(r"\[+(.*?)\]+", bare):
            table = _parts(heading[1])
            definitions[number] = (table, True)
        elif setting := re.match(rf"({_KEY})\s*=", bare):
            definitions[number] = ((*table, *_parts(setting[1])), False)
    return definitions


def _parts(key: str) -> tuple[str, ...]:
    """Return the parts of a dotted key, without their quotes."""
    return tuple(part.strip(" \t\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", key))


# Slips that are repaired


class _Slip(NamedTuple):
    explanation: str
    pattern: str
    replacement: str | Callable[[re.Match[str]], str]
    in_comments: bool = False  # whether the replacement also changes the comment of the line

    def repair(self, line: str) -> str:
        """Return the line without the slip, or the same line if it does not have the slip."""
        body, comment = (line, "") if self.in_comments else _split(line)
        return re.sub(self.pattern, self.replacement, body) + comment


def _keys_of(kind: type) -> set[str]:
    """Return the names of the settings of a type: bool, int or tuple."""
    keys = set()
    for _, table in tables():
        for key, field in table.model_fields.items():
            annotation = field.annotation
            # The annotation is the type, a list as tuple[str, ...], numbers as Literal[256, 512], or a number or None.
            inner = get_args(annotation)
            of_inner = (getattr(each, "__origin__", None) for each in inner)
            if kind in (annotation, get_origin(annotation), *map(type, inner), *of_inner):
                keys.add(key)
    return keys


def _setting(value: str, kind: type | None = None) -> str:
    """Return the pattern of a line `key = value`, where the group `start` is everything before the value.

    Args:
        value: The pattern of the value.
        kind: The type that the setting must have: bool, int or tuple. By default, the key can be any word.
    """
    key = rf"(?:{_KEY}\.)?(?:{'|'.join(sorted(_keys_of(kind)))})" if kind else _KEY
    return rf"^(?P<start>\s*{key}\s*=\s*)(?P<value>{value})(?=\s*$)"


def _in_quotes(entries: str) -> str:
    """Return the entries of a list, each in quotes."""
    bare = [entry.strip().strip("\"'") for entry in entries.split(",")]
    return ", ".join(f'"{entry}"' for entry in bare if entry)


def _heading(found: re.Match[str]) -> str:
    parts = _parts(found["name"])
    if parts[:2] == ("ecs", "tasks") and len(parts) > 2:  # the name of a repository may contain dots
        parts = ("ecs", "tasks", ".".join(parts[2:]))
    quoted = ".".join(part if re.fullmatch("[A-Za-z0-9_-]+", part) else f'"{part}"' for part in parts)
    return f"[{quoted}]"


_VALUE = r"(?:\"[^\"]*\"|\[[^\[\]]*\]|\d+|true|false)"
_OTHER_DOUBLE_QUOTES = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02"
_OTHER_SINGLE_QUOTES = "\u2018\u2019\u201a\u201b\u2032\u00b4`"
_OTHER_SPACES = r"[^\S \t\n]"
_INVISIBLE = r"[\x00-\x08\x0e-\x1b\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"

_TO_REPAIR: list[_Slip] = [
    _Slip(
        "use straight quotes",
        f"[{_OTHER_DOUBLE_QUOTES}{_OTHER_SINGLE_QUOTES}]",
        lambda found: '"' if found[0] in _OTHER_DOUBLE_QUOTES else "'",
        in_comments=True,
    ),
    _Slip(
        "remove the invisible character",
        f"{_OTHER_SPACES}|{_INVISIBLE}",
        lambda found: " " if found[0].isspace() else "",
        in_comments=True,
    ),
    _Slip("remove the comma or semicolon at the end of the line", r"\s*[,;]$", ""),
    _Slip(
        "write true or false in lower case",
        _setting("(?i:true|false)"),
        lambda found: found["start"] + found["value"].lower(),
    ),
    _Slip("write true or false", _setting("(?i:yes|on|1)", bool), r"\g<start>true"),
    _Slip("write true or false", _setting("(?i:no|off|0)", bool), r"\g<start>false"),
    _Slip(
        "write only the number",
        _setting(r"0*(?P<number>\d+(?:[ ,_]\d{3})*).*?", int),
        lambda found: found["start"] + re.sub("[ ,_]", "", found["number"]),
    ),
    _Slip("write each setting on a separate line", rf"(=\s*{_VALUE})[\s,;]+({_KEY}\s*=)", r"\1\n\2"),
    _Slip(
        "write = between key and value",
        rf"^(\s*{_KEY}?)\s*(?::=|==|=>|\uff1d|:|\s(?=[\"'\[{{0-9]))\s*",
        r"\1 = ",
    ),
    _Slip("start a comment with #", r"^\s*(?://+|;+|--+|/\*+|%+)\s*(.*?)[\s*/]*$", r"# \1"),
    _Slip("start a comment with #", r"(?<=[\"'\]}\w])\s+(?://+|--+|;+)\s*(?=\S)", " # "),
    _Slip(
        "put the string in quotes",
        _setting(r"[\"']*(?P<inner>[^\"'\[\]{},\\=]+?)[\"']*"),
        r'\g<start>"\g<inner>"',
    ),
    _Slip(
        "put a string with a backslash in single quotes",
        _setting(r"\"(?P<inner>[^\"']*\\[^\"']*)\""),
        r"\g<start>'\g<inner>'",
    ),
    _Slip("write a comma between the entries", r"([\"'])\s+(?=[\"'])", r"\1, "),
    _Slip(
        "put each entry in quotes",
        _setting(r"\[(?P<entries>[^\[\]{}]*)\]"),
        lambda found: f"{found['start']}[{_in_quotes(found['entries'])}]",
    ),
    _Slip(  # one line of a list that has several lines
        "put each entry in quotes",
        r"^(?P<indent>\s*)(?P<entries>[^\[\]{}=]+?)(?P<end>\s*,?\s*\]?)$",
        lambda found: found["indent"] + _in_quotes(found["entries"]) + found["end"],
    ),
    _Slip(
        "write the list in brackets",
        _setting("[^{}=]+", tuple),
        lambda found: f"{found['start']}[{_in_quotes(found['value'].strip(' []'))}]",
    ),
    _Slip("correct the heading of the table", rf"^\s*(?=.*[\[\]])\[*(?P<name>{_KEY})\]*[\s:;,]*$", _heading),
    _Slip("remove the last comma", r",\s*\}", " }"),
    _Slip("close the table with }", r"(\{(?:[^{}]|\{[^{}]*\})*?)\s*,?\s*$", r"\1 }"),
    _Slip("start a comment with # after the value", rf"(=\s*{_VALUE})\s+(?=[^\W\d][^=]*$)", r"\1 # "),
]
"""The order of the rows matters, because the message shows the first replacement that removes the error."""

_TO_REPAIR_BEFORE_THE_ERROR: list[_Slip] = [
    _Slip("close the list with ]", r"^(.*?)\s*,?\s*$", r"\1]"),
    _Slip("write a comma after the entry", r"^(.*?)\s*$", r"\1,"),
]
"""Slips that `tomllib` reports for a later line or for the end of the file."""


def _repairs(
    lines: list[str], number: int, filled: Sequence[int], *, at_the_end: bool
) -> Iterator[tuple[int, str, str]]:
    """Return the repairs that remove the error. A repair has the number of a line, the explanation and the new line.

    Args:
        lines: The lines of the file.
        number: The number of the line with the error.
        filled: The numbers of all lines that have more than a comment.
        at_the_end: Whether `tomllib` found the error at the end of the file. An earlier line can then have the slip.
    """
    yield from _repairs_of(lines, number, up_to=number)
    end = len(lines) + 1 if at_the_end else number
    for before in [each for each in filled if each < end][-1:]:
        for slip in _TO_REPAIR_BEFORE_THE_ERROR:
            line = slip.repair(lines[before - 1])
            if _reads_further(lines, before, line, up_to=end):
                yield before, slip.explanation, line
    if at_the_end:
        for each, line in enumerate(lines, 1):
            if '"""' in line or "'''" in line:
                yield from _repairs_of(lines, each, up_to=end)


def _repairs_of(lines: list[str], number: int, *, up_to: int) -> Iterator[tuple[int, str, str]]:
    """Return the repairs of one line that remove the error. Repairs of fewer slips come first."""
    candidates: list[tuple[list[str], str]] = [([], lines[number - 1])]
    seen = {lines[number - 1]}
    for _ in range(_MOST_REPAIRS):
        repaired = []
        for explanations, line in candidates:
            for slip in _TO_REPAIR:
                if (better := slip.repair(line)) not in seen:
                    seen.add(better)
                    repaired.append(([*explanations, slip.explanation], better))
        for explanations, line in repaired:
            if _reads_further(lines, number, line, up_to=up_to):
                yield number, " and ".join(explanations), line
        candidates = repaired


def _reads_further(lines: list[str], number: int, line: str, *, up_to: int) -> bool:
    """Return whether the file, with another line at this number, has no error up to the line `up_to`."""
    try:
        tomllib.loads("\n".join([*lines[: number - 1], line, *lines[number:up_to]]))
    except tomllib.TOMLDecodeError as error:
        list_goes_on = _line_of(error) is None and str(error).startswith(("Unclosed array", "Invalid value"))
        return list_goes_on and up_to <= len(lines)
    except (RecursionError, ValueError):  # the same errors as in settings/files.py
        return False
    return True
