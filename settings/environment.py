"""The tables of a settings file.

`settings.reference` generates the JSON schema and the settings reference from these classes. The docstring of a setting
is the setting's description there.
"""

import dataclasses
import re
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Literal, Self, TypeVar

import pydantic
from pydantic import Field

from settings import fargate_sizes
from settings.regions import PARTITIONS
from settings.registries import PulledImages, Registry
from settings.value_types import (
    REPOSITORY_NAME,
    AccountId,
    AgeInDays,
    AgeInHours,
    Audience,
    CleanUpSchedule,
    ConnectionId,
    ConnectionsPrefix,
    EmailAddress,
    EnvironmentName,
    EnvironmentOfGitHub,
    ExistingRepositoryName,
    GitHubRepository,
    GitLabProject,
    GitLabUrl,
    GitRef,
    ImageCount,
    ImageTag,
    ImageTagPattern,
    InstanceTagText,
    ListedEnvironment,
    ManagedPolicyArn,
    NumericId,
    OffReason,
    OrganizationId,
    PermissionSetName,
    ProtectedTagPattern,
    PusherRoleArn,
    PushReason,
    RefreshMinutes,
    Region,
    RepositoryName,
    RoleArn,
    RolePath,
    RunbookLink,
    TagKey,
    TagValue,
    TeamName,
    TopicArn,
    UniqueList,
    UserArn,
)

T = TypeVar("T")


class Table(pydantic.BaseModel):
    """A table of a settings file. Unknown settings are refused, and the values cannot be changed later."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


def _is_filled(key: str) -> dict[str, Any]:
    """Return a JSON Schema rule: the table must have a list with this key, and the list must not be empty."""
    return {"required": [key], "properties": {key: {"minItems": 1}}}


_GITHUB, _GITLAB = "token.actions.githubusercontent.com", "gitlab.com"
SHARED_ISSUERS = (_GITHUB, _GITLAB)
"""The OIDC providers on the internet that everybody can use. The URLs are without https://.

IAM refuses a trust policy for one of these providers if the policy does not compare the subject.
Source: IAM User Guide, "Identity-provider controls for shared OIDC providers".
"""


def _refuse_unless_one_of(table: pydantic.BaseModel, *keys: str) -> None:
    """Raise ValueError unless the table has exactly one of two settings."""
    chosen = [key for key in keys if getattr(table, key) is not None]
    if not chosen:
        raise ValueError(f"has neither {' nor '.join(keys)}; add one of them")
    if len(chosen) > 1:
        raise ValueError(f"has {' and '.join(chosen)}; keep one of them, and write a second table for the other one")


class GitHub(Table):
    """A repository on github.com whose GitHub Actions workflows may push.

    Write a table with double brackets for each repository and each branch or environment.
    Each table has exactly one of `branch` and `environment`.
    The account must have GitHub's OIDC provider.
    `docs/push-from-ci.md` contains the command that creates the provider, and a workflow.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["branch"]}, {"required": ["environment"]}],
            "dependentRequired": {"owner_id": ["repository_id"], "repository_id": ["owner_id"]},
        }
    )

    repository: GitHubRepository = Field(examples=["acme/pipelines"])
    """The owner and the name of the repository, in upper and lower case as GitHub shows them."""

    branch: GitRef | None = None
    """The branch whose workflows may push, except for jobs that use an environment.
    A `*` at the end also matches other branches, such as `release/1` for `release/*`.
    """

    environment: EnvironmentOfGitHub | None = None
    """The environment on GitHub whose jobs may push, such as `production`.
    GitHub can require a review before a job uses the environment, and can limit the environment to certain branches.
    """

    owner_id: NumericId = None
    """The numeric ID of the repository's owner.
    GitHub puts this ID and `repository_id` into the ID tokens of repositories that were created, renamed or transferred
    after 2026-07-15, and of repositories that opted in to immutable subject claims.
    With the IDs, only such ID tokens are accepted. Without the IDs, only ID tokens without IDs are accepted.
    Without the IDs, another person who gets the owner's name later may be able to push.
    """

    repository_id: NumericId = None
    """The numeric ID of the repository.
    Set `owner_id` and `repository_id` together.
    """

    @pydantic.model_validator(mode="after")
    def _has_one_source(self) -> Self:
        _refuse_unless_one_of(self, "branch", "environment")
        if (self.owner_id is None) != (self.repository_id is None):
            raise ValueError("has one of owner_id and repository_id; add the other one, or remove both")
        return self

    @property
    def issuer(self) -> str:
        """The URL of the OIDC provider, without https://."""
        return _GITHUB

    @property
    def audience(self) -> str:
        """The audience of the ID tokens. GitHub's credentials action requests this audience by default."""
        return "sts.amazonaws.com"

    @property
    def subject(self) -> str:
        """The subject of the ID tokens, or a pattern that ends with *.

        Source: GitHub Docs, "OpenID Connect reference".
        """
        repository = self.repository
        if self.owner_id:
            owner, name = self.repository.split("/")
            repository = f"{owner}@{self.owner_id}/{name}@{self.repository_id}"
        return f"repo:{repository}:" + (
            f"ref:refs/heads/{self.branch}" if self.branch else f"environment:{self.environment}"
        )


class GitLab(Table):
    """A project on GitLab whose CI/CD jobs may push.

    Write a table with double brackets for each project and each branch or tag.
    Each table has exactly one of `branch` and `tag`.
    The account must have the OIDC provider of the GitLab server.
    `docs/push-from-ci.md` contains the command that creates the provider, and a job.
    """

    model_config = pydantic.ConfigDict(json_schema_extra={"oneOf": [{"required": ["branch"]}, {"required": ["tag"]}]})

    project: GitLabProject = Field(examples=["acme/data/pipelines"])
    """The path of the project with all groups, as GitLab shows it in the URL."""

    branch: GitRef | None = None
    """The branch whose jobs may push.
    A `*` at the end also matches other branches, such as `release/1` for `release/*`.
    """

    tag: GitRef | None = None
    """The Git tag whose jobs may push.
    A `*` at the end also matches other tags, such as `v1` for `v*`.
    """

    url: GitLabUrl = f"https://{_GITLAB}"
    """The URL of the GitLab server.
    AWS must be able to reach the server.
    """

    audience: Audience = "sts.amazonaws.com"
    """The `aud` in the `id_tokens` of the job.
    The OIDC provider must list this audience as a client ID.
    """

    @pydantic.model_validator(mode="after")
    def _has_one_source(self) -> Self:
        _refuse_unless_one_of(self, "branch", "tag")
        return self

    @property
    def issuer(self) -> str:
        """The URL of the OIDC provider, without https://."""
        return self.url.removeprefix("https://")

    @property
    def subject(self) -> str:
        """The subject of the ID tokens, or a pattern that ends with *.

        Source: GitLab Docs, "OpenID Connect (OIDC) Authentication Using ID Tokens".
        """
        kind, ref = ("branch", self.branch) if self.branch else ("tag", self.tag)
        return f"project_path:{self.project}:ref_type:{kind}:ref:{ref}"


Tables = Annotated[tuple[T, ...], Field(strict=False)]
_PUSHERS = ("permission_sets", "role_arns", "user_arns", "github", "gitlab")


class Push(Table):
    """The principals that may assume the team's push role.

    The table names at least one principal.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "anyOf": [_is_filled(key) for key in _PUSHERS],
            "allOf": [
                {
                    "if": {"properties": {"require_mfa": {"const": True}}, "required": ["require_mfa"]},
                    "then": {
                        "required": ["user_arns"],
                        "properties": {
                            "user_arns": {"minItems": 1},
                            **{key: {"maxItems": 0} for key in ("permission_sets", "role_arns")},
                        },
                    },
                }
            ],
        }
    )

    permission_sets: UniqueList[PermissionSetName] = ()
    """Permission sets of IAM Identity Center in the environment's account.
    The people who sign in with one of these permission sets may push.
    """

    role_arns: UniqueList[PusherRoleArn] = ()
    """Roles that may push, for example the role of a CI system without OIDC.
    A role may be in another account.
    A deployment shows a warning with the ARN of each role in another account.
    For people who sign in with IAM Identity Center, use `permission_sets` instead of a role.
    """

    user_arns: UniqueList[UserArn] = ()
    """IAM users that may push.
    A user may be in another account.
    A deployment shows a warning with the ARN of each user in another account.
    """

    require_mfa: bool = False
    """Whether users must have signed in with MFA before they assume the push role.
    This setting applies to `user_arns` only and cannot be combined with `permission_sets` or `role_arns`.
    IAM Identity Center has a separate MFA setting.
    Workflows in `github` and `gitlab` never need MFA.
    """

    github: Tables[GitHub] = ()
    """Repositories on github.com whose workflows may push."""

    gitlab: Tables[GitLab] = ()
    """Projects on GitLab whose jobs may push."""

    @pydantic.field_validator("require_mfa")
    @classmethod
    def _refuses_mfa_for_roles(cls, require_mfa: bool, info: pydantic.ValidationInfo) -> bool:
        """Refuse MFA for roles, because aws:MultiFactorAuthPresent is not reliable in the session of a role."""
        if require_mfa and (info.data.get("permission_sets") or info.data.get("role_arns")):
            fix = (
                "name users only, or remove require_mfa and require MFA in IAM Identity Center or in the role's trust "
                "policy"
            )
            raise ValueError(f"would lock out permission_sets and role_arns, whose sessions do not show MFA; {fix}")
        return require_mfa

    @pydantic.model_validator(mode="after")
    def _names_a_principal(self) -> Self:
        if not any(getattr(self, key) for key in _PUSHERS):
            raise ValueError(f"names no principal; add {', '.join(_PUSHERS[:-1])} or {_PUSHERS[-1]}")
        if self.require_mfa and not self.user_arns:
            raise ValueError("has require_mfa and no user_arns; remove require_mfa, because it applies to users only")
        return self

    @property
    def workflows(self) -> tuple["GitHub | GitLab", ...]:
        """The workflows and jobs that may push with an ID token."""
        return (*self.github, *self.gitlab)


class RepositoryDefaults(Table):
    """The tags and the number of images in the team's repositories."""

    mutable_tags: UniqueList[ImageTagPattern] = Field(default=(), max_length=5)
    """Patterns of image tags that a push may move to another image.
    All other tags are immutable: a push cannot move them.
    With `[]`, every tag is immutable.
    """

    keep_images: ImageCount | None = None
    """The same setting as `lifecycle.keep_images`, from earlier versions.
    It does not apply to a repository that has a table `lifecycle` of its own.
    A file cannot have both settings for one team.
    """


class Lifecycle(Table):
    """The images that ECR deletes from the team's repositories.

    Without `keep_images` and `expire_untagged_after_days`, ECR deletes no image.
    ECR deletes an image within 24 hours after a rule applies to the image.
    """

    # ECR accepts 50 rules. Each pattern is one rule, and keep_images and expire_untagged_after_days are the other two.
    protected_tags: UniqueList[ProtectedTagPattern] = Field(default=(), max_length=48)
    """Patterns of image tags.
    ECR never deletes an image that has at least one tag of these patterns.
    The patterns have no effect without `keep_images` or `expire_untagged_after_days`.
    A pattern does not protect an image after its last matching tag moves to another image, so do not repeat these
    patterns in `mutable_tags`.
    """

    keep_images: ImageCount | None = None
    """The number of newest images that ECR keeps in each repository.
    Older images are deleted, except images with a tag of `protected_tags`.
    The newest images are counted among all images of the repository, by the time of the push.
    Images with protected tags and untagged images are also counted.
    If the newest images all have protected tags, ECR deletes all images without a protected tag.
    """

    expire_untagged_after_days: AgeInDays | None = None
    """The number of days after the push when ECR deletes an image without tags.
    The age starts with the push, not with the loss of the tag.
    If a mutable tag moves, the old image can lose its last tag.
    ECR can then delete the old image within a day, although a DAG still names its digest.
    With this setting, `keep_images` does not delete untagged images.
    """

    @property
    def deletes(self) -> bool:
        """Whether ECR deletes images."""
        return bool(self.keep_images or self.expire_untagged_after_days)


class RepositoryOverrides(Table):
    """The settings of one repository that replace the settings of its team.

    Replace `<name>` with the name in `repositories`, without the team.
    """

    lifecycle: Lifecycle = Field(examples=[{"keep_images": 200}, {"protected_tags": ["release-*"]}])
    """The images that ECR deletes from this repository.
    This table replaces the team's table as a whole.
    With an empty table, ECR deletes no image of this repository.
    """


class Team(Table):
    """A team, its repositories and the principals that may push to them.

    Replace `<team>` with the team's name.
    In one account and Region, a team belongs to one environment.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "anyOf": [
                _is_filled("repositories"),
                _is_filled("existing_repositories"),
                {"required": ["create_on_push"], "properties": {"create_on_push": {"const": True}}},
            ]
        }
    )

    repositories: UniqueList[RepositoryName] = Field(default=(), examples=[["web-scraper"]])
    """The team's repositories, which the deployment creates or adopts.
    Write each name without the team: `web-scraper` of the team `analytics` becomes `analytics/web-scraper` in ECR.
    """

    existing_repositories: UniqueList[ExistingRepositoryName] = Field(default=(), examples=[["web_scraper"]])
    """Repositories that exist and that the deployment does not change.
    Write the full names as they are in ECR.
    The push role can push to them, and the connections with this team can pull from them.
    The deployment sets no tag rules, lifecycle rules, policies or tags on them.
    """

    push: Push = Field(
        examples=[
            {"permission_sets": ["DataAnalyst"]},
            {"role_arns": ["arn:aws:iam::123456789012:role/ci"]},
            {"user_arns": ["arn:aws:iam::123456789012:user/ana"]},
            {
                "github": [
                    {"repository": "acme/pipelines", "branch": "main", "owner_id": 123456, "repository_id": 456789}
                ]
            },
            {"gitlab": [{"project": "acme/data/pipelines", "branch": "main"}]},
        ]
    )
    """The principals that may push to the team's repositories."""

    create_on_push: bool = False
    """Whether a push to `<team>/<name>` creates the repository if the repository does not exist.
    ECR creates it with the team's tag and the team's settings in `repository_defaults` and `lifecycle`.
    ECR does not scan its images on push.
    The deployment does not manage the repository until you add its name to `repositories`.
    This setting cannot be combined with `role_path`, because CloudFormation refuses a path in the role of a template.
    """

    lifecycle: Lifecycle = Lifecycle()
    """The images that ECR deletes from the team's repositories."""

    repository_defaults: RepositoryDefaults = RepositoryDefaults()
    """The settings of all repositories in `repositories`."""

    others_may_push_because: PushReason | None = None
    """The reason why principals other than the team's push role may push.
    By default, the policy of each repository denies pushing to every principal except the team's push role,
    CloudFormation's role and the account's root user.
    If `break_glass_role_arns` is not empty, the policy also denies deleting images and changing the repository to every
    principal except CloudFormation's role, the root user and the break-glass roles.
    With a reason, the policy denies nothing.
    """

    pull_accounts: UniqueList[AccountId] = ()
    """Other AWS accounts that may pull the team's images.
    The policy of each repository allows it.
    A principal in such an account also needs an identity-based policy that allows it to pull.
    A deployment shows a warning with each account.
    """

    pull_organization: OrganizationId | None = None
    """The ID of an organization in AWS Organizations.
    All other accounts of the organization may pull the team's images, as with `pull_accounts`.
    A deployment shows a warning with the ID.
    """

    pull_environments: UniqueList[ListedEnvironment] = ()
    """Other environments of the same account, in other Regions, whose docker logins may pull the team's images.
    Without this setting, the checks refuse a connection of another environment that names this registry and this team.
    The setting changes no policy, because a repository needs no policy for readers of its own account.
    """

    repository: dict[str, RepositoryOverrides] = {}
    """Settings of single repositories. The key of each table is a name in `repositories`."""

    @property
    def default_lifecycle(self) -> Lifecycle:
        """The lifecycle of the team's repositories, with `repository_defaults.keep_images` in it."""
        keep_images = self.lifecycle.keep_images or self.repository_defaults.keep_images
        return self.lifecycle.model_copy(update={"keep_images": keep_images})

    def lifecycle_of(self, repository: str) -> Lifecycle:
        """Return the lifecycle of a repository.

        Args:
            repository: The name of the repository, without the team.
        """
        override = self.repository.get(repository)
        return override.lifecycle if override else self.default_lifecycle

    @pydantic.model_validator(mode="after")
    def _has_a_repository(self) -> Self:
        if not (self.repositories or self.existing_repositories or self.create_on_push):
            fix = 'add repositories = ["<name>"], existing_repositories = ["<name>"] or create_on_push = true'
            raise ValueError(f"has no repository; {fix}")
        return self


class ForeignRegistry(Table):
    """An ECR registry of another account, of another Region, or of both.

    The registry is in the same AWS partition.
    `docs/airflow/other-registries.md` describes what the other account must allow.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["account"]}, {"required": ["region"]}]}
    )

    account: AccountId | None = Field(default=None, examples=["444455556666"])
    """The AWS account with the registry. By default, the environment's account."""

    region: Region | None = Field(default=None, examples=["us-east-1"])
    """The Region of the registry. By default, the environment's Region."""

    @pydantic.model_validator(mode="after")
    def _names_a_registry(self) -> Self:
        if not (self.account or self.region):
            raise ValueError("has neither account nor region; add one of them, or both")
        return self


class Connection(Table):
    """An Airflow connection that contains a docker login.

    Replace `<id>` with the ID of the connection in Airflow, such as `docker_default`.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "if": {"required": ["registry"]},
            "then": {
                "anyOf": [_is_filled("teams"), _is_filled("repositories")],
                # settings/foreign_registries.py refuses other names, with an error message of its own.
                "properties": {"teams": {"items": {"pattern": f"^(?:{REPOSITORY_NAME.regex})$"}}},
            },
            "else": {**_is_filled("teams"), "properties": {"teams": {"minItems": 1}, "repositories": {"maxItems": 0}}},
        }
    )

    teams: UniqueList[str] = Field(default=(), examples=[["analytics"]])
    """The teams whose images the docker login can pull.
    Each team must have a table `[teams.<team>]`.
    With `registry`, these are the first parts of the names of repositories in the other registry: `analytics` means all
    repositories whose names start with `analytics/`. They need no table here.
    """

    registry: ForeignRegistry | None = Field(
        default=None,
        examples=[{"account": "444455556666"}, {"region": "us-east-1"}],
    )
    """The registry of another account or Region whose images the docker login can pull.
    By default, the login is for the environment's own registry.
    A connection is for one registry. Write a connection for each registry.
    """

    repositories: UniqueList[ExistingRepositoryName] = Field(default=(), examples=[["tools/base"]])
    """Single repositories of the other registry that the docker login can pull, with their full names.
    This setting needs `registry`.
    """

    refresh_every_minutes: RefreshMinutes = 30
    """How often the docker login is refreshed, in minutes.
    A login is valid for 12 hours.
    """

    @pydantic.model_validator(mode="after")
    def _pulls_images(self) -> Self:
        if self.registry:
            if not (self.teams or self.repositories):
                raise ValueError("has neither teams nor repositories; add one of them, or both")
        elif self.repositories:
            fix = "remove repositories, or add registry; for this registry, use existing_repositories of a team"
            raise ValueError(f"has repositories and no registry; {fix}")
        return self


class CleanUp(Table):
    """The removal of old containers and images from the workers' EC2 instances.

    Systems Manager must manage the instances.
    Without this table, nothing is removed.
    """

    tag_key: InstanceTagText = Field(examples=["role"])
    """The key of the tag that selects the instances."""

    tag_value: InstanceTagText = Field(examples=["airflow-worker"])
    """The value of the tag that selects the instances.
    Two environments in one account and Region need different tags.
    """

    schedule: CleanUpSchedule = "cron(0 3 ? * * *)"
    """When the clean-up runs, as a cron expression of State Manager in UTC."""

    containers_older_than_hours: AgeInHours = 24
    """Stopped containers are removed when they are older than this number of hours.
    The age of a container starts with its creation.
    Choose more hours than your longest task runs.
    """

    images_older_than_hours: AgeInHours = 168
    """Images that no container uses are removed when they are older than this number of hours.
    The age of an image starts with its build.
    """


class Workers(Table):
    """The IAM roles of the Airflow workers, and the clean-up of their instances."""

    role_arns: UniqueList[RoleArn] = ()
    """The roles of the Airflow workers, in the environment's account.
    Write each ARN with its path, as `aws iam get-role` prints it.
    With `[]`, the deployment creates one role and an instance profile.
    """

    pull_directly: bool = False
    """Whether the workers' roles can also pull images without the docker login.
    The ECR credential helper and ECS need this permission.
    """

    clean_up: CleanUp | None = None
    """The removal of old containers and images from the workers' instances."""


class EcsTask(Table):
    """A task definition on Fargate for one repository.

    Airflow runs the task instead of a container on the worker.
    Replace `<team>/<name>` with the full name of a repository, or with a name in `existing_repositories`.
    """

    image_tag: ImageTag = Field(examples=["1"])
    """The tag of the image that the task runs."""

    cpu_units: Literal[256, 512, 1024, 2048, 4096, 8192, 16384] = 256
    """The CPU units of the task on Fargate, on x86-64.
    1024 units are one vCPU.
    """

    memory_mib: int = 512
    """The memory of the task in MiB.
    Fargate offers certain sizes for each number of CPU units.
    """

    model_config = pydantic.ConfigDict(json_schema_extra=fargate_sizes.json_schema(256, 512))

    @pydantic.model_validator(mode="after")
    def _is_a_size_of_fargate(self) -> Self:
        if self.memory_mib not in fargate_sizes.MEMORY_MIB[self.cpu_units]:
            fix = f"write {fargate_sizes.memory_in_words(self.cpu_units)}"
            raise ValueError(f"memory_mib {self.memory_mib} does not go with cpu_units {self.cpu_units}; {fix}")
        return self


class Ecs(Table):
    """Images that Airflow runs on Fargate, as an alternative to docker logins.

    This table needs `workers.role_arns`, because these roles get the permission to run the tasks.
    """

    tasks: dict[str, EcsTask] = Field(min_length=1, examples=[{"analytics/web-scraper": {"image_tag": "1"}}])
    """The task definitions. The key of each table is the full name of a repository."""


class Alerts(Table):
    """The people or systems that get a message if a docker login is not refreshed or a scan finds a vulnerability.

    The table has exactly one of `emails`, `topic_arn` and `off_because`.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "oneOf": [_is_filled("emails"), {"required": ["topic_arn"]}, {"required": ["off_because"]}],
            "if": {"required": ["off_because"]},
            "then": {"properties": {"scan_findings": {"const": "off"}}},
        }
    )

    emails: UniqueList[EmailAddress] = Field(default=(), max_length=10)
    """E-mail addresses.
    AWS sends each address a message with a link that confirms the subscription.
    """

    topic_arn: TopicArn | None = None
    """An SNS topic that exists, in the environment's Region.
    The topic's access policy must allow `cloudwatch.amazonaws.com` and `events.amazonaws.com` the action `sns:Publish`.
    A topic that is encrypted with the AWS managed key `alias/aws/sns` does not work.
    `docs/deploy.md` contains the statements of the policy.
    """

    off_because: OffReason | None = None
    """The reason why nobody needs the alerts, for example in a sandbox."""

    scan_findings: Literal["critical", "high", "off"] = "critical"
    """The findings of image scans that send a message to the same people.
    `critical` sends a message for each scan of an image that finds a critical vulnerability.
    `high` sends a message also for a vulnerability of the severity high.
    With `off_because`, no messages are sent.
    """

    runbook: RunbookLink = "docs/runbook.md"
    """The URL or path where your team reads `docs/runbook.md`.
    Each alarm contains a link to the section about the alarm.
    """

    @pydantic.model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        choices = {"emails": self.emails, "topic_arn": self.topic_arn, "off_because": self.off_because}
        chosen = [key for key, value in choices.items() if value]
        if not chosen:
            raise ValueError("has none of emails, topic_arn and off_because; add one of them")
        if len(chosen) > 1:
            raise ValueError(f"has {' and '.join(chosen)}; keep one of them")
        return self

    @pydantic.model_validator(mode="after")
    def _sends_findings_to_somebody(self) -> Self:
        if self.off_because and "scan_findings" in self.model_fields_set and self.scan_findings != "off":
            what = f"scan_findings is {self.scan_findings!r}, but off_because turns all messages off"
            raise ValueError(f"{what}; remove scan_findings, or write emails or topic_arn instead of off_because")
        return self


class Environment(Table):
    """One deployment of airflow-ecr-login.

    The file's name without `.toml` is the name of the environment.
    """

    name: EnvironmentName
    """The name of the environment. It is the name of the settings file without `.toml`."""

    account: AccountId = Field(examples=["123456789012"])
    """The AWS account to deploy to."""

    region: Region = Field(examples=["eu-west-1"])
    """The code of the AWS Region to deploy to."""

    connections_prefix: ConnectionsPrefix = "airflow/connections"
    """The start of the names of the secrets.
    Set `connections_prefix` in Airflow's secrets backend to the same value.
    Two Airflow installations in one account need different prefixes.
    """

    secret_key: Literal["aws", "customer"] = "aws"
    """The KMS key that encrypts the secrets.
    `aws` is the AWS managed key of Secrets Manager.
    `customer` is a customer managed key that the deployment creates.
    The checks refuse `customer` in China and in other Regions without the domain `amazonaws.com`, because
    `customer` is not tested there.
    """

    break_glass_role_arns: UniqueList[RoleArn] = ()
    """Roles of this account that may, in an emergency, read the docker logins, roll them back, cancel the deletion of a
    secret, and repair the policy of a secret.
    They may also delete images, change repositories, and repair the policy of a repository.
    If the list is not empty, the policies of the repositories deny this to all other principals, except
    CloudFormation's role and the account's root user.
    The identity-based policies of each role must also allow `secretsmanager:GetSecretValue`,
    `secretsmanager:ListSecretVersionIds`, `secretsmanager:UpdateSecretVersionStage`, `secretsmanager:RestoreSecret`,
    `secretsmanager:PutResourcePolicy`, `kms:Decrypt`, `ecr:BatchDeleteImage`,
    `ecr:GetRepositoryPolicy`, `ecr:SetRepositoryPolicy` and `ecr:DeleteRepositoryPolicy`.
    """

    permissions_boundary_arn: ManagedPolicyArn | None = None
    """The ARN of a managed policy that becomes the permissions boundary of all roles in the deployment.
    The boundary must allow every action that the security page lists for these roles.
    """

    role_path: RolePath = "/"
    """The IAM path of all roles that the deployment creates."""

    scan: Literal["repository", "registry", "off"] = "repository"
    """Where the scanning of images is configured.
    `repository` turns on the scan on push of each repository.
    `registry` sets nothing on the repositories, for accounts that configure scanning for the whole registry.
    `off` turns off the scan on push, and no message about findings is sent.
    """

    tags: dict[TagKey, TagValue] = Field(default={}, max_length=49)
    """Tags on the stacks and on every resource that can have tags.
    Write them in a table `[tags]`, such as `cost-centre = "42"`.
    Write this table after the other top-level settings. A setting that follows `[tags]` becomes a tag.
    The key `team` is refused, because the permissions on images use the tag `team` of the repositories.
    """

    teams: dict[TeamName, Team] = Field(
        min_length=1,
        examples=[{"analytics": {"repositories": ["web-scraper"], "push": {"permission_sets": ["DataAnalyst"]}}}],
    )
    """The teams. The key of each table is the name of a team."""

    connections: dict[ConnectionId, Connection] = Field(
        min_length=1, examples=[{"docker_default": {"teams": ["analytics"]}}]
    )
    """The Airflow connections. The key of each table is the ID of a connection."""

    alerts: Alerts = Field(
        examples=[
            {"emails": ["team@example.com"]},
            {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:alerts"},
            {"off_because": "a sandbox"},
        ]
    )
    """The people or systems that get a message if a docker login is not refreshed or a scan finds a vulnerability."""

    workers: Workers = Workers()
    """The Airflow workers."""

    ecs: Ecs | None = None
    """Images that Airflow runs on Fargate."""

    @property
    def ecs_cluster_name(self) -> str:
        """The name of the ECS cluster."""
        return f"{self.name}-airflow"

    @property
    def registry_host(self) -> str:
        """The host name of the account's ECR registry."""
        return self.registry.host

    @property
    def registry(self) -> Registry:
        """The account's ECR registry in the Region."""
        return Registry(self.account, self.region)

    @property
    def reported_severities(self) -> tuple[str, ...]:
        """The severities of findings that send a message, as ECR writes them. Empty if no messages are sent."""
        if self.alerts.off_because or self.scan == "off":
            return ()
        return {"critical": ("CRITICAL",), "high": ("CRITICAL", "HIGH"), "off": ()}[self.alerts.scan_findings]

    def secret_name(self, connection_id: str) -> str:
        """Return the name of a connection's secret. Airflow's secrets backend looks up this name."""
        return f"{self.connections_prefix}/{connection_id}"

    def existing_repositories(self, teams: Iterable[str]) -> list[str]:
        """Return the full names of the repositories of these teams that are not managed here.

        Unknown teams have none. Another check reports them.
        """
        return [name for team in teams if team in self.teams for name in self.teams[team].existing_repositories]

    def registry_of(self, connection_id: str) -> Registry:
        """Return the registry that a connection is for."""
        foreign = self.connections[connection_id].registry
        return Registry(foreign.account or self.account, foreign.region or self.region) if foreign else self.registry

    def pulled_images(self, connection_id: str, deployed: Collection[Registry] = ()) -> PulledImages:
        """Return the images that the docker login of a connection can pull.

        Args:
            connection_id: The connection.
            deployed: The registries that the settings files of the same folder deploy.
        """
        connection = self.connections[connection_id]
        registry = self.registry_of(connection_id)
        is_own = registry == self.registry
        return PulledImages(
            registry,
            connection.teams,
            connection.repositories if connection.registry else tuple(self.existing_repositories(connection.teams)),
            is_own=is_own,
            are_tagged=is_own or registry in deployed,
        )

    def pulled_directly(self, deployed: Collection[Registry] = ()) -> list[PulledImages]:
        """Return the images that the workers can pull without a docker login, for each registry.

        Args:
            deployed: The registries that the settings files of the same folder deploy.
        """
        if not self.workers.pull_directly:
            return []
        together: dict[Registry, PulledImages] = {}
        for connection_id in self.connections:
            images = self.pulled_images(connection_id, deployed)
            others = together.get(images.registry, images)
            together[images.registry] = dataclasses.replace(
                images,
                teams=tuple(sorted({*others.teams, *images.teams})),
                repositories=tuple(dict.fromkeys([*others.repositories, *images.repositories])),
            )
        return list(together.values())

    def pull_role_name(self, connection_id: str) -> str | None:
        """Return the name of a connection's pull role, or None if CloudFormation chooses the name.

        The policies of another registry name the role. Therefore, only these connections have a role with a fixed name.
        """
        return f"{self.name}-ecr-pull-{connection_id}" if self.connections[connection_id].registry else None

    def push_role_name(self, team: str) -> str:
        """Return the name of a team's push role."""
        return f"{self.name}-ecr-push-{team}"

    def push_role_arn(self, team: str) -> str:
        """Return the ARN of a team's push role."""
        partition = PARTITIONS[self.region].name
        return f"arn:{partition}:iam::{self.account}:role{self.role_path}{self.push_role_name(team)}"

    def ecs_family(self, repository: str) -> str:
        """Return the family of the task definition for a repository.

        Args:
            repository: The full name of the repository.
        """
        return f"{self.name}-{re.sub('[^a-z0-9]+', '-', repository)}"
