"""Warnings about settings that are valid, but are often a mistake."""

from collections.abc import Iterable, Iterator

from settings.environment import Environment
from settings.problem import Problem


def warnings_about(environments: Iterable[Environment]) -> list[str]:
    """Return the warnings, each as a line `<file>: <key>: warning: <what is wrong>; <how to fix it>`."""
    environments = [*environments]
    checks = (_other_accounts, _names_without_ids, _lifecycles)
    warnings = [(each, warning) for each in environments for check in checks for warning in check(each)]
    return [
        f"{environment.name}.toml: {warning.key}: warning: {warning.message}"
        for environment, warning in (*warnings, *_same_instances(environments))
    ]


def account_of(arn: str) -> str:
    """Return the ID of the account in an ARN."""
    return arn.split(":")[4]


def _other_accounts(environment: Environment) -> Iterator[Problem]:
    """Return a warning for each principal, reader and topic of another account.

    A copied file often contains an account number of the original file. The copy would then trust that account.
    """
    for name, team in environment.teams.items():
        for key, arns in (("role_arns", team.push.role_arns), ("user_arns", team.push.user_arns)):
            for arn in arns:
                if account_of(arn) != environment.account:
                    what = f"{arn!r} may push from another account, {account_of(arn)}"
                    yield Problem(f"teams.{name}.push.{key}", f"{what}; remove it if you do not trust that account")
        if team.pull_accounts:
            what = f"the accounts {', '.join(team.pull_accounts)} may pull the team's images"
            yield Problem(f"teams.{name}.pull_accounts", f"{what}; remove each account that you do not trust")
        if team.pull_organization:
            what = f"all accounts of the organization {team.pull_organization} may pull the team's images"
            yield Problem(f"teams.{name}.pull_organization", f"{what}; remove it if this is not your organization")
    topic = environment.alerts.topic_arn
    if topic and account_of(topic) != environment.account:
        what = f"{topic!r} gets the alarms in another account, {account_of(topic)}"
        yield Problem("alerts.topic_arn", f"{what}; change it if that account is not yours")


def _lifecycles(environment: Environment) -> Iterator[Problem]:
    """Return a warning for each lifecycle that can delete released images, or whose protected tags do not protect."""
    for name, team in environment.teams.items():
        of_team = "lifecycle" if team.lifecycle.keep_images else "repository_defaults"
        lifecycles = {f"teams.{name}": (of_team, team.default_lifecycle)}
        for repository, override in team.repository.items():
            lifecycles[f"teams.{name}.repository.{repository!r}"] = ("lifecycle", override.lifecycle)
        for start, (table, lifecycle) in lifecycles.items():
            if lifecycle.keep_images and not lifecycle.protected_tags:
                what = f"{lifecycle.keep_images} newer images are enough to delete an image that a DAG runs"
                fix = f"add the tags of your releases to {start}.lifecycle.protected_tags"
                yield Problem(f"{start}.{table}.keep_images", f"{what}; {fix}")
            moving = [tag for tag in lifecycle.protected_tags if tag in team.repository_defaults.mutable_tags]
            if moving and lifecycle.deletes:
                what = f"{', '.join(moving)} can move, and an image is not protected after its tag moved"
                fix = f"remove it here, or from teams.{name}.repository_defaults.mutable_tags"
                yield Problem(f"{start}.lifecycle.protected_tags", f"{what}; {fix}")
            if lifecycle.protected_tags and not lifecycle.deletes:
                fix = "remove it, or set keep_images or expire_untagged_after_days"
                yield Problem(
                    f"{start}.lifecycle.protected_tags", f"has no effect, because ECR deletes no image; {fix}"
                )


def _names_without_ids(environment: Environment) -> Iterator[Problem]:
    """Return a warning for each repository on GitHub that only its name identifies."""
    for team, settings in environment.teams.items():
        for workflow in settings.push.github:
            if not workflow.repository_id:
                what = f"only the name identifies {workflow.repository!r}, and another person can get a name later"
                fix = "opt in to immutable subject claims on GitHub, and add owner_id and repository_id"
                yield Problem(f"teams.{team}.push.github", f"{what}; {fix} (docs/push-from-ci.md)")


def _same_instances(environments: Iterable[Environment]) -> Iterator[tuple[Environment, Problem]]:
    """Return a warning for each clean-up that selects the same instances as the clean-up of another environment."""
    owners: dict[tuple[str, ...], Environment] = {}
    for environment in environments:
        if clean_up := environment.workers.clean_up:
            tag = (environment.account, environment.region, clean_up.tag_key, clean_up.tag_value)
            owner = owners.setdefault(tag, environment)
            if owner is not environment:
                what = (
                    f"the tag {clean_up.tag_key}={clean_up.tag_value} also selects the instances of {owner.name}.toml"
                )
                fix = "use another tag, because both clean-ups would run on each of these instances"
                yield environment, Problem("workers.clean_up", f"{what}; {fix}")
