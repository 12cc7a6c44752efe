"""Messages about files that are not TOML. A message shows the line and a fix, and the fixed file is accepted."""

import re
from pathlib import Path

import pytest

from settings.environment import Environment
from settings.files import SettingsError, load_environments
from tests.settings.edits import ROLE, VALID

REGION = 'region = "eu-west-1"'
REPOSITORIES = 'repositories = ["web-scraper", "churn-model"]'
LIST = '["web-scraper", "churn-model"]'
PUSH = 'user_arns = ["arn:aws:iam::111111111111:user/ana"]'
TEAMS = 'teams = ["analytics"]'
INLINE = '[workers]\nclean_up = { tag_key = "role", tag_value = "worker" }'
MULTI_LINE = 'repositories = [\n  "web-scraper",\n  "churn-model",\n]'

# The name of the slip, a text of VALID, the text that replaces it, the line with the slip, and words of the fix.
REPAIRED: list[tuple[str, str, str, int, str]] = [
    ("a comma at a line's end", REGION, f"{REGION},", 2, "remove the comma"),
    ("a comma before a comment", REGION, f"{REGION}, # here", 2, "remove the comma"),
    ("a semicolon at a line's end", REGION, f"{REGION};", 2, "remove the comma or semicolon"),
    ("True", PUSH, f"{PUSH}\nrequire_mfa = True", 11, "lower case: `require_mfa = true`"),
    ("FALSE", PUSH, f"{PUSH}\nrequire_mfa = FALSE", 11, "lower case: `require_mfa = false`"),
    *(
        (word, PUSH, f"{PUSH}\nrequire_mfa = {word}", 11, f"write true or false: `require_mfa = {value}`")
        for word, value in (("yes", "true"), ("on", "true"), ("No", "false"), ("off", "false"))
    ),
    ("a colon, True and a comma", PUSH, f"{PUSH}\nrequire_mfa: True,", 11, "remove the comma"),
    ("an account that starts with 0", '"111111111111"', "012345678901", 1, "in quotes"),
    ("an account that starts with 0 before a comment", '"111111111111"', "012345678901 # ours", 1, "in quotes"),
    ("no quotes", REGION, "region = eu-west-1", 2, "in quotes"),
    ("no opening quote", REGION, 'region = eu-west-1"', 2, "in quotes"),
    ("no closing quote", REGION, 'region = "eu-west-1', 2, "in quotes"),
    ("no closing quote before a comment", REGION, 'region = "eu-west-1 # here', 2, "in quotes"),
    ("two kinds of quotes", REGION, "region = \"eu-west-1'", 2, "in quotes"),
    ("doubled quotes", REGION, 'region = ""eu-west-1""', 2, "in quotes"),
    ("three opening quotes", REGION, 'region = """eu-west-1"', 2, "in quotes"),
    ("curly quotes", REGION, "region = \u201ceu-west-1\u201d", 2, "straight quotes"),
    *(
        (f"the quote U+{ord(each):04X}", REGION, f"region = {each}eu-west-1{each}", 2, "straight quotes")
        for each in "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02\u2018\u2019\u201a\u201b\u2032\u00b4`"
    ),
    ("curly single quotes", REGION, "region = \u2018eu-west-1\u2019", 2, "straight quotes"),
    ("German quotes in a list", LIST, '["web-scraper", \u201echurn-model\u201c]', 8, "straight quotes"),
    ("entries without quotes", LIST, "[web-scraper, churn-model]", 8, "each entry in quotes"),
    ("an entry without its opening quote", LIST, '["web-scraper", churn-model"]', 8, "each entry in quotes"),
    ("an entry without its closing quote", LIST, '["web-scraper", "churn-model]', 8, "each entry in quotes"),
    ("an entry of many lines without quotes", REPOSITORIES, MULTI_LINE.replace('"churn-model"', "churn"), 10, "quotes"),
    ("a list that is not closed", LIST, LIST[:-1], 8, "close the list with ]"),
    ("a list at the end that is not closed", TEAMS, TEAMS[:-1], 13, "brackets"),
    ("a list of many lines that is not closed", REPOSITORIES, MULTI_LINE[:-2], 10, "close the list with ]"),
    ("a list that is not opened", LIST, LIST[1:], 8, "brackets"),
    ("a list without brackets", LIST, LIST[1:-1], 8, "brackets"),
    ("no comma between two entries", LIST, LIST.replace(",", ""), 8, "comma between the entries"),
    ("no comma at a line's end", REPOSITORIES, MULTI_LINE.replace('r",', 'r"'), 9, "comma after the entry"),
    ("a colon for =", REGION, 'region: "eu-west-1"', 2, "write ="),
    ("a colon and no quotes", REGION, "region: eu-west-1", 2, "write ="),
    ("== for =", REGION, REGION.replace("=", "=="), 2, "write ="),
    ("no =", REGION, REGION.replace("= ", ""), 2, "write ="),
    ("a wide =", REGION, REGION.replace("=", "\uff1d"), 2, "write ="),
    ("a heading that is not closed", "[alerts]", "[alerts", 4, "heading"),
    ("a heading that is not opened", "[alerts]", "alerts]", 4, "heading"),
    ("a heading that is closed twice", "[alerts]", "[alerts]]", 4, "heading"),
    ("a heading with a colon", "[alerts]", "[alerts]:", 4, "heading"),
    ("a heading with a dot at its end", "[alerts]", "[alerts.]", 4, "heading"),
    (
        "a repository in a heading without quotes",
        TEAMS,
        f'{TEAMS}\n[workers]\nrole_arns = ["{ROLE}"]\n[ecs.tasks.analytics/web-scraper]\nimage_tag = "1"',
        16,
        "heading",
    ),
    ("a comment of another language", "[alerts]", "// alerts\n[alerts]", 4, "start a comment with #"),
    ("a comment with a semicolon", "[alerts]", "; alerts\n[alerts]", 4, "start a comment with #"),
    ("a comment of another language after a value", REGION, f"{REGION} // ours", 2, "start a comment with #"),
    ("words after a value", REGION, f"{REGION} the region", 2, "start a comment with #"),
    ("a hard space", REGION, REGION.replace(" ", "\u00a0"), 2, "invisible character"),
    ("a character of no width", REGION, REGION.replace(" ", "\u200b ", 1), 2, "invisible character"),
    *(
        (f"the invisible character U+{ord(each):04X}", REGION, REGION.replace(" ", f"{each} ", 1), 2, "invisible")
        for each in "\xad\u200f\u202a\u202e\u2060\u2066\u2069\u206f"
    ),
    ("a vertical tab", REGION, REGION.replace(" ", "\x0b", 1), 2, "invisible character"),
    ("a control character in a string", REGION, REGION.replace("1", "1\x00"), 2, "invisible character"),
    ("a unit of a number", TEAMS, f"{TEAMS}\nrefresh_every_minutes = 30m", 14, "only the number"),
    ("a comma in a number", PUSH, f"{PUSH}\n[teams.analytics.repository_defaults]\nkeep_images = 1,000", 12, "number"),
    ("a comma at an inline table's end", PUSH, f"{PUSH}\n{INLINE.replace(' }', ', }')}", 12, "remove the last comma"),
    ("an inline table that is not closed", PUSH, f"{PUSH}\n{INLINE.replace(' }', '')}", 12, "close the table with }"),
]
"""Slips in one line. The message shows the line without the slip."""

# The name of the slip, a text of VALID, the text that replaces it, the line with the slip, words of the fix, and the
# text after a person has followed the fix. If the last text is empty, the person restores the text of VALID.
NOT_REPAIRED: list[tuple[str, str, str, int, str, str]] = [
    ("no value", REGION, "region =", 2, "write a value after the =", REGION),
    ("null", REGION, "region = null", 2, "write a value after the =", REGION),
    ("two settings in a line", f'"111111111111"\n{REGION}', f'"111111111111" {REGION}', 1, "on a separate line", ""),
    ("a key twice", REGION, f"{REGION}\n{REGION}", 3, "delete this line or line 2", REGION),
    ("a key twice in a table", PUSH, f"{PUSH}\n# again\nuser_arns = []", 12, "delete this line or line 10", PUSH),
    (
        "a table twice",
        REPOSITORIES,
        f"[teams.analytics.repository_defaults]\nkeep_images = 5\n[teams.analytics]\n{REPOSITORIES}",
        10,
        "move the settings of this table below line 7 and delete this line",
        f"{REPOSITORIES}\n[teams.analytics.repository_defaults]\nkeep_images = 5",
    ),
    (
        "a table as dotted keys and as a heading",
        f"[teams.analytics.push]\n{PUSH}",
        f"push.{PUSH}\n[teams.analytics.push]\nrequire_mfa = true",
        10,
        "merge this line with line 9",
        f"push.{PUSH}\npush.require_mfa = true",
    ),
    (
        "a table as a value and as a heading",
        f"[teams.analytics.push]\n{PUSH}",
        f"push = {{ {PUSH} }}\n[teams.analytics.push]\nrequire_mfa = true",
        10,
        "merge this line with line 9",
        f"push = {{ {PUSH}, require_mfa = true }}",
    ),
    (
        "an inline table of many lines",
        f"[teams.analytics.push]\n{PUSH}",
        f"push = {{\n{PUSH}\n}}",
        9,
        "write the table on one line",
        f"push = {{ {PUSH} }}",
    ),
    (
        "a merge conflict",
        REGION,
        f'<<<<<<< ours\n{REGION}\n=======\nregion = "eu-west-2"\n>>>>>>> theirs',
        2,
        "resolve the merge conflict",
        REGION,
    ),
    (
        "YAML",
        'emails = ["ops@example.com"]',
        "emails:\n  - ops@example.com",
        5,
        "a list in brackets",
        'emails = ["ops@example.com"]',
    ),
    ("an entry of YAML", 'emails = ["ops@example.com"]', "- ops@example.com", 5, "a list in brackets", ""),
    ("the middle of a merge conflict", REGION, f"{REGION}\n=======", 3, "resolve the merge conflict", REGION),
    ("the end of a merge conflict", REGION, f"{REGION}\n>>>>>>> theirs", 3, "resolve the merge conflict", REGION),
    ("JSON", VALID, '{"account": "111111111111"}', 1, "as TOML", VALID),
    ("something else", REGION, "region", 2, "<key> = <value>", REGION),
]
"""Slips that need a change of several lines, or a value that only the author of the file knows."""


def refusal(folder: Path, content: str) -> str:
    (folder / "dev.toml").write_text(content)
    with pytest.raises(SettingsError) as refused:
        load_environments(folder)
    (line,) = str(refused.value).splitlines()
    return line


def accepted(folder: Path, content: str) -> list[Environment]:
    (folder / "dev.toml").write_text(content)
    return load_environments(folder)


@pytest.mark.parametrize(("old", "new", "number", "words"), [pytest.param(*row, id=rule) for rule, *row in REPAIRED])
def test_a_message_shows_the_repaired_line_and_the_file_with_this_line_is_accepted(
    tmp_path: Path, old: str, new: str, number: int, words: str
) -> None:
    slip = VALID.replace(old, new, 1)
    lines = slip.split("\n")

    line = refusal(tmp_path, slip)

    wrong, _, fix = line.partition(" is not TOML; ")
    shown = re.sub(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}", lambda code: code[0].encode().decode("unicode_escape"), wrong)
    assert shown == f"dev.toml: line {number}: `{lines[number - 1].strip(' ')}`"
    assert words in fix
    repaired = fix.partition(": `")[2].removesuffix("`")
    assert accepted(tmp_path, "\n".join([*lines[: number - 1], repaired, *lines[number:]]))


@pytest.mark.parametrize(
    ("old", "new", "number", "words", "by_hand"), [pytest.param(*row, id=rule) for rule, *row in NOT_REPAIRED]
)
def test_a_message_without_a_repaired_line_says_what_to_do(
    tmp_path: Path, old: str, new: str, number: int, words: str, by_hand: str
) -> None:
    slip = VALID.replace(old, new, 1)

    line = refusal(tmp_path, slip)

    shown = slip.split("\n")[number - 1]
    assert line.startswith(f"dev.toml: line {number}: `{shown}` is not TOML; ")
    assert words in line
    assert accepted(tmp_path, VALID.replace(old, by_hand or old, 1))


@pytest.mark.parametrize("number", ["1,000", "1 000", "1000 images", "01,000"])
def test_a_repaired_number_keeps_all_its_digits(tmp_path: Path, number: str) -> None:
    table = f"[teams.analytics.repository_defaults]\nkeep_images = {number}"

    assert "`keep_images = 1000`" in refusal(tmp_path, VALID.replace(PUSH, f"{PUSH}\n{table}"))


def test_the_name_of_a_repository_in_a_heading_keeps_its_dots(tmp_path: Path) -> None:
    line = refusal(tmp_path, f'{VALID}[ecs.tasks.analytics/reports.daily]\nimage_tag = "1"\n')

    assert line.endswith('`[ecs.tasks."analytics/reports.daily"]`')


def test_a_number_with_thousands_of_digits_beside_a_slip_is_refused_in_one_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, f"{VALID}a: {'1' * 9000}\n").startswith("dev.toml: line 14: `a: 1111")


def test_only_the_start_of_a_long_line_is_shown(tmp_path: Path) -> None:
    names = ", ".join(f'"repository-{number}"' for number in range(100))

    line = refusal(tmp_path, VALID.replace('["web-scraper", "churn-model"]', f"[{names}"))

    assert line.startswith('dev.toml: line 8: `repositories = ["repository-0", "repository-1", ')
    assert line.endswith("…` is not TOML; close the list with ]")
    assert len(line) < 160


@pytest.mark.parametrize("text", ["\x00", "=", "[", "]", "'''", '"""', "a.b", "\u201c", "a = {", "a = [[1,", "#\x07"])
def test_any_other_invalid_toml_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, f"{VALID}{text}").startswith("dev.toml: line 14: `")
