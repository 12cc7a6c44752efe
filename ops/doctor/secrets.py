"""Check the secrets with the docker logins, their key, and the roles of the workers that read them."""

from collections.abc import Iterator
from datetime import UTC, datetime

from ops.clients import unless_missing
from ops.deployment import Connection
from ops.doctor.findings import Examine, Found, NotTried, Problem, count, each
from ops.doctor.templates import Declared, Examined
from ops.fixes import aws, ecr_login, iam
from ops.freshness import expiry
from ops.results import State


def check_secrets(examined: Examined) -> Found:
    """Check that the secrets exist, use the key in the template, and are neither deleted nor replicated."""
    secrets = examined.declared("AWS::SecretsManager::Secret")
    environment = examined.environment
    with_role = "With a break-glass role: " if environment.break_glass_role_arns else ""

    def look_at(secret: Declared) -> Iterator[Problem]:
        name = secret.properties["Name"]
        found = unless_missing(
            examined.clients.secretsmanager.describe_secret, "ResourceNotFoundException", SecretId=secret.physical_id
        )
        if not found:
            fix = 'See "ResourceNotFoundException" in docs/runbook.md'
            yield Problem(f"The secret {name} does not exist, so Airflow has no docker login.", fix, State.BROKEN)
            return
        if found.get("DeletedDate"):
            yield Problem(
                f"The secret {name} is scheduled for deletion, so Airflow cannot read it.",
                with_role + aws(environment, f"secretsmanager restore-secret --secret-id {name}"),
                State.BROKEN,
            )
        for replica in found.get("ReplicationStatus", []):
            region = replica.get("Region")
            yield Problem(
                f"The secret {name} is replicated to {region}, where other policies apply.",
                aws(
                    environment,
                    f"secretsmanager remove-regions-from-replication --secret-id {name} "
                    f"--remove-replica-regions {region}",
                ),
            )
        if found.get("RotationEnabled"):
            yield Problem(
                f"The secret {name} has a rotation, which is not in the template.",
                with_role + aws(environment, f"secretsmanager cancel-rotate-secret --secret-id {name}"),
            )
        key = secret.properties.get("KmsKeyId")
        if _key_id(found.get("KmsKeyId")) != _key_id(key):
            to_key = f"--kms-key-id {key or 'alias/aws/secretsmanager'}"
            yield Problem(
                f"The secret {name} is encrypted with {found.get('KmsKeyId') or 'the AWS managed key'}, "
                f"not with {key or 'the AWS managed key'}.",
                with_role + aws(environment, f"secretsmanager update-secret --secret-id {name} {to_key}"),
            )

    return Found(f"{count(len(secrets), 'secret')} as deployed", each(look_at, secrets))


def check_logins(examined: Examined) -> Found:
    """Check that each secret has a docker login that has not expired."""
    connections = examined.deployment.connections.values()

    def look_at(connection: Connection) -> Iterator[Problem]:
        versions = unless_missing(
            examined.clients.secretsmanager.list_secret_version_ids,
            "ResourceNotFoundException",  # check_secrets reports a missing secret
            SecretId=connection.secret_arn,
        )
        if versions is None:
            return
        written = [
            version["CreatedDate"]
            for version in versions["Versions"]
            if "AWSCURRENT" in version.get("VersionStages", [])
        ]
        fix = ecr_login(f"refresh {examined.environment.name} {connection.id}")
        if not written:
            yield Problem(f"The secret {connection.secret_name} has no docker login.", fix, State.BROKEN)
        elif datetime.now(UTC) >= expiry(written[0]):
            yield Problem(f"The docker login of {connection.id} has expired.", fix, State.BROKEN)

    return Found(f"{count(len(connections), 'docker login')} not expired", each(look_at, connections))


def check_key(examined: Examined) -> Found:
    """Check that the customer managed key is enabled."""
    keys = examined.declared("AWS::KMS::Key")
    if not keys:
        raise NotTried("the secrets use the AWS managed key")
    problems = []
    for key in keys:
        found = unless_missing(examined.clients.kms.describe_key, "NotFoundException", KeyId=key.physical_id)
        state = found["KeyMetadata"]["KeyState"] if found else "missing"
        if state == "Enabled":
            continue
        enable = aws(examined.environment, f"kms enable-key --key-id {key.physical_id}")
        cancel = aws(examined.environment, f"kms cancel-key-deletion --key-id {key.physical_id}")
        fixes = {"Disabled": enable, "PendingDeletion": f"{cancel} && {enable}"}
        text = f"The key {key.physical_id} has the state {state}, so Airflow cannot read the docker logins."
        problems.append(Problem(text, fixes.get(state, "Change secret_key, and deploy"), State.BROKEN))
    return Found("the key is enabled", problems)


def check_worker_roles(examined: Examined) -> Found:
    """Check that the roles of the workers exist."""
    roles = worker_roles(examined)

    def look_at(role: str) -> Iterator[Problem]:
        if not unless_missing(examined.clients.iam.get_role, "NoSuchEntity", RoleName=role):
            fix = f"Create the role {role}, or correct workers.role_arns; then attach its policies: see worker_policies"
            yield Problem(f"The worker role {role} does not exist.", fix, State.BROKEN)

    return Found(f"found {count(len(roles), 'worker role')}", each(look_at, roles))


def check_worker_policies(examined: Examined) -> Found:
    """Check that the policies for workers are attached to the roles in the template."""
    policies = [policy for policy in examined.declared("AWS::IAM::ManagedPolicy") if policy.properties.get("Roles")]
    roles = worker_roles(examined)

    def look_at(role: str) -> Iterator[Problem]:
        pages = examined.clients.iam.get_paginator("list_attached_role_policies").paginate(RoleName=role)
        # check_worker_roles reports a missing role
        attached = unless_missing(
            lambda: [policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"]], "NoSuchEntity"
        )
        for policy in policies:
            if attached is not None and role in policy.properties["Roles"] and policy.physical_id not in attached:
                yield Problem(
                    f"The worker role {role} does not have the policy {policy.physical_id}.",
                    iam(f"attach-role-policy --role-name {role} --policy-arn {policy.physical_id}"),
                    State.BROKEN,
                )

    return Found(f"{count(len(roles), 'worker role')} with the worker policies", each(look_at, roles))


def worker_roles(examined: Examined) -> list[str]:
    """Return the names of the roles that exist outside the stacks and get a managed policy of the stacks."""
    ours = {role.physical_id for role in examined.declared("AWS::IAM::Role")}
    named = [
        role for policy in examined.declared("AWS::IAM::ManagedPolicy") for role in policy.properties.get("Roles", [])
    ]
    return sorted(set(named) - ours)


def _key_id(arn: str | None) -> str:
    return (arn or "").rpartition("/")[2].removeprefix("aws/secretsmanager").removeprefix("secretsmanager")


CHECKS: dict[str, Examine] = {
    "secrets": check_secrets,
    "logins": check_logins,
    "key": check_key,
    "worker_roles": check_worker_roles,
    "worker_policies": check_worker_policies,
}
