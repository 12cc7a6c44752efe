"""What a check finds before a deployment, and the deployment that it looks at."""

from dataclasses import dataclass

from settings.environment import Environment
from settings.names import repository_name
from settings.regions import PARTITIONS


@dataclass(frozen=True)
class Planned:
    """A deployment that is about to start.

    Attributes:
        environment: The settings.
        qualifier: The qualifier of the CDK's bootstrap. It is part of the names of the CDK's roles.
    """

    environment: Environment
    qualifier: str

    @property
    def deploy_role_arn(self) -> str:
        """The ARN of the role that CloudFormation assumes."""
        account, region = self.environment.account, self.environment.region
        role = f"cdk-{self.qualifier}-cfn-exec-role-{account}-{region}"
        return f"arn:{PARTITIONS[region].name}:iam::{account}:role/{role}"

    def pushers(self, team: str) -> set[str]:
        """The principals that a repository policy does not deny to push to a team's repositories."""
        root = self.deploy_role_arn.partition(":role/")[0] + ":root"
        return {self.environment.push_role_arn(team), self.deploy_role_arn, root}

    def stack(self, stack_id: str) -> str:
        """Return the name of a stack."""
        return f"{self.environment.name}-{stack_id}"

    @property
    def secrets(self) -> list[str]:
        """The names of the secrets."""
        return [self.environment.secret_name(connection_id) for connection_id in self.environment.connections]

    @property
    def repositories(self) -> set[str]:
        """The full names of the repositories."""
        teams = self.environment.teams
        return {repository_name(team, name) for team, own in teams.items() for name in own.repositories}


@dataclass(frozen=True)
class Finding:
    """A problem and its fix.

    Attributes:
        problem: The problem, in one or more sentences.
        fix: What to do, or where the documentation says so.
        stops: Whether the deployment would fail or lose something. If not, the finding is a notice.
    """

    problem: str
    fix: str
    stops: bool = True


def listed(names: list[str]) -> str:
    """Return names for a sentence. After the third name, only the number of further names is given."""
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
