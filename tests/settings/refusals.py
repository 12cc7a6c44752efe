"""Settings files with one problem each, and the messages about these problems."""

from tests.settings.edits import (
    ACCOUNT_ROOT,
    ALERTS_TABLE,
    ARABIC,
    AWAY,
    BOUNDARY,
    CHINA_ROLE,
    CHINA_SESSION,
    CHINA_USER,
    CLEAN,
    DEFAULTS,
    DOCKER,
    DOCKER_TABLE,
    EXISTING,
    FINDINGS,
    GITHUB,
    GITLAB,
    GLASS,
    IMAGES,
    LIFECYCLE,
    LIMIT,
    LONG_ID,
    MUST_MFA,
    ORGANIZATION,
    PUSH,
    PUSH_TABLE,
    READERS,
    REASON,
    REFRESH,
    REPOSITORIES,
    ROLE,
    ROLES,
    SESSION,
    SETS,
    SSO_ARN,
    SSO_BARE,
    SSO_ROLE,
    SSO_SESSION,
    TAGS,
    TASK,
    TEAM,
    TEAM_TABLE,
    TOPIC,
    UNTAGGED,
    USER,
    USERS,
    VALID,
    WEB_LIFECYCLE,
    account,
    alerts,
    beside,
    boundary,
    break_glass,
    clean_up,
    connected,
    connections,
    defaults,
    edited,
    emails,
    end,
    existing,
    findings,
    github,
    gitlab,
    large_template,
    lifecycle,
    long_family,
    many_tasks,
    misplaced,
    numbered,
    of_web,
    own_tags,
    prefix,
    protected,
    push,
    pushers,
    refresh,
    repositories,
    role_path,
    tags,
    task,
    teams,
    top,
    topic,
    workers,
)

# The name of the case, the content of dev.toml, and three parts of the message: the key, what is wrong, how to fix it.
Refusal = tuple[str, str | bytes, str, str, str]

NAME_THE_SET = "name the permission set DataAnalyst in permission_sets"
REGISTRY = "111111111111.dkr.ecr.eu-west-1.amazonaws.com"
WEB = "analytics/web-scraper"
ANY_ID = "connections.<id>"
NOT_HERE = "is not a setting here"
ABOVE = ("is not a setting here", "it belongs above the first table")


def belongs(table: str) -> tuple[str, str]:
    return "is not a setting here", f"it belongs in [{table}]"


ROLE_FORM, USER_FORM = "arn:aws:iam::123456789012:role/name", "arn:aws:iam::123456789012:user/name"

FILES: list[Refusal] = [
    ("a file has settings", "", "file", "has no settings", "delete the file"),
    ("a file has more than comments", "# later\n", "file", "has no settings", "copy them"),
    ("a file is UTF-8", VALID.encode() + "# für".encode("latin-1"), "line 14", "is not UTF-8", "save the file"),
]
"""The file cannot be read."""

KEYS: list[Refusal] = [
    ("a name is not a setting", top('name = "dev"'), "name", "is not a setting", "remove it"),
    (
        "a typo gets a suggestion",
        top("acount = 1"),
        "acount",
        "is not a setting",
        "did you mean account? If not, write",
    ),
    ("an unknown setting gets a list", top("x = 1"), "x", "is not a setting", "write one of account, region, conn"),
    ("an unknown key with a space", top('"a b" = 1'), "'a b'", "is not a setting", "write one of account"),
    ("an unknown table", end("[worker]"), "worker", "is not a setting", "did you mean workers?"),
    (
        "an unknown key of a team",
        end("[teams.analytics.pull]"),
        "teams.analytics.pull",
        "not a setting",
        "repositories",
    ),
    ("an unknown key of push", push(f'user_arn = "{USER}"'), f"{PUSH}.user_arn", "not a setting", "mean user_arns?"),
    ("an unknown default", defaults("keep = 5"), f"{DEFAULTS}.keep", "not a setting", "mutable_tags, keep_images"),
    ("an unknown key of a connection", end("team = 1"), f"{DOCKER}.team", "not a setting", "did you mean teams?"),
    ("an unknown key of the workers", end("[workers]\npull = 1"), "workers.pull", "not a setting", "pull_directly"),
    ("an unknown key of the alerts", alerts("sms = 1"), "alerts.sms", "not a setting", "write one of emails"),
    ("an unknown key of a clean-up", clean_up("keep = 1"), f"{CLEAN}.keep", "not a setting", "images_older_than_hours"),
    ("an unknown key of a task", task("cpu_unit = 1"), f"{TASK}.cpu_unit", "not a setting", "did you mean cpu_units?"),
    (
        "a top-level setting in the last table",
        alerts('emails = ["a@b.c"]\nrole_path = "/a/"'),
        "alerts.role_path",
        *ABOVE,
    ),
    ("the Region in the last table", misplaced('region = "eu-west-1"'), f"{DOCKER}.region", *ABOVE),
    ("the account in the last table", misplaced('account = "111111111111"'), f"{DOCKER}.account", *ABOVE),
    ("a default beside the repositories", beside("mutable_tags = []"), f"{TEAM}.mutable_tags", *belongs(DEFAULTS)),
    (
        "a default in push",
        push(f"user_arns = ['{USER}']\nmutable_tags = []"),
        f"{PUSH}.mutable_tags",
        *belongs(DEFAULTS),
    ),
    ("a lifecycle at the top", end("[lifecycle]"), "lifecycle", *belongs("teams.<team>.lifecycle")),
    (
        "a number of images beside the repositories",
        beside("keep_images = 5"),
        f"{TEAM}.keep_images",
        *belongs(f"{LIFECYCLE}] or [{DEFAULTS}"),
    ),
    ("an unknown key of a lifecycle", lifecycle("keep = 5"), f"{LIFECYCLE}.keep", "not a setting", "keep_images"),
    (
        "a repository without a lifecycle",
        end("[teams.analytics.repository.web-scraper]"),
        f"{TEAM}.repository.web-scraper.lifecycle",
        "is missing",
        "add a table [teams.analytics.repository.web-scraper.lifecycle]",
    ),
    ("a principal at the top", top(f"user_arns = ['{USER}']"), "user_arns", *belongs("teams.<team>.push")),
    ("a connection's setting at the top", top("refresh_every_minutes = 9"), "refresh_every_minutes", *belongs(ANY_ID)),
    ("an address at the top", top('emails = ["a@b.c"]'), "emails", *belongs("alerts")),
    ("a clean-up beside the teams", end("[clean_up]"), "clean_up", *belongs(CLEAN)),
    ("a time in the workers' table", end("[workers]\nschedule = 'x'"), "workers.schedule", *belongs(CLEAN)),
    ("alerts in a connection", edited("[alerts]", f"[{DOCKER}.alerts]"), f"{DOCKER}.alerts", *belongs("alerts")),
    ("no account", edited('account = "111111111111"', ""), "account", "is missing", 'add account = "123456789012"'),
    ("no region", edited('region = "eu-west-1"', ""), "region", "is missing", 'add region = "eu-west-1"'),
    ("no teams", edited(TEAM_TABLE, ""), "teams", "is missing", "add a table [teams.analytics]"),
    (
        "no repositories",
        edited("repositories", "# "),
        "teams.analytics",
        "has no repository",
        'add repositories = ["<name>"], existing_repositories = ["<name>"] or create_on_push = true',
    ),
    ("no push", edited(PUSH_TABLE, ""), PUSH, "is missing", "user_arns, github or gitlab"),
    ("no connections", edited(DOCKER_TABLE, ""), "connections", "is missing", "a table [connections.docker_default]"),
    ("no teams of a connection", edited('teams = ["analytics"]', ""), f"{DOCKER}.teams", "is missing", "teams = ["),
    ("no tag", end(f'[{CLEAN}]\ntag_value = "worker"'), f"{CLEAN}.tag_key", "is missing", 'add tag_key = "role"'),
    ("no tasks", end("[ecs]"), "ecs.tasks", "is missing", "add a table [ecs.tasks.'analytics/web-scraper']"),
    ("no image tag", workers(ROLE) + f"[{TASK}]", f"{TASK}.image_tag", "is missing", 'add image_tag = "1"'),
    ("no alerts", edited(ALERTS_TABLE, ""), "alerts", "is missing", "emails, topic_arn or off_because"),
    ("an empty table of teams", edited(TEAM_TABLE, "[teams]\n"), "teams", "is empty", "at least one"),
    (
        "an empty list of repositories",
        repositories(),
        "teams.analytics",
        "has no repository",
        'repositories = ["<name>"]',
    ),
    ("an empty table of connections", edited(DOCKER_TABLE, "[connections]\n"), "connections", "is empty", "one"),
    ("an empty list of teams", connected(), f"{DOCKER}.teams", "is empty", "at least one"),
    ("no way to alert", emails(), "alerts", "has none of emails, topic_arn and off_because", "add one"),
    (
        "two ways to alert",
        alerts(f'emails = ["a@b.c"]\ntopic_arn = "{TOPIC}"'),
        "alerts",
        "has emails and topic_arn",
        "keep one",
    ),
    ("no principal that pushes", push("require_mfa = false"), PUSH, "names no principal", "add permission_sets"),
    ("MFA and no principal", push("require_mfa = true"), PUSH, "names no principal", "add permission_sets"),
    ("an empty list of principals", push("role_arns = []"), PUSH, "names no principal", "add permission_sets"),
    (
        "messages about findings to nobody",
        alerts('off_because = "a sandbox"\nscan_findings = "high"'),
        "alerts",
        "scan_findings is 'high', but off_because turns all messages off",
        "remove scan_findings, or write emails or topic_arn",
    ),
    ("no workflow", push("github = []"), PUSH, "names no principal", "github or gitlab"),
    ("a branch in push", push(f"user_arns = ['{USER}']\nowner_id = 1"), f"{PUSH}.owner_id", NOT_HERE, f"[[{GITHUB}]]"),
    ("no repository on GitHub", push(f'[[{GITHUB}]]\nbranch = "m"'), f"{GITHUB}.repository", "is missing", "add rep"),
    ("an unknown key of GitHub", github('branch = "m"\nref = "m"'), f"{GITHUB}.ref", "not a setting", "repository, br"),
    ("a whole repository", github(""), GITHUB, "has neither branch nor environment", "add one"),
    ("a whole project", gitlab(""), GITLAB, "has neither branch nor tag", "add one"),
    ("a branch and an environment", github('branch = "a"\nenvironment = "b"'), GITHUB, "has branch and env", "second"),
    ("a branch and a tag", gitlab('branch = "a"\ntag = "b"'), GITLAB, "has branch and tag", "second table"),
    ("one of two IDs", github('branch = "main"\nowner_id = 1'), GITHUB, "has one of owner_id and", "add the other"),
]
"""A setting is unknown or missing."""

TYPES: list[Refusal] = [
    ("an account without quotes", account("111111111111"), "account", "111111111111 is not a string", "in quotes"),
    ("true for a string", top("connections_prefix = true"), "connections_prefix", "true is not a string", "in quotes"),
    (
        "a string for a number",
        end('refresh_every_minutes = "30"'),
        REFRESH,
        "'30' is not a whole number",
        "without quotes",
    ),
    ("a fraction", defaults("keep_images = 5.5"), IMAGES, "5.5 is not a whole number", "a whole number"),
    ("true for a number", defaults("keep_images = true"), IMAGES, "true is not a whole number", "a whole number"),
    ("a string for true or false", push('require_mfa = "no"'), MUST_MFA, "'no' is not true or false", "without quotes"),
    ("a string for a list", push(f'user_arns = "{USER}"'), USERS, f"'{USER}' is not a list", "in brackets"),
    ("a number in a list of strings", push("permission_sets = [7]"), SETS, "7 is not a string", "in quotes"),
    ("a list for a table", edited(TEAM_TABLE, "[[teams]]\n"), "teams", "a list is not a table", "under a [heading]"),
    ("a table for a list", push("[teams.analytics.push.user_arns]"), USERS, "a table is not a list", "in brackets"),
    ("one table for a list of tables", push(f"[{GITHUB}]"), GITHUB, "a table is not a list of", f"[[{GITHUB}]]"),
    (
        "a string for an ID",
        github('branch = "a"\nowner_id = "1"'),
        f"{GITHUB}.owner_id",
        "'1' is not a whole",
        "without",
    ),
    ("an unknown kind of key", top('secret_key = "own"'), "secret_key", "'own' is not a value", "'aws' or 'customer'"),
    ("an unknown kind of scan", top('scan = "push"'), "scan", "'push' is not a value", "'repository', 'registry' or"),
    ("an unknown severity", findings("medium"), FINDINGS, "'medium' is not a value", "'critical', 'high' or 'off'"),
    ("a tag with a number", own_tags("cost = 42"), "tags.cost", "42 is not a string", "in quotes"),
]
"""A value has the wrong type."""

FORMS: list[Refusal] = [
    ("an account of 4 digits", account('"1111"'), "account", "'1111' is not the ID of an AWS account", "12 digits"),
    ("an account of Arabic digits", account(f'"{ARABIC}"'), "account", "is not the ID of an AWS account", "12 digits"),
    ("a Region with a typo", edited("eu-west-1", "eu-wst-1"), "region", "'eu-wst-1'", "did you mean eu-west-1?"),
    ("an Availability Zone", edited("eu-west-1", "eu-west-1a"), "region", "'eu-west-1a'", "did you mean eu-west-1?"),
    ("a Region in upper case", edited("eu-west-1", "EU-WEST-1"), "region", "'EU-WEST-1'", "did you mean eu-west-1?"),
    *(
        (
            f"{repository} as a repository",
            github('branch = "m"', repository),
            f"{GITHUB}.repository",
            "is not a",
            "acme/",
        )
        for repository in (
            "acme",
            "acme/*",
            "acme*/app",
            "acme/a?p",
            "https://github.com/acme/app",
            "acme@1/app@2",
            "a/b/c",
        )
    ),
    *(
        (
            f"{project} as a project",
            gitlab('branch = "main"', project),
            f"{GITLAB}.project",
            "is not the path",
            "acme/data",
        )
        for project in ("acme", "acme/*", "acme/a?p", "acme/app:ref_type", "/acme/app", "acme/app/")
    ),
    *(
        (
            f"{branch} as a branch",
            github(f'branch = "{branch}"'),
            f"{GITHUB}.branch",
            "is not a branch or tag",
            "release/*",
        )
        for branch in ("*", "/*", "rel*/1", "release/**", "ma?n", "refs/heads/main", "${aws:username}", "")
    ),
    ("a pattern of tags for all", gitlab('tag = "*"'), f"{GITLAB}.tag", "'*' is not a branch or tag", "at the end"),
    *(
        (
            f"{name!r} as an environment",
            github(f'environment = "{name}"'),
            f"{GITHUB}.environment",
            "is not",
            "wildcards",
        )
        for name in ("*", "prod*", "prod:eu", "")
    ),
    *(
        (
            f"{url} as a GitLab server",
            gitlab(f'branch = "m"\nurl = "{url}"'),
            f"{GITLAB}.url",
            "is not the URL",
            "a port",
        )
        for url in (
            "gitlab.example.com",
            "http://gitlab.example.com",
            "https://git.example.com:8443",
            "https://a.b/",
            "*",
        )
    ),
    (
        "an audience with *",
        gitlab('branch = "a"\naudience = "*"'),
        f"{GITLAB}.audience",
        "'*' is not the aud",
        "the aud",
    ),
    ("an unknown Region", edited("eu-west-1", "mars"), "region", "'mars' is not an AWS Region", "such as us-east-1"),
    ("a prefix that starts with a slash", prefix("/a"), "connections_prefix", "'/a'", "single slashes"),
    ("a prefix that ends with a slash", prefix("a/"), "connections_prefix", "'a/'", "single slashes"),
    ("a prefix with two slashes", prefix("a//b"), "connections_prefix", "'a//b'", "single slashes"),
    ("a prefix with a space", prefix("a b"), "connections_prefix", "'a b'", "letters, digits"),
    ("an empty prefix", prefix(""), "connections_prefix", "''", "letters, digits"),
    *(
        (f"the tag {key}", own_tags(f'"{key}" = "x"'), f"tags.{key}", f"'{key}' is the tag", "use another key")
        for key in ("team", "Team", "TEAM")
    ),
    *(
        (f"the reserved tag {key}", own_tags(f'"{key}" = "x"'), f"tags.'{key}'", f"'{key}' is not", "start with aws:")
        for key in ("aws:cost", "AWS:cost")
    ),
    ("a tag with an empty key", own_tags('"" = "x"'), "tags.''", "'' is not the key of a tag", "1 to 128 letters"),
    ("a tag's key of 129 characters", own_tags(f'{"k" * 129} = "x"'), f"tags.{'k' * 129}", "is not the key", "to 128"),
    ("a tag's key with another character", own_tags('"a&b" = "x"'), "tags.'a&b'", "'a&b' is not the key", "_.:/=+@-"),
    ("a tag's value of 257 characters", own_tags(f'k = "{"v" * 257}"'), "tags.k", "is not the value", "1 to 256"),
    ("an empty value of a tag", own_tags('k = ""'), "tags.k", "'' is not the value of a tag", "1 to 256"),
    ("a tag's value with a comma", own_tags('k = "a,b"'), "tags.k", "'a,b' is not the value of a tag", "_.:/=+@-"),
    ("a team in upper case", teams("Risk"), "teams.Risk", "'Risk' is not the name of a team", "lower-case"),
    ("a team with two hyphens", teams("a--b"), "teams.a--b", "'a--b'", "single hyphens"),
    ("a team that ends with a hyphen", teams("a-"), "teams.a-", "'a-'", "single hyphens"),
    ("a team with an underscore", teams("a_b"), "teams.a_b", "'a_b'", "single hyphens"),
    ("a team that starts with a digit", teams("3d"), "teams.3d", "'3d'", "start with a letter"),
    ("a repository in upper case", repositories("Var"), REPOSITORIES, "'Var'", "lower-case"),
    *(
        (f"{name} for a repository", repositories(name), REPOSITORIES, f"'{name}'", "with one of ._-/ between them")
        for name in ("a//b", "a..b", "a___b", "a._b", "a-_b", "-a", "a__", "a b")
    ),
    ("an existing repository in upper case", existing("Web"), EXISTING, "'Web' is not the name", "lower-case"),
    ("an existing repository of 257 characters", existing("r" * 257), EXISTING, "has 257 characters", "to 256"),
    ("a connection without docker_", edited("docker_default", "ecr"), "connections.ecr", "'ecr'", "write docker_"),
    (
        "a connection with a hyphen",
        connections("docker_a-b"),
        "connections.docker_a-b",
        "'docker_a-b'",
        "a-z, 0-9 or _",
    ),
    ("a connection that is only docker_", connections("docker_"), "connections.docker_", "'docker_'", "and then a-z"),
    ("a connection of 251 characters", connections(LONG_ID), f"connections.{LONG_ID}", "is not the ID", "at most 250"),
    ("a permission set's role", pushers(SETS, SSO_ROLE), SETS, SSO_ROLE, "the permission set, DataAnalyst"),
    (
        "a permission set's role without its end",
        pushers(SETS, SSO_ROLE[:-17]),
        SETS,
        "is a role of",
        "set, DataAnalyst",
    ),
    ("the ARN of a permission set's role", pushers(SETS, SSO_ARN), SETS, SSO_ARN, "the permission set, DataAnalyst"),
    ("a permission set's role for pushes", pushers(ROLES, SSO_ARN), ROLES, "is a role of IAM Ide", NAME_THE_SET),
    ("a permission set's role without its path", pushers(ROLES, SSO_BARE), ROLES, "is a role of IAM", NAME_THE_SET),
    ("a session of a permission set", pushers(ROLES, SSO_SESSION), ROLES, "is a role of IAM Identity", NAME_THE_SET),
    ("a session of a permission set for a user", pushers(USERS, SSO_SESSION), USERS, "is a role of", NAME_THE_SET),
    ("a permission set's role for workers", workers(SSO_ARN), "workers.role_arns", "is a role of IAM", "you manage"),
    ("a permission set's role for emergencies", break_glass(SSO_ARN), GLASS, "is a role of IAM", "you manage"),
    ("a permission set with a space", pushers(SETS, "a b"), SETS, "'a b'", "the name that IAM Identity Center shows"),
    *(
        (f"{arn} for a role", pushers(ROLES, arn), ROLES, f"'{arn}' is not the ARN of a role", ROLE_FORM)
        for arn in (
            "ci",
            "*",
            "111111111111",
            USER,
            ACCOUNT_ROOT,
            "arn:aws:iam::111111111111:role/",
            "arn:aws:iam::111111111111:role/*",
            "arn:aws:iam::111111111111:role/ci-?",
            "arn:aws:iam::*:role/ci",
            "arn:aws:iam::1111:role/ci",
            "arn:aws:iam:eu-west-1:111111111111:role/ci",
        )
    ),
    ("a session for a role", pushers(ROLES, SESSION), ROLES, "is the ARN of a session", f"such as {ROLE}"),
    ("a session in China", pushers(ROLES, CHINA_SESSION), ROLES, "is the ARN of a session", f"such as {CHINA_ROLE}"),
    (
        "a session for a user",
        pushers(USERS, SESSION),
        USERS,
        "is the ARN of a session",
        f"role_arns, with its path, such as {ROLE}",
    ),
    ("a role for a user", pushers(USERS, ROLE), USERS, f"'{ROLE}' is not the ARN of a user", USER_FORM),
    ("an account for a user", pushers(USERS, ACCOUNT_ROOT), USERS, "is not the ARN of a user", USER_FORM),
    ("a user for break glass", break_glass(USER), GLASS, "is not the ARN of a role", ROLE_FORM),
    ("a user for a worker", workers(USER), "workers.role_arns", "is not the ARN of a role", ROLE_FORM),
    (
        "a boundary with a wildcard",
        boundary(BOUNDARY.replace("1" * 12, "*")),
        LIMIT,
        "is not the ARN of a managed policy",
        "without wildcards",
    ),
    ("a role for a boundary", boundary(ROLE), LIMIT, "is not the ARN of a managed policy", ":policy/name"),
    ("a path without its first slash", role_path("data/"), "role_path", "is not the path", "like /data-platform/"),
    ("a path without its last slash", role_path("/data"), "role_path", "is not the path", "with a slash"),
    ("a path with two slashes", role_path("/data//platform/"), "role_path", "is not the path", "with a slash"),
    ("a path of 513 characters", role_path(f"/{'x' * 511}/"), "role_path", "has 513 characters", "shorten it to 512"),
    (
        "an address without @",
        emails("ops.example.com"),
        "alerts.emails",
        "is not an e-mail address",
        "team@example.com",
    ),
    ("an address without a domain", emails("a@b"), "alerts.emails", "'a@b' is not an e-mail", "team@example.com"),
    ("a topic's name", topic("alerts"), "alerts.topic_arn", "'alerts' is not the ARN", "arn:aws:sns:"),
    ("a FIFO topic", topic(f"{TOPIC}.fifo"), "alerts.topic_arn", "is not the ARN of a standard SNS topic", "FIFO"),
    (
        "an empty reason",
        alerts('off_because = " "'),
        "alerts.off_because",
        "' ' is not a reason",
        "with the reason why",
    ),
    (
        "a runbook with a heading",
        alerts('emails = ["a@b.c"]\nrunbook = "a#b"'),
        "alerts.runbook",
        "'a#b'",
        "without a heading",
    ),
    ("a tag with a comma", end(f'[{CLEAN}]\ntag_key = "a,b"\ntag_value = "c"'), f"{CLEAN}.tag_key", "'a,b'", "letters"),
    (
        "a clean-up every minute",
        clean_up('schedule = "cron(* * ? * * *)"'),
        f"{CLEAN}.schedule",
        "is not a time",
        "SUN",
    ),
    ("a schedule that is a word", clean_up('schedule = "daily"'), f"{CLEAN}.schedule", "'daily'", "cron(0 3 ? * * *)"),
    (
        "an image tag with a space",
        task('image_tag = "a b"'),
        f"{TASK}.image_tag",
        "'a b' is not an image tag",
        "letters",
    ),
    ("an image tag that starts with a dot", task('image_tag = ".a"'), f"{TASK}.image_tag", "'.a'", "start with"),
    ("a tag pattern with three *", tags("a*b*c*"), TAGS, "'a*b*c*' is not a pattern", "at most two *"),
    ("a regular expression for tags", tags("v[0-9]"), TAGS, "'v[0-9]' is not a pattern", "letters, digits and ._-"),
    ("a tag pattern of 129 characters", tags("a" * 129), TAGS, "has 129 characters", "shorten it to 128"),
    ("a reader that is a name", beside('pull_accounts = ["prod"]'), READERS, "'prod' is not the ID", "its 12 digits"),
    ("every account as a reader", beside('pull_accounts = ["*"]'), READERS, "'*' is not the ID", "its 12 digits"),
    (
        "an organization by its name",
        beside('pull_organization = "acme"'),
        ORGANIZATION,
        "'acme' is not the ID of an organization",
        "such as o-abcd123456",
    ),
    (
        "an organizational unit",
        beside('pull_organization = "ou-ab12-cdefghij"'),
        ORGANIZATION,
        "'ou-ab12",
        "o-abcd123456",
    ),
    (
        "no reason",
        beside('others_may_push_because = ""'),
        REASON,
        "'' is not a reason",
        "why other principals may push",
    ),
    ("an empty tag pattern", tags(""), TAGS, "'' is empty", "at least one character"),
    (
        "a protected pattern with five *",
        lifecycle("protected_tags = ['*a*b*c*d*']"),
        f"{LIFECYCLE}.protected_tags",
        "'*a*b*c*d*' is not a pattern",
        "at most four *",
    ),
    (
        "a protected pattern of 129 characters",
        lifecycle(f"protected_tags = ['{'a' * 129}']"),
        f"{LIFECYCLE}.protected_tags",
        "has 129 characters",
        "shorten it to 128",
    ),
    *(
        (f"{len(name)} characters for {what}", content, key, "is not", "write")
        for what, name, content, key in (
            ("a role", "r" * 65, pushers(ROLES, ROLE.replace("ci", "r" * 65)), ROLES),
            ("a user", "u" * 65, pushers(USERS, USER.replace("ana", "u" * 65)), USERS),
            ("a permission set", "p" * 33, pushers(SETS, "p" * 33), SETS),
            ("a boundary", "b" * 129, boundary(BOUNDARY.replace("Boundary", "b" * 129)), LIMIT),
            ("a repository on GitHub", "r" * 101, github('branch = "a"', f"acme/{'r' * 101}"), f"{GITHUB}.repository"),
            ("a branch", "b" * 251, github(f'branch = "{"b" * 251}"'), f"{GITHUB}.branch"),
            ("an audience", "a" * 256, gitlab(f'branch = "a"\naudience = "{"a" * 256}"'), f"{GITLAB}.audience"),
            ("a topic", "t" * 257, topic(TOPIC.replace("alerts", "t" * 257)), "alerts.topic_arn"),
            ("an organization", "a" * 33, beside(f'pull_organization = "o-{"a" * 33}"'), ORGANIZATION),
            ("an organization", "a" * 9, beside(f'pull_organization = "o-{"a" * 9}"'), ORGANIZATION),
            ("a runbook", "r" * 501, alerts(f'off_because = "a"\nrunbook = "{"r" * 501}"'), "alerts.runbook"),
        )
    ),
    (
        "an environment on GitHub of 256 characters",
        github(f'environment = "{"e" * 256}"'),
        f"{GITHUB}.environment",
        "is not the name",
        "letters, digits",
    ),
    (
        "a tag of instances of 128 characters",
        clean_up("").replace('"worker"', f'"{"v" * 128}"'),
        f"{CLEAN}.tag_value",
        "is not the tag",
        "1 to 127",
    ),
    (
        "an image tag of 129 characters",
        task(f'image_tag = "{"a" * 129}"'),
        f"{TASK}.image_tag",
        "is not",
        "at most 128",
    ),
    *(
        (f"{time} for a clean-up", clean_up(f'schedule = "{time}"'), f"{CLEAN}.schedule", "is not a time", "SUN")
        for time in (
            "cron(0 24 ? * * *)",
            "cron(60 3 ? * * *)",
            "cron(0 3 ? * 8 *)",
            "cron(0 3 * * ? *)",
            "rate(1 day)",
        )
    ),
]
"""A string has the wrong form."""

LIMITS: list[Refusal] = [
    ("50 tags", own_tags(*(f'{key} = "x"' for key in numbered("k", 50))), "tags", "has 50 entries", "keep at most 49"),
    ("9 minutes", refresh(9), REFRESH, "9 is out of range", "from 10 to 180"),
    ("181 minutes", refresh(181), REFRESH, "181 is out of range", "from 10 to 180"),
    ("49 protected patterns", protected(*numbered("v", 49)), f"{LIFECYCLE}.protected_tags", "has 49", "at most 48"),
    ("a pattern that is protected twice", protected("a", "a"), f"{LIFECYCLE}.protected_tags", "'a' is in", "keep one"),
    ("no day", lifecycle("expire_untagged_after_days = 0"), f"{LIFECYCLE}.{UNTAGGED}", "0 is out", "from 1 to 3650"),
    ("no image of a repository", of_web("keep_images = 0"), f"{WEB_LIFECYCLE}.keep_images", "0 is", "from 1 to 10000"),
    ("no kept image", defaults("keep_images = 0"), IMAGES, "0 is out of range", "from 1 to 10000"),
    ("10001 kept images", defaults("keep_images = 10001"), IMAGES, "10001 is out of range", "from 1 to 10000"),
    (
        "images of 0 hours",
        clean_up("images_older_than_hours = 0"),
        f"{CLEAN}.images_older_than_hours",
        "0 is",
        "from 1",
    ),
    *(
        (f"{key} = {number}", clean_up(f"{key} = {number}"), f"{CLEAN}.{key}", "out of range", "from 1 to 8760")
        for key in ("containers_older_than_hours", "images_older_than_hours")
        for number in (0, 8761)
    ),
    ("too many days", lifecycle("expire_untagged_after_days = 3651"), f"{LIFECYCLE}.{UNTAGGED}", "3651", "1 to 3650"),
    (
        "too large an ID",
        github(f'branch = "a"\nowner_id = 1\nrepository_id = {10**15 + 1}'),
        f"{GITHUB}.repository_id",
        "is out of range",
        "from 1",
    ),
    (
        "one of two IDs of an environment",
        github('environment = "a"\nrepository_id = 1'),
        GITHUB,
        "has one of owner_id and repository_id",
        "add the other",
    ),
    (
        "MFA for users beside roles",
        push(f'user_arns = ["{USER}"]\nrole_arns = ["{ROLE}"]\nrequire_mfa = true'),
        MUST_MFA,
        "lock out permission_sets and role_arns",
        "users only",
    ),
    ("six tag patterns", tags(*"abcdef"), TAGS, "has 6 entries", "at most 5"),
    ("11 e-mail addresses", emails(*numbered("a@b.c", 11)), "alerts.emails", "has 11 entries", "at most 10"),
    ("a repository twice", repositories("var", "var"), REPOSITORIES, "'var' is in the list more than once", "keep one"),
    ("a principal twice", pushers(ROLES, ROLE, ROLE), ROLES, f"'{ROLE}' is in the list more than once", "keep one"),
    ("a team twice", connected("a", "a"), f"{DOCKER}.teams", "'a' is in the list", "keep one"),
    ("an address twice", emails("a@b.c", "a@b.c"), "alerts.emails", "'a@b.c' is in the list", "keep one"),
    (
        "CPU units that Fargate does not offer",
        task("cpu_units = 300"),
        f"{TASK}.cpu_units",
        "300 is not a value",
        "256, 512",
    ),
    (
        "memory that the CPU units do not allow",
        task("memory_mib = 700"),
        TASK,
        "memory_mib 700 does not go",
        "512, 1024 or 2048",
    ),
    (
        "default memory that the CPU units do not allow",
        task("cpu_units = 8192"),
        TASK,
        "512 does not go",
        "61440 in steps of 4096",
    ),
    (
        "MFA for workflows without users",
        github('branch = "main"').replace(f"[[{GITHUB}]]", f"require_mfa = true\n[[{GITHUB}]]"),
        PUSH,
        "has require_mfa and no user_arns",
        "remove require_mfa",
    ),
    ("an ID of zero", github('branch = "a"\nowner_id = 0\nrepository_id = 1'), f"{GITHUB}.owner_id", "0 is", "from 1"),
    ("MFA for roles", pushers(ROLES, ROLE, mfa="true"), MUST_MFA, "lock out permission_sets", "users only"),
    ("MFA for permission sets", pushers(SETS, "a", mfa="true"), MUST_MFA, "and role_arns", "IAM Identity Center"),
]
"""A value is out of range, or contradicts another value of the same table."""

TOGETHER: list[Refusal] = [
    ("201 teams", teams(*numbered("t", 200)), "teams", "201 teams are too many", "two environments"),
    ("491 repositories", repositories(*numbered("r", 491)), "teams", "491 repositories", "two environments"),
    (
        "too many resources in the stack of the repositories",
        repositories(*numbered("r", 484))
        + teams(*numbered("t", 5)).removeprefix(VALID).replace("push.", "create_on_push = true\npush."),
        "teams",
        "499 repositories (and 2 resources for each create_on_push)",
        "two environments",
    ),
    ("36 connections", connections(*numbered("docker_", 35)), "connections", "36 connections", "at most 35"),
    (
        "611 teams in all connections",
        teams(*numbered("t", 61))
        + "\n".join(f"[connections.docker_{n}]\nteams = {numbered('t', 61)}" for n in range(10)),
        "connections",
        "611 teams in all connections",
        "at most 600",
    ),
    (
        "too many teams for the policies of a pull role",
        teams(*numbered("t", 103)) + "[connections.docker_all]\nteams = " + str(numbered("t", 103)),
        "connections.docker_all.teams",
        "too many teams for a role's policies",
        "split the teams",
    ),
    (
        "too many existing repositories for the policy of a push role",
        existing(*numbered("r" * 140, 42)).replace('teams = ["analytics"]', 'teams = ["other"]')
        + teams("other").removeprefix(VALID),
        EXISTING,
        "has too many names for a role's policies",
        "split the repositories",
    ),
    (
        "too many existing repositories for the policies of a pull role",
        "".join(
            (VALID if team == "analytics" else teams(team).removeprefix(VALID)).replace(
                f"[teams.{team}]\n", f"[teams.{team}]\nexisting_repositories = {numbered(team[0] * 150, 20)}\n"
            )
            for team in ("analytics", "risk")
        ).replace('teams = ["analytics"]', 'teams = ["analytics", "risk"]'),
        f"{DOCKER}.teams",
        "too many teams, or too many existing repositories, for a role's policies",
        "split the teams",
    ),
    (
        "too many existing repositories for the workers' policy",
        existing(*numbered("r" * 120, 30)) + "[workers]\npull_directly = true",
        "connections",
        "need a longer policy for the workers",
        "split",
    ),
    (
        "too many connections for the workers' policy",
        prefix("x" * 200) + connections(*numbered("docker_", 20)).removeprefix(VALID),
        "connections",
        "need a longer policy for the workers",
        "shorten connections_prefix",
    ),
    (
        "too many teams for the workers' policy",
        teams(*numbered("t", 62))
        + "[connections.docker_all]\nteams = "
        + str(numbered("t", 62))
        + "\n[workers]\npull_directly = true",
        "connections",
        "need a longer policy for the workers",
        "split",
    ),
    (
        "connections and teams that are too many only together for the workers' policy",
        prefix("x" * 100)
        + connections(*numbered("docker_", 15)).removeprefix(VALID)
        + teams(*numbered("t", 40)).removeprefix(VALID)
        + "[connections.docker_all]\nteams = "
        + str(numbered("t", 40))
        + "\n[workers]\npull_directly = true",
        "connections",
        "need a longer policy for the workers",
        "split",
    ),
    (
        "too many principals for a trust policy",
        push(f"role_arns = {[f'{ROLE}-{n:03}' for n in range(60)]}"),
        PUSH,
        "names too many principals for one trust policy",
        "name one role",
    ),
    (
        "too many workflows for a trust policy",
        push("".join(f'[[{GITHUB}]]\nrepository = "acme/pipelines-{n}"\nbranch = "main"\n' for n in range(40))),
        PUSH,
        "names too many principals for one trust policy",
        "fewer workflows",
    ),
    ("too many tasks for a policy", many_tasks(), "ecs.tasks", "need a longer policy for the workers", "remove some"),
    (
        "too many tasks for a policy, because two ARNs of each task contain role_path",
        f'role_path = "/{"p" * 48}/"\n{many_tasks(10)}',
        "ecs.tasks",
        "need a longer policy for the workers",
        "shorten role_path",
    ),
    ("a secret's name of 513 characters", prefix("p" * 498), DOCKER, "is longer than 512", "shorten the conn"),
    ("a push role of 65 characters", teams("t" * 52), f"teams.{'t' * 52}", "is longer than 64", "shorten the name"),
    ("a repository of 257 characters", repositories("r" * 247), REPOSITORIES, "is longer than 256", "by 1"),
    ("two teams with one logical id", teams("a-1", "a1"), "teams", "'a-1' and 'a1'", "rename one"),
    ("two repositories with one logical id", repositories("a-b", "a/b"), REPOSITORIES, "'a-b' and 'a/b'", "rename one"),
    (
        "two repositories with one logical id in the first of two teams",
        repositories("a-b", "a/b") + teams("red").removeprefix(VALID),
        REPOSITORIES,
        "'a-b' and 'a/b'",
        "rename one",
    ),
    (
        "two tasks with one logical id",
        existing("a-b", "a/b") + task(repository="a-b").removeprefix(VALID) + '[ecs.tasks."a/b"]\nimage_tag = "1"\n',
        "ecs.tasks",
        "'a-b' and 'a/b' have the same name in CloudFormation, AB",
        "rename one",
    ),
    ("two connections with one logical id", connections("docker__default"), "connections", "'docker__d", "rename one"),
    (
        "a workflow of GitHub twice",
        github(f'branch = "main"\n[[{GITHUB}]]\nrepository = "acme/pipelines"\nbranch = "main"'),
        GITHUB,
        "table 2 repeats table 1",
        "remove one of the two",
    ),
    (
        "a job of GitLab twice, once with the default URL",
        gitlab(
            f'branch = "a"\n[[{GITLAB}]]\nproject = "acme/data/pipelines"\nbranch = "a"\nurl = "https://gitlab.com"'
        ),
        GITLAB,
        "table 2 repeats table 1",
        "remove one of the two",
    ),
    (
        "a workflow of GitHub twice with another one between",
        github(
            "".join(
                f'branch = "{branch}"\n[[{GITHUB}]]\nrepository = "acme/pipelines"\n' for branch in ("main", "other")
            )
            + 'branch = "main"'
        ),
        GITHUB,
        "table 3 repeats table 1",
        "remove one of the two",
    ),
    (
        "the own account as a reader",
        beside('pull_accounts = ["111111111111"]'),
        READERS,
        "is the account of this environment",
        "remove it",
    ),
    (
        "too many readers for a repository policy",
        beside(f"pull_accounts = {[f'{number:012}' for number in range(300)]}"),
        "teams.analytics",
        "too many pull_accounts",
        "use pull_organization",
    ),
    ("a template of more than 1 MB", large_template(), "teams", "CloudFormation accepts 1,000,000", "keep at most"),
    ("a repository with its team", repositories("analytics/app"), REPOSITORIES, "repeats the team", "write 'app'"),
    ("a repository with its team twice", repositories("analytics/analytics/a"), REPOSITORIES, "repeats", "write 'a'"),
    (
        "a repository with its registry",
        repositories("111111111111.dkr.ecr.eu-west-1.amazonaws.com/app"),
        REPOSITORIES,
        "repeats the team or the registry",
        "write 'app'",
    ),
    (
        "a repository with its registry and its team",
        repositories("111111111111.dkr.ecr.eu-west-1.amazonaws.com/analytics/app"),
        REPOSITORIES,
        "repeats the team or the registry",
        "write 'app'",
    ),
    *(
        (f"{text} for a repository", repositories(text), REPOSITORIES, f"'{text}'", "write 'app'")
        for text in (
            f"{REGISTRY}/analytics/app:5",
            f"{REGISTRY}/app:latest",
            f"{REGISTRY}/analytics/app@sha256:{'0' * 64}",
            f"{REGISTRY}/analytics/app:5@sha256:{'0' * 64}",
            "111111111111.dkr-ecr.eu-west-1.on.aws/analytics/app:5",
            f"https://{REGISTRY}/analytics/app",
            f"docker://{REGISTRY}/analytics/app:5",
            "arn:aws:ecr:eu-west-1:111111111111:repository/analytics/app",
            "analytics/app:5",
            "app:5",
            "/app/",
        )
    ),
    *(
        (f"{text} for an existing repository", existing(text), EXISTING, f"'{text}' is not the name", "write 'old/app'")
        for text in (f"{REGISTRY}/old/app:5", "old/app:5", "/old/app", f"https://{REGISTRY}/old/app")
    ),
    ("a registry for a repository", repositories(f"{REGISTRY}/"), REPOSITORIES, "is not the name", "name of a repos"),
    (
        "an image of the team for an existing repository",
        existing(f"{REGISTRY}/analytics/by-hand:5"),
        EXISTING,
        "is not the name",
        "write 'analytics/by-hand'",
    ),
    (
        "a path for the role that creates repositories",
        f'role_path = "/data/"\n{beside("create_on_push = true")}',
        f"{TEAM}.create_on_push",
        "needs a role without a path, and role_path is '/data/'",
        "remove create_on_push or role_path",
    ),
    (
        "an existing repository with the registry",
        existing(f"{REGISTRY}/old_app"),
        EXISTING,
        "repeats the registry",
        "write 'old_app'",
    ),
    *(
        (
            f"{setting} for existing repositories only",
            edited('repositories = ["web-scraper", "churn-model"]', f'existing_repositories = ["old"]\n{text}'),
            f"{TEAM}.{setting}",
            "has no effect, because the deployment does not change existing_repositories",
            "add repositories or create_on_push",
        )
        for setting, text in (
            ("lifecycle", "lifecycle.keep_images = 5"),
            ("lifecycle", 'lifecycle.protected_tags = ["v*"]'),
            ("repository_defaults", 'repository_defaults.mutable_tags = ["latest"]'),
            ("repository_defaults", "repository_defaults.keep_images = 5"),
            ("others_may_push_because", 'others_may_push_because = "CodeBuild"'),
            ("pull_accounts", 'pull_accounts = ["222222222222"]'),
            ("pull_organization", 'pull_organization = "o-abcd123456"'),
        )
    ),
    (
        "an existing repository that is managed",
        existing("old", "analytics/churn-model"),
        EXISTING,
        "'analytics/churn-model' is managed here, because 'churn-model' is in repositories",
        "remove one of the two",
    ),
    (
        "an existing repository with the name of another team",
        teams("risk").replace("[teams.analytics]\n", '[teams.analytics]\nexisting_repositories = ["old", "risk/x"]\n'),
        EXISTING,
        "'risk/x' starts with the name of the team risk",
        "move it to teams.risk.existing_repositories",
    ),
    (
        "an existing repository of two teams",
        (existing("old", "web") + teams("risk").removeprefix(VALID)).replace(
            "[teams.risk]\n", '[teams.risk]\nexisting_repositories = ["older", "web"]\n'
        ),
        "teams.risk.existing_repositories",
        "'web' is also in teams.analytics.existing_repositories",
        "keep it in the team that pushes to the repository",
    ),
    ("an image of another team", repositories(f"{REGISTRY}/risk/app:5"), REPOSITORIES, "is not the name", "'risk/app'"),
    (
        "an image without a valid repository name",
        repositories(f"{REGISTRY}/App:5"),
        REPOSITORIES,
        "is not the name",
        "lower-case",
    ),
    (
        "an image and its repository in one list",
        repositories("app", f"{REGISTRY}/app:5"),
        REPOSITORIES,
        "is not",
        "remove it, because 'app'",
    ),
    (
        "a repository with its team and without its team",
        repositories("analytics/app", "app"),
        REPOSITORIES,
        "repeats",
        "remove it",
    ),
    (
        "a task with the name of an image",
        task(repository=f"{REGISTRY}/{WEB}:1"),
        f"ecs.tasks.'{REGISTRY}/{WEB}:1'",
        "not a",
        f"write '{WEB}'",
    ),
    ("a task without its team", task(repository="web-scraper"), "ecs.tasks.'web-scraper'", "is not a", f"mean {WEB}?"),
    ("a task family of 256 characters", long_family(), f"ecs.tasks.'analytics/{'r' * 242}'", "longer than 255", "by 1"),
    ("a team's name with a line break", teams(r'"risk\n"'), r"teams.'risk\n'", r"'risk\n'", "lower-case"),
    ("a number with a decimal point", defaults("keep_images = 5.0"), IMAGES, "5.0 is not a whole number", "a whole"),
    ("a date for a table", top("workers = 2020-01-01"), "workers", "the date or time 2020-01-01", "a table"),
    (
        "one number of images in two places",
        lifecycle("keep_images = 5") + f"[{DEFAULTS}]\nkeep_images = 5\n",
        IMAGES,
        "is the same setting as teams.analytics.lifecycle.keep_images",
        "remove one of them",
    ),
    (
        "one number of images in two places and a lifecycle of one repository",
        lifecycle("keep_images = 5") + f"[{DEFAULTS}]\nkeep_images = 5\n[{WEB_LIFECYCLE}]\n",
        IMAGES,
        "is the same setting as teams.analytics.lifecycle.keep_images",
        "remove one of them",
    ),
    (
        "the lifecycle of a repository of several parts with its team",
        repositories("reports/daily", "daily") + '[teams.analytics.repository."analytics/reports/daily".lifecycle]\n',
        f"{TEAM}.repository.'analytics/reports/daily'",
        "is not a repository of the team analytics",
        "write 'reports/daily'",
    ),
    (
        "the lifecycle of a repository with a typo",
        end("[teams.analytics.repository.web-scrapper.lifecycle]"),
        f"{TEAM}.repository.'web-scrapper'",
        "'web-scrapper' is not a repository of the team analytics",
        "did you mean web-scraper?",
    ),
    (
        "the lifecycle of a repository with its team",
        end('[teams.analytics.repository."analytics/web-scraper".lifecycle]'),
        f"{TEAM}.repository.'analytics/web-scraper'",
        "is not a repository of the team analytics",
        "write 'web-scraper'",
    ),
    (
        "the lifecycle of a repository of a team without repositories",
        edited('repositories = ["web-scraper", "churn-model"]', "create_on_push = true")
        + "[teams.analytics.repository.app.lifecycle]\n",
        f"{TEAM}.repository.'app'",
        "'app' is not a repository of the team analytics",
        "remove it, because repositories is empty",
    ),
    ("a team with a typo", connected("analytic"), f"{DOCKER}.teams", "is not a team", "did you mean analytics?"),
    ("an unknown team", connected("x"), f"{DOCKER}.teams", "'x' is not a team of this file", "one of analytics"),
    (
        "a task of an unknown repository",
        task(repository="analytics/web"),
        "ecs.tasks.'analytics/web'",
        "is not a repository",
        "did you mean analytics/web-scraper?",
    ),
    (
        "tasks without the workers' roles",
        end('[ecs.tasks."analytics/web-scraper"]\nimage_tag = "1"'),
        "ecs",
        "needs the names of the workers' roles",
        "add workers.role_arns",
    ),
    (
        "tasks without the workers' roles, which pull directly",
        end('[workers]\npull_directly = true\n[ecs.tasks."analytics/web-scraper"]\nimage_tag = "1"'),
        "ecs",
        "needs the names of the workers' roles",
        "add workers.role_arns",
    ),
    (
        "two ARNs of one role",
        workers(ROLE, f"{ROLE[:-2]}path/ci"),
        "workers.role_arns",
        "2 ARNs name the role ci",
        "keep the ARN",
    ),
    ("break glass in another account", break_glass(AWAY), GLASS, f"'{AWAY}' is in another", "account 111111111111"),
    (
        "a boundary in another account",
        boundary(BOUNDARY.replace("1", "2")),
        LIMIT,
        "in another account",
        "111111111111",
    ),
    ("a worker in another account", workers(AWAY), "workers.role_arns", "in another account", "account 111111111111"),
    (
        "a boundary in China",
        boundary(BOUNDARY.replace("aws", "aws-cn")),
        LIMIT,
        "AWS partition",
        "starts with arn:aws:",
    ),
    ("a user in China", pushers(USERS, CHINA_USER), USERS, "not in the AWS partition of eu-west-1", "with arn:aws:"),
    ("a role in China", pushers(ROLES, CHINA_ROLE), ROLES, "not in the AWS partition of eu-west-1", "with arn:aws:"),
    ("a worker in China", workers(CHINA_ROLE), "workers.role_arns", "not in the AWS partition", "with arn:aws:"),
    ("break glass in China", break_glass(CHINA_ROLE), GLASS, "not in the AWS partition", "with arn:aws:"),
    ("a topic in China", topic(TOPIC.replace("aws", "aws-cn")), "alerts.topic_arn", "AWS partition", "with arn:aws:"),
    (
        "a topic in another Region",
        topic(TOPIC.replace("west", "east")),
        "alerts.topic_arn",
        "another Region",
        "eu-west-1",
    ),
    (
        "a topic in another Region whose name contains the Region",
        topic(TOPIC.replace("west", "east").replace("alerts", "alerts-eu-west-1")),
        "alerts.topic_arn",
        "another Region",
        "eu-west-1",
    ),
    (
        "a topic of another account in another Region",
        topic(TOPIC.replace("west", "east").replace("1111", "2222")),
        "alerts.topic_arn",
        "another Region",
        "eu-west-1",
    ),
    (
        "a topic in GovCloud",
        topic(TOPIC.replace("aws", "aws-us-gov")),
        "alerts.topic_arn",
        "not in the AWS partition of eu-west-1",
        "starts with arn:aws:",
    ),
    (
        "a path for the role that creates repositories, of a team with none",
        'role_path = "/data/"\n' + edited("repositories =", "create_on_push = true #"),
        f"{TEAM}.create_on_push",
        "needs a role without a path",
        "remove create_on_push or role_path",
    ),
    *(
        (
            f"a customer managed key in {region}",
            top('secret_key = "customer"').replace("eu-west-1", region).replace("arn:aws:", f"arn:{partition}:"),
            "secret_key",
            f"'customer' is not tested in {region}",
            "write 'aws'",
        )
        for region, partition in (("eusc-de-east-1", "aws-eusc"), ("us-iso-east-1", "aws-iso"))
    ),
    (
        "a customer managed key in China",
        top('secret_key = "customer"').replace("eu-west-1", "cn-north-1").replace(USER, CHINA_USER),
        "secret_key",
        "'customer' is not tested in cn-north-1",
        "write 'aws'",
    ),
    (
        "messages about findings without scans",
        f'scan = "off"\n{findings("critical")}',
        FINDINGS,
        "'critical' sends no message, because scan is 'off'",
        "remove scan_findings, or change scan",
    ),
    (
        "two tags that are equal for IAM",
        own_tags('cost = "1"', 'Cost = "2"'),
        "tags",
        "'cost' and 'Cost' are the same key for IAM",
        "keep one",
    ),
]
"""Settings that the loader refuses and the JSON schema may accept. In most files two settings contradict each other."""

REFUSED_BY_SCHEMA = [*KEYS, *TYPES, *FORMS, *LIMITS]
REFUSED_BY_LOADER = [*FILES, *REFUSED_BY_SCHEMA, *TOGETHER]
