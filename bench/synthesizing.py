"""The CPU time of a synthesis with few and with many repositories."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.deploying import synth
from bench.processes import Cost

FEW, MANY = "synth, 10 repositories", "synth, 490 repositories"

# Ten teams, so that the variants differ only in the number of repositories. Each repository has a policy, a lifecycle
# policy and tags.
_TEAMS = 10
_TOP = """\
account = "111111111111"
region = "eu-west-1"
alerts.off_because = "a benchmark"
[connections.docker_default]
teams = ["team-0"]
[tags]
owner = "data-platform"
cost-centre = "4711"
stage = "production"
"""
_TEAM = """\
[teams.team-{team}]
repositories = {repositories}
push.role_arns = ["arn:aws:iam::111111111111:role/ci"]
lifecycle.protected_tags = ["release-*"]
lifecycle.keep_images = 50
"""


def variants(folder: Path) -> dict[str, Callable[[], Cost]]:
    """Return a dict of a variant's name to a function that runs the variant.

    Args:
        folder: The folder for the files of the variants.
    """
    return {
        name: partial(synth, folder, _settings(folder / f"{count}-repositories", count), validation=False)
        for name, count in ((FEW, 10), (MANY, 490))
    }


def _settings(folder: Path, count: int) -> Path:
    folder.mkdir()
    tables = (
        _TEAM.format(team=team, repositories=[f"repository-{number}" for number in range(count // _TEAMS)])
        for team in range(_TEAMS)
    )
    (folder / "bench.toml").write_text(_TOP + "".join(tables))
    return folder
