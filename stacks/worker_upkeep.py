"""The scheduled removal of old containers and images from the disks of the Airflow workers."""

from aws_cdk import Stack
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from settings.environment import CleanUp


class WorkerUpkeepStack(Stack):
    """Systems Manager removes old containers and images on every managed instance that has the workers' tag.

    The association's history shows the output of the docker commands. The system log of the instance contains the same
    output with the tag docker-clean-up.
    """

    def __init__(self, scope: Construct, construct_id: str, *, clean_up: CleanUp) -> None:
        super().__init__(scope, construct_id)

        # Resources
        ssm.CfnAssociation(
            self,
            "DockerCleanUp",
            # In the console, only this name distinguishes the association from other associations.
            association_name=f"{self.stack_name}-docker-clean-up",
            name="AWS-RunShellScript",
            parameters={"commands": _commands(clean_up), "executionTimeout": ["1800"]},  # seconds
            targets=[ssm.CfnAssociation.TargetProperty(key=f"tag:{clean_up.tag_key}", values=[clean_up.tag_value])],
            schedule_expression=clean_up.schedule,
            # Systems Manager runs the association only at the scheduled time. By default, a deployment and a new worker
            # also start a run, possibly during working hours.
            apply_only_at_cron_interval=True,
            max_concurrency="25%",  # of the instances at the same time
            max_errors="100%",  # A failure on one instance does not stop the others.
        )


def _commands(clean_up: CleanUp) -> list[str]:
    """Return the lines of the script.

    Without -f, docker asks for a confirmation and waits for the answer. For an image, the filter `until` uses the time
    at which the image was built.
    """
    containers = f"docker container prune -f --filter until={clean_up.containers_older_than_hours}h"
    images = f"docker image prune -af --filter until={clean_up.images_older_than_hours}h"
    return [
        f'output="$({{ {containers} && {images}; }} 2>&1)"; result=$?',
        'echo "$output" | logger -t docker-clean-up',
        'echo "$output"; exit "$result"',
    ]
