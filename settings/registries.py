"""ECR registries, and the images in them that a docker login can pull."""

from dataclasses import dataclass

from settings.regions import PARTITIONS


@dataclass(frozen=True)
class Registry:
    """The ECR registry of an account in a Region."""

    account: str
    region: str

    @property
    def host(self) -> str:
        """The host name of the registry."""
        return f"{self.account}.dkr.ecr.{self.region}.{PARTITIONS[self.region].domain}"

    def repository_arn(self, name: str) -> str:
        """Return the ARN of a repository.

        Args:
            name: The full name of the repository, or a pattern.
        """
        return f"arn:{PARTITIONS[self.region].name}:ecr:{self.region}:{self.account}:repository/{name}"


@dataclass(frozen=True)
class PulledImages:
    """The images in one registry that a docker login, or the workers without a docker login, can pull."""

    registry: Registry
    teams: tuple[str, ...]  # all repositories with the prefix <team>/
    repositories: tuple[str, ...]  # full names of single repositories
    is_own: bool  # the registry of the environment
    are_tagged: bool
    """Whether the teams' repositories have the team's tag, because the settings in the same folder deploy them."""
