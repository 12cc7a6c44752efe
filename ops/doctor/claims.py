"""What only an AWS account can show about this project. The tests of the project run on an emulator."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from ops.clients import NoAnswer, answers
from ops.doctor.findings import Result
from ops.doctor.templates import Examined
from ops.results import State


class Shown(StrEnum):
    """Whether a run on AWS shows a claim."""

    HERE = "shown here"
    NO = "not shown"
    """This run looked, and did not see it."""
    NOT_TRIED = "not tried"
    """This run cannot see it, or the environment does not use it."""


@dataclass(frozen=True)
class Claim:
    """A behaviour of AWS that this project relies on.

    Attributes:
        name: The stable name.
        text: The behaviour, as a sentence.
        source: The page that says that it has not been verified.
        shown: Whether this run shows it.
        detail: What this run saw, or why it was not tried.
    """

    name: str
    text: str
    source: str
    shown: Shown
    detail: str

    def as_json(self) -> dict[str, str]:
        """Return the fields of the claim."""
        return asdict(self)


Results = Mapping[str, Result]
Look = Callable[[Examined, Results], tuple[Shown, str]]


def judge_claims(examined: Examined, results: Results) -> list[Claim]:
    """Return every claim, and whether this run shows it.

    Args:
        examined: The environment.
        results: The results of the checks, by name.
    """
    claims = []
    for name, (text, source) in CLAIMS.items():
        look = OBSERVED.get(name)
        shown, detail = Shown.NOT_TRIED, "this command cannot see it"
        if not examined.is_real_aws:
            detail = "emulated: the answers do not come from AWS"
        elif look:
            try:
                with answers():
                    shown, detail = look(examined, results)
            except NoAnswer as error:
                detail = str(error)
        claims.append(Claim(name, text, source, shown, detail))
    return claims


def _check_is_ok(check: str, needs: str = "") -> Look:
    """Return a function that says "shown here" if a check is ok, and the stacks have a resource of the type `needs`."""

    def look(examined: Examined, results: Results) -> tuple[Shown, str]:
        if needs and not examined.declared(needs):
            return Shown.NOT_TRIED, "the environment does not use it"
        result = results[check]
        if result.state is State.OK:
            return Shown.HERE, f"{check}: {result.summary}"
        return (Shown.NOT_TRIED if result.state in (State.NOT_TRIED, State.UNKNOWN) else Shown.NO), f"see {check}"

    return look


def _has_written(examined: Examined) -> tuple[Shown, str]:
    """Look for a login that a run of a function wrote."""
    for connection in examined.deployment.connections.values():
        versions = examined.clients.secretsmanager.list_secret_version_ids(SecretId=connection.secret_arn)
        for version in versions["Versions"]:
            if "AWSCURRENT" in version.get("VersionStages", []):
                return Shown.HERE, f"the current login of {connection.id} was written at {version['CreatedDate']}"
    return Shown.NO, "no connection has a login"


def _runs_as_deployed(examined: Examined, results: Results) -> tuple[Shown, str]:
    if results["function_settings"].state is not State.OK:
        return Shown.NOT_TRIED, "the functions are not as deployed: see function_settings"
    return _has_written(examined)


def _starts_by_schedule(examined: Examined, results: Results) -> tuple[Shown, str]:
    # The version id of a login is the same for a run of the schedule and for a run of `refresh` or `doctor --active`.
    return Shown.NOT_TRIED, "the login does not say whether the schedule or a person started the run"


def _writes_with_customer_key(examined: Examined, results: Results) -> tuple[Shown, str]:
    if not examined.declared("AWS::KMS::Key"):
        return Shown.NOT_TRIED, "the environment uses the AWS managed key"
    if results["key_policy"].state is not State.OK:
        return Shown.NOT_TRIED, "the policy of the key is not as deployed"
    return _has_written(examined)


def _publishes(examined: Examined, results: Results) -> tuple[Shown, str]:
    result = results["alarm_arrives"]
    if result.state is State.OK:
        return Shown.HERE, "the history of the alarm shows that CloudWatch published; a person must see the e-mail"
    return (Shown.NOT_TRIED, "needs --active") if result.state is State.NOT_TRIED else (Shown.NO, "see alarm_arrives")


CLAIMS: dict[str, tuple[str, str]] = {
    "secret_policy_is_accepted": (
        "Secrets Manager accepts the secret's policy with NotAction.",
        "docs/security.md",
    ),
    "key_policy_allows_writing": (
        "The key's policy allows every request of Secrets Manager that a write needs.",
        "docs/security.md",
    ),
    "repository_policy_is_accepted": ("ECR accepts the repository policy.", "docs/security.md"),
    "replication_is_denied_to_push": (
        "The repository policy denies pushing to ECR's service-linked roles for replication and pull through caches.",
        "docs/security.md",
    ),
    "images_still_expire": (
        "Images expire by the lifecycle policy although the repository policy denies BatchDeleteImage.",
        "docs/security.md",
    ),
    "repository_has_tag_before_first_push": ("A repository has its tag before its first push.", "docs/security.md"),
    "creation_template_is_accepted": (
        "ECR accepts the creation template and its role.",
        "docs/decisions/0020-create-on-push.md",
    ),
    "first_push_creates_repository": (
        "With create_on_push, the first push to a new name is accepted.",
        "docs/push-images.md",
    ),
    "misspelled_repository_message": (
        "A misspelled repository name gives RepositoryNotFoundException or AccessDeniedException.",
        "docs/push-images.md",
    ),
    "github_and_gitlab_subjects_match": (
        "The ID tokens of GitHub and GitLab match the subjects in the trust policies.",
        "docs/security.md",
    ),
    "session_tags_are_accepted": ("STS accepts session tags for the push roles.", "docs/security.md"),
    "docker_requests_are_secure_transport": (
        "Requests of docker contain aws:SecureTransport like API calls.",
        "docs/security.md",
    ),
    "finding_messages_are_readable": (
        "EventBridge writes the number of findings and the image tags into the message.",
        "docs/security.md",
    ),
    "ecs_condition_keys_are_sent": (
        "ECS sends the condition keys for ECS Exec, CPU and memory in RunTask.",
        "docs/security.md",
    ),
    "denied_role_ends_login": (
        "A Deny statement in the policy of a role stops a docker login that exists.",
        "docs/security.md",
    ),
    "login_outlives_session": (
        "A docker login stays valid after the end of the role session that requested it.",
        "docs/security.md",
    ),
    "cloudtrail_events_have_names": (
        "Each event appears in CloudTrail with the documented name and principal.",
        "docs/security.md",
    ),
    "function_runs_on_arm64": ("The function runs on Lambda with arm64 and Python 3.13.", "docs/emulator.md"),
    "schedule_starts_function": (
        "EventBridge Scheduler starts the function, and the run writes the login.",
        "docs/emulator.md",
    ),
    "alarm_publishes": ("An alarm publishes to the topic, and the e-mail arrives.", "docs/emulator.md"),
    "schedule_dead_letter_queue": (
        "Scheduler sends an invocation that it cannot deliver to the failure queue.",
        "docs/emulator.md",
    ),
    "drift_detection_finishes": ("Drift detection of the stacks finishes.", "docs/runbook.md"),
    "adoption_sets_policy": (
        "The adoption of an existing repository sets its policy at once.",
        "docs/deploy.md",
    ),
    "changes_have_documented_effects": (
        "Changes of the settings have the effects in the tables.",
        "docs/changes.md",
    ),
    "aws_key_replaces_customer_key": (
        "CloudFormation sets the AWS managed key if a template no longer names a key.",
        "docs/changes.md",
    ),
    "lock_out_procedures_work": ("The procedures for lock-outs and failed stacks work.", "docs/locked-out.md"),
    "write_limit_checks_permission_first": (
        "Secrets Manager checks the permission before it answers ResourceExistsException.",
        "docs/decisions/0014-the-number-of-writes-has-a-bound.md",
    ),
    "fargate_tasks_run": ("The tasks run on Fargate.", "docs/emulator.md"),
    "clean_up_runs": ("State Manager runs the clean-up on the instances of the workers.", "docs/emulator.md"),
    "organization_policies_allow": (
        "The permissions boundaries and service control policies of the organization allow everything that is needed.",
        "docs/security.md",
    ),
}
"""The text and the source of each claim, by its stable name."""

OBSERVED: dict[str, Look] = {
    "secret_policy_is_accepted": _check_is_ok("secret_policies", "AWS::SecretsManager::ResourcePolicy"),
    "key_policy_allows_writing": _writes_with_customer_key,
    "repository_policy_is_accepted": _check_is_ok("repository_policies", "AWS::ECR::Repository"),
    "creation_template_is_accepted": _check_is_ok("stacks", "AWS::ECR::RepositoryCreationTemplate"),
    "function_runs_on_arm64": _runs_as_deployed,
    "schedule_starts_function": _starts_by_schedule,
    "alarm_publishes": _publishes,
    "drift_detection_finishes": _check_is_ok("drift"),
}
"""The claims that a run on AWS can see."""
