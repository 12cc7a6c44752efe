"""How old a docker login can be. The stacks and the commands for a deployment use these values."""

LOGIN_MINUTES = 12 * 60
"""How long a token of ECR is valid (Amazon ECR API Reference, GetAuthorizationToken)."""

NOT_REFRESHED_ALLOWANCE_MINUTES = 30


def not_refreshed_after_minutes(refresh_every_minutes: int) -> int:
    """Return after how many minutes without a success the alarm "Not refreshed" fires.

    The alarm does not fire after one missed run. The command `status` calls an older login stale.
    """
    return 2 * refresh_every_minutes + NOT_REFRESHED_ALLOWANCE_MINUTES
