"""Where MiniStack 1.5.33 differs from AWS and this project would notice.

Templates and code are written for AWS; the emulator is mended. Each module says what AWS does and what MiniStack does
instead; tests/local/emulator/patches/test_upstream.py fails when a
patch has become superfluous. Applied in the server's process only.
"""

from local.emulator.patches import (
    clock,
    cloudformation,
    cloudwatch,
    iam,
    lambda_runtime,
    registry,
    secrets_manager,
    stack_descriptions,
)


def apply() -> None:
    for mend in (secrets_manager, registry, cloudformation, stack_descriptions, iam, lambda_runtime, clock, cloudwatch):
        mend.apply()
