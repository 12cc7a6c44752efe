"""Filter patterns of CloudWatch Logs."""

import json

import pytest

from local.emulator.filter_patterns import compiled

FAILED = {
    "level": "ERROR",
    "message": "The docker login is old",
    "requests": [{"name": "GetAuthorizationToken", "seconds": 1.5}],
    "attempt": 2,
    "retried": True,
    "reason": None,
}


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.level = "ERROR" }',
        "{ $.level = ERROR }",
        "{ $.level = * }",
        '{ $.message = "*docker*" }',
        "{$.message=%^The .* old$%}",
        '{ $.level != "INFO" }',
        '{ $.requests[0].name = "Get*" }',
        "{ $.requests[0].seconds > 1 }",
        "{ $.attempt = 2 }",
        "{ $.attempt <= 2.0 }",
        "{ $.retried IS TRUE }",
        "{ $.reason IS NULL }",
        "{ $.missing NOT EXISTS }",
        '{ ($.level = "WARN") || ($.level = "ERROR") }',
        '{ $.level = "ERROR" && ($.attempt > 5 || $.attempt < 3) }',
        '{ $.level = "INFO" && $.attempt = 1 || $.retried IS TRUE }',
    ],
)
def test_a_json_pattern_matches(pattern: str) -> None:
    assert compiled(pattern)(json.dumps(FAILED))
    assert not compiled(pattern)("START RequestId: 1 ERROR")


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.level = "error" }',
        '{ $.level = "ERR" }',
        '{ $.missing = "ERROR" }',
        '{ $.missing != "ERROR" }',
        "{ $.requests[1].name = * }",
        "{ $.attempt > 2 }",
        '{ $.attempt = "2" }',
        "{ $.retried = 1 }",
        "{ $.retried IS FALSE }",
        "{ $.missing IS NULL }",
        "{ $.reason NOT EXISTS }",
        '{ $.level = "ERROR" && $.attempt = 1 }',
    ],
)
def test_a_json_pattern_does_not_match(pattern: str) -> None:
    assert not compiled(pattern)(json.dumps(FAILED))


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("", ["[ERROR] one two", "[WARN] one", "[INFO] two"]),
        ("one", ["[ERROR] one two", "[WARN] one"]),
        ("one two", ["[ERROR] one two"]),
        ("error", []),
        ('"one two"', ["[ERROR] one two"]),
        ("?ERROR ?WARN", ["[ERROR] one two", "[WARN] one"]),
        ("one -ERROR", ["[WARN] one"]),
        ("%two$%", ["[ERROR] one two", "[INFO] two"]),
    ],
)
def test_terms_match(pattern: str, matched: list[str]) -> None:
    assert [each for each in ("[ERROR] one two", "[WARN] one", "[INFO] two") if compiled(pattern)(each)] == matched


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.level }",
        "{ level = 1 }",
        "{ $.a = 1",
        "{ ($.a = 1 }",
        "{ $.a = 1 $.b = 2 }",
        "{ $.a > x }",
        "{ $.a IS 1 }",
        "[a, b]",
        '"open',
    ],
)
def test_an_invalid_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid|missing"):
        compiled(pattern)
