"""Run the commands that `doctor` prints. boto3 takes the place of the AWS CLI."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

from botocore import xform_name

from local.embedded_aws import REGION, EmbeddedAws
from tests.ops.ecr_login import ecr_login

ECR_LOGIN = ".venv/bin/ecr-login "


def commands(fix: str) -> list[str]:
    """Return the commands in a fix, without the words around them."""
    found = [part for line in fix.splitlines() for part in re.split(r" && |, then |: (?=aws |\.venv/)", line)]
    return [part for part in found if part.startswith(("aws ", ECR_LOGIN))]


def run(aws: EmbeddedAws, command: str, folder: Path) -> None:
    """Run one command.

    Args:
        aws: The emulator.
        command: The command, such as `aws iam get-role --role-name worker`.
        folder: The folder that contains the files of the command.
    """
    if command.startswith(ECR_LOGIN):
        ecr_login(aws, *command.removeprefix(ECR_LOGIN).split())
        return
    _, service, name, *words = shlex.split(command)
    if service != "iam":  # IAM is global.
        assert words[-2:] == ["--region", REGION]
        words = words[:-2]
    client = aws.client(service)
    operation = client.meta.service_model.operation_model(
        next(each for each in client.meta.service_model.operation_names if xform_name(each, "-") == name)
    )
    # The CLI has another name for this parameter, because --endpoint-url is an option of every command.
    words = ["--endpoint" if word == "--notification-endpoint" else word for word in words]
    members = {xform_name(member, "-"): (member, shape) for member, shape in operation.input_shape.members.items()}
    request: dict[str, Any] = {}
    while words:
        option = words.pop(0).removeprefix("--")
        if option == "cli-input-json":
            request |= json.loads(_value(words.pop(0), folder))
            continue
        member, shape = members[option]
        request[member] = shape.type_name == "boolean" or _parse(shape.type_name, _value(words.pop(0), folder))
    getattr(client, xform_name(operation.name))(**request)


def _value(text: str, folder: Path) -> str:
    return (folder / text.removeprefix("file://")).read_text() if text.startswith("file://") else text


def _parse(kind: str, text: str) -> Any:
    if kind == "list":
        return [dict([text.split("=", 1)])] if "=" in text else [text]
    return json.loads(text) if kind in ("map", "structure") else text
