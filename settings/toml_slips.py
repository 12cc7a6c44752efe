"""Slips in a file that is not TOML: the line, and how to write it.

Each repair changes one line. A repair is proposed only if the file can then be read at least up to the next line.
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import get_args, get_origin

from settings.problem import Problem
from settings.tables import tables

_LONGEST_SHOWN = 80  # characters of a line
_MOST_REPAIRS = 3  # of one line: `require_mfa: True,` has three slips
_AT_THE_END = 1_000_000_000  # the line of an error at the end of the document

_KEY = r"[A-Za-z0-9_.\"'/-]+"
_SETTING = re.compile(rf"(?P<key>\s*{_KEY})\s*=\s*(?P<value>.*?)\s*")

Repair = Callable[[str], str]
"""A function that returns the line as it should be, or unchanged."""


def problem_in(text: str, error: tomllib.TOMLDecodeError) -> Problem:
    """Return the problem that the error shows, with the line and its fix.

    Args:
        text: The content of the file.
        error: The error of `tomllib.loads(text)`.
    """
    lines = text.split("\n")
    last = max((number for number, line in enumerate(lines, 1) if _without_comment(line).strip()), default=1)
    where = _line_of(error)
    number = last if where == _AT_THE_END else where
    fix = _known_slip(lines, number, str(error))
    if not fix:
        for repaired, words, line in _repairs(lines, number, where):
            shown = _shown(line)
            correction = f": {shown}" if len(line) <= _LONGEST_SHOWN and "\n" not in line else ""
            return Problem(f"line {repaired}", f"{_shown(lines[repaired - 1])} is not TOML; {words}{correction}")
        fix = "write <key> = <value> as in the files in examples/, with text in quotes"
    return Problem(f"line {number}", f"{_shown(lines[number - 1])} is not TOML; {fix}")


def _known_slip(lines: Sequence[str], number: int, error: str) -> str | None:
    """Return the fix of a slip that no change of a single line repairs."""
    line = _without_comment(lines[number - 1]).strip()
    if re.match(r"<{7}|={7}|>{7}", line):
        return "resolve the merge conflict and delete its marks"
    if line.startswith("{"):
        return "write the file as TOML, like the files in examples/, because it looks like JSON"
    if re.fullmatch(r"[\w -]+:|- .*", line):
        return "write a list in brackets and a table as [name], because this looks like YAML"
    if re.fullmatch(rf"{_KEY}\s*=\s*(?:null|None|nil|~)?", line):
        return "write a value after the =, or delete the line"
    if re.search(r"=\s*\{$", line):
        return "write the table on one line, or under a [heading]"
    if re.match("Cannot (overwrite|declare|mutate)", error):
        return f"{_how_to_merge(lines, number)}, because each key and each table is written once"
    return None


def _how_to_merge(lines: Sequence[str], number: int) -> str:
    """Return what to do with a line whose key or table is in an earlier line too."""
    table: tuple[str, ...] = ()
    places: dict[tuple[str, ...], int] = {}
    for each, line in enumerate(lines[:number], 1):
        bare = _without_comment(line).strip()
        if header := re.fullmatch(r"\[+(.*?)\]+", bare):
            path = table = _parts(header[1])
        elif setting := _SETTING.fullmatch(bare):
            path = (*table, *_parts(setting["key"]))
        else:
            continue
        if each == number:
            if (first := places.get(path)) and header and lines[first - 1].strip().startswith("["):
                return f"move its settings below line {first} and delete this line"
            if first and not header:
                return f"delete this line or line {first}"
            near = [line for other, line in places.items() if other[: len(path)] == path or path[: len(other)] == other]
            return f"merge it with line {near[-1]}" if near else "merge it with the earlier lines"
        places.setdefault(path, each)
    return "merge it with the earlier lines"


def _parts(key: str) -> tuple[str, ...]:
    """Return the parts of a dotted key, without their quotes."""
    return tuple(part.strip(" \t\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", key))


def _repairs(lines: list[str], number: int, where: int) -> Iterator[tuple[int, str, str]]:
    """Return the repairs after which the file can be read further: the line's number, what to do, and the line."""
    for words, line in _repaired(lines[number - 1], lines, number):
        yield number, words, line
    # A list that is not closed, or an entry without its comma, is an error in a later line.
    before = [n for n in range(1, number if where <= number else number + 1) if _without_comment(lines[n - 1]).strip()]
    for previous in before[-1:]:
        body, comment = _split(lines[previous - 1])
        for words, line in (
            ("close the list with ]", f"{body.rstrip().removesuffix(',')}]{comment}"),
            ("write a comma after the entry", f"{body.rstrip()},{comment}"),
        ):
            if _reads_further(lines, previous, line, beyond=where):
                yield previous, words, line
    if where == _AT_THE_END:
        for each, line in enumerate(lines, 1):
            if '"""' in line or "'''" in line:
                yield from ((each, words, fixed) for words, fixed in _repaired(line, lines, each, beyond=where))


def _repaired(line: str, lines: list[str], number: int, beyond: int | None = None) -> Iterator[tuple[str, str]]:
    """Return the repairs of one line that work, those with the fewest changes first."""
    tried = {line}
    candidates: list[tuple[list[str], str]] = [([], line)]
    for _ in range(_MOST_REPAIRS):
        candidates = [
            ([*done, words], changed)
            for done, before in candidates
            for words, repair in _REPAIRS.items()
            if (changed := repair(before)) not in tried and not tried.add(changed)  # type: ignore[func-returns-value]
        ]
        for done, repaired in candidates:
            if _reads_further(lines, number, repaired, beyond=beyond or number):
                yield " and ".join(done), repaired


def _reads_further(lines: list[str], number: int, line: str, *, beyond: int) -> bool:
    """Whether the file, with another line at this number, has no error up to the line `beyond`."""
    end = len(lines) if beyond == _AT_THE_END else beyond
    try:
        tomllib.loads("\n".join([*lines[: number - 1], line, *lines[number:end]]))
    except tomllib.TOMLDecodeError as error:
        # A list may go on after the last of these lines.
        return beyond != _AT_THE_END and _line_of(error) == _AT_THE_END and str(error).startswith(_MORE_TO_COME)
    except (RecursionError, ValueError):  # as in settings/files.py
        return False
    return True


_MORE_TO_COME = ("Unclosed array", "Invalid value")


def _line_of(error: tomllib.TOMLDecodeError) -> int:
    place = re.search(r"\(at line (\d+), column \d+\)$", str(error))
    return int(place[1]) if place else _AT_THE_END


def _split(line: str) -> tuple[str, str]:
    """Return a line without its comment, and the comment with the white space before it."""
    quote = ""
    for position, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "#":
            body = line[:position].rstrip()
            return body, line[len(body) :]
    if quote and (comment := re.search(r"\s+#.*", line)):  # a quote that is not closed
        return line[: comment.start()], comment[0]
    return line, ""


def _without_comment(line: str) -> str:
    return _split(line)[0]


def _shown(line: str) -> str:
    """Return a line for a message, in backticks, with invisible characters as their codes."""
    visible = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in line.strip(" \t")
    )
    return f"`{visible[:_LONGEST_SHOWN]}…`" if len(visible) > _LONGEST_SHOWN else f"`{visible}`"


# The repairs of a line


def _with_plain_quotes(line: str) -> str:
    return line.translate(
        dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02"), '"')
        | dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2032\u00b4`"), "'")
    )


def _without_invisible(line: str) -> str:
    """Replace other kinds of spaces, and remove characters of no width and control characters."""
    line = "".join(" " if unicodedata.category(character) == "Zs" else character for character in line)
    return "".join(c for c in line if c == "\t" or unicodedata.category(c) not in ("Cf", "Cc"))


def _without_end_mark(line: str) -> str:
    body, comment = _split(line)
    return re.sub(r"\s*[,;]$", "", body) + comment


def _with_equals_sign(line: str) -> str:
    return re.sub(rf"^(\s*{_KEY}?)\s*(?::=|==|=>|\uff1d|:|\s(?=[\"'\[{{0-9]))\s*", r"\1 = ", line, count=1)


def _with_lower_case(line: str) -> str:
    return _changed_value(line, lambda key, value: value.lower() if value.lower() in ("true", "false") else value)


def _with_true_or_false(line: str) -> str:
    words = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
    return _changed_value(line, lambda key, value: words.get(value.lower(), value) if key in _keys_of(bool) else value)


def _with_only_the_number(line: str) -> str:
    def number(key: str, value: str) -> str:
        found = re.match(r"0*(\d+(?:[ ,_]\d{3})*)", value)
        return re.sub("[ ,_]", "", found[1]) if found and key in _keys_of(int) else value

    return _changed_value(line, number)


def _with_quotes(line: str) -> str:
    def quoted(key: str, value: str) -> str:
        inner = value.strip("\"'")
        return f'"{inner}"' if inner and not re.search(r"[\"'\[\]{},\\=]", inner) else value

    return _changed_value(line, quoted)


def _with_single_quotes(line: str) -> str:
    return _changed_value(
        line, lambda key, value: f"'{value[1:-1]}'" if re.fullmatch(r'"[^"\']*\\[^"\']*"', value) else value
    )


def _with_quoted_entries(line: str) -> str:
    def quoted(key: str, value: str) -> str:
        return f"[{_entries(value[1:-1])}]" if re.fullmatch(r"\[[^\[\]{}]*\]", value) else value

    if "=" in line:
        return _changed_value(line, quoted)
    body, comment = _split(line)
    entry = re.fullmatch(r"(\s*)([^\[\]{}]+?)(\s*,?\s*\]?)", body)
    return f"{entry[1]}{_entries(entry[2])}{entry[3]}{comment}" if entry else line


def _with_commas(line: str) -> str:
    return re.sub(r"([\"'])\s+(?=[\"'])", r"\1, ", line)


def _with_brackets(line: str) -> str:
    def in_brackets(key: str, value: str) -> str:
        is_list = key in _keys_of(tuple) and not re.search(r"[{}=]", value) and value
        return f"[{_entries(value.strip('[]'))}]" if is_list else value

    return _changed_value(line, in_brackets)


def _as_header(line: str) -> str:
    body, comment = _split(line)
    name = re.fullmatch(rf"(\s*)\[*({_KEY})\]*[\s:;,]*", body)
    if not name or not re.search(r"[\[\]]", body):
        return line
    parts = _parts(name[2])
    if parts[:2] == ("ecs", "tasks") and len(parts) > 2:  # the name of a repository may have dots
        parts = ("ecs", "tasks", ".".join(parts[2:]))
    quoted = ".".join(part if re.fullmatch("[A-Za-z0-9_-]+", part) else f'"{part}"' for part in parts)
    return f"{name[1]}[{quoted}]{comment}"


def _with_hash(line: str) -> str:
    if start := re.match(r"\s*(//+|;+|--+|/\*+|%+)", line):
        return f"# {line[start.end() :].strip(' */')}"
    return re.sub(r"(?<=[\"'\]}\w])\s+(?://+|--+|;+)\s*(?=\S)", " # ", line)


def _with_hash_before_text(line: str) -> str:
    return re.sub(r"(=\s*(?:\"[^\"]*\"|\[[^\[\]]*\]|\d+|true|false))\s+(?=[^\W\d][^=]*$)", r"\1 # ", line)


def _on_two_lines(line: str) -> str:
    return re.sub(rf"(=\s*(?:\"[^\"]*\"|\[[^\[\]]*\]|\d+|true|false))[\s,;]+({_KEY}\s*=)", r"\1\n\2", line)


def _without_last_comma(line: str) -> str:
    return re.sub(r",\s*\}", " }", line)


def _with_brace(line: str) -> str:
    body, comment = _split(line)
    return f"{body.rstrip().removesuffix(',')} }}{comment}" if body.count("{") > body.count("}") else line


_REPAIRS: dict[str, Repair] = {
    "use straight quotes": _with_plain_quotes,
    "remove the invisible character": _without_invisible,
    "remove the comma or semicolon at its end": _without_end_mark,
    "write true or false in lower case": _with_lower_case,
    "write true or false": _with_true_or_false,
    "write only the number": _with_only_the_number,
    "write each setting on a line of its own": _on_two_lines,
    "write = between key and value": _with_equals_sign,
    "start a comment with #": _with_hash,
    "put the value in quotes": _with_quotes,
    "put text with a backslash in single quotes": _with_single_quotes,
    "write a comma between the entries": _with_commas,
    "put each entry in quotes": _with_quoted_entries,
    "write the list in brackets": _with_brackets,
    "correct the heading of the table": _as_header,
    "remove the last comma": _without_last_comma,
    "close the table with }": _with_brace,
    "start a comment with # before it": _with_hash_before_text,
}
"""The repairs, by what they tell the person to do. The more certain ones come first."""


def _changed_value(line: str, change: Callable[[str, str], str]) -> str:
    """Return a line `key = value` with another value, or the same line."""
    body, comment = _split(line)
    setting = _SETTING.fullmatch(body)
    if not setting:
        return line
    return f"{setting['key']} = {change(_parts(setting['key'])[-1], setting['value'])}{comment}"


def _entries(text: str) -> str:
    """Return the entries of a list, each in quotes."""
    return ", ".join(f'"{entry}"' for part in text.split(",") if (entry := part.strip().strip("\"'")))


def _keys_of(kind: type) -> set[str]:
    """Return the names of the settings of a type: bool, int or tuple."""
    keys = set()
    for _, table in tables():
        for key, field in table.model_fields.items():
            annotation = field.annotation
            # int, a list as tuple[str, ...], or numbers as Literal[256, 512]
            if kind in (annotation, get_origin(annotation), *map(type, get_args(annotation))):
                keys.add(key)
    return keys
