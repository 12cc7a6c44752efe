"""The secrets of the Airflow connections."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from ops.clients import Clients, unless_missing
from ops.fixes import aws
from ops.preflight.findings import Finding, Planned
from ops.preflight.stacks import ids_of, resources_of, stack_with
from ops.together import in_parallel


def find_taken_secrets(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find secrets that have the names of our secrets and are not ours, or are scheduled for deletion."""
    environment, stack = planned.environment, planned.stack("DockerLogin")
    ours = ids_of(resources_of(clients, stack))

    def look_at(name: str) -> Finding | None:
        secret = describe_secret(clients, name)
        if not secret:
            return None
        is_ours = secret["ARN"] in ours
        if "DeletedDate" in secret:
            problem = f"The secret {name} is scheduled for deletion, which blocks its name."
            restore = aws(environment, f"secretsmanager restore-secret --secret-id {name}")
            if is_ours:
                who = " with a break-glass role" if environment.break_glass_role_arns else ""
                return Finding(problem, f"Run{who}: {restore}")
            delete = aws(
                environment, f"secretsmanager delete-secret --force-delete-without-recovery --secret-id {name}"
            )
            return Finding(
                f"{problem} CloudFormation would answer: already scheduled for deletion.",
                f"To delete it now, with its value, run: {restore} && {delete}",
            )
        if is_ours:
            return None
        owner = stack_with(clients, secret["ARN"], "AWS::SecretsManager::Secret")
        where = f"belongs to the stack {owner}" if owner else f"is not part of the stack {stack}"
        return Finding(
            f"The secret {name} exists, and it {where}. CloudFormation would answer: already exists.",
            'If you renamed the settings file, see "Rename an environment" in docs/changes.md.'
            if owner
            else 'See "If the secret exists already" in docs/airflow/migrate.md.',
        )

    yield from filter(None, in_parallel(look_at, planned.secrets))


def find_removed_secrets(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find secrets that the deployment deletes, because their connection or prefix is no longer in the settings."""
    secrets = resources_of(clients, planned.stack("DockerLogin")).get("AWS::SecretsManager::Secret", [])
    removed = [arn for arn in secrets if name_of_secret(arn) not in planned.secrets]
    for arn, secret in zip(removed, in_parallel(lambda arn: describe_secret(clients, arn), removed), strict=True):
        if not secret:
            continue
        read = secret.get("LastAccessedDate")
        # botocore returns dates in the time zone of the computer.
        when = f"It was last read on {read.astimezone(UTC):%Y-%m-%d} (UTC)." if read else "It was not read yet."
        yield Finding(
            f"The deployment deletes the secret {name_of_secret(arn)}, with its value. {when}",
            'If tasks still use it, see "Rename a connection" in docs/changes.md.',
            stops=False,
        )


def describe_secret(clients: Clients, secret_id: str) -> Any:
    return unless_missing(clients.secretsmanager.describe_secret, "ResourceNotFoundException", SecretId=secret_id)


def name_of_secret(arn: str) -> str:
    """Return the name of a secret. Its ARN ends with a hyphen and six random characters."""
    return arn.rsplit(":", 1)[-1][: -len("-123456")]
