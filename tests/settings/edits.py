"""A valid settings file, and functions that return the file with one change."""

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
SSO_BARE = f"arn:aws:iam::111111111111:role/{SSO_ROLE}"
SSO_ARN = f"arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/eu-west-1/{SSO_ROLE}"
SSO_SESSION = f"arn:aws:sts::111111111111:assumed-role/{SSO_ROLE}/ana@example.com"
CHINA_USER, CHINA_ROLE = USER.replace("aws", "aws-cn"), ROLE.replace("aws", "aws-cn")
SESSION = "arn:aws:sts::111111111111:assumed-role/ci/run-1"
CHINA_SESSION = SESSION.replace("aws", "aws-cn")

ARABIC = "\u0661" * 12
LONG_ID = f"docker_{'x' * 244}"

# Keys
TEAM = "teams.analytics"
REPOSITORIES = "teams.analytics.repositories"
EXISTING = "teams.analytics.existing_repositories"
PUSH = "teams.analytics.push"
SETS, ROLES, USERS = f"{PUSH}.permission_sets", f"{PUSH}.role_arns", f"{PUSH}.user_arns"
MUST_MFA = f"{PUSH}.require_mfa"
GITHUB, GITLAB = f"{PUSH}.github", f"{PUSH}.gitlab"
DEFAULTS = "teams.analytics.repository_defaults"
READERS, ORGANIZATION = "teams.analytics.pull_accounts", "teams.analytics.pull_organization"
REASON = "teams.analytics.others_may_push_because"
LIFECYCLE = "teams.analytics.lifecycle"
WEB_LIFECYCLE = "teams.analytics.repository.web-scraper.lifecycle"
UNTAGGED = "expire_untagged_after_days"
CLEAN = "workers.clean_up"
TASK = "ecs.tasks.'analytics/web-scraper'"
TAGS, IMAGES = f"{DEFAULTS}.mutable_tags", f"{DEFAULTS}.keep_images"
GLASS = "break_glass_role_arns"
LIMIT = "permissions_boundary_arn"
DOCKER = "connections.docker_default"
REFRESH = f"{DOCKER}.refresh_every_minutes"
FINDINGS = "alerts.scan_findings"


# Functions that return VALID with one change


def edited(old: str, new: str) -> str:
    assert VALID.count(old) == 1
    return VALID.replace(old, new)


def top(text: str) -> str:
    return f"{text}\n{VALID}"


def end(text: str) -> str:
    """Return VALID and a text after it. The text can have settings of docker_default or other tables."""
    return f"{VALID}\n{text}\n"


def misplaced(line: str) -> str:
    """Return VALID with one line moved to the end of the file."""
    return edited(f"{line}\n", "") + f"{line}\n"


def beside(text: str) -> str:
    """Return VALID with another setting in the table of the team."""
    return edited("[teams.analytics]\n", f"[teams.analytics]\n{text}\n")


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


def existing(*names: str) -> str:
    return beside(f"existing_repositories = {[*names]}")


def push(text: str) -> str:
    return edited(f'user_arns = ["{USER}"]', text)


def pushers(key: str, *names: str, mfa: str = "false") -> str:
    return push(f"{key.rpartition('.')[2]} = {[*names]}\nrequire_mfa = {mfa}")


def github(text: str, repository: str = "acme/pipelines") -> str:
    """Return VALID with one repository on GitHub that may push."""
    return push(f'[[{GITHUB}]]\nrepository = "{repository}"\n{text}')


def gitlab(text: str, project: str = "acme/data/pipelines") -> str:
    """Return VALID with one project on GitLab that may push."""
    return push(f'[[{GITLAB}]]\nproject = "{project}"\n{text}')


def defaults(text: str) -> str:
    return end(f"[{DEFAULTS}]\n{text}")


def lifecycle(text: str) -> str:
    return end(f"[{LIFECYCLE}]\n{text}")


def protected(*patterns: str) -> str:
    return lifecycle(f"protected_tags = {[*patterns]}")


def of_web(text: str) -> str:
    """Return VALID with a lifecycle of the repository web-scraper."""
    return end(f"[{WEB_LIFECYCLE}]\n{text}")


def tags(*patterns: str) -> str:
    return defaults(f"mutable_tags = {[*patterns]}")


def connections(*names: str) -> str:
    return end("".join(f'[connections.{name}]\nteams = ["analytics"]\n' for name in names))


def connected(*names: str) -> str:
    """Return VALID with other teams in docker_default."""
    return edited('["analytics"]', str([*names]))


def refresh(minutes: int) -> str:
    return end(f"refresh_every_minutes = {minutes}")


def workers(*arns: str) -> str:
    return end(f"[workers]\nrole_arns = {[*arns]}")


def alerts(text: str) -> str:
    return edited('emails = ["ops@example.com"]', text)


def emails(*addresses: str) -> str:
    return alerts(f"emails = {[*addresses]}")


def findings(severity: str) -> str:
    return alerts(f'emails = ["ops@example.com"]\nscan_findings = "{severity}"')


def topic(arn: str) -> str:
    return alerts(f'topic_arn = "{arn}"')


def own_tags(*lines: str) -> str:
    return end("\n".join(["[tags]", *lines]))


def clean_up(text: str) -> str:
    return end(f'[{CLEAN}]\ntag_key = "role"\ntag_value = "worker"\n{text}')


def task(text: str = "", repository: str = "analytics/web-scraper") -> str:
    tag = "" if text.startswith("image_tag") else 'image_tag = "1"'
    return workers(ROLE) + f'[ecs.tasks."{repository}"]\n{tag}\n{text}\n'


def many_tasks(count: int = 20) -> str:
    names = numbered("r", count)
    listed = "".join(f'[ecs.tasks."analytics/{name}"]\nimage_tag = "1"\n' for name in names)
    return repositories(*names) + f'[workers]\nrole_arns = ["{ROLE}"]\n' + listed


def long_family() -> str:
    """Return VALID with a task whose family has 256 characters in dev.toml."""
    return (
        repositories("r" * 242)
        + f'[workers]\nrole_arns = ["{ROLE}"]\n[ecs.tasks."analytics/{"r" * 242}"]\nimage_tag = "1"\n'
    )


def large_template() -> str:
    """Return VALID with so many repositories of long names that the Registry template has more than 1 MB."""
    return f'break_glass_role_arns = ["{ROLE}"]\n' + repositories(*numbered("r" * 200, 480))
