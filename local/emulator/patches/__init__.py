"""Patches of MiniStack 1.5.33 for differences from AWS that affect this project.

The templates and the code are written for AWS. Patches therefore change the emulator, not the code. Each module says
what AWS does, what MiniStack does instead, and what the patch does. Patches are applied in the server's process only.
tests/local/emulator/patches/test_upstream.py fails when MiniStack no longer needs a patch.
"""

from local.emulator.patches import (
    alarm_actions,
    associations,
    clock,
    cloudformation,
    cloudwatch,
    create_on_push,
    drift,
    eventbridge,
    iam,
    iam_actions,
    image_listing,
    image_pulls,
    instance_profiles,
    lambda_concurrency,
    lambda_runtime,
    lambda_versions,
    lifecycle_previews,
    log_filters,
    oidc_providers,
    referrers,
    registry,
    repository_policies,
    secrets_manager,
    stack_conditions,
    stack_descriptions,
    stack_pace,
    stack_parallelism,
    stack_resources,
    stack_role,
    stack_rollback,
    sts,
    subscriptions,
)


def apply() -> None:
    for patch in (
        secrets_manager,
        registry,
        referrers,
        repository_policies,
        create_on_push,
        cloudformation,
        drift,
        associations,
        stack_conditions,
        stack_descriptions,
        stack_pace,
        stack_parallelism,
        stack_resources,
        stack_rollback,
        stack_role,
        iam,
        iam_actions,
        instance_profiles,
        oidc_providers,
        sts,
        lambda_concurrency,
        lambda_runtime,
        lambda_versions,
        clock,
        cloudwatch,
        alarm_actions,
        eventbridge,
        subscriptions,
        lifecycle_previews,
        image_listing,
        image_pulls,
        log_filters,
    ):
        patch.apply()
