"""Tests of an upgrade: the templates of version 0.1.0 are deployed first, and the current templates after them.

`version-0.1.0/` contains the cloud assembly of version 0.1.0 for `settings/upgrade.toml`. The metadata and the
construct tree are removed from the assembly, because a deployment does not read them.

The tests change the key policy of version 0.1.0 before its deployment (`_allow_the_key_test`). They therefore do not
show that version 0.1.0 can be deployed with `secret_key = "customer"`. They also do not show the upgrade of a
deployment with the original key policy. All other resources of version 0.1.0 are unchanged.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import cdk
from local.account import Account, assume, docker_login, outputs
from local.demo import FILES, log_in, read
from local.embedded_aws import EmbeddedAws
from tests.readings import Readings, reading

FOLDER = Path(__file__).parent
STACKS = ("Registry", "Access", "DockerLogin", "WorkerUpkeep", "EcsTasks")
SECRETS = ("upgrade/connections/docker_alpha", "upgrade/connections/docker_beta")
# A deployment publishes a new version of each function whose code or description changed.
REPLACED_BY_DESIGN = {"AWS::Lambda::Version"}
# Version 0.1.0 has no messages about findings of image scans.
ADDED_BY_DESIGN = {"AWS::Events::Rule"}


@dataclass(frozen=True)
class Upgrade:
    """The state before and after the upgrade, and the results of a worker's reads during the upgrade."""

    outputs_before: dict[str, str]
    outputs_after: dict[str, str]
    resources_before: dict[str, dict[str, str]]  # for each resource type: logical id to physical id
    resources_after: dict[str, dict[str, str]]
    announced: str  # the output of `cdk diff`
    readings: Readings


@pytest.fixture(scope="module")
def upgrade(aws: EmbeddedAws, account: Account, worker_role: Any, tmp_path_factory: pytest.TempPathFactory) -> Upgrade:
    """Deploy version 0.1.0 and push an image. Deploy the current version while a worker reads the docker logins."""
    folder = tmp_path_factory.mktemp("upgrade")
    # The CDK CLI writes a cache of assets into the assembly, so it gets a copy.
    old, today = shutil.copytree(FOLDER / "version-0.1.0", folder / "old"), folder / "today"
    _allow_the_key_test(old)
    with cdk.synthesizing(today, environments=FOLDER / "settings"):
        cdk.deploy(aws, old, "upgrade/*")
    before = outputs(aws, "upgrade")
    docker_login(aws, assume(aws, before["PushRoleArnBeta"], account.analyst)).push("beta/var:1", FILES)
    resources = _resources(aws)
    announced = cdk.diff(aws, today, "upgrade/*")

    with aws.slow_stacks(), reading(worker_role, SECRETS) as readings:
        cdk.deploy(aws, today, "upgrade/*")

    return Upgrade(before, outputs(aws, "upgrade"), resources, _resources(aws), announced, readings)


def test_a_worker_reads_a_valid_login_at_every_moment_of_the_upgrade(upgrade: Upgrade) -> None:
    assert upgrade.readings.failures == []
    assert upgrade.readings.logins > 100


def test_the_upgrade_replaces_only_the_published_versions_of_functions(upgrade: Upgrade) -> None:
    before, after = upgrade.resources_before, upgrade.resources_after
    changed = {kind for kind, ids in before.items() if not ids.items() <= after.get(kind, {}).items()}

    assert changed <= REPLACED_BY_DESIGN


def test_the_upgrade_adds_only_the_rule_for_findings_of_image_scans(upgrade: Upgrade) -> None:
    before, after = upgrade.resources_before, upgrade.resources_after
    added = {kind for kind, ids in after.items() if not ids.keys() <= before.get(kind, {}).keys()}

    assert added - REPLACED_BY_DESIGN == ADDED_BY_DESIGN


def test_cdk_diff_announces_no_other_replacement_or_removal(upgrade: Upgrade) -> None:
    """The CDK CLI knows for every property whether a change replaces the resource. The emulator does not."""
    assert "Stack upgrade/DockerLogin" in upgrade.announced
    replaced = re.findall(r"^\[[~+-]\] (\S+) .*(?:replace|destroy|orphan)", upgrade.announced, re.MULTILINE)

    assert set(replaced) == REPLACED_BY_DESIGN


def test_every_output_keeps_its_name_and_value(upgrade: Upgrade) -> None:
    assert upgrade.outputs_before.items() <= upgrade.outputs_after.items()


def test_an_image_that_was_pushed_before_the_upgrade_is_pulled_after_it(
    aws: EmbeddedAws, upgrade: Upgrade, worker_role: Any
) -> None:
    for secret in SECRETS:
        _, connection = read(worker_role, secret)
        assert log_in(aws, connection).pull("beta/var:1") == FILES


def test_the_upgrade_removes_the_lifecycle_policies_that_deleted_old_images(aws: EmbeddedAws, upgrade: Upgrade) -> None:
    ecr = aws.client("ecr")
    assert "LifecyclePolicy" in upgrade.announced

    repositories = upgrade.resources_after["AWS::ECR::Repository"].values()
    assert len(repositories) > 1
    for repository in repositories:
        with pytest.raises(ecr.exceptions.LifecyclePolicyNotFoundException):
            ecr.get_lifecycle_policy(repositoryName=repository)


def _allow_the_key_test(assembly: Path) -> None:
    """Change the key policy of version 0.1.0 so that the emulator accepts the key.

    Before Secrets Manager sets a key on a secret, it tests the key. Sources disagree on the encryption context of this
    test. The emulator requires the permission in both forms, and version 0.1.0 allows only one of them.

    The change adds the value RequestToValidateKeyAccess to the SecretARN condition of the deploy role's statement. A
    deployment of version 0.1.0 on AWS has the policy without this value. The tests therefore do not show:

    - whether AWS accepts the original policy when version 0.1.0 creates its secrets,
    - the upgrade from the original policy, including a rollback to this policy.
    """
    [file] = assembly.glob("*/upgradeDockerLogin*.template.json")
    prefix = '"arn:aws:secretsmanager:us-east-1:123456789012:secret:upgrade/connections/*"'
    assert prefix in file.read_text()
    file.write_text(file.read_text().replace(prefix, f'[{prefix}, "RequestToValidateKeyAccess"]', 1))


def _resources(aws: EmbeddedAws) -> dict[str, dict[str, str]]:
    """Return for each resource type a dict of stack and logical id to physical id."""
    cloudformation = aws.client("cloudformation")
    found: dict[str, dict[str, str]] = {}
    for stack in STACKS:
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=f"upgrade-{stack}"):
            for resource in page["StackResourceSummaries"]:
                ids = found.setdefault(resource["ResourceType"], {})
                ids[f"{stack}/{resource['LogicalResourceId']}"] = resource["PhysicalResourceId"]
    return found
