"""Combinations of settings: any two values of two settings are together in at least one environment."""

from itertools import combinations, product

from tests.permissions.environments import FOREIGN_ACCOUNT, Environment

VALUES: dict[str, tuple[str, ...]] = {
    "role_path": ("/", "/data/"),
    "boundary": ("none", "one"),
    "secret_key": ("aws", "customer"),
    "break_glass": ("none", "two"),
    "workers": ("created", "two"),
    "pull_directly": ("no", "yes"),
    "fargate": ("none", "two"),
    "alerts": ("emails", "topic", "off"),
    "tags": ("immutable", "mutable"),
    "clean_up": ("no", "yes"),
    "teams": ("one", "three"),
    "connections": ("one", "two"),
    "region": ("eu-west-1", "us-east-1"),
}
# A line for each environment, with a value for each setting in the order above. A search by program found the lines.
LINES = """
/data/ none customer two  two     yes none topic  immutable yes one   one eu-west-1
/      one  aws      none two     no  two  off    mutable   no  three two us-east-1
/data/ one  customer none created yes none emails mutable   no  one   one us-east-1
/      none aws      two  created no  none emails immutable yes three two eu-west-1
/data/ none customer two  two     yes two  off    immutable yes one   two us-east-1
/      one  aws      two  two     yes two  topic  mutable   no  three one eu-west-1
/      none customer none created no  none off    immutable no  one   one eu-west-1
/data/ one  aws      none created no  none topic  immutable yes one   two us-east-1
/data/ none customer two  two     no  two  emails mutable   yes three two us-east-1
"""
COMBINATIONS = [dict(zip(VALUES, line.split(), strict=True)) for line in LINES.strip().splitlines()]


def is_possible(values: dict[str, str]) -> bool:
    """Return whether the settings accept these values. Tasks on Fargate need existing roles of the workers."""
    return not (values.get("workers") == "created" and values.get("fargate") == "two")


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
    teams = {
        "red": f'push.role_arns = ["{iam}:role/ci/first", "{foreign_role}"]\n'
        f'push.user_arns = ["{iam}:user/a", "{iam}:user/b"]',
        "green": f'push.user_arns = ["{iam}:user/c", "{iam}:user/d"]\npush.require_mfa = true',
        "blue": 'push.permission_sets = ["Blue", "Navy"]',
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
    if values["boundary"] == "one":
        tables.append(f'permissions_boundary_arn = "{iam}:policy/org/Boundary"')
    if values["break_glass"] == "two":
        tables.append(f'break_glass_role_arns = ["{iam}:role/BreakGlass", "{iam}:role/ops/OnCall"]')
    for team, pushers in teams.items():
        tables.append(f'[teams.{team}]\nrepositories = ["app", "jobs/etl"]\n{pushers}')
        if values["tags"] == "mutable" and team != "blue":
            tables.append('repository_defaults.mutable_tags = ["latest", "dev-*"]')
    tables += [f"[connections.{name}]\nteams = {of}".replace("'", '"') for name, of in connections.items()]
    tables.append(f"[workers]\npull_directly = {'true' if values['pull_directly'] == 'yes' else 'false'}")
    if values["workers"] == "two":
        tables.append(f'role_arns = ["{iam}:role/airflow-worker", "{iam}:role/airflow/gpu-worker"]')
    if values["clean_up"] == "yes":
        tables.append('[workers.clean_up]\ntag_key = "role"\ntag_value = "airflow-worker"')
    if values["fargate"] == "two":
        tables += [f'[ecs.tasks."red/{name}"]\nimage_tag = "1"' for name in ("app", "jobs/etl")]
    alerts = {
        "emails": 'emails = ["ops@example.com", "data@example.com"]',
        "topic": f'topic_arn = "arn:aws:sns:{values["region"]}:{account}:on-call"',
        "off": 'off_because = "a test"',
    }
    return "\n".join([*tables, f"[alerts]\n{alerts[values['alerts']]}"])


ENVIRONMENTS = [
    Environment(f"pairs-{number}", _settings(number, values)) for number, values in enumerate(COMBINATIONS, start=1)
]
