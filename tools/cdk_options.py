"""Refuse options of the CDK CLI that break the promise of a deployment: `python3 -m tools.cdk_options <targets> ...`.

The promise: a successful deployment has a working docker login, and a failed deployment rolls back.
The first argument is the target of make. The other arguments are the words of `CDK_OPTIONS`.
The CLI also reads its options from environment variables that start with `CDK`, and reads `rollback` from
`~/.cdk.json` and `cdk.json`. This module reads the same places.

The CLI parses its options with yargs-parser, which accepts many spellings of one option: `--role-arn X`,
`--role-arn=X`, `--roleArn X`, `-r X`, `-fr X`, `--r X`. tests/tools/test_cdk_options.py compares this module with the
CLI's own parser.

This module runs before anything is installed. It imports only the standard library,
and its syntax is old enough for an old Python.
"""

import json
import os
import re
import sys
from collections.abc import Iterator

from tools import ROOT

REASONS = {
    "rolearn": "the policy of each secret admits the CDK's own role only, and another role cannot deploy or remove it. "
    "Remove the option, and let your credentials assume the CDK's deploy role.",
    "rollback": "a deployment that cannot write a docker login must roll back. Remove the option.",
    "express": "an express deployment does not wait for its resources and does not roll back. Remove the option.",
    "hotswap": "a hotswap deployment skips CloudFormation and the first refresh. Remove the option.",
    "watch": "hotswap deployments skip CloudFormation and the first refresh. Remove the option.",
}
"""The reason for each refused option, and the fix. The keys are option names in lower case without hyphens."""

REFUSED = {"deploy": tuple(REASONS), "destroy": ("rolearn",)}
"""The refused options of each make target. `make diff` and `make bootstrap` refuse no options."""

QUALIFIER = "@aws-cdk/core:bootstrapQualifier"

ALIASES = {"r": "rolearn", "hotswapfallback": "hotswap"}


def main() -> None:
    """Print why the first refused option is refused, and exit with status 2."""
    refusal = refusal_of(sys.argv[1].split(), sys.argv[2:], dict(os.environ))
    if refusal:
        print(refusal, file=sys.stderr)
        sys.exit(2)


def refusal_of(targets: "list[str]", words: "list[str]", environment: "dict[str, str]") -> str:
    """Return one line about the first refused option, or an empty string.

    Args:
        targets: The targets of make, for example `["deploy"]`.
        words: The words of `CDK_OPTIONS`.
        environment: The environment variables of the CLI.
    """
    refused = {name for target in targets for name in REFUSED.get(target, ())}
    for name, place in [*_on_command_line(words), *_in_environment(environment), *_in_files(environment)]:
        if name in refused:
            return f"{place} is refused: {REASONS[name]}"
    return ""


def profile_of(words: "list[str]", environment: "dict[str, str]") -> "str | None":
    """Return the AWS profile that the CLI's own options choose, or None."""
    for word, following in zip(words, [*words[1:], ""]):  # noqa: B905 # an old Python has no `strict`
        option, equals, value = word.partition("=")
        if option == "--profile":
            return value if equals else following
    return environment.get("CDK_PROFILE")


def qualifier_of(words: "list[str]", environment: "dict[str, str]") -> str:
    """Return the qualifier of the CDK's bootstrap. It is part of the names of the roles that the CDK uses.

    The qualifier is a context value. The options take precedence over `cdk.json`, and `cdk.json` over `~/.cdk.json`.
    """
    for word, following in zip(reversed(words), [""] + words[:0:-1]):  # noqa: B905
        option, equals, value = word.partition("=")
        if option in ("-c", "--context"):
            value = value if equals else following
        elif word.startswith("-c"):
            value = word[len("-c") :]
        else:
            continue
        if value.startswith(QUALIFIER + "="):
            return value[len(QUALIFIER) + 1 :]
    for settings in reversed([settings for _, settings in _files(environment)]):
        context = settings.get("context")
        if isinstance(context, dict) and isinstance(context.get(QUALIFIER), str):
            return str(context[QUALIFIER])
    return "hnb659fds"


def _on_command_line(words: "list[str]") -> "Iterator[tuple[str, str]]":
    """Yield the name and the written form of each option that breaks the promise."""
    for word, following in zip(words, [*words[1:], ""]):  # noqa: B905
        option, equals, value = word.partition("=")
        written = word if equals and not option.lower().startswith(("-r", "--role")) else option
        if not equals:
            # The next word is the value of a boolean option only if it is `true` or `false`.
            value = following if following in ("true", "false") else "true"
            written = f"{option} {following}" if following == value == "false" else option
        if option.startswith("--no-"):
            yield from _if_it_matters(option[len("--no-") :], "false", option)
        elif option.startswith("--"):
            yield from _if_it_matters(option[len("--") :], value, written)
        elif re.match(r"-[A-Za-z]", option):
            # This is a group of one-letter options. The value belongs to the last option; `-R=` counts as `-R`.
            letters = re.match(r"\w+", option[1:])[0]  # type: ignore[index] # the group has a letter
            for number, letter in enumerate(letters, start=1):
                yield from _if_it_matters(letter, value or "true" if number == len(letters) else "true", written)


def _in_environment(environment: "dict[str, str]") -> "Iterator[tuple[str, str]]":
    """Yield the same for options in environment variables: CDK_ROLE_ARN is `--role-arn`."""
    for variable, value in sorted(environment.items()):
        if variable.startswith("CDK"):
            option = variable[len("CDK") :].replace("__", ".")
            # The CLI reads a single letter as a lower-case letter: CDK_R is `-r`.
            yield from _if_it_matters(option.lower() if len(option.strip("_")) == 1 else option, value, variable)


def _in_files(environment: "dict[str, str]") -> "Iterator[tuple[str, str]]":
    """Yield `rollback` if a file turns rollback off. The CLI reads no other refused option from files."""
    for shown, settings in _files(environment):
        if settings.get("rollback") is False:
            yield "rollback", f'"rollback": false in {shown}'


def _files(environment: "dict[str, str]") -> "Iterator[tuple[str, dict[str, object]]]":
    """Yield the name and the content of each file with settings of the CLI. The later file takes precedence."""
    home = environment.get("HOME") or os.path.expanduser("~")
    files = {"~/.cdk.json": os.path.join(home, ".cdk.json"), "cdk.json": os.path.join(ROOT, "cdk.json")}
    for shown, file in files.items():
        try:
            with open(file) as opened:
                settings = json.load(opened)
        except (OSError, ValueError):
            continue  # The file does not exist, or the CLI reports an error in the file.
        if isinstance(settings, dict):
            yield shown, settings


def _if_it_matters(option: str, value: str, written: str) -> "Iterator[tuple[str, str]]":
    """Yield the option's name and how it is written, if it has a value that breaks the promise.

    Args:
        option: The name in any spelling that yargs-parser accepts, such as `role-arn`, `roleArn` or `_ROLE_ARN`.
        value: The value as a string.
        written: How the option is written.
    """
    is_true = value.strip("'\"") == "true"  # yargs-parser reads every other value of a boolean option as false
    if option == "R":
        name, is_true = "rollback", not is_true
    else:
        name = re.sub(r"[-_ ]", "", option.split(".")[0]).lower()
        name = ALIASES.get(name, name)
    if name == "norollback":  # The CLI ignores CDK_NO_ROLLBACK and --noRollback, but their meaning is clear.
        name, is_true = "rollback", not is_true
    if name == "rolearn":
        matters = value != ""
    elif name == "rollback":
        matters = not is_true
    else:
        matters = is_true or "." in option
    if name in REASONS and matters:
        yield name, written


if __name__ == "__main__":
    main()
