"""Patches of MiniStack 1.5.33, where it differs from AWS in a way that matters to this project.

Templates and code are written for AWS, so the emulator is patched and not the code. Each module says what AWS does,
what MiniStack does instead, and what the patch does. Patches are applied in the server's process only.
tests/local/emulator/patches/test_upstream.py fails when MiniStack no longer needs a patch.
"""

from local.emulator.patches import (
    clock,
    cloudformation,
    cloudwatch,
    iam,
    iam_actions,
    lambda_runtime,
    registry,
    secrets_manager,
    stack_descriptions,
    stack_resources,
    sts,
)


def apply() -> None:
    for patch in (
        secrets_manager,
        registry,
        cloudformation,
        stack_descriptions,
        stack_resources,
        iam,
        iam_actions,
        sts,
        lambda_runtime,
        clock,
        cloudwatch,
    ):
        patch.apply()
