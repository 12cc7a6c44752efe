"""The evaluator agrees with every example of the ECR user guide, "Examples of lifecycle policies in Amazon ECR".

The names of the tests start with the headings of that page. Where an example has no images, the images are ours and lie
on both sides of the limit. Each evaluation is at noon, and images are a number of days old.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from settings.lifecycle_evaluation import Image, Outcome, evaluate

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ARCHIVE = {"type": "transition", "targetStorageClass": "archive"}


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def image(digest: str, days: float, *tags: str, pulled: float | None = None, archived: float | None = None) -> Image:
    pulled_at, archived_at = (None if each is None else days_ago(each) for each in (pulled, archived))
    return Image(digest, days_ago(days), tags, pulled_at=pulled_at, archived_at=archived_at)


def rule(
    priority: int, *, any_tag: bool = False, action: dict[str, str] | None = None, **selection: Any
) -> dict[str, Any]:
    if "tagPatternList" in selection or "tagPrefixList" in selection:
        status = "tagged"
    else:
        status = "any" if any_tag else "untagged"
    return {
        "rulePriority": priority,
        "selection": {"tagStatus": status, **selection},
        "action": action or {"type": "expire"},
    }


def more_than(count: int) -> dict[str, Any]:
    return {"countType": "imageCountMoreThan", "countNumber": count}


def since(event: str, days: int) -> dict[str, Any]:
    return {"countType": f"sinceImage{event}", "countUnit": "days", "countNumber": days}


def policy(*rules: dict[str, Any]) -> str:
    return json.dumps({"rules": rules}, indent=4)


def outcomes(text: str, *images: Image) -> dict[str, tuple[str, int]]:
    return {each.digest: (each.action, each.priority) for each in evaluate(text, images, NOW)}


def expired(text: str, *images: Image) -> str:
    found = outcomes(text, *images)
    assert {action for action, _ in found.values()} <= {"expire"}
    return "".join(found)


def test_filtering_on_image_age() -> None:
    text = policy(rule(1, tagPatternList=["prod*"], **since("Pushed", 14)))

    assert expired(text, image("A", 15, "prod-1"), image("B", 14, "prod-2"), image("C", 15, "dev-1")) == "A"


def test_filtering_on_last_pulled_time() -> None:
    text = policy(rule(1, any_tag=True, action=ARCHIVE, **since("Pulled", 90)))
    images = [image("A", 200, "1", pulled=91), image("B", 200, "2", pulled=89), image("C", 91), image("D", 89)]

    assert outcomes(text, *images) == {"A": ("transition", 1), "C": ("transition", 1)}


def test_filtering_on_archive_transition_time() -> None:
    text = policy(rule(1, any_tag=True, storageClass="archive", **since("Transitioned", 365)))
    images = [image("A", 800, "1", archived=366), image("B", 800, "2", archived=364), image("C", 800, "3")]

    assert expired(text, *images) == "A"


def test_filtering_on_image_count() -> None:
    text = policy(rule(1, **more_than(1)))

    assert expired(text, image("A", 3), image("B", 2), image("C", 1), image("D", 4, "1")) == "AB"


@pytest.mark.parametrize("count", [3, 4, 5, 6, 100])
def test_fewer_images_than_the_count_all_stay(count: int) -> None:
    text = policy(rule(1, any_tag=True, **more_than(count)))

    assert expired(text, image("A", 3), image("B", 2), image("C", 1)) == ""


def test_the_age_since_the_push_does_not_depend_on_a_pull() -> None:
    text = policy(rule(1, any_tag=True, **since("Pushed", 14)))

    assert expired(text, image("A", 15, pulled=1), image("B", 13, pulled=13)) == "A"


BETA = (image("A", 10, "beta-1", "prod-1"), image("B", 9, "beta-2", "prod-2"), image("C", 8, "beta-3"))


def test_filtering_on_multiple_rules_a() -> None:
    text = policy(rule(1, tagPatternList=["prod*"], **more_than(1)), rule(2, tagPatternList=["beta*"], **more_than(1)))

    assert expired(text, *BETA) == "A"


def test_filtering_on_multiple_rules_b() -> None:
    text = policy(rule(1, tagPatternList=["beta*"], **more_than(1)), rule(2, tagPatternList=["prod*"], **more_than(1)))

    assert expired(text, *BETA) == "AB"


@pytest.mark.parametrize("key", ["tagPatternList", "tagPrefixList"])
def test_filtering_on_multiple_tags_in_a_single_rule_a(key: str) -> None:
    end = "*" if key == "tagPatternList" else ""
    selection: dict[str, Any] = {key: [f"alpha{end}", f"beta{end}"], **since("Pushed", 5)}
    text = policy(rule(1, **selection))
    images = [
        image("A", 12, "alpha-1"),
        image("B", 11, "beta-1"),
        image("C", 10, "alpha-2", "beta-2"),
        image("D", 4, "alpha-3"),
        image("E", 3, "beta-3"),
        image("F", 2, "alpha-4", "beta-4"),
    ]

    assert expired(text, *images) == "C"


def test_filtering_on_multiple_tags_in_a_single_rule_b() -> None:
    text = policy(rule(1, tagPatternList=["alpha*", "beta*"], **more_than(1)))
    images = [
        image("A", 10, "alpha-1", "beta-1", "gamma-1"),
        image("B", 9, "alpha-2", "beta-2"),
        image("C", 8, "alpha-3", "beta-3", "gamma-2"),
    ]

    assert expired(text, *images) == "AB"


def test_filtering_on_all_images_a() -> None:
    text = policy(rule(1, any_tag=True, **more_than(1)))

    assert (
        expired(text, image("A", 4, "alpha-1"), image("B", 3, "beta-1"), image("C", 2), image("D", 1, "a-2")) == "ABC"
    )


def test_filtering_on_all_images_b() -> None:
    """The page says that D and E were both pushed one day ago. Its result is only possible if E is the newer image."""
    text = policy(
        rule(1, tagPatternList=["alpha*"], **more_than(1)),
        rule(2, **since("Pushed", 1)),
        rule(3, any_tag=True, **more_than(1)),
    )
    images = [
        image("A", 4, "alpha-1", "beta-1"),
        image("B", 3),
        image("C", 2, "alpha-2"),
        image("D", 1, "git hash"),
        image("E", 1),
    ]

    assert outcomes(text, *images) == {"A": ("expire", 1), "B": ("expire", 2), "D": ("expire", 3)}


def test_archive_examples_older_than_a_number_of_days() -> None:
    text = policy(rule(1, tagPatternList=["prod*"], action=ARCHIVE, **since("Pushed", 30)))
    images = [image("A", 31, "prod-1"), image("B", 30, "prod-2"), image("C", 31, "dev-1")]

    assert outcomes(text, *images) == {"A": ("transition", 1)}


def test_archive_examples_not_pulled_in_a_number_of_days() -> None:
    text = policy(rule(1, any_tag=True, action=ARCHIVE, **since("Pulled", 90)))

    assert outcomes(text, image("A", 100, "1"), image("B", 100, "2", pulled=1)) == {"A": ("transition", 1)}


def test_archive_examples_combining_archive_and_expire_rules() -> None:
    text = policy(
        rule(1, any_tag=True, action=ARCHIVE, **since("Pushed", 30)),
        rule(2, any_tag=True, storageClass="archive", **since("Transitioned", 365)),
    )
    images = [image("A", 31, "1"), image("B", 400, "2", archived=366), image("C", 400, "3", archived=300)]

    assert outcomes(text, *images) == {"A": ("transition", 1), "B": ("expire", 2)}


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("prod*", ["prod", "prod1", "production-team1", "prod-team"]),
        ("*prod*", ["prod", "prod1", "production-team1", "repo-production", "prod-team"]),
        ("prod", ["prod"]),
    ],
)
def test_a_pattern_matches_whole_tags(pattern: str, matching: list[str]) -> None:
    tags = ["prod", "prod1", "production-team1", "repo-production", "prod-team", "dev"]
    text = policy(rule(1, tagPatternList=[pattern], **since("Pushed", 1)))

    assert list(outcomes(text, *(image(tag, 2, tag) for tag in tags))) == matching


def test_the_parts_of_an_index_stay_while_the_index_stays() -> None:
    text = policy(rule(1, **since("Pushed", 1)))
    part = Image("part", days_ago(9), index="index")

    assert evaluate(text, [Image("index", days_ago(9), ["1"]), part], NOW) == []
    assert evaluate(text, [part], NOW) == [Outcome("part", "expire", 1)]


def test_a_signature_stays_and_goes_with_its_subject() -> None:
    text = policy(rule(1, any_tag=True, **since("Pushed", 5)))
    old, new = Image("old", days_ago(9), ["1"]), Image("new", days_ago(1), ["2"])
    signatures = [
        Image("old signature", days_ago(1), subject="old"),
        Image("new signature", days_ago(9), subject="new"),
    ]

    assert [each.digest for each in evaluate(text, [old, new, *signatures], NOW)] == ["old", "old signature"]


def test_a_signature_is_archived_with_its_subject() -> None:
    text = policy(rule(1, any_tag=True, action=ARCHIVE, **since("Pushed", 5)))
    signature = Image("signature", days_ago(9), subject="old")

    assert outcomes(text, Image("old", days_ago(9), ["1"]), signature) == {
        "old": ("transition", 1),
        "signature": ("transition", 1),
    }


@pytest.mark.parametrize(("count_parts", "deleted"), [(True, ["old"]), (False, [])])
def test_the_caller_says_whether_signatures_are_counted(count_parts: bool, deleted: list[str]) -> None:
    text = policy(rule(1, any_tag=True, **more_than(2)))
    new = Image("new", days_ago(2), ["2"])
    images = [Image("old", days_ago(9), ["1"]), new, Image("s", days_ago(1), subject="new")]

    assert [each.digest for each in evaluate(text, images, NOW, count_parts=count_parts)] == deleted


@pytest.mark.parametrize(("count_parts", "deleted"), [(True, ["old"]), (False, [])])
def test_the_caller_says_whether_the_parts_of_an_index_are_counted(count_parts: bool, deleted: list[str]) -> None:
    text = policy(rule(1, any_tag=True, **more_than(2)))
    images = [Image("old", days_ago(9), ["1"]), Image("new", days_ago(1), ["2"]), Image("p", days_ago(1), index="new")]

    found = evaluate(text, images, NOW, count_parts=count_parts)

    assert [each.digest for each in found] == deleted


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([rule(1, **more_than(1)), rule(1, any_tag=True, **more_than(1))], "same rulePriority"),
        ([rule(1, any_tag=True, **more_than(1)), rule(2, **more_than(1))], "must be the last"),
        ([rule(1, **more_than(1)), rule(2, **more_than(9))], "selects the same tags"),
        ([rule(1, tagPatternList=["*a*b*c*d*"], **more_than(1))], "four wildcards"),
        ([rule(7, **more_than(0))], "rule 7: countNumber is a positive integer"),
        ([rule(1, **{**more_than(1), "countNumber": True})], "positive integer"),
        ([rule(1, **{**more_than(1), "countNumber": 1.5})], "positive integer"),
        (
            [rule(each, tagPatternList=tags, **more_than(each)) for each, tags in ((1, ["a", "b"]), (2, ["b", "a"]))],
            "selects the same tags",
        ),
        ([rule(1, tagPatternList=["a*"], tagPrefixList=["a"], **more_than(1))], "goes with the tag status tagged"),
        (
            [rule(1, any_tag=True, storageClass="archive", action=ARCHIVE, **since("Transitioned", 90))],
            "storage class archive, expire",
        ),
        ([rule(1, countUnit="days", **more_than(1))], "countUnit"),
        ([rule(1, **since("Pulled", 9))], "transition"),
        ([rule(1, storageClass="archive", **since("Transitioned", 89))], "at least 90 days"),
        ([rule(each, tagPatternList=[f"v{each}"], **more_than(1)) for each in range(51)], "1 to 50 rules"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_policy_that_ecr_does_not_accept_is_refused(rules: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(policy(*rules), [], NOW)


@pytest.mark.parametrize(
    "rules",
    [
        [rule(1, tagPatternList=["*a*b*c*d"], **more_than(1))],
        [rule(1, storageClass="archive", **since("Transitioned", 90))],
        [rule(each, tagPatternList=[f"v{each}"], **more_than(1)) for each in range(50)],
        # Each storage class has its own rules.
        [rule(1, any_tag=True, storageClass="archive", **since("Transitioned", 90)), rule(2, **more_than(1))],
    ],
    ids=["four wildcards", "90 days in the archive", "50 rules", "any tag in the archive before other rules"],
)
def test_a_policy_at_a_limit_is_accepted(rules: list[dict[str, Any]]) -> None:
    assert evaluate(policy(*rules), [], NOW) == []


def test_a_text_of_100_or_30720_characters_is_not_too_short_or_too_long() -> None:
    assert evaluate(policy(rule(1, **more_than(1))).ljust(30_720), [], NOW) == []
    with pytest.raises(ValueError, match="has 1 to 50 rules, not 0"):
        evaluate(json.dumps({"rules": []}).ljust(100), [], NOW)


@pytest.mark.parametrize("text", [json.dumps({"rules": []}).ljust(99), policy(rule(1, **more_than(1))).ljust(30_721)])
def test_a_text_that_is_too_short_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="100 to 30720 characters"):
        evaluate(text, [], NOW)
