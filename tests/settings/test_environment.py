"""Settings: what a user may write, and the one line that answers what they may not."""

from pathlib import Path

import pydantic
import pytest

from settings.environment import Environment
from settings.files import SettingsError, load_environments
from settings.names import pascal_case
from tools import ROOT

USER = "arn:aws:iam::111111111111:user/ana"
PUSH_TABLE = f"""\
[teams.analytics.push]
user_arns = ["{USER}"]
"""
TEAM_TABLE = f"""\
[teams.analytics]
repositories = ["web-scraper", "churn-model"]
{PUSH_TABLE}
"""
DOCKER_TABLE = """\
[connections.docker_default]
teams = ["analytics"]
"""
ALERTS_TABLE = """\
[alerts]
emails = ["ops@example.com"]
"""
VALID = f"""\
account = "111111111111"
region = "eu-west-1"

{ALERTS_TABLE}
{TEAM_TABLE}{DOCKER_TABLE}"""
ROLE = "arn:aws:iam::111111111111:role/ci"
TOPIC = "arn:aws:sns:eu-west-1:111111111111:alerts"
AWAY = "arn:aws:iam::222222222222:role/ci"
BOUNDARY = "arn:aws:iam::111111111111:policy/Boundary"
ACCOUNT_ROOT = "arn:aws:iam::111111111111:root"
SSO_ROLE = "AWSReservedSSO_DataAnalyst_0123456789abcdef"
CHINA_USER, CHINA_ROLE = USER.replace("aws", "aws-cn"), ROLE.replace("aws", "aws-cn")
SESSION = "arn:aws:sts::111111111111:assumed-role/ci/run-1"

ARABIC = "\u0661" * 12
LONG_ID = f"docker_{'x' * 244}"

# Keys
REPOSITORIES = "teams.analytics.repositories"
PUSH = "teams.analytics.push"
SETS, ROLES, USERS = f"{PUSH}.permission_sets", f"{PUSH}.role_arns", f"{PUSH}.user_arns"
MUST_MFA = f"{PUSH}.require_mfa"
DEFAULTS = "teams.analytics.repository_defaults"
CLEAN = "workers.clean_up"
TASK = "ecs.tasks.'analytics/web-scraper'"
TAGS, IMAGES = f"{DEFAULTS}.mutable_tags", f"{DEFAULTS}.keep_images"
GLASS = "break_glass_role_arns"
LIMIT = "permissions_boundary_arn"
DOCKER = "connections.docker_default"
REFRESH = f"{DOCKER}.refresh_every_minutes"


# Edits of VALID


def edited(old: str, new: str) -> str:
    assert VALID.count(old) == 1
    return VALID.replace(old, new)


def top(text: str) -> str:
    return f"{text}\n{VALID}"


def end(text: str) -> str:
    """VALID and more: settings of docker_default, or further tables."""
    return f"{VALID}\n{text}\n"


def numbered(word: str, count: int) -> list[str]:
    return [f"{word}{number}" for number in range(count)]


def account(value: str) -> str:
    return edited('"111111111111"', value)


def prefix(value: str) -> str:
    return top(f'connections_prefix = "{value}"')


def break_glass(arn: str) -> str:
    return top(f'break_glass_role_arns = ["{arn}"]')


def boundary(arn: str) -> str:
    return top(f'permissions_boundary_arn = "{arn}"')


def role_path(path: str) -> str:
    return top(f'role_path = "{path}"')


def teams(*names: str) -> str:
    return end("".join(f'[teams.{name}]\nrepositories = ["var"]\npush.role_arns = ["{ROLE}"]\n' for name in names))


def repositories(*names: str) -> str:
    return edited('["web-scraper", "churn-model"]', str([*names]))


def push(text: str) -> str:
    return edited(f'user_arns = ["{USER}"]', text)


def pushers(key: str, *names: str, mfa: str = "false") -> str:
    return push(f"{key.rpartition('.')[2]} = {[*names]}\nrequire_mfa = {mfa}")


def defaults(text: str) -> str:
    return end(f"[{DEFAULTS}]\n{text}")


def tags(*patterns: str) -> str:
    return defaults(f"mutable_tags = {[*patterns]}")


def connections(*names: str) -> str:
    return end("".join(f'[connections.{name}]\nteams = ["analytics"]\n' for name in names))


def connected(*names: str) -> str:
    """VALID with other teams in docker_default."""
    return edited('["analytics"]', str([*names]))


def refresh(minutes: int) -> str:
    return end(f"refresh_every_minutes = {minutes}")


def workers(*arns: str) -> str:
    return end(f"[workers]\nrole_arns = {[*arns]}")


def alerts(text: str) -> str:
    return edited('emails = ["ops@example.com"]', text)


def emails(*addresses: str) -> str:
    return alerts(f"emails = {[*addresses]}")


def topic(arn: str) -> str:
    return alerts(f'topic_arn = "{arn}"')


def clean_up(text: str) -> str:
    return end(f'[{CLEAN}]\ntag_key = "role"\ntag_value = "worker"\n{text}')


def task(text: str = "", repository: str = "analytics/web-scraper") -> str:
    tag = "" if text.startswith("image_tag") else 'image_tag = "1"'
    return workers(ROLE) + f'[ecs.tasks."{repository}"]\n{tag}\n{text}\n'


def many_tasks() -> str:
    names = numbered("r", 20)
    listed = "".join(f'[ecs.tasks."analytics/{name}"]\nimage_tag = "1"\n' for name in names)
    return repositories(*names) + f'[workers]\nrole_arns = ["{ROLE}"]\n' + listed


def loaded(folder: Path, **files: str | bytes) -> list[Environment]:
    for name, content in files.items():
        (folder / f"{name}.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_environments(folder)


def refusals(folder: Path, **files: str | bytes) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        loaded(folder, **files)
    return str(refused.value).splitlines()


# A rule, a dev.toml that breaks it, the key of the answer, and what the answer tells: what is wrong, how to mend it.
Row = tuple[str, str | bytes, str, str, str]

FILES: list[Row] = [
    ("a file holds settings", "", "file", "no settings", "delete it"),
    ("a file holds more than comments", "# later\n", "file", "no settings", "delete it"),
    ("a file is UTF-8", VALID.encode() + "# für".encode("latin-1"), "line 14", "not UTF-8", "save the file"),
    ("a file is TOML", top('account = "1'), "line 1, column 13", "not TOML", "quotes"),
    ("a file is complete", end("[workers]\nrole_arns = ["), "end of document", "not TOML", "quotes"),
    ("a table stands once", end("[teams.analytics]"), "line 15, column 17", "not TOML", "stands once"),
    ("a key stands once", top('region = "eu-west-1"'), "line 3, column 21", "not TOML", "stands once"),
    ("an account that starts with 0 is text", "account = 011111111111", "line 1, column 12", "not TOML", "quotes"),
    ("the file's name is the only name", top('name = "dev"'), "name", "no setting", "remove it"),
]
KEYS: list[Row] = [
    ("a setting is known", top("acount = 1"), "acount", "no setting", "did you mean account? keys here: account"),
    ("a setting like none is told which there are", top("x = 1"), "x", "no setting", "account, region, conn"),
    ("an unknown key with a space is quoted", top('"a b" = 1'), "'a b'", "no setting", "keys here: account"),
    ("a table is known", end("[worker]"), "worker", "no setting", "did you mean workers?"),
    ("a team's keys are known", end("[teams.analytics.pull]"), "teams.analytics.pull", "no setting", "repositories"),
    ("a push's keys are known", push(f'user_arn = "{USER}"'), f"{PUSH}.user_arn", "no setting", "mean user_arns?"),
    ("a default's keys are known", defaults("keep = 5"), f"{DEFAULTS}.keep", "no setting", "mutable_tags, keep_images"),
    ("a connection's keys are known", end("team = 1"), f"{DOCKER}.team", "no setting", "did you mean teams?"),
    ("the workers' keys are known", end("[workers]\npull = 1"), "workers.pull", "no setting", "pull_directly"),
    ("the alerts' keys are known", alerts("sms = 1"), "alerts.sms", "no setting", "here: emails"),
    ("an account is there", edited('account = "111111111111"', ""), "account", "missing", 'account = "123456789012"'),
    ("a region is there", edited('region = "eu-west-1"', ""), "region", "missing", 'region = "eu-west-1"'),
    ("teams are there", edited(TEAM_TABLE, ""), "teams", "missing", "[teams.analytics]"),
    ("repositories are there", edited("repositories", "# "), REPOSITORIES, "missing", "repositories = ["),
    ("a push is there", edited(PUSH_TABLE, ""), PUSH, "missing", "user_arns"),
    ("connections are there", edited(DOCKER_TABLE, ""), "connections", "missing", "[connections.docker_default]"),
    ("a connection's teams are there", edited('teams = ["analytics"]', ""), f"{DOCKER}.teams", "missing", "teams = ["),
    (
        "a clean-up has a tag",
        end(f'[{CLEAN}]\ntag_value = "worker"'),
        f"{CLEAN}.tag_key",
        "missing",
        'tag_key = "role"',
    ),
    ("a clean-up's keys are known", clean_up("keep = 1"), f"{CLEAN}.keep", "no setting", "images_older_than_hours"),
    ("there is a task", end("[ecs]"), "ecs.tasks", "missing", '[ecs.tasks."analytics/web-scraper"]'),
    ("a task's tag is there", workers(ROLE) + f"[{TASK}]", f"{TASK}.image_tag", "missing", 'image_tag = "1"'),
    ("a task's keys are known", task("cpu_unit = 1"), f"{TASK}.cpu_unit", "no setting", "did you mean cpu_units?"),
    ("alerts are there", edited(ALERTS_TABLE, ""), "alerts", "missing", "off_because with a reason"),
    ("there is a team", edited(TEAM_TABLE, "[teams]\n"), "teams", "is empty", "at least one"),
    ("there is a repository", repositories(), REPOSITORIES, "is empty", "at least one"),
    ("there is a connection", edited(DOCKER_TABLE, "[connections]\n"), "connections", "is empty", "at least one"),
    ("a connection has a team", connected(), f"{DOCKER}.teams", "is empty", "at least one"),
    ("alerts tell somebody", emails(), "alerts", "needs one of emails, topic_arn and off_because", "add"),
    ("alerts say one thing", alerts(f'emails = ["a@b.c"]\ntopic_arn = "{TOPIC}"'), "alerts", "one only", "remove"),
]
KINDS: list[Row] = [
    ("an account is in quotes", account("111111111111"), "account", "a whole number", "in quotes"),
    ("text is no switch", top("connections_prefix = true"), "connections_prefix", "true or false", "text, in quotes"),
    ("a number is no text", end('refresh_every_minutes = "30"'), REFRESH, "text", "a whole number"),
    ("a number is whole", defaults("keep_images = 5.0"), IMAGES, "a decimal", "a whole number"),
    ("a number is no switch", defaults("keep_images = true"), IMAGES, "true or false", "a whole number"),
    ("a switch is no text", push('require_mfa = "no"'), MUST_MFA, "text", "true or false"),
    ("a list is no text", push(f'user_arns = "{USER}"'), USERS, "text", "a list"),
    ("a list holds text", push("permission_sets = [7]"), SETS, "a whole number", "in quotes"),
    ("a table is no date", top("workers = 2020-01-01"), "workers", "a date", "a table"),
    ("a table of tables is no list", edited(TEAM_TABLE, "[[teams]]\n"), "teams", "a list", "a table"),
    ("a secret's key is one of two", top('secret_key = "own"'), "secret_key", "'own'", "'aws' or 'customer'"),
]
PLACES: list[Row] = [
    ("an account has 12 digits", account('"1111"'), "account", "'1111'", "12 digits"),
    ("an account has ASCII digits", account(f'"{ARABIC}"'), "account", "no AWS account", "12 digits"),
    ("a region is no typo", edited("eu-west-1", "eu-wst-1"), "region", "'eu-wst-1'", "did you mean eu-west-1?"),
    ("a region is no zone", edited("eu-west-1", "eu-west-1a"), "region", "'eu-west-1a'", "did you mean eu-west-1?"),
    ("a region is lower-case", edited("eu-west-1", "EU-WEST-1"), "region", "'EU-WEST-1'", "did you mean eu-west-1?"),
    ("a region is on earth", edited("eu-west-1", "mars"), "region", "'mars'", "such as eu-west-1"),
    ("a prefix starts with no slash", prefix("/a"), "connections_prefix", "'/a'", "single slashes"),
    ("a prefix ends with no slash", prefix("a/"), "connections_prefix", "'a/'", "single slashes"),
    ("a prefix has single slashes", prefix("a//b"), "connections_prefix", "'a//b'", "single slashes"),
    ("a prefix has no spaces", prefix("a b"), "connections_prefix", "'a b'", "letters, digits"),
    ("a prefix is something", prefix(""), "connections_prefix", "''", "letters, digits"),
    ("a secret's name fits", prefix("p" * 498), DOCKER, "513 characters", "shorten it to 512"),
]
NAMES: list[Row] = [
    ("a team is lower-case", teams("Risk"), "teams.Risk", "'Risk'", "lower-case"),
    ("a team has single hyphens", teams("a--b"), "teams.a--b", "'a--b'", "single hyphens"),
    ("a team ends with no hyphen", teams("a-"), "teams.a-", "'a-'", "single hyphens"),
    ("a team has no underscores", teams("a_b"), "teams.a_b", "'a_b'", "single hyphens"),
    ("a team starts with a letter", teams("3d"), "teams.3d", "'3d'", "a letter first"),
    ("a team has no line break", teams(r'"risk\n"'), r"teams.'risk\n'", r"'risk\n'", "lower-case"),
    ("a push role's name fits", teams("t" * 52), f"teams.{'t' * 52}", "65 characters", "shorten it to 64"),
    ("a repository is lower-case", repositories("Var"), REPOSITORIES, "'Var'", "lower-case"),
    ("a repository has single separators", repositories("a--b"), REPOSITORIES, "'a--b'", "single . _ - or /"),
    ("a repository starts with no slash", repositories("/a"), REPOSITORIES, "'/a'", "between"),
    ("a repository's name fits", repositories("r" * 247), REPOSITORIES, "257 characters", "shorten it to 256"),
    ("a connection starts with docker_", edited("docker_default", "ecr"), "connections.ecr", "'ecr'", "write docker_"),
    ("a connection has no hyphens", connections("docker_a-b"), "connections.docker_a-b", "'docker_a-b'", "a-z, 0-9, _"),
    ("a connection is more than docker_", connections("docker_"), "connections.docker_", "'docker_'", "and then a-z"),
    ("a connection's id fits", connections(LONG_ID), f"connections.{LONG_ID}", "no id", "250 characters at most"),
    ("a connection's team is no typo", connected("analytic"), f"{DOCKER}.teams", "no team", "did you mean analytics?"),
    ("a connection's team exists", connected("x"), f"{DOCKER}.teams", "'x'", "teams here: analytics"),
    ("two teams have two ids", teams("a-1", "a1"), "teams", "'a-1' and 'a1'", "rename one"),
    ("two repositories have two ids", repositories("a-b", "a/b"), REPOSITORIES, "'a-b' and 'a/b'", "rename one"),
    ("two connections have two ids", connections("docker__default"), "connections", "'docker__default'", "rename one"),
]
WHO: list[Row] = [
    ("a push names somebody", push("require_mfa = true"), PUSH, "names nobody", "add permission_sets"),
    ("an empty list names nobody", push("role_arns = []"), PUSH, "names nobody", "add permission_sets"),
    ("MFA locks no CI out", pushers(ROLES, ROLE, mfa="true"), MUST_MFA, "lock permission_sets", "users only"),
    ("MFA locks no set out", pushers(SETS, "a", mfa="true"), MUST_MFA, "and role_arns out", "IAM Identity Center"),
    ("a permission set is no role", pushers(SETS, SSO_ROLE), SETS, SSO_ROLE, "its name in IAM Identity Center"),
    ("a permission set has no spaces", pushers(SETS, "a b"), SETS, "'a b'", "its name in IAM Identity Center"),
    *(
        (f"{arn} is no role", pushers(ROLES, arn), ROLES, f"'{arn}' is no role's ARN", mend)
        for arn, mend in {
            "ci": ":role/name",
            "*": "without wildcards",
            "111111111111": ":role/name",
            USER: ":role/name",
            "arn:aws:iam::111111111111:root": ":role/name",
            "arn:aws:iam::111111111111:role/": ":role/name",
            "arn:aws:iam::111111111111:role/*": "without wildcards",
            "arn:aws:iam::111111111111:role/ci-?": "without wildcards",
            "arn:aws:iam::*:role/ci": "without wildcards",
            "arn:aws:iam::1111:role/ci": "::123456789012:",
            "arn:aws:iam:eu-west-1:111111111111:role/ci": "arn:aws:iam::123456789012:",
        }.items()
    ),
    ("a session is no role", pushers(ROLES, SESSION), ROLES, "one session", f"the role itself, {ROLE}"),
    ("a session is no user", pushers(USERS, SESSION), USERS, "one session", f"the role itself, {ROLE}"),
    ("a role is no user", pushers(USERS, ROLE), USERS, f"'{ROLE}' is no user's ARN", ":user/name"),
    ("an account is no user", pushers(USERS, ACCOUNT_ROOT), USERS, f"'{ACCOUNT_ROOT}' is no user's ARN", ":user/name"),
    ("a user breaks no glass", break_glass(USER), GLASS, "no role's ARN", ":role/name"),
    ("a user is no worker", workers(USER), "workers.role_arns", "no role's ARN", ":role/name"),
    (
        "a connection's teams fit into a policy",
        teams(*numbered("t", 103)) + "[connections.docker_all]\nteams = " + str(numbered("t", 103)),
        "connections.docker_all.teams",
        "too many for one IAM policy",
        "split",
    ),
    (
        "the connections fit into the workers' policy",
        prefix("x" * 200) + connections(*numbered("docker_", 20)).removeprefix(VALID),
        "connections",
        "too many for the workers' one IAM policy",
        "connections_prefix",
    ),
    (
        "the pushers fit into a trust policy",
        push(f"role_arns = {[f'{ROLE}-{n:03}' for n in range(40)]}"),
        PUSH,
        "too many for one trust policy",
        "one role",
    ),
    (
        "a customer key is tried where it is offered",
        top('secret_key = "customer"').replace("eu-west-1", "cn-north-1").replace(USER, CHINA_USER),
        "secret_key",
        "not tried in cn-north-1",
        "'aws'",
    ),
    (
        "the teams of all connections fit into a template",
        teams(*numbered("t", 61))
        + "\n".join(f"[connections.docker_{n}]\nteams = {numbered('t', 61)}" for n in range(10)),
        "connections",
        "611 teams in all connections",
        "split",
    ),
    (
        "what workers pull directly fits into their policy",
        teams(*numbered("t", 62))
        + "[connections.docker_all]\nteams = "
        + str(numbered("t", 62))
        + "\n[workers]\npull_directly = true",
        "connections",
        "too many for the workers' one IAM policy",
        "split",
    ),
    ("a repository without its team", repositories("analytics/app"), REPOSITORIES, "says too much", "write 'app'"),
    (
        "a repository without its registry",
        repositories("111111111111.dkr.ecr.eu-west-1.amazonaws.com/app"),
        REPOSITORIES,
        "says too much",
        "write 'app'",
    ),
    ("a worker is one role", workers(ROLE, f"{ROLE[:-2]}path/ci"), "workers.role_arns", "two ARNs", "keep the right"),
    ("break glass is of the same account", break_glass(AWAY), GLASS, AWAY, "account 111111111111"),
    (
        "a boundary is of the same account",
        boundary(BOUNDARY.replace("1", "2")),
        LIMIT,
        "another account",
        "111111111111",
    ),
    (
        "a boundary is of one account",
        boundary(BOUNDARY.replace("1" * 12, "*")),
        LIMIT,
        "no managed policy's ARN",
        "wildcards",
    ),
    ("a boundary is of the partition", boundary(BOUNDARY.replace("aws", "aws-cn")), LIMIT, "foreign to", "arn:aws:"),
    ("a role is no boundary", boundary(ROLE), LIMIT, "no managed policy's ARN", ":policy/name"),
    ("a path has a slash in front", role_path("data/"), "role_path", "no role path", "like /data-platform/"),
    ("a path has a slash behind", role_path("/data"), "role_path", "no role path", "with a slash"),
    ("a path has single slashes", role_path("/data//platform/"), "role_path", "no role path", "with a slash"),
    ("a path is short enough", role_path(f"/{'x' * 511}/"), "role_path", "too long", "512"),
    ("a worker is of the same account", workers(AWAY), "workers.role_arns", AWAY, "account 111111111111"),
    ("a pushing user is of the partition", pushers(USERS, CHINA_USER), USERS, "foreign to eu-west-1", "arn:aws:"),
    ("a pushing role is of the partition", pushers(ROLES, CHINA_ROLE), ROLES, "foreign to eu-west-1", "arn:aws:"),
    ("a worker is of the partition", workers(CHINA_ROLE), "workers.role_arns", "foreign to eu-west-1", "arn:aws:"),
    ("a glass breaker is of the partition", break_glass(CHINA_ROLE), GLASS, "foreign to eu-west-1", "arn:aws:"),
    ("an e-mail address has an at", emails("ops.example.com"), "alerts.emails", "'ops.ex", "team@example.com"),
    ("a clean-up is of a day", clean_up('schedule = "cron(* * ? * * *)"'), f"{CLEAN}.schedule", "no time", "SUN"),
    ("a clean-up has a schedule", clean_up('schedule = "daily"'), f"{CLEAN}.schedule", "'daily'", "cron(0 3 ? * * *)"),
    (
        "a task is of a repository",
        task(repository="analytics/web"),
        "ecs.tasks.'analytics/web'",
        "no repository",
        "mean",
    ),
    (
        "tasks need workers by name",
        end('[ecs.tasks."analytics/web-scraper"]\nimage_tag = "1"'),
        "ecs",
        "named",
        "workers.role_arns",
    ),
    ("a task's image has a tag", task('image_tag = "a b"'), f"{TASK}.image_tag", "no image tag", "letters"),
    ("a topic has an ARN", topic("alerts"), "alerts.topic_arn", "'alerts' is no topic's ARN", "arn:aws:sns:"),
    ("a topic is no FIFO topic", topic(f"{TOPIC}.fifo"), "alerts.topic_arn", "no topic's ARN", "FIFO"),
    (
        "a topic is of the region",
        topic(TOPIC.replace("west", "east")),
        "alerts.topic_arn",
        "another region",
        "eu-west-1",
    ),
    ("a topic is of the partition", topic(TOPIC.replace("aws", "aws-cn")), "alerts.topic_arn", "foreign", "arn:aws:"),
    ("silence has a reason", alerts('off_because = " "'), "alerts.off_because", "no reason", "say why"),
    ("a runbook has no heading", alerts('emails = ["a@b.c"]\nrunbook = "a#b"'), "alerts.runbook", "'a#b'", "without #"),
    ("an e-mail address has a domain", emails("a@b"), "alerts.emails", "'a@b'", "team@example.com"),
]
LIMITS: list[Row] = [
    ("a refresh leaves 10 minutes", refresh(9), REFRESH, "9 is out of range", "10 to 180"),
    ("a refresh comes within 180 minutes", refresh(181), REFRESH, "181 is out of range", "10 to 180"),
    ("one image at least is kept", defaults("keep_images = 0"), IMAGES, "0 is out of range", "1 to 10000"),
    ("10000 images at most are kept", defaults("keep_images = 10001"), IMAGES, "10001 is out of range", "1 to 10000"),
    ("five tag patterns at most", tags(*"abcdef"), TAGS, "too long", "keep 5"),
    ("a tag pattern has two * at most", tags("a*b*c*"), TAGS, "'a*b*c*'", "two * at most"),
    ("a tag pattern is no regular expression", tags("v[0-9]"), TAGS, "'v[0-9]'", "letters, digits and ._-*"),
    ("a tag pattern has 128 characters at most", tags("a" * 129), TAGS, "no tag pattern", "1 to 128"),
    ("a repository stands once", repositories("var", "var"), REPOSITORIES, "'var' stands there more", "keep one"),
    ("a pusher stands once", pushers(ROLES, ROLE, ROLE), ROLES, f"'{ROLE}' stands there more", "keep one"),
    ("a connection's team stands once", connected("a", "a"), f"{DOCKER}.teams", "'a'", "keep one"),
    ("an e-mail address stands once", emails("a@b.c", "a@b.c"), "alerts.emails", "'a@b.c'", "keep one"),
    ("200 teams at most", teams(*numbered("t", 200)), "teams", "201 teams", "two environments"),
    ("490 repositories at most", repositories(*numbered("r", 491)), "teams", "491 repositories", "two environments"),
    ("35 connections at most", connections(*numbered("docker_", 35)), "connections", "36 conn", "two environments"),
    (
        "a clean-up keeps an hour",
        clean_up("images_older_than_hours = 0"),
        f"{CLEAN}.images_older_than_hours",
        "0 is",
        "1",
    ),
    ("a task has a size of Fargate", task("cpu_units = 300"), f"{TASK}.cpu_units", "300 is not possible", "256, 512"),
    ("a task has memory for its size", task("memory_mib = 700"), TASK, "700 does not go", "512, 1024, 2048"),
    ("a policy has room for so many tasks", many_tasks(), "ecs.tasks", "too many", "list fewer"),
    ("ten e-mail addresses at most", emails(*numbered("a@b.c", 11)), "alerts.emails", "too long", "keep 10"),
]


@pytest.mark.parametrize(
    ("content", "key", "wrong", "mend"),
    [pytest.param(*row, id=sentence) for sentence, *row in FILES + KEYS + KINDS + PLACES + NAMES + WHO + LIMITS],
)
def test_one_problem_is_answered_in_one_line(
    tmp_path: Path, content: str | bytes, key: str, wrong: str, mend: str
) -> None:
    (line,) = refusals(tmp_path, dev=content)

    assert line.startswith(f"dev.toml: {key}: ")
    assert line == line.strip()
    what, _, how = line.removeprefix(f"dev.toml: {key}: ").partition("; ")
    assert wrong in what
    assert mend in how


@pytest.mark.parametrize("name", ["Dev", "1dev", "dev-", "dev--eu", "dev_eu", "dev.eu"])
def test_a_file_that_cannot_name_an_environment_is_refused(tmp_path: Path, name: str) -> None:
    (line,) = refusals(tmp_path, **{name: VALID})

    assert line.startswith(f"{name}.toml: name: {name!r} cannot name an environment; rename the file:")


@pytest.mark.parametrize(("folder", "what"), [(".", "holds no .toml file"), ("nowhere", "is no folder")])
def test_a_folder_without_environments_is_refused(tmp_path: Path, folder: str, what: str) -> None:
    (line,) = refusals(tmp_path / folder)

    assert line == f"{tmp_path / folder}: folder: {what}; keep one file per environment there, such as dev.toml"


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dev.toml").mkdir()

    (line,) = refusals(tmp_path)

    assert line == "dev.toml: file: cannot be read (Is a directory); make it a readable file"


@pytest.mark.parametrize("text", ["a = " + "[" * 9000, "a = " + "1" * 9000], ids=["nested deep", "a huge number"])
def test_what_python_cannot_read_is_refused(tmp_path: Path, text: str) -> None:
    (line,) = refusals(tmp_path, dev=text)

    assert line == "dev.toml: file: is not TOML that can be read; write it like the files in examples/"


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("About the environments.")
    (tmp_path / ".#dev.toml").write_text("An editor's lock.")

    assert [environment.name for environment in loaded(tmp_path, dev=VALID)] == ["dev"]


def test_every_problem_of_every_file_gets_its_line(tmp_path: Path) -> None:
    lines = refusals(
        tmp_path,
        prod=VALID.replace('"111111111111"', "1").replace("web-scraper", "Web") + "speed = 1",
        dev="account = ?",
        test=connected("x", "y"),
    )

    assert [line.rpartition("; ")[0].split(": ")[:2] for line in lines] == [
        ["dev.toml", "line 1, column 11"],
        ["prod.toml", "account"],
        ["prod.toml", REPOSITORIES],
        ["prod.toml", f"{DOCKER}.speed"],
        ["test.toml", f"{DOCKER}.teams"],
        ["test.toml", f"{DOCKER}.teams"],
    ]


def test_two_environments_of_an_account_and_region_cannot_share_a_team(tmp_path: Path) -> None:
    # Its push role of the one would open the other's repositories, whatever these are called.
    other = 'connections_prefix = "eu"\n' + repositories("another")

    (line,) = refusals(tmp_path, dev=VALID, eu=other)

    assert (
        line == "eu.toml: teams.analytics: team 'analytics' is that of dev.toml too; give one of them another team name"
    )


def test_two_environments_cannot_share_a_secret(tmp_path: Path) -> None:
    (line,) = refusals(tmp_path, dev=VALID, eu=VALID.replace("analytics", "eu-analytics"))

    what = "eu.toml: connections.docker_default: secret 'airflow/connections/docker_default' is that of dev.toml too"
    assert line == f"{what}; give one of them another connections_prefix"


def test_two_environments_of_an_account_cannot_share_a_push_role_even_in_two_regions(tmp_path: Path) -> None:
    one = VALID.replace("analytics", "b-ecr-push-c")
    other = VALID.replace("analytics", "c").replace("eu-west-1", "us-east-1")

    (line,) = refusals(tmp_path, **{"a": one, "a-ecr-push-b": other})

    assert line.startswith("a-ecr-push-b.toml: teams.c: push role 'a-ecr-push-b-ecr-push-c' is that of a.toml too; ")


@pytest.mark.parametrize("elsewhere", [("eu-west-1", "us-east-1"), ("111111111111", "222222222222")])
def test_environments_in_other_regions_and_accounts_may_share_names(tmp_path: Path, elsewhere: tuple[str, str]) -> None:
    names = [environment.name for environment in loaded(tmp_path, prod=VALID, dev=VALID.replace(*elsewhere))]

    assert names == ["dev", "prod"]


def test_the_examples_load() -> None:
    assert [environment.name for environment in load_environments(ROOT / "examples")] == ["dev", "prod"]


def test_the_environment_of_the_demo_loads() -> None:
    (local,) = (each for each in load_environments(ROOT / "environments") if each.name == "local")

    assert (local.account, local.region, local.secret_key) == ("123456789012", "us-east-1", "customer")
    assert {name: team.repositories for name, team in local.teams.items()} == {
        "analytics": ("web-scraper", "churn-model"),
        "risk": ("var",),
    }


def test_what_is_left_out_has_the_documented_default(tmp_path: Path) -> None:
    (dev,) = loaded(tmp_path, dev=VALID)
    team = dev.teams["analytics"]

    assert (dev.connections_prefix, dev.secret_key, dev.break_glass_role_arns) == ("airflow/connections", "aws", ())
    assert (team.repository_defaults.mutable_tags, team.repository_defaults.keep_images) == ((), 50)
    assert (team.push.require_mfa, dev.connections["docker_default"].refresh_every_minutes) == (False, 30)
    assert (dev.workers.role_arns, dev.workers.pull_directly) == ((), False)
    assert dev.alerts.runbook == "docs/runbook.md"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(prefix("p" * 497), id="a secret's name of 512 characters"),
        pytest.param(teams("t" * 51), id="a push role's name of 64 characters"),
        pytest.param(repositories("r" * 246), id="a repository's name of 256 characters"),
        pytest.param(repositories("a/b.c_d-e", "2"), id="a repository's name with separators"),
        pytest.param(connections(LONG_ID[:-1]), id="a connection's id of 250 characters"),
        pytest.param(refresh(10), id="a refresh every 10 minutes"),
        pytest.param(refresh(180), id="a refresh every 180 minutes"),
        pytest.param(defaults("keep_images = 1"), id="one kept image"),
        pytest.param(defaults("keep_images = 10000"), id="10000 kept images"),
        pytest.param(tags("a*b*", "b", "c", "E_.-", "d" * 128), id="five tag patterns"),
        pytest.param(teams(*numbered("t", 199)), id="200 teams"),
        pytest.param(repositories(*numbered("r", 490)), id="490 repositories"),
        pytest.param(connections(*numbered("docker_", 34)), id="35 connections"),
        pytest.param(pushers(USERS, USER, mfa="true"), id="MFA for users"),
        pytest.param(clean_up('schedule = "cron(30 2 ? * SUN *)"'), id="a clean-up on Sundays"),
        pytest.param(task("cpu_units = 4096\nmemory_mib = 30720"), id="a large task"),
        pytest.param(topic(TOPIC.replace("1111", "2222")), id="a topic of another account"),
        pytest.param(alerts('off_because = "a sandbox"'), id="no alerts, for a reason"),
        pytest.param(pushers(ROLES, AWAY), id="a pushing role of another account"),
        pytest.param(pushers(ROLES, ROLE.replace("ci", "team/ci")), id="a role with a path"),
        pytest.param(edited("eu-west-1", "cn-north-1").replace(USER, CHINA_USER), id="a user in China"),
        pytest.param("\ufeff" + VALID.replace("\n", "\r\n"), id="a file from Windows"),
    ],
)
def test_what_aws_takes_is_taken(tmp_path: Path, content: str) -> None:
    assert len(loaded(tmp_path, dev=content)) == 1


def test_an_environment_tells_the_names_that_others_rely_on(tmp_path: Path) -> None:
    (dev,) = loaded(tmp_path, dev=prefix("dev/connections"))

    assert dev.secret_name("docker_default") == "dev/connections/docker_default"
    assert dev.push_role_name("analytics") == "dev-ecr-push-analytics"


@pytest.mark.parametrize(("region", "domain"), [("eu-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")])
def test_the_registry_is_the_account_s_in_its_region(tmp_path: Path, region: str, domain: str) -> None:
    (dev,) = loaded(tmp_path, dev=pushers(SETS, "Analyst").replace("eu-west-1", region))

    assert dev.registry_host == f"111111111111.dkr.ecr.{region}.{domain}"


def test_settings_do_not_change_once_they_are_read(tmp_path: Path) -> None:
    (dev,) = loaded(tmp_path, dev=VALID)

    with pytest.raises(pydantic.ValidationError, match="frozen"):
        dev.region = "us-east-1"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("docker_default", "DockerDefault"), ("web-scraper", "WebScraper"), ("a/b.c", "ABC"), ("var2", "Var2")],
)
def test_pascal_case_keeps_letters_and_digits(name: str, expected: str) -> None:
    assert pascal_case(name) == expected
