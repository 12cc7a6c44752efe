"""The time between two resources of a stack."""

import threading
import time

from local.embedded_aws import EmbeddedAws
from tests.local.emulator.patches.support import deploy, destroy, resource


def seen_alone(aws: EmbeddedAws, stack: str) -> bool:
    """Return whether a request saw the first repository of a stack without the second, during a deployment."""
    ecr, first, second = aws.client("ecr"), f"{stack}-first", f"{stack}-second"
    seen, stop = [], threading.Event()

    def keep_looking() -> None:
        while not stop.is_set():
            names = {each["repositoryName"] for each in ecr.describe_repositories()["repositories"]}
            seen.append(names & {first, second})

    thread = threading.Thread(target=keep_looking)
    thread.start()
    deploy(
        aws,
        stack,
        First=resource("ECR::Repository", {"RepositoryName": first}),
        Second=resource("ECR::Repository", {"RepositoryName": second}, DependsOn="First"),
    )
    time.sleep(0.1)
    stop.set()
    thread.join()
    destroy(aws, stack)
    return {first} in seen


def test_other_requests_see_a_stack_between_two_resources_if_there_is_a_pause(aws: EmbeddedAws) -> None:
    with aws.slow_stacks(milliseconds=200):
        assert seen_alone(aws, "slow")
