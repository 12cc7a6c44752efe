"""`make deploy` refuses options that break its promise, in every spelling that the CDK CLI's parser accepts."""

import ast
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import ROOT
from tools.cdk_options import REASONS, profile_of, qualifier_of, refusal_of

OLD_PYTHON = (3, 6)  # the Python of the oldest Linux distributions that are still in use
HOME = {"HOME": "/nonexistent"}
ROLE = "arn:aws:iam::123456789012:role/Other"

REFUSED = [
    "--role-arn ARN",
    "--role-arn=ARN",
    "--roleArn ARN",
    "--roleArn=ARN",
    "-r ARN",
    "-r=ARN",
    "-fr ARN",
    "--r ARN",
    "--express",
    "--express=true",
    "--express true",
    "--no-rollback",
    "--rollback=false",
    "--rollback false",
    "--rollback=no",
    "--rollback=TRUE",
    "-R",
    "-fR",
    "-Rf",
    "-R=true",
    "-R true",
    "--R",
    "--R=true",
    "--hotswap",
    "--hotswap-fallback",
    "--hotswapFallback",
    "--watch",
]
ALLOWED = [
    "",
    "--require-approval never",
    "--rollback",
    "--rollback=true",
    "--rollback true",
    "--no-express",
    "--express=false",
    "--express false",
    "--express=yes",
    "-R=false",
    "-R false",
    "--no-hotswap",
    "-O /tmp/R.json",
    "-O/tmp/R.json",
    "-t key=--express",
    "--profile Rollback -f -y -v",
    "--context rollback=false",
]
REFUSED_VARIABLES = [
    ("CDK_ROLE_ARN", ROLE),
    ("CDK_R", ROLE),
    ("CDKR", ROLE),
    ("CDK_roleArn", ROLE),
    ("CDK_EXPRESS", "true"),
    ("CDK_ROLLBACK", "false"),
    ("CDK_ROLLBACK", ""),
    ("CDK_ROLLBACK", "1"),
    ("CDK_rollback", "0"),
    ("CDK_HOTSWAP", "true"),
    ("CDK_HOTSWAP_FALLBACK", "true"),
    ("CDK_EXPRESS__X", "1"),
]
ALLOWED_VARIABLES = [
    ("CDK_ROLLBACK", "true"),
    ("CDK_EXPRESS", "false"),
    ("CDK_ROLE_ARN", ""),
    ("CDK_OPTIONS", "--rollback"),
    ("CDK_REQUIRE_APPROVAL", "never"),
    ("CDK_DEFAULT_REGION", "eu-west-1"),
]
# This script reads one case per line, [words, variables], and writes whether the CLI would break the promise.
PARSER = """
const {readFileSync} = require("fs"), Module = require("module");
const file = require.resolve(process.argv[1] + "/lib/index.js");
const cli = new Module(file, module);
cli.filename = file;
cli.paths = module.paths;
cli._compile(readFileSync(file, "utf8") + `
module.exports.parse = (words) => { init_parse_command_line_arguments(); return parseCommandLineArguments(words); };
`, file);
const fail = console.error;
process.exit = () => { throw Error("exit"); };
(async () => {
  for (const line of readFileSync(0, "utf8").trim().split("\\n")) {
    const [words, variables] = JSON.parse(line);
    for (const name of Object.keys(process.env)) if (name.startsWith("CDK")) delete process.env[name];
    Object.assign(process.env, variables);
    let answer = null;
    console.error = () => {};
    try {
      const o = await cli.exports.parse(["deploy", ...words, "prod/*"]);
      answer = Boolean(o.roleArn || o.express || o.rollback === false || o.hotswap || o.hotswapFallback || o.watch);
    } catch (error) {}
    process.stdout.write(JSON.stringify(answer) + "\\n");
  }
})();
"""


def cli_breaks_the_promise(cases: list[tuple[list[str], dict[str, str]]]) -> list[bool | None]:
    """Return for each case whether the options break the promise, or None if the CLI refuses the options."""
    answers = subprocess.run(
        ["node", "-e", PARSER, str(ROOT / "node_modules" / "aws-cdk")],  # noqa: S607
        input="\n".join(json.dumps(case) for case in cases),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in answers.stdout.splitlines()]


def words(options: str) -> list[str]:
    return options.replace("ARN", ROLE).split()


def random_words(chosen: random.Random) -> list[str]:
    """Return random words for CDK_OPTIONS. Most of them are spellings of these options."""
    names = ["role-arn", "roleArn", "express", "rollback", "R", "r", "hotswap", "force", "require-approval", "context"]
    tokens = []
    for _ in range(chosen.randint(1, 4)):
        name = chosen.choice(names)
        value = chosen.choice(["true", "false", "never", "1", "", "a=b", "'true'"])
        group = "".join(chosen.choice("rRfyeO") for _ in range(chosen.randint(1, 3)))
        tokens += chosen.choice(
            [[f"--{name}"], [f"--{name}={value}"], [f"--{name}", value], [f"--no-{name}"], [f"-{group}"]]
            + [[f"-{group}={value}"], [f"-{group}", value], [f"-{group}{value}"], ["--"], [f"--{name}.x"]]
        )
    return [token for token in tokens if token]


def test_the_cli_agrees_with_every_example() -> None:
    cases: list[tuple[list[str], dict[str, str]]] = [(words(options), {}) for options in (*REFUSED, *ALLOWED)]
    cases += [([], {name: value}) for name, value in (*REFUSED_VARIABLES, *ALLOWED_VARIABLES)]
    expected = [True] * len(REFUSED) + [False] * len(ALLOWED)
    expected += [True] * len(REFUSED_VARIABLES) + [False] * len(ALLOWED_VARIABLES)

    answers = cli_breaks_the_promise(cases)

    assert [case for case, answer, wanted in zip(cases, answers, expected, strict=True) if answer != wanted] == []


def test_every_option_that_breaks_the_promise_in_the_cli_is_refused() -> None:
    chosen = random.Random(12)  # noqa: S311
    cases: list[tuple[list[str], dict[str, str]]] = [(random_words(chosen), {}) for _ in range(60)]

    answers = cli_breaks_the_promise(cases)

    obeyed = [case for case, answer in zip(cases, answers, strict=True) if answer]
    assert len(obeyed) > 15
    assert [case for case, _ in obeyed if not refusal_of(["deploy"], case, HOME)] == []


@pytest.mark.parametrize("options", REFUSED)
def test_an_option_that_breaks_the_promise_is_refused_with_the_reason(options: str) -> None:
    refusal = refusal_of(["deploy"], words(options), HOME)
    assert " is refused: " in refusal
    assert refusal.split(" is refused: ")[1] in REASONS.values()
    assert "\n" not in refusal


@pytest.mark.parametrize("options", ALLOWED)
def test_other_options_are_allowed(options: str) -> None:
    assert refusal_of(["deploy"], words(options), HOME) == ""


@pytest.mark.parametrize(("variable", "value"), [*REFUSED_VARIABLES, ("CDK_NO_ROLLBACK", "true")])
def test_an_environment_variable_that_breaks_the_promise_is_refused(variable: str, value: str) -> None:
    assert refusal_of(["deploy"], [], {**HOME, variable: value}).startswith(f"{variable} is refused: ")


@pytest.mark.parametrize(("variable", "value"), ALLOWED_VARIABLES)
def test_other_environment_variables_are_allowed(variable: str, value: str) -> None:
    assert refusal_of(["deploy"], [], {**HOME, variable: value}) == ""


def test_make_destroy_refuses_only_another_role() -> None:
    assert refusal_of(["destroy"], ["--role-arn", ROLE], HOME).startswith("--role-arn is refused: ")
    assert refusal_of(["destroy"], ["--express", "--force"], HOME) == ""


@pytest.mark.parametrize("target", ["diff", "bootstrap"])
def test_targets_that_deploy_no_stack_of_the_project_refuse_no_option(target: str) -> None:
    assert refusal_of([target], ["--role-arn", ROLE, "--express"], HOME) == ""


@pytest.mark.parametrize(
    ("settings", "refused"), [({"rollback": False}, True), ({"rollback": True}, False), ({"express": True}, False)]
)
def test_a_rollback_that_is_off_in_the_users_settings_is_refused(
    settings: dict[str, Any], refused: bool, tmp_path: Path
) -> None:
    (tmp_path / ".cdk.json").write_text(json.dumps(settings))
    refusal = refusal_of(["deploy"], [], {"HOME": str(tmp_path)})
    assert refusal.startswith('"rollback": false in ~/.cdk.json is refused: ') == refused


@pytest.mark.parametrize(
    ("options", "variables", "profile"),
    [
        (["--profile", "admin"], {}, "admin"),
        (["-v", "--profile=admin"], {"CDK_PROFILE": "other"}, "admin"),
        ([], {"CDK_PROFILE": "other"}, "other"),
        ([], {}, None),
    ],
)
def test_the_profile_of_the_options_is_found(options: list[str], variables: dict[str, str], profile: str) -> None:
    assert profile_of(options, variables) == profile


def test_an_old_python_can_read_the_module() -> None:
    ast.parse((ROOT / "tools" / "cdk_options.py").read_text(), feature_version=OLD_PYTHON)


@pytest.mark.parametrize("option", ["-c {}", "--context {}", "--context={}", "-c={}", "-c a=b -c {}", "-c {} -c a=b"])
def test_the_qualifier_is_a_context_value_of_the_options(option: str) -> None:
    words = option.format("@aws-cdk/core:bootstrapQualifier=acme").split()
    assert qualifier_of(words, HOME) == "acme"


def test_without_a_context_value_the_qualifier_is_the_default_of_the_cdk(tmp_path: Path) -> None:
    assert qualifier_of(["-c", "a=b"], HOME) == "hnb659fds"

    (tmp_path / ".cdk.json").write_text('{"context": {"@aws-cdk/core:bootstrapQualifier": "home"}}')
    assert qualifier_of([], {"HOME": str(tmp_path)}) == "home"
