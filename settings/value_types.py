"""The kinds of values that settings have, each with the line that refuses what is none."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field

from settings.regions import PARTITIONS

T = TypeVar("T")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    return "".join(f"did you mean {near}? " for near in get_close_matches(word.lower(), known, n=1))


def _only(holds: Callable[[Any], object], refusal: str) -> AfterValidator:
    def check(value: T) -> T:
        if not holds(value):
            raise ValueError(f"{value!r} {refusal}")
        return value

    return AfterValidator(check)


def _like(pattern: str, refusal: str) -> AfterValidator:
    return _only(re.compile(pattern).fullmatch, refusal)


def _known_region(value: str) -> str:
    if value not in PARTITIONS:
        mend = did_you_mean(value, PARTITIONS).rstrip() or "write a region's code, such as eu-west-1"
        raise ValueError(f"{value!r} is no AWS region; {mend}")
    return value


def _no_session(arn: str) -> str:
    if session := re.fullmatch(r"arn:([a-z-]+):sts::([0-9]+):assumed-role/([^/]+).*", arn):
        role = "arn:{}:iam::{}:role/{}".format(*session.groups())
        raise ValueError(f"{arn!r} is one session of a role; write the ARN of the role itself, {role}")
    return arn


def _no_repeats(entries: tuple[T, ...]) -> tuple[T, ...]:
    if repeated := sorted({repr(entry) for entry in entries if entries.count(entry) > 1}):
        raise ValueError(f"{', '.join(repeated)} stands there more than once; keep one")
    return entries


_NAME, _NAME_MEND = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", "use lower-case letters, digits, single hyphens, a letter first"
_ECR, _ECR_MEND = r"[a-z0-9]+(?:[._-][a-z0-9]+)*", "use lower-case letters and digits with a single . _ - or / between"
_SECRET, _SECRET_MEND = "[A-Za-z0-9_+=.@-]+", "use letters, digits and _+=.@- with single slashes between"
_IAM = "[A-Za-z0-9+=,.@_-]"
_ARN = rf"arn:[a-z-]+:iam::[0-9]{{12}}:%s/(?:{_IAM}+/)*{_IAM}{{1,64}}"
_POLICY_ARN = rf"arn:[a-z-]+:iam::(?:[0-9]{{12}}|aws):policy/(?:{_IAM}+/)*{_IAM}{{1,128}}"
_POLICY_MEND = "write it like arn:aws:iam::123456789012:policy/name, without wildcards"
_PATH_MEND = "begin and end it with a slash, like /data-platform/"
_ROLE_MEND = "write it like arn:aws:iam::123456789012:role/name, without wildcards"
_USER_MEND = "write it like arn:aws:iam::123456789012:user/name, without wildcards"
_SET_MEND = "write its name in IAM Identity Center, not that of its AWSReservedSSO_ role"
_TOPIC = "arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}"
_TOPIC_MEND = "write it like arn:aws:sns:eu-west-1:123456789012:alerts; a FIFO topic takes no alarms"
_CRON = r"cron\([0-5]?\d (?:[01]?\d|2[0-3]) \? \* (?:\*|MON|TUE|WED|THU|FRI|SAT|SUN) \*\)"
_CRON_MEND = "write it like cron(0 3 ? * * *) or cron(30 2 ? * SUN *), in UTC"
_ID_MEND = "write docker_ and then a-z, 0-9, _, 250 characters at most"

Listed = Annotated[tuple[T, ...], Field(strict=False), AfterValidator(_no_repeats)]
EnvironmentName = Annotated[str, _like(_NAME, f"cannot name an environment; rename the file: {_NAME_MEND}")]
Account = Annotated[str, _like("[0-9]{12}", "is no AWS account; write its 12 digits, in quotes")]
Region = Annotated[str, AfterValidator(_known_region)]
ConnectionsPrefix = Annotated[str, _like(f"{_SECRET}(?:/{_SECRET})*", f"cannot start a secret's name; {_SECRET_MEND}")]
TeamName = Annotated[str, _like(_NAME, f"cannot name a team; {_NAME_MEND}")]
RepositoryName = Annotated[str, _like(f"{_ECR}(?:/{_ECR})*", f"cannot name an ECR repository; {_ECR_MEND}")]
TagPattern = Annotated[
    str,
    _like(r"[A-Za-z0-9._*-]{1,128}", "is no tag pattern; use 1 to 128 letters, digits and ._-*"),
    _only(lambda pattern: pattern.count("*") <= 2, "is too open a tag pattern; use two * at most"),
]
PermissionSet = Annotated[str, _like(f"{_IAM}{{1,32}}", f"is no permission set; {_SET_MEND}")]
RoleArn = Annotated[str, AfterValidator(_no_session), _like(_ARN % "role", f"is no role's ARN; {_ROLE_MEND}")]
UserArn = Annotated[str, AfterValidator(_no_session), _like(_ARN % "user", f"is no user's ARN; {_USER_MEND}")]
PolicyArn = Annotated[str, _like(_POLICY_ARN, f"is no managed policy's ARN; {_POLICY_MEND}")]
RolePath = Annotated[
    str,
    _like(f"/(?:{_IAM}+/)*", f"is no role path; {_PATH_MEND}"),
    _only(lambda path: len(path) <= 512, "is too long; shorten it to 512"),
]
ConnectionId = Annotated[str, _like("docker_[a-z0-9_]{1,243}", f"is no id of a docker connection; {_ID_MEND}")]
Images = Annotated[int, _only(range(1, 10_001).__contains__, "is out of range; write 1 to 10000")]
Minutes = Annotated[int, _only(range(10, 181).__contains__, "is out of range; write 10 to 180")]
Email = Annotated[str, _like(r"[^@\s]+@[^@\s]+\.[^@\s.]+", "is no e-mail address; write it like team@example.com")]
TopicArn = Annotated[str, _like(_TOPIC, f"is no topic's ARN; {_TOPIC_MEND}")]
Reason = Annotated[str, _like(r".*\S.*", "is no reason; say why nobody needs to hear of it")]
InstanceTag = Annotated[str, _like(r"[\w .:/=+@-]{1,127}", "is no tag of an instance; use letters, digits and .:/=+@-")]
Cron = Annotated[str, _like(_CRON, f"is no time of a day or week; {_CRON_MEND}")]
Hours = Annotated[int, _only(range(1, 8761).__contains__, "is out of range; write 1 to 8760")]
ImageTag = Annotated[str, _like(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", "is no image tag; use letters, digits and ._-")]
Link = Annotated[str, _like(r"[^\s#]{1,500}", "cannot be linked to; write a URL or path, without # and spaces")]
