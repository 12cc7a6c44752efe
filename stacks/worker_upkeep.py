"""Room on the Airflow workers' disks: old containers and images go, on a schedule."""

from aws_cdk import Stack
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from settings.environment import CleanUp


class WorkerUpkeepStack(Stack):
    """Systems Manager cleans up after docker on every instance that has the workers' tag and that it manages.

    What was removed is in the association's history, and in the instance's own log under the name docker-clean-up.
    """

    def __init__(self, scope: Construct, construct_id: str, *, clean_up: CleanUp) -> None:
        super().__init__(scope, construct_id)

        # Resources
        ssm.CfnAssociation(
            self,
            "DockerCleanUp",
            association_name=f"{self.stack_name}-docker-clean-up",  # all that tells it from others in the console
            name="AWS-RunShellScript",
            parameters={"commands": _commands(clean_up), "executionTimeout": ["1800"]},  # seconds
            targets=[ssm.CfnAssociation.TargetProperty(key=f"tag:{clean_up.tag_key}", values=[clean_up.tag_value])],
            schedule_expression=clean_up.schedule,
            # Neither a deploy nor a new worker should cost anybody an image by day.
            apply_only_at_cron_interval=True,
            max_concurrency="25%",  # of the fleet
            max_errors="100%",  # one full disk is no reason to leave the others
        )


def _commands(clean_up: CleanUp) -> list[str]:
    """The lines of a script. Without -f docker asks and waits for an answer; `until` counts from an image's build."""
    containers = f"docker container prune -f --filter until={clean_up.containers_older_than_hours}h"
    images = f"docker image prune -af --filter until={clean_up.images_older_than_hours}h"
    return [
        f'output="$({{ {containers} && {images}; }} 2>&1)"; result=$?',
        'echo "$output" | logger -t docker-clean-up',
        'echo "$output"; exit "$result"',
    ]
