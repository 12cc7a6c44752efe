"""The lifecycle policy of a repository: what it deletes, played on random histories of images."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest

from settings.environment import Lifecycle, Team
from settings.lifecycle_evaluation import Image, evaluate
from settings.lifecycle_policy import lifecycle_policy_text

START = datetime(2026, 1, 1, tzinfo=UTC)
MOST_IMAGES = 100_000  # the default quota "Images per repository" of ECR
NO_SETTINGS = Team.model_validate({"repositories": ["app"], "push": {"permission_sets": ["DataAnalyst"]}})
PROTECTED = ("release-*", "v*.*.*")


def lifecycle(**settings: Any) -> Lifecycle:
    return Lifecycle.model_validate(settings)


def rules_of(lifecycle: Lifecycle) -> list[dict[str, Any]]:
    text = lifecycle_policy_text(lifecycle)
    assert text
    rules: list[dict[str, Any]] = json.loads(text)["rules"]
    return rules


# The text


@pytest.mark.parametrize(
    "settings", [{}, {"protected_tags": ["release-*"]}], ids=["no settings", "protected tags only"]
)
def test_without_a_rule_that_deletes_there_is_no_policy(settings: dict[str, Any]) -> None:
    assert lifecycle_policy_text(lifecycle(**settings)) is None


def test_the_settings_become_rules_in_the_order_that_protects_images() -> None:
    rules = rules_of(lifecycle(protected_tags=PROTECTED, keep_images=50, expire_untagged_after_days=30))

    selected = [(rule["selection"]["tagStatus"], rule["selection"].get("tagPatternList")) for rule in rules]
    assert selected == [("tagged", ["release-*"]), ("tagged", ["v*.*.*"]), ("untagged", None), ("any", None)]
    assert [rule["selection"]["countNumber"] for rule in rules] == [MOST_IMAGES, MOST_IMAGES, 30, 50]
    assert [rule["rulePriority"] for rule in rules] == [1, 2, 3, 4]


def test_the_policy_has_the_form_that_ecr_documents() -> None:
    expire = {"type": "expire"}
    assert rules_of(lifecycle(protected_tags=["v*"], keep_images=50, expire_untagged_after_days=30)) == [
        {
            "rulePriority": 1,
            "description": "Keep v*",
            "selection": {
                "tagStatus": "tagged",
                "tagPatternList": ["v*"],
                "countType": "imageCountMoreThan",
                "countNumber": MOST_IMAGES,
            },
            "action": expire,
        },
        {
            "rulePriority": 2,
            "description": "Delete untagged images 30 days after the push",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 30,
            },
            "action": expire,
        },
        {
            "rulePriority": 3,
            "description": "Keep the newest 50 images",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50},
            "action": expire,
        },
    ]


def test_the_largest_policy_is_within_the_limits_of_ecr() -> None:
    patterns = [f"{number:02}{'x' * 122}****" for number in range(48)]
    text = lifecycle_policy_text(
        lifecycle(protected_tags=patterns, keep_images=10_000, expire_untagged_after_days=3_650)
    )

    assert text
    assert evaluate(text, [], START) == []  # refuses a text or a number of rules that is too large
    assert len(json.loads(text)["rules"]) == 50


# Random histories

MOVING = ("latest", "release-latest")  # the second tag is protected, and also moves


def _tags(number: int) -> list[list[str]]:
    return [[f"{number}"], [f"release-{number}"], [f"v1.{number}.0", f"{number}"], []]


@dataclass(frozen=True)
class Loss:
    """An image that a rule deleted."""

    image: Image
    images: list[Image]
    """All images of the repository at that time."""
    at: datetime
    priority: int


@dataclass
class History:
    """The images of one repository, and what a lifecycle policy deleted from it."""

    seed: int
    text: str | None
    count_parts: bool
    images: dict[str, Image] = field(default_factory=dict)
    now: datetime = START
    pushes: int = 0
    pinned: set[str] = field(default_factory=set)
    """The digests that a DAG names."""
    losses: list[Loss] = field(default_factory=list)
    """The images that a rule deleted. The signatures that went with them are left out."""

    def play(self) -> None:
        """Push, move tags, delete tags, pin digests and pull for 60 days. ECR applies the policy every 20 days."""
        choose = random.Random(self.seed)  # noqa: S311  # no secret
        events = (self._push, self._push, self._push, self._push_index, self._move, self._untag, self._pull)
        for day in range(1, 61):
            for _ in range(choose.randint(0, 2)):
                choose.choice(events)(choose)
            self.now += timedelta(hours=24)
            if day % 20 == 0:
                self._apply()

    def _push(self, choose: random.Random) -> None:
        self.pushes += 1
        number = self.pushes
        image = Image(f"sha256:{number}", self._later(), choose.choice(_tags(number)))
        self.images[image.digest] = image
        if choose.random() < 0.3:
            self.pinned.add(image.digest)
        if choose.random() < 0.3:
            self._tag(image, choose.choice(MOVING))

    def _push_index(self, choose: random.Random) -> None:
        index = f"sha256:{self.pushes + 3}"
        for _ in range(2):
            self._push_part(index=index)
        self._push(choose)
        self._push_part(subject=index)

    def _push_part(self, *, index: str | None = None, subject: str | None = None) -> None:
        self.pushes += 1
        digest = f"sha256:{self.pushes}"
        self.images[digest] = Image(digest, self._later(), index=index, subject=subject)

    def _move(self, choose: random.Random) -> None:
        if image := self._any(choose):
            self._tag(image, choose.choice(MOVING))

    def _tag(self, image: Image, tag: str) -> None:
        for each in [each for each in self.images.values() if tag in each.tags]:
            self._set(each, tags=[other for other in each.tags if other != tag])
        self._set(image, tags=[*self.images[image.digest].tags, tag])

    def _untag(self, choose: random.Random) -> None:
        # ECR deletes an image together with its last tag (BatchDeleteImage). This is not a loss through the policy.
        image = self._any(choose)
        if image and len(image.tags) > 1:
            self._set(image, tags=image.tags[1:])

    def _pull(self, choose: random.Random) -> None:
        if image := self._any(choose):
            self._set(image, pulled_at=self.now)

    def _any(self, choose: random.Random) -> Image | None:
        image = choose.choice([*self.images.values()]) if self.images else None
        return image if image and not image.index and not image.subject else None

    def _set(self, image: Image, **changes: Any) -> None:
        self.images[image.digest] = replace(image, **changes)

    def _later(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def _apply(self) -> None:
        if not self.text:
            return
        images = [*self.images.values()]
        for outcome in evaluate(self.text, images, self.now, count_parts=self.count_parts):
            image = self.images.pop(outcome.digest)
            if not image.subject:
                self.losses.append(Loss(image, images, self.now, outcome.priority))


def histories(text: str | None, count: int) -> Iterator[History]:
    for seed in range(count):
        history = History(seed, text, count_parts=bool(seed % 2))
        history.play()
        yield history


def is_protected(image: Image) -> bool:
    return any(fnmatchcase(tag, pattern) for tag in image.tags for pattern in PROTECTED)


def wrong_losses(text: str | None, count: int, keep_images: int) -> list[str]:
    """Return the losses that the settings do not allow, each with the seed of its history."""
    wrong = []
    for history in histories(text, count):
        for loss in history.losses:
            newer = [each for each in loss.images if each.pushed_at > loss.image.pushed_at]
            if is_protected(loss.image) or (loss.image.tags and len(newer) < keep_images):
                wrong.append(f"seed {history.seed}: {loss.image} by rule {loss.priority}")
    return wrong


def test_default_settings_lose_no_image_in_1000_histories() -> None:
    text = lifecycle_policy_text(NO_SETTINGS.lifecycle_of("app"))
    pinned = untagged = 0
    for history in histories(text, 1000):
        assert (len(history.images), history.losses) == (history.pushes, []), f"seed {history.seed}"
        assert history.pinned <= set(history.images), f"seed {history.seed}"
        pinned += len(history.pinned)
        untagged += sum(not history.images[digest].tags for digest in history.pinned)
    assert pinned > 1000
    assert untagged > 1000  # a DAG pins an image without tags


KEEP = {"protected_tags": PROTECTED, "keep_images": 10}


@pytest.mark.parametrize("settings", [KEEP, {**KEEP, "expire_untagged_after_days": 5}], ids=["keep", "keep and age"])
def test_500_histories_lose_no_protected_image_and_none_of_the_newest(settings: dict[str, Any]) -> None:
    text = lifecycle_policy_text(lifecycle(**settings))

    assert wrong_losses(text, 500, keep_images=10) == []
    assert sum(len(history.losses) for history in histories(text, 20)) > 100  # the policy deletes something


def test_untagged_images_stay_for_the_days_of_the_setting() -> None:
    text = lifecycle_policy_text(lifecycle(expire_untagged_after_days=5))

    losses = [(history.seed, loss) for history in histories(text, 100) for loss in history.losses]

    assert len(losses) > 50
    assert [each for each in losses if each[1].image.tags] == []
    assert [each for each in losses if each[1].at - each[1].image.pushed_at <= timedelta(days=5)] == []


def _joined(rules: list[dict[str, Any]]) -> None:
    rules[0]["selection"]["tagPatternList"] = [*PROTECTED]
    del rules[1]


def _small_count(rules: list[dict[str, Any]]) -> None:
    for rule in rules[:2]:
        rule["selection"]["countNumber"] = 1


def _deletes_first(rules: list[dict[str, Any]]) -> None:
    # ECR refuses the status any in the first rule. All tagged images are the same images, except the untagged ones.
    last = rules[-1]
    last["selection"] |= {"tagStatus": "tagged", "tagPatternList": ["*"]}
    last["rulePriority"] = 0


def _keeps_fewer(rules: list[dict[str, Any]]) -> None:
    rules[-1]["selection"]["countNumber"] = 9


@pytest.mark.parametrize("broken", [_joined, _small_count, _deletes_first, _keeps_fewer])
def test_the_histories_find_wrong_rules(broken: Callable[[list[dict[str, Any]]], None]) -> None:
    rules = rules_of(lifecycle(**KEEP))
    broken(rules)

    assert wrong_losses(json.dumps({"rules": rules}), 20, keep_images=10)


def test_images_with_protected_tags_are_counted_among_the_newest() -> None:
    """ECR still counts the images that an earlier rule protects: user guide, "Filtering on all images", example B."""
    text = lifecycle_policy_text(lifecycle(protected_tags=["release-*"], keep_images=2))
    day = timedelta(days=1)
    images = [
        Image("old release", START, ["release-1"]),
        Image("build", START + day, ["7"]),
        *(Image(f"release {each}", START + each * day, [f"release-{each}"]) for each in (2, 3)),
    ]

    assert text
    assert [each.digest for each in evaluate(text, images, START + 9 * day)] == ["build"]
