"""The stack with the docker login of each Airflow connection, the alarms, and the permissions of the workers."""

from collections.abc import Collection
from typing import cast

from aws_cdk import CfnOutput, DefaultStackSynthesizer, Fn, Stack
from constructs import Construct

from settings.environment import Environment
from settings.names import pascal_case, repository_name
from settings.registries import Registry
from stacks.docker_login.alarms import Alarms
from stacks.docker_login.connection import DockerLogin
from stacks.docker_login.dashboard import LoginDashboard
from stacks.docker_login.failure_queue import FailureQueue
from stacks.docker_login.first_refresh import restrict_provider, run_in_turn
from stacks.docker_login.scan_findings import ScanFindings
from stacks.docker_login.secret_key import SecretKey
from stacks.docker_login.workers import WorkerPolicy, WorkerRoles
from stacks.permissions_boundary import apply_permissions_boundary


class DockerLoginStack(Stack):
    """The docker login of every connection, the workers' access, and one queue for failures."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        deployed_registries: Collection[Registry],
    ) -> None:
        """
        Args:
            scope: The stage.
            construct_id: The stack's id.
            environment: The settings of the environment.
            deployed_registries: The registries that the settings files of the same folder deploy. Their repositories
                have the tag of their team.
        """
        # Without indentation, the template of the largest number of connections is smaller than CloudFormation's quota.
        super().__init__(scope, construct_id, suppress_template_indentation=True)
        synthesizer = cast(DefaultStackSynthesizer, self.synthesizer)
        deploy_role_arn = Fn.sub(synthesizer.cloud_formation_execution_role_arn)

        # Resources
        workers = WorkerRoles(
            self,
            "Workers",
            environment_name=environment.name,
            existing_role_arns=environment.workers.role_arns,
            role_path=environment.role_path,
        )
        key = None
        if environment.secret_key == "customer":
            key = SecretKey(
                self,
                "Key",
                description=f"Docker logins of the Airflow connections of {environment.name}",
                secret_name_prefix=environment.secret_name(""),
                reader_arns=[*workers.role_arns, *environment.break_glass_role_arns],
                deploy_role_arn=deploy_role_arn,
            )
        failures = FailureQueue(self, "Failures")
        logins = {
            connection_id: DockerLogin(
                self,
                pascal_case(connection_id),
                connection_id=connection_id,
                secret_name=environment.secret_name(connection_id),
                images=environment.pulled_images(connection_id, deployed_registries),
                pull_role_name=environment.pull_role_name(connection_id),
                refresh_every_minutes=connection.refresh_every_minutes,
                role_path=environment.role_path,
                key=key,
                failures=failures,
                reader_arns=workers.role_arns,
                break_glass_role_arns=environment.break_glass_role_arns,
                deploy_role_arn=deploy_role_arn,
            )
            for connection_id, connection in environment.connections.items()
        }

        # Permissions
        apply_permissions_boundary(self, environment.permissions_boundary_arn)
        restrict_provider(self, role_path=environment.role_path, tags=environment.tags)
        worker_policy = WorkerPolicy(
            self,
            "WorkerPolicy",
            environment_name=environment.name,
            roles=workers.roles,
            secret_names=[environment.secret_name(connection_id) for connection_id in logins],
            key=key,
            images=environment.pulled_directly(deployed_registries),
        )
        for login in logins.values():
            # If the key changes, Secrets Manager encrypts the current login again at once. At this moment, the workers
            # need the permission to decrypt with the new key, and still need the permission for the old key.
            if key:
                login.secret.node.add_dependency(worker_policy)
            else:
                worker_policy.node.add_dependency(login.secret)

        # First refreshes
        run_in_turn(
            [login.first_refresh for login in logins.values()],
            before=[login.schedule for login in logins.values()],
        )

        # Alarms
        registries_elsewhere = {
            connection_id: environment.registry_of(connection_id).host
            for connection_id, connection in environment.connections.items()
            if connection.registry
        }
        alarms = None
        if not environment.alerts.off_because:
            alarms = Alarms(
                self,
                "Alarms",
                topic_arn=environment.alerts.topic_arn,
                emails=environment.alerts.emails,
                runbook=environment.alerts.runbook,
                failures=failures,
            )
            for connection_id, login in logins.items():
                alarms.add_connection(
                    connection_id,
                    login.function,
                    refresh_every_minutes=environment.connections[connection_id].refresh_every_minutes,
                    first_refresh=login.first_refresh,
                    registry_elsewhere=registries_elsewhere.get(connection_id),
                )
            if environment.reported_severities:
                ScanFindings(
                    self,
                    "ScanFindings",
                    topic=alarms.topic,
                    severities=environment.reported_severities,
                    teams=list(environment.teams),
                    existing_repositories=environment.existing_repositories(environment.teams),
                    environment_name=environment.name,
                    runbook=environment.alerts.runbook,
                    role_path=environment.role_path,
                )
        dashboard = LoginDashboard(
            self,
            "Dashboard",
            functions={connection_id: login.function for connection_id, login in logins.items()},
            log_groups=[login.log_group for login in logins.values()],
            failures=failures,
            alarms=alarms.all if alarms else [],
            repositories={
                name: [*(repository_name(name, each) for each in team.repositories), *team.existing_repositories]
                for name, team in environment.teams.items()
            },
            registries_elsewhere=registries_elsewhere,
        )

        # Outputs
        for connection_id, login in logins.items():
            name = pascal_case(connection_id)
            CfnOutput(self, f"SecretArn{name}", value=login.secret.ref)
            CfnOutput(self, f"SecretName{name}", value=environment.secret_name(connection_id))
            CfnOutput(self, f"RefreshFunctionName{name}", value=login.function.function_name)
            CfnOutput(self, f"PullRoleArn{name}", value=login.pull_role.role_arn)
        CfnOutput(self, "FailureQueueUrl", value=failures.queue_url)
        CfnOutput(self, "DashboardName", value=dashboard.dashboard_name)
        CfnOutput(self, "WorkerPolicyArn", value=worker_policy.managed_policy_arn)
        if workers.new_role and workers.instance_profile:
            CfnOutput(self, "WorkerRoleArn", value=workers.new_role.role_arn)
            CfnOutput(self, "WorkerInstanceProfileName", value=workers.instance_profile.instance_profile_name)
