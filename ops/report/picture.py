"""The picture of an environment: teams → repositories ← docker logins → workers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from settings.environment import Environment
from settings.names import repository_name

LINE = 18
"""The height of a line of text."""
PADDING = 10
GAP = 14
"""The vertical distance between two boxes."""
WIDTH = 200
COLUMN = 270
"""The distance between the left edges of two columns."""
MOST_LINES = 8
"""How many repositories of a team the picture shows."""
LONGEST = 26
"""How many characters of a line fit into a box."""


@dataclass
class Box:
    """A box with a title and lines of text."""

    kind: str
    title: str
    lines: Sequence[str]
    column: int
    y: float = 0

    @property
    def x(self) -> int:
        return self.column * COLUMN

    @property
    def height(self) -> int:
        return 2 * PADDING + LINE * (1 + len(self.lines))

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


@dataclass(frozen=True)
class Arrow:
    """An arrow between two boxes of neighbouring columns."""

    start: Box
    end: Box

    @property
    def path(self) -> str:
        """The arrow as an SVG path."""
        to_right = self.start.column < self.end.column
        x1 = self.start.x + (WIDTH if to_right else 0)
        x2 = self.end.x + (0 if to_right else WIDTH)
        middle, y1, y2 = (x1 + x2) / 2, self.start.middle, self.end.middle
        return f"M{x1} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2} {y2:g}"


@dataclass
class Picture:
    """Boxes and arrows."""

    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    width: int = 3 * COLUMN + WIDTH
    height: float = 0


def draw(environment: Environment) -> Picture:
    """Return the picture of an environment."""
    pushers, teams, logins, elsewhere = {}, {}, {}, {}
    for name, team in environment.teams.items():
        repositories = [*(repository_name(name, each) for each in team.repositories), *team.existing_repositories]
        if team.create_on_push:
            repositories.append(repository_name(name, "…"))
        pushers[name] = Box("team", f"Team {name}", [environment.push_role_name(name)], 0)
        teams[name] = Box("repositories", "Repositories", _shortened(repositories), 1)
    for connection_id, connection in environment.connections.items():
        every = f"every {connection.refresh_every_minutes} minutes"
        logins[connection_id] = Box("login", connection_id, [every], 2)
        if connection.registry:
            images = environment.pulled_images(connection_id)
            names = [*(repository_name(team, "…") for team in images.teams), *images.repositories]
            where = [images.registry.account, images.registry.region]
            elsewhere[connection_id] = Box("repositories", "Another registry", [*where, *_shortened(names)], 1)
    workers = Box("workers", "Airflow workers", _workers(environment), 3)
    picture = Picture()
    columns = [list(pushers.values()), [*teams.values(), *elsewhere.values()], list(logins.values()), [workers]]
    for name, box in teams.items():  # a team and its repositories are at the same height
        pushers[name].y = box.y = picture.height
        picture.height += box.height + GAP
    for box in elsewhere.values():
        box.y = picture.height
        picture.height += box.height + GAP
    for column in columns[2:]:
        _centre(column, picture.height)
    lowest = max(box.y + box.height for column in columns for box in column)
    highest = min(box.y for column in columns for box in column)
    picture.boxes = [box for column in columns for box in column]
    for box in picture.boxes:
        box.y -= highest
    for name, box in pushers.items():
        box.y += (teams[name].height - box.height) / 2
    picture.height = lowest - highest
    picture.arrows = [Arrow(pushers[name], teams[name]) for name in teams]
    for connection_id, connection in environment.connections.items():
        sources = [elsewhere[connection_id]] if connection.registry else [teams[name] for name in connection.teams]
        picture.arrows += [Arrow(logins[connection_id], source) for source in sources]
        picture.arrows.append(Arrow(logins[connection_id], workers))
    return picture


def _centre(boxes: Sequence[Box], height: float) -> None:
    y = (height - sum(box.height + GAP for box in boxes)) / 2
    for box in boxes:
        box.y = y
        y += box.height + GAP


def _shortened(names: Iterable[str]) -> list[str]:
    lines = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES - 1 :] = [f"and {len(lines) - MOST_LINES + 1} more"]
    return lines


def _workers(environment: Environment) -> list[str]:
    if not environment.workers.role_arns:
        return ["a role of the deployment"]
    return _shortened(arn.rpartition("/")[2] for arn in environment.workers.role_arns)
