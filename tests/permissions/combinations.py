"""Combinations of settings: any two values of two settings are together in at least one environment."""

from itertools import combinations, product

from tests.permissions.environments import FOREIGN_ACCOUNT, ORGANIZATION, SECOND_FOREIGN_ACCOUNT, Environment

VALUES: dict[str, tuple[str, ...]] = {
    "role_path": ("/", "/data/"),
    "boundary": ("none", "one"),
    "secret_key": ("aws", "customer"),
    "break_glass": ("none", "several"),
    "workers": ("created", "several"),
    "pull_directly": ("no", "yes"),
    "fargate": ("none", "several"),
    "alerts": ("emails", "topic", "off"),
    "tags": ("immutable", "mutable"),
    "clean_up": ("no", "yes"),
    "teams": ("one", "three"),
    "connections": ("one", "two"),
    "region": ("eu-west-1", "us-east-1"),
    "existing": ("none", "some"),
    "create_on_push": ("no", "yes"),
    "others_push": ("no", "yes"),
    "readers": ("none", "some"),
    "workflows": ("none", "some"),
    "registry": ("own", "another"),
}
# A name with every character that IAM accepts in addition to letters and digits.
SPECIAL = "a.b+c=d,e@f_g-h"
# A line for each environment, with a value for each setting in the order above. A search by program found the lines.
LINES = """
/      one  customer several several yes several off    mutable   yes three two us-east-1 some yes yes some some own
/data/ one  aws      none    created no  none    topic  immutable no  one   one eu-west-1 none no  no  none none own
/      none aws      none    several no  none    emails mutable   no  three two eu-west-1 none yes yes some none own
/data/ none customer several several yes several emails immutable yes one   one us-east-1 some no  no  none some own
/      none customer several created yes none    topic  mutable   yes one   two eu-west-1 some yes no  some none own
/data/ none aws      none    created no  none    off    mutable   yes three one us-east-1 none no  yes none some another
/data/ one  customer several several no  several topic  immutable no  three two us-east-1 none no  yes some some another
/      one  aws      none    several yes several off    immutable no  one   one eu-west-1 some yes yes none none another
/      one  customer none    created yes none    emails mutable   yes three two eu-west-1 none no  no  none some another
/data/ one  aws      several several no  several off    mutable   yes three one us-east-1 some no  no  some none another
/      none aws      several created no  none    emails immutable no  one   one us-east-1 some yes no  some some another
/data/ none customer none    created yes none    off    immutable no  one   two us-east-1 none no  yes some none own
/      none customer none    several no  several topic  immutable yes three one eu-west-1 none yes no  none some own
/data/ none aws      several several yes several topic  mutable   no  one   two eu-west-1 some no  yes none some another
/data/ one  customer several created no  none    emails mutable   no  three two eu-west-1 some no  yes none none own
"""
COMBINATIONS = [dict(zip(VALUES, line.split(), strict=True)) for line in LINES.strip().splitlines()]


def is_possible(values: dict[str, str]) -> bool:
    """Return whether the settings accept these values.

    Tasks on Fargate need existing roles of the workers. A creation template accepts no role with a path.
    """
    without_workers = values.get("workers") == "created" and values.get("fargate") == "several"
    with_path = values.get("role_path") == "/data/" and values.get("create_on_push") == "yes"
    return not (without_workers or with_path)


def missing_pairs() -> list[dict[str, str]]:
    """Return each pair of values that is in no combination."""
    pairs = [
        {first: one, second: other}
        for first, second in combinations(VALUES, 2)
        for one, other in product(VALUES[first], VALUES[second])
    ]
    return [pair for pair in pairs if is_possible(pair) and not any(pair.items() <= c.items() for c in COMBINATIONS)]


def _settings(number: int, values: dict[str, str]) -> str:
    """Return a settings file with these values, for an account of its own."""
    account = f"{200000000000 + number}"
    iam, foreign_role = f"arn:aws:iam::{account}", f"arn:aws:iam::{FOREIGN_ACCOUNT}:role/second"
    foreign_user = f"arn:aws:iam::{FOREIGN_ACCOUNT}:user/eve"
    teams = {
        "red": f'push.role_arns = ["{iam}:role/ci/first", "{foreign_role}", "{iam}:role/{SPECIAL}"]\n'
        f'push.user_arns = ["{iam}:user/a", "{iam}:user/b", "{iam}:user/{SPECIAL}-3"]',
        "green": f'push.user_arns = ["{iam}:user/c", "{iam}:user/d", "{foreign_user}"]\npush.require_mfa = true',
        "blue": f'push.permission_sets = ["Blue", "Navy", "{SPECIAL}"]',
    }
    if values["teams"] == "one":
        teams = {"red": f'{teams["red"]}\npush.permission_sets = ["Red"]'}
    several = values["teams"] == "three"
    connections = {"docker_default": ["red", "blue"] if several else ["red"], "docker_x": [list(teams)[-2:][0]]}
    if values["connections"] == "one":
        del connections["docker_x"]
    tables = [
        f'account = "{account}"\nregion = "{values["region"]}"\nrole_path = "{values["role_path"]}"',
        f'secret_key = "{values["secret_key"]}"',
    ]
    if values["pull_directly"] == "yes":
        tables.append('scan = "registry"')
    elif values["alerts"] == "off":
        tables.append('scan = "off"')
    if values["boundary"] == "one":
        tables.append(f'permissions_boundary_arn = "{iam}:policy/org/Boundary"')
    if values["break_glass"] == "several":
        tables.append(
            f'break_glass_role_arns = ["{iam}:role/BreakGlass", "{iam}:role/ops/OnCall", "{iam}:role/{SPECIAL}-2"]'
        )
    for team, pushers in teams.items():
        tables.append(f"[teams.{team}]\n{_repositories(team, values)}\n{pushers}")
        if values["workflows"] == "some" and team == "red":
            tables.append('push.github = [{ repository = "acme/red", branch = "main" }]')
            tables.append('push.gitlab = [{ project = "acme/data/red", tag = "v*" }]')
        if values["tags"] == "mutable" and team != "blue":
            tables.append('repository_defaults.mutable_tags = ["latest", "dev-*", "v1"]')
            tables.append(f"repository_defaults.keep_images = {number}")
            tables.append(f"lifecycle.expire_untagged_after_days = {number}")
            tables.append('lifecycle.protected_tags = ["release-*", "v1"]')
            if team == "red":
                tables.append(f'repository."jobs/etl".lifecycle.keep_images = {number + 1}')
    for name, of in connections.items():
        tables.append(f"[connections.{name}]\nteams = {of}".replace("'", '"'))
        if name == "docker_default":
            tables.append(f"refresh_every_minutes = {9 + number}")
    if values["registry"] == "another":
        registry = 'region = "us-west-2"' if number % 2 else f'account = "{300000000000 + number}"'
        tables.append(f"[connections.docker_elsewhere]\nregistry = {{ {registry} }}")
        tables.append('teams = ["red", "grey"]\nrepositories = ["tools/base"]')
    tables.append(f"[workers]\npull_directly = {'true' if values['pull_directly'] == 'yes' else 'false'}")
    if values["workers"] == "several":
        tables.append(
            f'role_arns = ["{iam}:role/airflow-worker", "{iam}:role/airflow/gpu-worker", "{iam}:role/{SPECIAL}-1"]'
        )
    if values["clean_up"] == "yes":
        tables.append('[workers.clean_up]\ntag_key = "Role"\ntag_value = "Airflow-Worker"')
        tables.append('schedule = "cron(30 2 ? * SUN *)"')
        tables.append(f"containers_older_than_hours = {200 + number}\nimages_older_than_hours = {300 + number}")
    if values["fargate"] == "several":
        tables += [f'[ecs.tasks."red/{name}"]\nimage_tag = "1"' for name in ("app", "jobs/etl")]
    alerts = {
        "emails": 'emails = ["Ops@example.com", "data@example.com", "third@example.com"]\n'
        'runbook = "https://git.example.com/Runbook.md"',
        "topic": f'topic_arn = "arn:aws:sns:{values["region"]}:{account}:on-call"',
        "off": 'off_because = "a test"',
    }
    tables.append(f"[alerts]\n{alerts[values['alerts']]}")
    if values["boundary"] == "one" and values["alerts"] != "off":
        tables.append('scan_findings = "high"')
    if values["clean_up"] == "yes":
        tables.append('[tags]\nCost-Centre = "A42"')
    return "\n".join(tables)


def _repositories(team: str, values: dict[str, str]) -> str:
    """Return the settings of a team's repositories."""
    lines = ['repositories = ["app", "jobs/etl"]']
    if values["existing"] == "some":
        existing = {"red": ["red_old", "old/red"], "green": ["red_old2"], "blue": ["blue_old"]}[team]
        lines.append(f"existing_repositories = {existing}")
        if team == "blue":  # this team has no managed repositories, so the settings below have no effect
            return lines[1]
    if values["create_on_push"] == "yes" and team != "blue":
        lines.append("create_on_push = true")
        if team == "green":  # this team has only repositories that a push creates
            del lines[0]
    if values["others_push"] == "yes" and team != "green":
        lines.append('others_may_push_because = "a test"')
    if values["readers"] == "some":
        lines.append(f'pull_accounts = ["{FOREIGN_ACCOUNT}", "{SECOND_FOREIGN_ACCOUNT}"]')
        if team != "green":
            lines.append(f'pull_organization = "{ORGANIZATION}"')
    return "\n".join(lines)


# Names that environments often have. The stacks must not treat an environment differently because of its name.
NAMES = (
    "prod",
    "dev",
    "test",
    "staging",
    "live",
    "sandbox",
    "production",
    "local",
    "main",
    "qa",
    "uat",
    "ci",
    "int",
    "demo",
    "preprod",
)
ENVIRONMENTS = [
    Environment(name, _settings(number, values))
    for number, (name, values) in enumerate(zip(NAMES, COMBINATIONS, strict=True), start=1)
]
