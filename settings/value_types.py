"""The types of the values in a settings file.

The loader, the JSON schema and the settings reference use the pattern or range of each type.
The limits come from the API references of ECR, IAM, IAM Identity Center, Secrets Manager, SNS and Systems Manager, and
from Airflow's connection table.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from settings.names import TEAM_TAG
from settings.problem import did_you_mean
from settings.regions import PARTITIONS

T = TypeVar("T")


@dataclass(frozen=True)
class Pattern:
    """The form that a string must have.

    Args:
        regex: The regular expression that matches the whole string.
        kind: What the string is, such as `the ARN of a role`.
        advice: An instruction for writing the string. Error messages and the settings reference contain it.
        schema_regex: The regular expression for the JSON schema. By default, the JSON schema uses `regex`, which must
            then mean the same in Python and in JavaScript (ECMA 262).
    """

    regex: str
    kind: str
    advice: str
    schema_regex: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self.schema_regex or self.regex})$"}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.regex, text):
            raise ValueError(f"{text!r} is not {self.kind}; {self.advice}")
        return text


def _known_region(region: str) -> str:
    if region not in PARTITIONS:
        fix = did_you_mean(region, PARTITIONS, "write the code of a Region, such as us-east-1")
        raise ValueError(f"{region!r} is not an AWS Region; {fix}")
    return region


def _no_session(advice: str) -> AfterValidator:
    """Return a validator that refuses the ARN of a role's session. `aws sts get-caller-identity` prints such an ARN.

    Args:
        advice: How to fix the ARN.
    """

    def check(arn: str) -> str:
        if session := re.fullmatch(r"arn:([a-z-]+):sts::([0-9]{12}):assumed-role/([A-Za-z0-9+=,.@_-]{1,64})/.*", arn):
            partition, account, role = session.groups()
            role_arn = f"arn:{partition}:iam::{account}:role/{role}"
            raise ValueError(f"{arn!r} is the ARN of a session; {advice}, such as {role_arn}")
        return arn

    return AfterValidator(check)


def _no_permission_set_role(advice: str) -> AfterValidator:
    """Return a validator that refuses a role of IAM Identity Center.

    The name of such a role changes when IAM Identity Center creates the role again.

    Args:
        advice: How to fix the string. `{name}` is replaced by the name of the permission set.
    """

    def check(text: str) -> str:
        if found := re.fullmatch(_PERMISSION_SET_ROLE, text):
            what = f"{text!r} is a role of IAM Identity Center, and the name of such a role can change"
            raise ValueError(f"{what}; {advice.format(name=found['name'])}")
        return text

    return AfterValidator(check)


def _not_the_teams_tag(key: str) -> str:
    if key.lower() == TEAM_TAG:
        raise ValueError(f"{key!r} is the tag that the permissions on images use; use another key")
    return key


def _no_repeats(entries: tuple[T, ...]) -> tuple[T, ...]:
    if repeated := sorted({repr(entry) for entry in entries if entries.count(entry) > 1}):
        raise ValueError(f"{', '.join(repeated)} is in the list more than once; keep one")
    return entries


_NAME = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_NAME_ADVICE = "use lower-case letters, digits and single hyphens, and start with a letter"
# ECR API reference, "InitiateLayerUpload", repositoryName.
_ECR_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_SECRET_PART = r"[A-Za-z0-9_+=.@-]+"
_IAM_CHARACTER = r"[A-Za-z0-9+=,.@_-]"
_IAM_PATH = rf"(?:{_IAM_CHARACTER}+/)*"
# The pattern matches a role's ARN, the ARN of a role's session, and a role's name. It matches the name with and without
# the 16 characters that IAM Identity Center adds.
_PERMISSION_SET_ROLE = r"(?:arn:.*/)?AWSReservedSSO_(?P<name>[A-Za-z0-9+=,.@_-]+?)(?:_[0-9a-f]{16})?(?:/.*)?"
_NO_PERMISSION_SET_ROLE = "(?!AWSReservedSSO_)"
_NAME_THE_SET = "name the permission set {name} in permission_sets"
# The parts of an ID token's subject cannot contain `*`, `?` and `$`, which have a special meaning in the conditions of
# IAM policies, and `:` and `@`, which separate the parts. Only the last part, a branch or a tag, may end with `*`.
_GITHUB_OWNER = "[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_GIT_REF = "(?!refs/)[A-Za-z0-9._-][A-Za-z0-9._/-]{0,249}"
_WEEKDAYS = "MON|TUE|WED|THU|FRI|SAT|SUN"

UniqueList = Annotated[
    tuple[T, ...], Field(strict=False, json_schema_extra={"uniqueItems": True}), AfterValidator(_no_repeats)
]
EnvironmentName = Annotated[str, Pattern(_NAME, "the name of an environment", f"rename the file: {_NAME_ADVICE}")]
ListedEnvironment = Annotated[str, Pattern(_NAME, "the name of an environment", _NAME_ADVICE)]
AccountId = Annotated[str, Pattern("[0-9]{12}", "the ID of an AWS account", "write its 12 digits in quotes")]
Region = Annotated[str, AfterValidator(_known_region), WithJsonSchema({"type": "string", "enum": sorted(PARTITIONS)})]
ConnectionsPrefix = Annotated[
    str,
    Pattern(
        f"{_SECRET_PART}(?:/{_SECRET_PART})*",
        "the start of a secret's name",
        "use letters, digits and _+=.@- with single slashes between them",
    ),
]
TeamName = Annotated[str, Pattern(_NAME, "the name of a team", _NAME_ADVICE)]
REPOSITORY_NAME = Pattern(
    f"{_ECR_PART}(?:/{_ECR_PART})*",
    "the name of an ECR repository",
    "use lower-case letters and digits with one of ._-/ between them, or __ or several hyphens",
)
RepositoryName = Annotated[str, REPOSITORY_NAME]
ExistingRepositoryName = Annotated[str, Field(max_length=256), REPOSITORY_NAME]
ImageTagPattern = Annotated[
    str,
    Field(min_length=1, max_length=128),
    Pattern(
        r"[A-Za-z0-9._-]*(?:\*[A-Za-z0-9._-]*){0,2}",
        "a pattern of image tags",
        "use letters, digits and ._- with at most two * as wildcards",
    ),
]
# ECR user guide, "Lifecycle policy properties in Amazon ECR", tagPatternList: at most four wildcards.
ProtectedTagPattern = Annotated[
    str,
    Field(min_length=1, max_length=128),
    Pattern(
        r"[A-Za-z0-9._-]*(?:\*[A-Za-z0-9._-]*){0,4}",
        "a pattern of image tags",
        "use letters, digits and ._- with at most four * as wildcards",
    ),
]
PermissionSetName = Annotated[
    str,
    _no_permission_set_role("write the name of the permission set, {name}"),
    Pattern(
        f"{_NO_PERMISSION_SET_ROLE}{_IAM_CHARACTER}{{1,32}}",
        "the name of a permission set",
        "write the name that IAM Identity Center shows, not the name of an AWSReservedSSO_ role",
    ),
]
_ROLE_ARN = Pattern(
    rf"arn:[a-z-]+:iam::[0-9]{{12}}:role/{_IAM_PATH}{_NO_PERMISSION_SET_ROLE}{_IAM_CHARACTER}{{1,64}}",
    "the ARN of a role",
    "write it like arn:aws:iam::123456789012:role/name, without wildcards",
)
RoleArn = Annotated[
    str,
    _no_permission_set_role("write the ARN of a role that you manage"),
    _no_session("write the ARN of the role, with its path"),
    _ROLE_ARN,
]
PusherRoleArn = Annotated[
    str,
    _no_permission_set_role(_NAME_THE_SET),
    _no_session("write the ARN of the role, with its path"),
    _ROLE_ARN,
]
UserArn = Annotated[
    str,
    _no_permission_set_role(_NAME_THE_SET),
    _no_session("write the ARN of the role in role_arns, with its path"),
    Pattern(
        rf"arn:[a-z-]+:iam::[0-9]{{12}}:user/{_IAM_PATH}{_IAM_CHARACTER}{{1,64}}",
        "the ARN of a user",
        "write it like arn:aws:iam::123456789012:user/name, without wildcards",
    ),
]
ManagedPolicyArn = Annotated[
    str,
    Pattern(
        rf"arn:[a-z-]+:iam::(?:[0-9]{{12}}|aws):policy/{_IAM_PATH}{_IAM_CHARACTER}{{1,128}}",
        "the ARN of a managed policy",
        "write it like arn:aws:iam::123456789012:policy/name, without wildcards",
    ),
]
RolePath = Annotated[
    str,
    Field(max_length=512),
    Pattern(f"/{_IAM_PATH}", "the path of a role", "start and end it with a slash, like /data-platform/"),
]
ConnectionId = Annotated[
    str,
    Pattern(
        "docker_[a-z0-9_]{1,243}",
        "the ID of a docker connection",
        "write docker_ and then a-z, 0-9 or _, with at most 250 characters in all",
    ),
]
GitHubRepository = Annotated[
    str,
    Pattern(
        rf"{_GITHUB_OWNER}/[A-Za-z0-9._-]{{1,100}}",
        "a repository on github.com",
        "write it like acme/pipelines, without the URL and without wildcards",
    ),
]
NumericId = Annotated[int | None, Field(ge=1, le=10**15)]
EnvironmentOfGitHub = Annotated[
    str,
    Pattern(
        "[A-Za-z0-9][A-Za-z0-9 ._/-]{0,254}",
        "the name of an environment on GitHub that this setting supports",
        "use letters, digits, spaces and characters of ._/- without wildcards",
    ),
]
GitLabProject = Annotated[
    str,
    Pattern(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+",
        "the path of a project on GitLab",
        "write it like acme/data/pipelines, with all groups and without wildcards",
    ),
]
GitLabUrl = Annotated[
    str,
    Pattern(
        r"https://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/[A-Za-z0-9_.-]+)*",
        "the URL of a GitLab server",
        "write it like https://gitlab.example.com, without a port and without a slash at the end",
    ),
]
Audience = Annotated[
    str,
    Pattern(
        r"[A-Za-z0-9:/_.-]{1,255}",
        "the audience of an ID token",
        "write the aud of the job's id_tokens, such as sts.amazonaws.com or https://gitlab.com",
    ),
]
GitRef = Annotated[
    str,
    Pattern(
        rf"{_GIT_REF}\*?",
        "a branch or tag",
        "write the name without refs/heads/ or refs/tags/, with at most one * at the end, such as main or release/*",
    ),
]
ImageCount = Annotated[int, Field(ge=1, le=10_000)]
RefreshMinutes = Annotated[int, Field(ge=10, le=180)]
EmailAddress = Annotated[
    str, Pattern(r"[^@\s]+@[^@\s]+\.[^@\s.]+", "an e-mail address", "write it like team@example.com")
]
TopicArn = Annotated[
    str,
    Pattern(
        "arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}",
        "the ARN of a standard SNS topic",
        "write it like arn:aws:sns:eu-west-1:123456789012:alerts; alarms cannot publish to a FIFO topic",
    ),
]
OffReason = Annotated[
    str, Pattern(r"[^\n]*\S[^\n]*", "a reason", "write one line with the reason why nobody needs the alerts")
]
PushReason = Annotated[
    str, Pattern(r"[^\n]*\S[^\n]*", "a reason", "write one line with the reason why other principals may push")
]
OrganizationId = Annotated[
    str,
    Pattern(
        "o-[a-z0-9]{10,32}",
        "the ID of an organization",
        "write the ID that `aws organizations describe-organization` prints, such as o-abcd123456",
    ),
]
RunbookLink = Annotated[
    str,
    Pattern(
        r"[^\s#]{1,500}",
        "the URL or path of a page",
        "write at most 500 characters, without spaces and without a heading after #",
    ),
]
InstanceTagText = Annotated[
    str,
    Pattern(
        r"[\w .:/=+@-]{1,127}",
        "the tag of an instance",
        "use 1 to 127 letters, digits, spaces and characters of _.:/=+@-",
        # In JavaScript, \w matches only ASCII. The schema therefore accepts all characters outside of ASCII. The loader
        # accepts only the letters and digits among them.
        schema_regex=r"(?:[A-Za-z0-9_ .:/=+@-]|[^\x00-\x7f]){1,127}",
    ),
]
_TAG_CHARACTER = r"[\w .:/=+@-]"
_TAG_CHARACTER_IN_SCHEMA = r"(?:[A-Za-z0-9_ .:/=+@-]|[^\x00-\x7f])"  # as in InstanceTagText
# IAM API reference, "Tag". Other services accept the same characters, or more. CloudFormation refuses an empty value
# for the tag of a stack (CloudFormation API reference, "Tag").
TagKey = Annotated[
    str,
    AfterValidator(_not_the_teams_tag),
    Pattern(
        rf"(?![aA][wW][sS]:){_TAG_CHARACTER}{{1,128}}",
        "the key of a tag",
        "use 1 to 128 letters, digits, spaces and characters of _.:/=+@-, and do not start with aws:",
        schema_regex=rf"(?![aA][wW][sS]:|[tT][eE][aA][mM]$){_TAG_CHARACTER_IN_SCHEMA}{{1,128}}",
    ),
]
TagValue = Annotated[
    str,
    Pattern(
        rf"{_TAG_CHARACTER}{{1,256}}",
        "the value of a tag",
        "use 1 to 256 letters, digits, spaces and characters of _.:/=+@-",
        schema_regex=rf"{_TAG_CHARACTER_IN_SCHEMA}{{1,256}}",
    ),
]
CleanUpSchedule = Annotated[
    str,
    Pattern(
        rf"cron\([0-5]?[0-9] (?:[01]?[0-9]|2[0-3]) \? \* (?:\*|{_WEEKDAYS}) \*\)",
        "a time of the day or week",
        "write it like cron(0 3 ? * * *) for each day or cron(30 2 ? * SUN *) for each Sunday, in UTC",
    ),
]
AgeInHours = Annotated[int, Field(ge=1, le=8_760)]
AgeInDays = Annotated[int, Field(ge=1, le=3_650)]
ImageTag = Annotated[
    str,
    Pattern(
        "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
        "an image tag",
        "use at most 128 letters, digits and ._- and start with a letter, a digit or _",
    ),
]
